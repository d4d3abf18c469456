"""Scores of n-way tuples: the same sentences in every language, and links between any two of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from mtalign.evaluate.counts import Counts, Interval, f1_interval, total
from mtalign.evaluate.units import Units, UnitTuple


@dataclass(frozen=True)
class TupleScores:
    """The scores of n-way tuples.

    `exact`: the same sentences in every language, tuples of a single language among them. `links`: pairs
    of sentences of two languages that stand in one tuple (of characters, where segmentations differ).
    `largest` is the greatest number of sentences that one predicted tuple holds of one language.
    """

    documents: int
    exact: Counts
    links: Counts
    exact_interval: Interval
    links_interval: Interval
    largest: int

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "documents": self.documents,
            "exact": self.exact.as_dict(),
            "exact_interval": self.exact_interval.as_dict(),
            "links": self.links.as_dict(),
            "links_interval": self.links_interval.as_dict(),
            "largest": self.largest,
        }


def score_tuples(
    documents: Sequence[tuple[Sequence[UnitTuple], Sequence[UnitTuple]]], largest: int
) -> TupleScores:
    """Score documents given as gold and predicted tuples over the same units."""
    exact, links = [], []
    for gold, pred in documents:
        gold_set, pred_set = ({_frozen(each) for each in side} for side in (gold, pred))
        right = len(gold_set & pred_set)
        exact.append(Counts(right, len(pred_set), right, len(gold_set)))
        shared = _count_shared_links(gold, pred)
        links.append(Counts(shared, _count_links(pred), shared, _count_links(gold)))
    return TupleScores(
        len(documents), total(exact), total(links), f1_interval(exact), f1_interval(links), largest
    )


def _count_links(tuples: Iterable[UnitTuple]) -> int:
    return sum(len(a) * len(b) for each in tuples for a, b in combinations(each.values(), 2))


def _count_shared_links(gold: Sequence[UnitTuple], pred: Sequence[UnitTuple]) -> int:
    """Count the links that both sides hold, without listing them: products of overlaps by gold tuple."""
    owner = {(lang, unit): n for n, each in enumerate(gold) for lang, units in each.items() for unit in units}
    shared = 0
    for each in pred:
        overlaps = [Counter(owner[lang, unit] for unit in units) for lang, units in each.items()]
        shared += sum(count * b[n] for a, b in combinations(overlaps, 2) for n, count in a.items())
    return shared


def _frozen(units: UnitTuple) -> frozenset[tuple[str, Units]]:
    return frozenset((lang, each) for lang, each in units.items() if each)
