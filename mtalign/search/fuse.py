"""Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009) of ranked lists, each with weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

RRF_K = 60


def fuse(lists: Iterable[tuple[Sequence[str], Mapping[str, float]]]) -> dict[str, float]:
    """Return the fused score of every id, best first: the sum of weight / (60 + rank) over the lists.

    Ties keep the order of the lists. An id without a weight in a list weighs 1 there.
    """
    scores: dict[str, float] = defaultdict(float)
    for ranked, weights in lists:
        for rank, each in enumerate(ranked, 1):
            scores[each] += weights.get(each, 1.0) / (RRF_K + rank)
    return dict(sorted(scores.items(), key=lambda item: -item[1]))
