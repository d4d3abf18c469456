"""Which candidate span an entity goes to, and how sure that is.

The probability of a candidate is the softmax of its weighted features among all candidates of its entity
and one more, "lost" (a conditional logit, McFadden 1974); calibrated, it is the confidence. Entities are
served best-first, so that a sure mention takes its span before an unsure one; two mentions share target
text only if their sources do.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from mtalign.document import Entity, Span
from mtalign.project.features import features
from mtalign.project.target import Comparison, Target, prepare
from mtalign.project.weights import Weights
from mtalign.record import Projection
from mtalign.units import UnitText, alias_after

METHOD = "ranker"

# Attributes that say which thing a mention is of, as spaCy and brat name them.
KNOWLEDGE_IDS = ("kb_id", "reference")

# Candidates behind these, and less likely ones than this, never win.
_KEPT = 12
_LEAST = 1e-4


@dataclass(frozen=True)
class ProjectOptions:
    """What is good enough, and how far is looked.

    A projection of confidence `keep` or more is kept, below that the entity is reported lost; one below
    `accept` should be seen by a person. `neighbours` also looks into the beads beside an entity's own;
    `consistency` is how much the odds of a candidate gain (natural logarithm) by sounding like what the
    same name became elsewhere in the article; 0 switches it off. `names` are labels whose mentions must stay
    names, as some guidelines have it: one that became an adjective or a common noun, written small
    throughout, is then lost.
    """

    keep: float = 0.25
    accept: float = 0.75
    neighbours: bool = True
    consistency: float = 2.0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ranked:
    """The likeliest spans of an entity, best first, each with its probability; and that of "lost"."""

    entity: Entity
    spans: tuple[Span, ...]
    probabilities: tuple[float, ...]
    lost: float
    calibration: tuple[float, float]

    def confidence(self) -> float:
        """Return how likely the best span is right, calibrated; 0 if there is none."""
        if not self.probabilities:
            return 0.0
        slope, offset = self.calibration
        odds = min(max(self.probabilities[0], 1e-9), 1 - 1e-9)
        return 1 / (1 + math.exp(-(slope * math.log(odds / (1 - odds)) + offset)))

    def without(self, gone: Collection[int]) -> Ranked:
        """Return the ranking of what is left when some spans cannot be had."""
        left = 1 - sum(self.probabilities[n] for n in gone)
        kept = [n for n in range(len(self.spans)) if n not in gone and left > 0]
        return Ranked(
            self.entity,
            tuple(self.spans[n] for n in kept),
            tuple(min(1.0, self.probabilities[n] / left) for n in kept),
            min(1.0, self.lost / left) if left > 0 else 1.0,
            self.calibration,
        )

    def reweighed(self, gains: Iterable[float]) -> Ranked:
        """Return the ranking after the log odds of each span have gained so much."""
        raised = [p * math.exp(gain) for p, gain in zip(self.probabilities, gains, strict=True)]
        rest = max(0.0, 1 - sum(self.probabilities))
        total = sum(raised) + rest
        order = sorted(range(len(raised)), key=lambda n: -raised[n])
        return Ranked(
            self.entity,
            tuple(self.spans[n] for n in order),
            tuple(raised[n] / total for n in order),
            self.lost / total,
            self.calibration,
        )


def rank(
    entities: Sequence[Entity],
    source: UnitText,
    target: UnitText,
    compared: Comparison,
    weights: Weights,
) -> list[Ranked]:
    """Return the ranking of each entity, in the same order.

    Args:
        entities: mentions with spans into `source.text`.
        source: the source text of a bead, in units.
        target: the target text of the bead; spans are offsets into `target.text`.
        compared: the units of the two compared.
        weights: those of the target's language.
    """
    owned = [_units_of(entity, source) for entity in entities]
    prepared = prepare(target, compared, max(map(len, owned), default=0))
    ranked = []
    for entity, own in zip(entities, owned, strict=True):
        if not own or not len(prepared.ranges):
            ranked.append(Ranked(entity, (), (), 1.0, weights.calibration))
        else:
            ranked.append(_ranked(entity, own, source, prepared, weights))
    return ranked


def _units_of(entity: Entity, source: UnitText) -> list[int]:
    """Return the numbers of the units that a mention is made of, in order."""
    numbers: set[int] = set()
    for span in entity.spans():
        first = bisect_right(source.units, span.start, key=lambda unit: unit.span.end)
        last = bisect_left(source.units, span.end, key=lambda unit: unit.span.start)
        numbers.update(range(first, last))
    return sorted(numbers)


def _ranked(entity: Entity, own: Sequence[int], source: UnitText, target: Target, weights: Weights) -> Ranked:
    import numpy as np

    table, possible, loss = features(own, source, entity.said(), target)
    lost = float(loss @ weights.loss_weights)
    scores = np.where(possible, table @ weights.weights, -np.inf)
    best = max(lost, float(scores.max()))
    raised = np.exp(scores - best)
    total = math.exp(lost - best) + float(raised.sum())
    # Candidates come in the order of the text: of equals, the earlier and shorter one is first.
    top = np.argsort(-raised, kind="stable")[:_KEPT]
    kept = [int(n) for n in top if raised[n] / total >= _LEAST]
    return Ranked(
        entity,
        tuple(target.span(n) for n in kept),
        tuple(float(raised[n]) / total for n in kept),
        math.exp(lost - best) / total,
        weights.calibration,
    )


def settle(
    ranked: Sequence[Ranked],
    text: str,
    options: ProjectOptions,
    taken: Sequence[tuple[Entity, Span]] = (),
) -> list[Projection]:
    """Give each entity a span or a reason, best-first.

    Args:
        ranked: the entities of one bead, ranked.
        text: the target text that the spans are offsets of.
        options: thresholds.
        taken: source mentions and spans that are given away already.
    """
    given: dict[int, tuple[float, Span]] = {}
    blocked: set[int] = set()
    held = list(taken)
    queue = [(-each.confidence(), each.entity.span, index, each) for index, each in enumerate(ranked)]
    heapify(queue)
    while queue:
        negative, place, index, each = heappop(queue)
        if not each.spans or -negative < options.keep:
            continue
        free = [all(may_share(each.entity, span, *other) for other in held) for span in each.spans]
        if free[0]:
            given[index] = (-negative, each.spans[0])
            held.append((each.entity, each.spans[0]))
        else:
            # What is left gains: one of these spans it is, or none.
            blocked.add(index)
            rest = each.without([n for n, may in enumerate(free) if not may])
            heappush(queue, (-rest.confidence(), place, index, rest))
    return [
        _found(each.entity, *given[index], text)
        if index in given
        else Projection(
            each.entity.id,
            round(each.confidence(), 4),
            METHOD,
            reason="taken" if index in blocked else _reason(each),
        )
        for index, each in enumerate(ranked)
    ]


def may_share(entity: Entity, span: Span, other: Entity, theirs: Span) -> bool:
    """Say whether two may stand together: mentions overlap in the target only if they do in the source."""
    return not span.overlaps(theirs) or entity.span.overlaps(other.span)


def _reason(ranked: Ranked) -> str:
    """Say why an entity is lost: nothing in the target says it, or no span is good enough."""
    dropped = not ranked.probabilities or ranked.lost > max(0.5, ranked.probabilities[0])
    return "no-counterpart" if dropped else "below-threshold"


def _found(entity: Entity, confidence: float, span: Span, text: str) -> Projection:
    attributes = dict(entity.attributes)
    if alias := alias_after(text, span.end):
        attributes.setdefault("alias", alias)
    made = Entity(entity.id, span, span.of(text), entity.label, attributes)
    return Projection(entity.id, round(confidence, 4), METHOD, entity=made)


def agree(
    ranked: Sequence[Ranked], said: Callable[[Ranked, Span], str], options: ProjectOptions
) -> Iterator[Ranked]:
    """Yield the rankings of one document, weak ones corrected by strong ones of the same thing.

    The same thing: the same words, or the same id in one of the attributes KNOWLEDGE_IDS.

    Args:
        ranked: all rankings of the document.
        said: what a span of a ranking says, romanised.
        options: thresholds; `consistency` is the gain.
    """
    from rapidfuzz import fuzz

    forms: dict[tuple[str, str], list[str]] = {}
    for each in ranked:
        if each.confidence() >= max(options.accept, 0.9):
            for name in _names(each.entity):
                forms.setdefault(name, []).append(said(each, each.spans[0]))
    for each in ranked:
        known = [form for name in _names(each.entity) for form in forms.get(name, ())]
        if not known or each.confidence() >= options.accept:
            yield each
            continue
        alike = [max(fuzz.ratio(said(each, span), form) for form in known) / 100 for span in each.spans]
        yield each.reweighed(options.consistency * share for share in alike)


def _names(entity: Entity) -> Iterator[tuple[str, str]]:
    """Yield what the entity is known by in its document."""
    yield "text", entity.said().casefold()
    for name in KNOWLEDGE_IDS:
        if value := entity.attributes.get(name):
            yield name, value
