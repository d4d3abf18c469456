"""What every score is made of: precision, recall and F1 from counts, intervals, and the recipe line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtalign import __version__

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES = 1000
SEED = 0


@dataclass(frozen=True)
class Counts:
    """How much of what was predicted is right, and how much of the gold was found.

    The two numerators differ where one item can answer for several: two predicted beads that overlap
    the same gold bead are both right, and find one. Nothing predicted where nothing is in the gold
    scores 1; nothing predicted where something is scores 0.
    """

    right: int
    predicted: int
    found: int
    gold: int

    @property
    def precision(self) -> float:
        """The share of the predicted items that are right."""
        return _ratio(self.right, self.predicted, self.gold)

    @property
    def recall(self) -> float:
        """The share of the gold items that were found."""
        return _ratio(self.found, self.gold, self.predicted)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return harmonic(self.precision, self.recall)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.right + other.right,
            self.predicted + other.predicted,
            self.found + other.found,
            self.gold + other.gold,
        )

    def as_dict(self) -> dict[str, object]:
        """Return the three scores and the four counts behind them."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "right": self.right,
            "predicted": self.predicted,
            "found": self.found,
            "gold": self.gold,
        }


@dataclass(frozen=True)
class Interval:
    """The middle 95 % of a score over resampled documents."""

    low: float
    high: float

    def as_dict(self) -> dict[str, object]:
        """Return both ends."""
        return {"low": self.low, "high": self.high}


def total(counts: Iterable[Counts]) -> Counts:
    """Add counts up: scores of the sum are micro-averages."""
    return sum(counts, Counts(0, 0, 0, 0))


def harmonic(precision: float, recall: float) -> float:
    """Return F1, and 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def f1_interval(documents: Sequence[Counts], samples: int = SAMPLES, seed: int = SEED) -> Interval:
    """Return the 95 % percentile interval of the micro-averaged F1 (bootstrap over documents, seeded).

    Documents are drawn with replacement, as many as there are (Efron 1979). It speaks of other documents
    like these, not of another run of a random model.

    Raises:
        ValueError: there are no documents.
    """
    import numpy as np

    if not documents:
        raise ValueError("an interval needs at least one document")
    table = np.array([(c.right, c.predicted, c.found, c.gold) for c in documents], dtype=np.float64)
    size = len(documents)
    draws = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=samples)
    low, high = np.percentile(_f1_of_each(draws @ table), [2.5, 97.5])
    return Interval(float(low), float(high))


def _f1_of_each(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the F1 of each row of counts (right, predicted, found, gold): `Counts.f1` for many."""
    import numpy as np

    right, predicted, found, gold = table.T
    precision = np.where(predicted > 0, right / np.maximum(predicted, 1), gold == 0)
    recall = np.where(gold > 0, found / np.maximum(gold, 1), predicted == 0)
    both = precision + recall
    return np.where(both > 0, 2 * precision * recall / np.where(both > 0, both, 1), 0.0)


def signature(**parts: object) -> str:
    """Return the recipe of a score in one line, `key:value|key:value|mtalign:version`."""
    return "|".join(f"{key}:{value}" for key, value in {**parts, "mtalign": __version__}.items())


BOOTSTRAP = f"bootstrap-document-n{SAMPLES}-seed{SEED}"


def _ratio(part: int, whole: int, other: int) -> float:
    if whole:
        return part / whole
    return 0.0 if other else 1.0
