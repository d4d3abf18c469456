"""Whether two texts tell things in the same order: beads are monotone, so what was moved is lost to them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

from mtalign.align.band import longest_rising, mutual_nearest
from mtalign.align.side import Side

# The kind of the issue, or of the warning, that says so.
NON_MONOTONE = "non-monotone"

# Below this the order of one text says little about that of the other; of few sentences it never says much.
_MONOTONE = 0.5
_LEAST_PAIRS = 6


@dataclass(frozen=True)
class ReadingOrder:
    """How far the order of two texts agrees.

    `order` is Kendall's rank correlation of the sentences that are each other's nearest: 1 for the same
    order, -1 for the reverse, about 0 for a mixed one and for texts that have nothing to do with each other.
    `pairs` is the number of those sentences, `crossing` lists those that stand off the longest rising
    chain: they were moved, or are no translations.
    """

    order: float
    pairs: int
    crossing: tuple[tuple[int, int], ...]

    @property
    def is_monotone(self) -> bool:
        """Whether a monotone alignment can be trusted, as far as so many sentences can tell."""
        return self.pairs < _LEAST_PAIRS or self.order >= _MONOTONE

    @property
    def evidence(self) -> str:
        """What a person should know of two texts that are not monotone."""
        return (
            f"rank correlation {self.order:.2f} over {self.pairs} sentences: passages were moved, or the "
            "texts do not belong together; the beads cannot show it"
        )


def reading_order(left: Side, right: Side) -> ReadingOrder:
    """Compare the order of two texts by the vectors of their sentences; order 1 where nothing is near."""
    if not len(left) or not len(right):
        return ReadingOrder(1.0, 0, ())
    mutual = mutual_nearest(left.vectors, right.vectors)
    kept = set(longest_rising(mutual))
    crossing = tuple(pair for pair in mutual if pair not in kept)
    return ReadingOrder(_kendall([j for _, j in mutual]), len(mutual), crossing)


def _kendall(ranks: Sequence[int]) -> float:
    """Return 1 less twice the share of pairs that stand in the wrong order; 1 if there is no pair."""
    seen: list[int] = []
    inversions = 0
    for rank in ranks:
        inversions += len(seen) - bisect_left(seen, rank)
        insort(seen, rank)
    total = len(ranks) * (len(ranks) - 1) / 2
    return round(1 - 2 * inversions / total, 4) if total else 1.0
