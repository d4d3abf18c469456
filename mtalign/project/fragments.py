"""Discontinuous mentions: "South" and "Korea" in "South and North Korea".

Such a mention is ranked as a whole, by its own words, and each of its parts is ranked by itself. The parts
win where they are found apart from each other and each surer than the whole; the mention then comes out in
fragments again. Otherwise it comes out as one span.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def in_fragments(
    entity: Entity,
    whole: Projection,
    parts: Sequence[Ranked],
    text: str,
    options: ProjectOptions,
    taken: Sequence[tuple[Entity, Span]],
) -> Projection:
    """Return the mention in fragments if its parts are found apart and surer than the whole.

    Args:
        entity: the source mention.
        whole: what became of it as one span.
        parts: the rankings of its fragments, in order.
        text: the target text.
        options: thresholds.
        taken: other source mentions and the spans they were given.
    """
    if not all(each.spans for each in parts):
        return whole
    confidence = round(min(each.confidence() for each in parts), 4)
    spans = _joined(sorted(each.spans[0] for each in parts), text)
    surer = confidence >= options.keep and (whole.entity is None or confidence > whole.confidence)
    free = all(may_share(entity, span, *other) for span in spans for other in taken)
    if len(spans) < 2 or not surer or not free:
        return whole
    cover = Span(spans[0].start, spans[-1].end)
    made = replace(entity, span=cover, text=cover.of(text), fragments=tuple(spans))
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
