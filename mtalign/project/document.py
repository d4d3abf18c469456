"""Projection over whole documents: inside each bead, many documents at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mtalign.alignment import Bead
from mtalign.document import Document, Entity, Span
from mtalign.project.rank import METHOD, ProjectOptions, project
from mtalign.record import Projection
from mtalign.units import UnitText, unit_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Link = Callable[[Sequence[tuple[UnitText, UnitText]]], Sequence[NDArray[np.float32]]]


@dataclass(frozen=True)
class Task:
    """One document to project: its source, the target, and the beads between the two (left: source)."""

    source: Document
    target: Document
    beads: Sequence[Bead]


@dataclass(frozen=True)
class _Passage:
    """A bead with entities in it: where it lies in either text, and the texts in units."""

    left: Span
    right: Span
    entities: tuple[Entity, ...]
    units: tuple[UnitText, UnitText]


def project_documents(
    tasks: Sequence[Task], link: Link, options: ProjectOptions | None = None
) -> list[tuple[Projection, ...]]:
    """Return, for each task, one projection per source entity, in the order of the entities.

    An entity is looked for in the bead that holds it. Reasons for a loss that are found here:
    `crosses-beads` (no single bead holds the mention) and `no-counterpart-sentence` (its bead has no
    sentence on the other side).

    Args:
        tasks: the documents.
        link: makes a link matrix (source units x target units) for each pair of texts; called once.
        options: thresholds.
    """
    passages = [list(_passages(task)) for task in tasks]
    flat = [passage for each in passages for passage in each]
    matrices = iter(link([passage.units for passage in flat]) if flat else [])
    results = []
    for task, own in zip(tasks, passages, strict=True):
        found = {each.source: each for each in _without_passage(task)}
        for passage in own:
            found |= {each.source: each for each in _project_passage(passage, next(matrices), options)}
        results.append(tuple(found[entity.id] for entity in task.source.entities))
    return results


def _passages(task: Task) -> Iterator[_Passage]:
    for bead in task.beads:
        if not bead.left or not bead.right:
            continue
        left, right = task.source.cover(bead.left), task.target.cover(bead.right)
        if entities := tuple(each for each in task.source.entities if left.contains(each.span)):
            yield _Passage(
                left,
                right,
                entities,
                (
                    unit_text(left.of(task.source.text), task.source.lang),
                    unit_text(right.of(task.target.text), task.target.lang),
                ),
            )


def _without_passage(task: Task) -> Iterator[Projection]:
    """Yield a loss for every entity; those that are inside a passage are replaced by what is found there."""
    alone = [task.source.cover(bead.left) for bead in task.beads if bead.left and not bead.right]
    for entity in task.source.entities:
        single = any(span.contains(entity.span) for span in alone)
        yield Projection(
            entity.id, 0.0, METHOD, reason="no-counterpart-sentence" if single else "crosses-beads"
        )


def _project_passage(
    passage: _Passage, matrix: NDArray[np.float32], options: ProjectOptions | None
) -> Iterator[Projection]:
    local = [_moved(each, -passage.left.start) for each in passage.entities]
    for made in project(local, *passage.units, matrix, options=options):
        yield replace(made, entity=_moved(made.entity, passage.right.start)) if made.entity else made


def _moved(entity: Entity, offset: int) -> Entity:
    return replace(entity, span=entity.span.shift(offset))
