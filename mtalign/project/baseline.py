"""Projection by word links alone: what every better method is measured against.

Each unit of an entity takes the target unit that it links to best; the span goes from the first to the last
of them, particles at its end left out. No ranking, no confidence, no look beside the bead.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtalign.document import Entity, Span
from mtalign.project.document import Compare, Task, compare_passages, passages_of, without_passage
from mtalign.project.target import Comparison
from mtalign.record import Projection
from mtalign.units import UnitText

METHOD = "word-alignment"


def baseline_documents(tasks: Sequence[Task], compare: Compare) -> list[tuple[Projection, ...]]:
    """Return, for each task, one projection per source entity, in the order of the entities."""
    passages = [list(passages_of(task)) for task in tasks]
    compared = iter(compare_passages([each for own in passages for each in own], compare))
    found = []
    for task, own in zip(tasks, passages, strict=True):
        made = {each.source: each for each in without_passage(task)}
        for passage in own:
            comparison = next(compared)
            for entity in passage.entities:
                span = baseline_span(entity.span.shift(-passage.left.start), *passage.units, comparison)
                place = span and span.shift(passage.right.start)
                made[entity.id] = _projection(entity, place, task.target.text)
        found.append(tuple(made[entity.id] for entity in task.source.entities))
    return found


def baseline_span(entity: Span, source: UnitText, target: UnitText, compared: Comparison) -> Span | None:
    """Return the span in `target` that the links of an entity in `source` cover; None without links."""
    rows = [
        n for n, unit in enumerate(source.units) if unit.span.overlaps(entity) and compared.links[n].any()
    ]
    linked = {int(compared.links[n].argmax()) for n in rows}
    while linked and target.units[max(linked)].particle:
        linked.remove(max(linked))
    if not linked:
        return None
    return Span(target.units[min(linked)].span.start, target.units[max(linked)].span.end)


def _projection(entity: Entity, span: Span | None, text: str) -> Projection:
    if span is None:
        return Projection(entity.id, 0.0, METHOD, reason="no-counterpart")
    made = Entity(entity.id, span, span.of(text), entity.label, entity.attributes)
    return Projection(entity.id, 1.0, METHOD, entity=made)
