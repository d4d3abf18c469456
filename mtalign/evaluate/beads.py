"""Scores of the beads of one pair of languages: strict, lax, nulls, and by type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtalign.evaluate.counts import Counts, Interval, f1_interval, harmonic, total
from mtalign.evaluate.units import UnitBead, UnitBeads


@dataclass(frozen=True)
class KindScores:
    """The beads of one type (`1-1`, `2-1` …): in the gold, found exactly, and predicted."""

    gold: int
    found: int
    predicted: int

    def as_dict(self) -> dict[str, object]:
        """Return the counts."""
        return {"gold": self.gold, "found": self.found, "predicted": self.predicted}


@dataclass(frozen=True)
class BeadScores:
    """The scores of one pair of languages. `nulls` are the strict counts of null beads alone."""

    documents: int
    strict: Counts
    lax: Counts
    nulls: Counts
    strict_interval: Interval
    lax_interval: Interval
    kinds: dict[str, KindScores]

    def vecalign(self) -> dict[str, float]:
        """Return strict and lax precision, recall and F1 as Vecalign's `score.py` counts null beads."""
        gold = self.strict.gold - self.nulls.gold
        strict_p = Counts(self.strict.right, self.strict.predicted, 0, gold).precision
        strict_r = Counts(0, self.strict.predicted, self.strict.found - self.nulls.found, gold).recall
        lax_p = Counts(self.lax.right + self.nulls.right, self.strict.predicted, 0, gold).precision
        lax_r = self.lax.recall
        return {
            "strict_precision": strict_p,
            "strict_recall": strict_r,
            "strict_f1": harmonic(strict_p, strict_r),
            "lax_precision": lax_p,
            "lax_recall": lax_r,
            "lax_f1": harmonic(lax_p, lax_r),
        }

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "documents": self.documents,
            "strict": self.strict.as_dict(),
            "strict_interval": self.strict_interval.as_dict(),
            "lax": self.lax.as_dict(),
            "lax_interval": self.lax_interval.as_dict(),
            "nulls": self.nulls.as_dict(),
            "vecalign": self.vecalign(),
            "kinds": {kind: scores.as_dict() for kind, scores in self.kinds.items()},
        }


def score_beads(documents: Sequence[tuple[UnitBeads, UnitBeads]]) -> BeadScores:
    """Score the documents of one pair, each given as gold and predicted beads over the same units."""
    strict, lax, nulls = [], [], []
    gold_kinds: Counter[str] = Counter()
    found_kinds: Counter[str] = Counter()
    pred_kinds: Counter[str] = Counter()
    for gold, pred in documents:
        right = gold.keys() & pred.keys()
        gold_nulls, pred_nulls, right_nulls = (sum(map(_is_null, each)) for each in (gold, pred, right))
        strict.append(Counts(len(right), len(pred), len(right), len(gold)))
        nulls.append(Counts(right_nulls, pred_nulls, right_nulls, gold_nulls))
        lax.append(
            Counts(
                _count_overlapping(pred, gold),
                len(pred) - pred_nulls,
                _count_overlapping(gold, pred),
                len(gold) - gold_nulls,
            )
        )
        gold_kinds.update(gold.values())
        found_kinds.update(gold[bead] for bead in right)
        pred_kinds.update(pred.values())
    return BeadScores(
        len(documents),
        total(strict),
        total(lax),
        total(nulls),
        f1_interval(strict),
        f1_interval(lax),
        {
            kind: KindScores(gold_kinds[kind], found_kinds[kind], pred_kinds[kind])
            for kind in sorted({*gold_kinds, *pred_kinds}, key=_kind_order)
        },
    )


def _is_null(bead: UnitBead) -> bool:
    return not bead[0] or not bead[1]


def _kind_order(kind: str) -> list[int]:
    return [int(number) for number in kind.split("-")]


def _count_overlapping(beads: Iterable[UnitBead], others: Iterable[UnitBead]) -> int:
    """Count the beads that share units with one and the same other bead on both sides."""
    others = list(others)
    owner_left = {unit: n for n, (left, _) in enumerate(others) for unit in left}
    owner_right = {unit: n for n, (_, right) in enumerate(others) for unit in right}
    return sum(
        not {owner_left.get(unit, -1) for unit in left}.isdisjoint(
            owner_right.get(unit, -2) for unit in right
        )
        for left, right in beads
    )
