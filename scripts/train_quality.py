"""Train the weights of the quality estimate on one half of the documents and write mtalign/quality.json.

    python scripts/train_quality.py STARTER.jsonl [--write] [--cache FEATURES.json]

STARTER.jsonl comes from scripts/starter_translations.py. A logistic regression with a quadratic penalty:
first for all languages, then per group of languages with a penalty on the distance from those weights. Good
and bad examples weigh the same in sum, and four fifths of the bad ones' weight lie on the machine's.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from quality_data import MACHINE, Example, examples, is_bad
from scipy.optimize import minimize

from mtalign.project.weights import GROUPS
from mtalign.quality import FEATURES, WEIGHTS_PATH, Weights

DATA = Path(__file__).resolve().parents[2] / "shared/data"
# Chosen by cross-validation over the documents of the training half, as the shares below were.
POOLED, APART = 3.0, 3.0

Floats = NDArray[np.float64]


def fit(table: Floats, good: NDArray[np.bool_], weights: Floats, prior: Floats, penalty: float) -> Floats:
    """Return the coefficients, offset last, that make good examples likely to be called good."""
    rows = np.hstack([table, np.ones((len(table), 1))])

    def loss(each: Floats) -> tuple[float, Floats]:
        odds = rows @ each
        away = each - prior
        away[-1] = 0.0
        value = weights @ (np.logaddexp(0, odds) - good * odds) + penalty * away @ away
        slope = rows.T @ (weights * (1 / (1 + np.exp(-odds)) - good)) + 2 * penalty * away
        return float(value), slope

    return np.asarray(minimize(loss, prior, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x)


def balanced(chosen: Sequence[Example]) -> Floats:
    """Return the weight of each example; a half is for the good ones."""
    classes = ["machine" if each.kind == MACHINE else str(is_bad(each)) for each in chosen]
    counts = Counter(classes)
    share = {"False": 0.5, "True": 0.1, "machine": 0.4}
    return np.array([share[each] * len(chosen) / counts[each] for each in classes])


def train(every: Sequence[Example]) -> dict[str, Weights]:
    """Return the weights of all languages together and of each group."""
    chosen = [each for each in every if is_bad(each) is not None]
    table = np.array([each.features for each in chosen])
    mean, scale = np.nanmean(table, axis=0), np.maximum(np.nanstd(table, axis=0), 1e-6)
    scaled = np.nan_to_num((table - mean) / scale)
    good = np.array([not is_bad(each) for each in chosen])
    pooled = fit(scaled, good, balanced(chosen), np.zeros(len(FEATURES) + 1), POOLED)
    coefficients = {"default": pooled}
    for group, langs in GROUPS.items():
        own = np.array([each.lang in langs for each in chosen])
        weights = balanced([each for each in chosen if each.lang in langs])
        coefficients[group] = fit(scaled[own], good[own], weights, pooled, APART)
    return {
        group: Weights(_rounded(mean), _rounded(scale), _rounded(each[:-1]), round(float(each[-1]), 4))
        for group, each in coefficients.items()
    }


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(each), 4) for each in values)


def main() -> None:
    """Train, print the weights, and write them if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("starter", type=Path)
    parser.add_argument("--ntrex", type=Path, default=DATA / "translation/ntrex.jsonl")
    parser.add_argument("--news", type=Path, default=DATA / "corpus/news.jsonl")
    parser.add_argument("--cache", type=Path, help="keep features here")
    parser.add_argument("--write", action="store_true", help="write mtalign/quality.json")
    options = parser.parse_args()
    every = [
        each
        for each in examples(options.ntrex, options.news, options.starter, options.cache)
        if each.first_half
    ]
    groups = train(every)
    for group, found in groups.items():
        print(group, dict(zip(FEATURES, found.weights, strict=True)))
    if options.write:
        counts = Counter(f"{each.kind} {each.lang}" for each in every if is_bad(each) is not None)
        recipe = {
            "script": "scripts/train_quality.py",
            "date": date.today().isoformat(),
            "encoder": "starter:e5-small",
            "examples": dict(sorted(counts.items())),
            "licences": "news: the project's own; NTREX-128: CC BY-SA 4.0",
            "penalty": {"pooled": POOLED, "group": APART},
        }
        document = {
            "recipe": recipe,
            "features": list(FEATURES),
            "groups": {
                group: {name: getattr(each, name) for name in each.__struct_fields__}
                for group, each in groups.items()
            },
        }
        WEIGHTS_PATH.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
