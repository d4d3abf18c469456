"""Scores of search: recall, success and mean reciprocal rank of ranked answers.

Recall@k is the share of a query's relevant passages among its first k answers; success@k says whether
at least one is there; MRR is the mean of 1 / (rank of the first relevant answer), 0 where none is given.
All are means over queries. Graded relevance is not handled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from mtalign.errors import InputError
from mtalign.evaluate.counts import signature
from mtalign.evaluate.rows import match, read_rows

DEFAULT_KS = (1, 10)


class RelevantRow(Struct, frozen=True):
    """A query and the ids of the passages that answer it."""

    id: str
    relevant: tuple[str, ...]

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id of the query."""
        return self.id, None


class RankedRow(Struct, frozen=True):
    """A query and the ids of the passages found, best first."""

    id: str
    ranked: tuple[str, ...]

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id of the query."""
        return self.id, None


@dataclass(frozen=True)
class SearchScores:
    """Means over queries; `recall` and `success` by depth k."""

    queries: int
    recall: dict[int, float]
    success: dict[int, float]
    mrr: float
    signature: str

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "queries": self.queries,
            **{f"recall@{k}": value for k, value in self.recall.items()},
            **{f"success@{k}": value for k, value in self.success.items()},
            "mrr": self.mrr,
            "signature": self.signature,
        }


def evaluate_search_files(gold: Path, pred: Path, ks: Sequence[int] = DEFAULT_KS) -> SearchScores:
    """Score ranked answers (`{"id", "ranked": [id…]}`) against relevant ones (`{"id", "relevant": [id…]}`).

    Raises:
        UsageError: a file cannot be read or is empty.
        InputError: a line is unusable, or a gold query has no answers row.
    """
    pairs = match(read_rows(gold, RelevantRow), read_rows(pred, RankedRow))
    return score_search(
        {theirs.value.id: theirs.value.ranked for _, theirs in pairs},
        {mine.value.id: mine.value.relevant for mine, _ in pairs},
        ks,
    )


def score_search(
    ranked: Mapping[str, Sequence[str]],
    relevant: Mapping[str, Collection[str]],
    ks: Sequence[int] = DEFAULT_KS,
) -> SearchScores:
    """Score the ranked passage ids of every query in `relevant`.

    Raises:
        InputError: a query has no ranked list, or nothing relevant to it.
    """
    if not relevant:
        raise InputError("no queries; nothing can be scored")
    for query, wanted in relevant.items():
        if query not in ranked:
            raise InputError(f"query {query!r} has no ranked answers; an empty list says that none was found")
        if not wanted:
            raise InputError(f"query {query!r} has no relevant passage; leave it out of the gold")
    count = len(relevant)
    hits = {q: [passage in set(wanted) for passage in ranked[q]] for q, wanted in relevant.items()}
    return SearchScores(
        count,
        {k: sum(sum(hits[q][:k]) / len(set(wanted)) for q, wanted in relevant.items()) / count for k in ks},
        {k: sum(any(each[:k]) for each in hits.values()) / count for k in ks},
        sum(1 / (each.index(True) + 1) for each in hits.values() if any(each)) / count,
        signature(recall="found/relevant", average="queries"),
    )
