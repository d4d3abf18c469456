"""Discontinuous mentions: "South" and "Korea" in "South and North Korea".

Such a mention is ranked as a whole, by its own words, and each of its parts is ranked by itself. The parts
win where they are found apart from each other and each surer than the whole; the mention then comes out in
fragments again. Otherwise it comes out as one span.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec.structs import replace

from mtalign.document import Entity, Span
from mtalign.project.rank import METHOD, ProjectOptions, Ranked, may_share
from mtalign.record import Projection


def parts_of(entity: Entity) -> list[Entity]:
    """Return a mention per fragment; none for a mention in one piece."""
    return [
        Entity(entity.id, each, each.shift(-entity.span.start).of(entity.text), entity.label)
        for each in entity.fragments
    ]


def apart(
    settled: Mapping[str, Projection],
    parts: Iterable[tuple[Entity, Sequence[Ranked]]],
    entities: Sequence[Entity],
    text: str,
    options: ProjectOptions,
) -> dict[str, Projection]:
    """Return what is settled, mentions in fragments where these are found apart and surer than the whole.

    Args:
        settled: what became of the entities of one bead, each as one span.
        parts: discontinuous mentions with the rankings of their fragments, in order.
        entities: all source mentions of the bead.
        text: the target text.
        options: thresholds.
    """
    found = dict(settled)
    for entity, ranked in parts:
        whole, made = settled[entity.id], in_fragments(entity, ranked, text)
        places = made.entity if made else None
        if not made or not places or made.confidence < options.keep:
            continue
        surer = whole.entity is None or made.confidence > whole.confidence
        if surer and all(
            may_share(entity, span, other, theirs.span)
            for other in entities
            if other is not entity and (theirs := found[other.id].entity)
            for span in places.spans()
        ):
            found[entity.id] = made
    return found


def in_fragments(entity: Entity, parts: Sequence[Ranked], text: str) -> Projection | None:
    """Return a mention at the best places of its parts, or None if these do not stand apart."""
    if not all(each.spans for each in parts):
        return None
    spans = _joined(sorted(each.spans[0] for each in parts), text)
    if len(spans) < 2:
        return None
    cover = Span(spans[0].start, spans[-1].end)
    made = replace(entity, span=cover, text=cover.of(text), fragments=tuple(spans))
    confidence = round(min(each.confidence() for each in parts), 4)
    return Projection(entity.id, confidence, METHOD, entity=made)


def _joined(spans: Sequence[Span], text: str) -> list[Span]:
    """Return spans with those made one that overlap or have only white space between them."""
    joined = [spans[0]]
    for _, span in pairwise(spans):
        if not text[joined[-1].end : span.start].strip():
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined
