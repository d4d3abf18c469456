"""Precision at coverage: how right the surest answers are, if only a share of the questions is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtalign.evaluate.counts import SAMPLES, SEED, Interval

COVERAGES = (0.8, 0.9, 0.95, 1.0)


@dataclass(frozen=True)
class Answer:
    """One answer: the document it is from, how sure it was, and whether it is right."""

    document: int
    confidence: float
    right: bool


@dataclass(frozen=True)
class CoveragePoint:
    """The precision of the surest answers to a share of the questions, with its 95 % interval."""

    coverage: float
    precision: float
    interval: Interval

    def as_dict(self) -> dict[str, object]:
        """Return the three."""
        return {
            "coverage": self.coverage,
            "precision": self.precision,
            "interval": self.interval.as_dict(),
        }


def precision_at_coverage(
    answers: Sequence[Answer], questions: Sequence[int], samples: int = SAMPLES, seed: int = SEED
) -> list[CoveragePoint]:
    """Return the points of COVERAGES; a coverage that too few answers reach is left out.

    Args:
        answers: the answers given, in any order; equal confidences keep it.
        questions: how many there are in each document, unanswered ones too.
        samples: how often documents are drawn anew (bootstrap, Efron 1979).
        seed: of the draws.
    """
    import numpy as np

    if not answers:
        return []
    ranked = sorted(answers, key=lambda each: -each.confidence)
    documents = np.array([each.document for each in ranked])
    right = np.array([each.right for each in ranked], float)
    asked = np.array(questions, float)
    size = len(asked)
    draws = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=samples)
    # The first row is the sample as it is.
    times = np.vstack([np.ones(size), draws])
    answered = times[:, documents].cumsum(1)
    hits = (times[:, documents] * right).cumsum(1)
    wanted = times @ asked
    points = []
    for share in COVERAGES:
        if answered[0, -1] < share * wanted[0] - 1e-9:
            continue
        last = np.minimum((answered < (share * wanted)[:, None] - 1e-9).sum(1), len(ranked) - 1)
        rows = np.arange(len(times))
        precision = hits[rows, last] / np.maximum(answered[rows, last], 1)
        low, high = np.percentile(precision[1:], [2.5, 97.5])
        points.append(CoveragePoint(share, float(precision[0]), Interval(float(low), float(high))))
    return points
