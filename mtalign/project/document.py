"""Projection over whole documents: inside each bead, then beside it, many documents at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from mtalign.alignment import Bead
from mtalign.document import Document, Entity, Span
from mtalign.project.evidence import Evidence, weigh
from mtalign.project.fragments import apart, parts_of
from mtalign.project.grammar import pronouns
from mtalign.project.rank import METHOD, ProjectOptions, Ranked, agree, rank, settle
from mtalign.project.sound import romanise
from mtalign.project.target import Comparison
from mtalign.project.weights import Weights, group_of, read_weights
from mtalign.record import Projection
from mtalign.units import UnitText, set_aside_aliases, unit_text

Compare = Callable[[Sequence[tuple[UnitText, UnitText]]], Sequence[Comparison]]


# Losses that a look into the neighbouring beads may undo.
_MAY_HAVE_MOVED = ("no-counterpart", "pronoun", "no-counterpart-sentence", "below-threshold")


@dataclass(frozen=True)
class Task:
    """One document to project: its source, the target, and the beads between the two (left: source)."""

    source: Document
    target: Document
    beads: Sequence[Bead]


@dataclass(frozen=True)
class Passage:
    """Entities and the target text they are looked for in: where either text lies, and both in units."""

    left: Span
    right: Span
    entities: tuple[Entity, ...]
    units: tuple[UnitText, UnitText]


def project_documents(
    tasks: Sequence[Task],
    compare: Compare,
    options: ProjectOptions | None = None,
    weights: Mapping[str, Weights] | None = None,
    evidence: Callable[[str], Sequence[Evidence]] | None = None,
) -> list[tuple[Projection, ...]]:
    """Return, for each task, one projection per source entity, in the order of the entities.

    An entity is looked for in the bead that holds it and, if it is not there, in the bead before and the
    bead after. Reasons for a loss: `crosses-beads` (no single bead holds the mention),
    `no-counterpart-sentence` (its bead has no sentence on the other side), `no-counterpart` (nothing
    there says it), `pronoun` (nor, but the target has a pronoun more than the source), `below-threshold`,
    `taken` (a surer mention has the span), `no-name` (a word written small says it, and the label is one of
    the options' `names`).

    Args:
        tasks: the documents.
        compare: compares the units of each pair of texts (source, target); called at most twice.
        options: thresholds.
        weights: the ranker's weights by group of languages, instead of those that come with mtalign.
        evidence: returns what else speaks for spans in a language; it is heard inside an entity's own bead.
    """
    weights = weights or read_weights()
    options = options or ProjectOptions()
    passages = [list(passages_of(task)) for task in tasks]
    compared = iter(compare_passages([each for own in passages for each in own], compare))
    found: list[dict[str, Projection]] = []
    for task, own in zip(tasks, passages, strict=True):
        made = {each.source: each for each in without_passage(task)}
        comparisons = [next(compared) for _ in own]
        ranked = [_rank(*each, weights) for each in zip(own, comparisons, strict=True)]
        if evidence and (heard := evidence(task.target.lang)):
            weighed = iter(weigh([each for one in ranked for each in one], task.source, task.target, heard))
            ranked = [[next(weighed) for _ in one] for one in ranked]
        ranked = _agreed(ranked, task, options)
        for passage, comparison, each in zip(own, comparisons, ranked, strict=True):
            settled = {one.source: one for one in settle(each, task.target.text, options)}
            parts = [
                (entity, _rank(passage, comparison, weights, parts_of(entity)))
                for entity in passage.entities
                if entity.fragments
            ]
            settled = apart(settled, parts, passage.entities, task.target.text, options)
            made |= _as_pronouns(passage, settled)
        found.append(made)
    if options.neighbours:
        _look_beside(tasks, found, compare, options, weights)
    return [
        tuple(_as_name(made[entity.id], entity, options) for entity in task.source.entities)
        for task, made in zip(tasks, found, strict=True)
    ]


def compare_passages(passages: Sequence[Passage], compare: Compare) -> Sequence[Comparison]:
    """Return the units of each passage compared."""
    return compare([passage.units for passage in passages]) if passages else []


def passages_of(task: Task) -> Iterator[Passage]:
    """Yield the beads that hold entities whole and have text on both sides."""
    for bead in task.beads:
        if not bead.left or not bead.right:
            continue
        left = task.source.cover(bead.left)
        if entities := tuple(each for each in task.source.entities if left.contains(each.span)):
            yield _passage(task, left, task.target.cover(bead.right), entities)


def _passage(task: Task, left: Span, right: Span, entities: tuple[Entity, ...]) -> Passage:
    source = unit_text(left.of(task.source.text), task.source.lang)
    target = unit_text(right.of(task.target.text), task.target.lang)
    return Passage(left, right, entities, (source, set_aside_aliases(target, source)))


def without_passage(task: Task) -> Iterator[Projection]:
    """Yield a loss for every entity; those that are inside a passage are replaced by what is found there."""
    alone = [task.source.cover(bead.left) for bead in task.beads if bead.left and not bead.right]
    for entity in task.source.entities:
        single = any(span.contains(entity.span) for span in alone)
        yield Projection(
            entity.id, 0.0, METHOD, reason="no-counterpart-sentence" if single else "crosses-beads"
        )


def _rank(
    passage: Passage,
    compared: Comparison,
    weights: Mapping[str, Weights],
    entities: Sequence[Entity] | None = None,
) -> list[Ranked]:
    """Rank the candidates of a passage; the spans come back as offsets of the whole documents.

    `entities` are mentions inside the passage, if other ones than the passage's own.
    """
    entities = passage.entities if entities is None else entities
    local = [each.shift(-passage.left.start) for each in entities]
    ranked = rank(local, *passage.units, compared, weights[group_of(passage.units[1].lang)])
    return [
        Ranked(
            entity,
            tuple(span.shift(passage.right.start) for span in each.spans),
            each.probabilities,
            each.lost,
            each.calibration,
        )
        for entity, each in zip(entities, ranked, strict=True)
    ]


def _as_pronouns(passage: Passage, settled: dict[str, Projection]) -> dict[str, Projection]:
    """Give mentions without counterpart the reason `pronoun`, where the target has one more of them."""
    source, target = passage.units
    if pronouns(target.words(), target.lang) <= pronouns(source.words(), source.lang):
        return settled
    return {
        source_id: replace(each, reason="pronoun") if each.reason == "no-counterpart" else each
        for source_id, each in settled.items()
    }


def _as_name(made: Projection, entity: Entity, options: ProjectOptions) -> Projection:
    """Give a mention the reason `no-name` where it has to stay a name and became none."""
    if made.entity is None or entity.label not in options.names:
        return made
    became_small = _small(made.entity.said()) and not _small(entity.said())
    return replace(made, entity=None, reason="no-name") if became_small else made


def _small(text: str) -> bool:
    """Say whether a text has letters that could be capitals and are not, all of them."""
    return text == text.lower() != text.upper()


def _agreed(ranked: Sequence[list[Ranked]], task: Task, options: ProjectOptions) -> list[list[Ranked]]:
    corrected = agree(
        [each for own in ranked for each in own],
        lambda _, span: romanise(span.of(task.target.text)),
        options,
    )
    return [[next(corrected) for _ in own] for own in ranked]


def _look_beside(
    tasks: Sequence[Task],
    found: list[dict[str, Projection]],
    compare: Compare,
    options: ProjectOptions,
    weights: Mapping[str, Weights],
) -> None:
    """Look for lost entities in the neighbouring beads; only a span as sure as `accept` is taken there."""
    beside = [(number, each) for number, task in enumerate(tasks) for each in _beside(task, found[number])]
    compared = compare_passages([passage for _, passage in beside], compare)
    strict = dataclasses.replace(options, keep=max(options.keep, options.accept))
    for (number, passage), each in zip(beside, compared, strict=True):
        task, made = tasks[number], found[number]
        entities = {entity.id: entity for entity in task.source.entities}
        taken = [(entities[one.source], one.entity.span) for one in made.values() if one.entity]
        still = [one for one in _rank(passage, each, weights) if made[one.entity.id].entity is None]
        for one in settle(still, task.target.text, strict, taken):
            if one.entity:
                made[one.source] = one


def _beside(task: Task, made: dict[str, Projection]) -> Iterator[Passage]:
    lost = [each for each in task.source.entities if made[each.id].reason in _MAY_HAVE_MOVED]
    for number, bead in enumerate(task.beads):
        if not bead.left:
            continue
        left = task.source.cover(bead.left)
        if entities := tuple(each for each in lost if left.contains(each.span)):
            for other in (*task.beads[max(number - 1, 0) : number], *task.beads[number + 1 : number + 2]):
                if other.right:
                    yield _passage(task, left, task.target.cover(other.right), entities)
