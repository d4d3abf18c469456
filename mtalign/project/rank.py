"""Which candidate span an entity goes to, and how sure that is.

A first version: candidates are ranked by the word links alone. For an entity with source units E and a
span with target units T, with A the link matrix, recall is the share of E's links that fall into T and
precision the share of T's links that come from E; the span with the best F1 of the two wins. Best-first,
so that a sure mention takes its span before an unsure one; two mentions share target text only if their
sources do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtalign.document import Entity, Span
from mtalign.project.candidates import candidates
from mtalign.record import Projection
from mtalign.units import UnitText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

METHOD = "links"


@dataclass(frozen=True)
class ProjectOptions:
    """When a span is good enough: confidence `keep` or more; below that the entity is reported lost."""

    keep: float = 0.35
    longest: int = 8


@dataclass(frozen=True)
class _Choice:
    entity: Entity
    span: Span
    score: float


def project(
    entities: Sequence[Entity],
    source: UnitText,
    target: UnitText,
    links: NDArray[np.float32],
    *,
    options: ProjectOptions | None = None,
) -> list[Projection]:
    """Return one projection per entity, in the same order.

    Args:
        entities: mentions with spans into `source.text`.
        source: the source text of a bead, in units.
        target: the target text of the bead; the projected spans are offsets into `target.text`.
        links: source units x target units, 0 to 1.
        options: thresholds.
    """
    options = options or ProjectOptions()
    spans = list(candidates(target, options.longest))
    choices = [choice for entity in entities for choice in _choices(entity, source, target, links, spans)]
    taken: dict[str, _Choice] = {}
    best: dict[str, float] = {}
    for choice in sorted(choices, key=lambda each: (-each.score, each.entity.span, each.span)):
        best.setdefault(choice.entity.id, choice.score)
        if choice.score < options.keep or choice.entity.id in taken:
            continue
        if all(_may_stand_together(choice, other) for other in taken.values()):
            taken[choice.entity.id] = choice
    return [
        _projection(entity, taken.get(entity.id), best.get(entity.id, 0.0), target) for entity in entities
    ]


def _choices(
    entity: Entity,
    source: UnitText,
    target: UnitText,
    links: NDArray[np.float32],
    spans: Sequence[tuple[int, int]],
) -> list[_Choice]:
    """Score every candidate span of one entity; spans that no link points to are left out."""
    import numpy as np

    own = np.array([unit.span.overlaps(entity.span) for unit in source.units], bool)
    if not own.any() or not spans:
        return []
    from_own = np.concatenate([[0.0], np.cumsum(links[own].sum(0))])
    from_all = np.concatenate([[0.0], np.cumsum(links.sum(0))])
    first, last = np.array(spans).T
    inside = from_own[last] - from_own[first]
    recall = inside / max(from_own[-1], 1e-9)
    precision = inside / np.maximum(from_all[last] - from_all[first], 1e-9)
    scores = 2 * recall * precision / np.maximum(recall + precision, 1e-9)
    return [
        _Choice(entity, Span(target.units[a].span.start, target.units[b - 1].span.end), float(score))
        for (a, b), score in zip(spans, scores, strict=True)
        if score > 0
    ]


def _may_stand_together(one: _Choice, other: _Choice) -> bool:
    return not one.span.overlaps(other.span) or one.entity.span.overlaps(other.entity.span)


def _projection(entity: Entity, choice: _Choice | None, best: float, target: UnitText) -> Projection:
    if choice is None:
        reason = "no-counterpart" if best == 0 else "below-threshold" if best < 1 else "taken"
        return Projection(entity.id, round(min(best, 1.0), 4), METHOD, reason=reason)
    found = Entity(entity.id, choice.span, choice.span.of(target.text), entity.label, entity.attributes)
    return Projection(entity.id, round(min(choice.score, 1.0), 4), METHOD, entity=found)
