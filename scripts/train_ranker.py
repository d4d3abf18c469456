"""Train the ranker's weights, cross-validate them, and write mtalign/project/weights.json.

    python scripts/train_ranker.py [--data ../shared/data] [--encoder starter:e5-small] [--write] [--ablate]

A conditional logit: the probability of a candidate is the softmax of its weighted features among all
candidates of its mention and one more, "lost". Weights are fitted for all languages together, then per
group of languages with a penalty on the distance from the pooled ones. Confidences are calibrated by
Platt's method (1999) on the probabilities of the mentions held out. Folds never divide an article.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from projection_data import read_cases
from ranker_examples import FOLDS, Example, compare_cases, examples, fold, lossy_cases
from scipy.optimize import minimize

from mtalign.encode import Encoder
from mtalign.models import resolve
from mtalign.project.features import FEATURES, LOSS_FEATURES
from mtalign.project.weights import GROUPS, WEIGHTS_PATH, group_of
from mtalign.words import Linker

# Penalties: on the pooled weights, and on the distance of a group's weights from those.
POOLED, APART = 1.0, 1.0

# What `--ablate` leaves out, one line at a time.
ABLATIONS = {
    "acronyms written out": ("acronym_long", "acronym_words", "acronym"),
    "adjective and noun": ("adjective_open", "noun_left_out", "unexplained_noun", "adjective_cut"),
    "verbs and adverbs at the end": ("verb_last",),
    "conjunctions": ("conjunction_inside",),
    "hyphens and dots inside words": ("hyphen_cut", "starts_inside"),
    "case marks inside": ("case_inside",),
    "endings that are no particles": ("ending_last", "ending_follows", "rest_generic", "rest_other"),
    "nouns written onto names": ("people_last", "water_last", "place_last"),
}
# The features of the first version; all others are left out in the last line.
_FIRST_NAMES = """
link_recall link_precision link_f1 source_covered target_covered first_linked last_linked linked_before
linked_after span_cosine best_cosine sound consonants longer shorter words_differ acronym_long lower_first
name_goes_on stop_first unbalanced mark_last barrier_inside particle_inside particle_last particle_follows
"""
FIRST = frozenset(_FIRST_NAMES.split())
# An ablation is trained and tested on so many candidates of a mention, the likeliest by all features.
HARDEST = 32

# Made-up losses count this much, so that one mention in twenty-five is a loss: about what happens.
MADE_UP_WEIGHT = 0.25

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stack:
    """Examples as one table: rows are candidates and, per example, one row for "lost"."""

    rows: Floats
    starts: NDArray[np.int64]
    right: NDArray[np.bool_]
    weights: Floats


def _weight(example: Example) -> float:
    return MADE_UP_WEIGHT if example.made_up else 1.0


def stack(chosen: Sequence[Example]) -> Stack:
    """Put examples that can be learnt from on top of each other."""
    usable = [each for each in chosen if each.reachable]
    rows, right, starts, at = [], [], [], 0
    for each in usable:
        n = len(each.table)
        block = np.zeros((n + 1, len(FEATURES) + len(LOSS_FEATURES)))
        block[:n, : len(FEATURES)] = each.table
        block[n, len(FEATURES) :] = each.loss
        rows.append(block)
        right.append(np.append(each.right, not each.right.any()))
        starts.append(at)
        at += n + 1
    return Stack(
        np.concatenate(rows),
        np.array(starts),
        np.concatenate(right),
        np.array([_weight(each) for each in usable]),
    )


def fit(data: Stack, prior: Floats, penalty: float, start: Floats | None = None) -> Floats:
    """Return the weights that make the right candidates likeliest, `penalty` holding them to the prior.

    `start` is where the search begins, the prior by default; the optimum is the same.
    """
    sizes = np.diff(np.append(data.starts, len(data.rows)))
    spread = np.repeat(np.arange(len(sizes)), sizes)

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = data.rows @ weights
        scores -= np.maximum.reduceat(scores, data.starts)[spread]
        raised = np.exp(scores)
        total = np.add.reduceat(raised, data.starts)
        hits = np.add.reduceat(raised * data.right, data.starts)
        value = -float(data.weights @ np.log(np.maximum(hits, 1e-300) / total))
        slope = raised / total[spread] - raised * data.right / np.maximum(hits, 1e-300)[spread]
        away = weights - prior
        slope *= data.weights[spread]
        return value + penalty * float(away @ away), data.rows.T @ slope + 2 * penalty * away

    begin = prior if start is None else start
    return np.asarray(minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x)


def train(chosen: Sequence[Example], start: Mapping[str, Floats] | None = None) -> dict[str, Floats]:
    """Return pooled weights and those of each group; `start` is where the search begins."""
    start = start or {}
    size = len(FEATURES) + len(LOSS_FEATURES)
    found = {"default": fit(stack(chosen), np.zeros(size), POOLED, start.get("default"))}
    for group, langs in GROUPS.items():
        own = [each for each in chosen if each.lang in langs]
        if own:
            found[group] = fit(stack(own), found["default"], APART, start.get(group))
    return found


@dataclass(frozen=True)
class Guess:
    """What the ranker says about an example: the best candidate, its probability, that of "lost"."""

    best: int
    probability: float
    lost: float

    def right(self, example: Example) -> bool:
        """Say whether the best candidate is a right one."""
        return self.best >= 0 and bool(example.right[self.best])


def guess(example: Example, weights: Floats) -> Guess:
    """Rank the candidates of an example."""
    n = len(FEATURES)
    scores = np.append(example.table @ weights[:n], example.loss @ weights[n:])
    raised = np.exp(scores - scores.max())
    raised /= raised.sum()
    best = int(raised[:-1].argmax()) if len(raised) > 1 else -1
    return Guess(best, float(raised[best]) if best >= 0 else 0.0, float(raised[-1]))


def cross_validate(
    every: Sequence[Example], starts: Sequence[Mapping[str, Floats]] | None = None
) -> list[dict[str, Floats]]:
    """Return for each fold the weights trained on all the others."""
    return [
        train([each for each in every if fold(each.group) != number], starts[number] if starts else None)
        for number in range(FOLDS)
    ]


def hardest(example: Example, weights: Floats) -> Example:
    """Return the example with its likeliest candidates only, the right ones always among them."""
    scores = example.table @ weights[: len(FEATURES)]
    kept = np.union1d(np.argsort(-scores)[:HARDEST], np.flatnonzero(example.right))
    return replace(
        example,
        table=example.table[kept],
        right=example.right[kept],
        spans=tuple(example.spans[n] for n in kept),
    )


def ablate(every: Sequence[Example], models: Sequence[dict[str, Floats]]) -> None:
    """Print exact-span accuracy without some features, trained and cross-validated anew each time.

    `models` are the folds' weights of all features; they choose the candidates, see HARDEST.
    """
    small = [hardest(each, models[fold(each.group)][group_of(each.lang)]) for each in every]
    beyond = tuple(name for name in FEATURES if name not in FIRST)
    keys: list[tuple[str, str]] = []
    for name, gone in {"(nothing)": (), **ABLATIONS, f"all but the first {len(FIRST)}": beyond}.items():
        kept = ~np.isin(FEATURES, gone)
        decides = ~np.isin(LOSS_FEATURES, gone)
        left = [replace(each, table=each.table * kept, loss=each.loss * decides) for each in small]
        weights = cross_validate(left, models)
        hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
        for each in left:
            if each.gold and not each.made_up:
                found = guess(each, weights[fold(each.group)][group_of(each.lang)])
                hits[each.data, each.lang].append(found.right(each))
        if not keys:
            keys = list(hits)
            print(f"{'without':32}" + "".join(f"{'-'.join(key):>10}" for key in keys))
        print(f"{name:32}" + "".join(f"{np.mean(hits[key]):10.3f}" for key in keys), flush=True)


def logit(p: float) -> float:
    """Return the log odds."""
    p = min(max(p, 1e-6), 1 - 1e-6)
    return float(np.log(p / (1 - p)))


def platt(pairs: Sequence[tuple[float, bool, float]]) -> tuple[float, float]:
    """Return the slope and offset that turn log odds into calibrated log odds.

    Args:
        pairs: probability, whether the span was right, and the weight of the example.
    """
    x = np.array([logit(p) for p, _, _ in pairs])
    y = np.array([hit for _, hit, _ in pairs], float)
    weights = np.array([weight for _, _, weight in pairs])

    def loss(ab: Floats) -> float:
        z = ab[0] * x + ab[1]
        return float(weights @ (np.logaddexp(0, z) - y * z))

    slope, offset = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(slope), float(offset)


def report(every: Sequence[Example], guesses: Sequence[Guess]) -> None:
    """Print exact-span accuracy by set and language, and how made-up losses fare."""
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    losses = [0, 0]
    for example, found in zip(every, guesses, strict=True):
        if example.made_up:
            losses[0] += 1
            losses[1] += found.lost > 0.5
        elif example.gold:
            row = counts[example.data, example.lang]
            row[0] += 1
            row[1] += found.right(example)
            row[2] += example.right.any()
            row[3] += found.lost > 0.5
    print(f"{'set':8}{'lang':6}{'mentions':>9}{'exact':>8}{'reachable':>10}{'lost':>7}")
    for (data, lang), (n, hits, reach, lost) in counts.items():
        print(f"{data:8}{lang:6}{n:9}{hits / n:8.3f}{reach / n:10.3f}{lost / n:7.3f}")
    print(f"made-up losses: {losses[0]}, called lost {losses[1] / max(losses[0], 1):.3f}")


def report_kept(
    every: Sequence[Example], guesses: Sequence[Guess], calibration: dict[str, tuple[float, float]]
) -> None:
    """Print what share of real mentions and of made-up losses reaches each confidence."""
    confidences = []
    for example, found in zip(every, guesses, strict=True):
        slope, offset = calibration[group_of(example.lang)]
        confidences.append(1 / (1 + np.exp(-(slope * logit(found.probability) + offset))))
    print(f"{'confidence':12}{'mentions kept':>15}{'made-up losses kept':>21}")
    for least in (0.2, 0.35, 0.5, 0.75, 0.9):
        shares = [
            np.mean(
                [c >= least for c, each in zip(confidences, every, strict=True) if each.made_up == made_up]
            )
            for made_up in (False, True)
        ]
        print(f"{least:<12}{shares[0]:15.3f}{shares[1]:21.3f}")


def main() -> None:
    """Train, cross-validate, print, and write the weights if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--encoder", default="starter:e5-small")
    parser.add_argument("--folds", type=Path, help="write each fold's weights here, for bench_projection.py")
    parser.add_argument("--ablate", action="store_true", help="measure without groups of features")
    parser.add_argument("--write", action="store_true", help="write mtalign/project/weights.json")
    options = parser.parse_args()
    linker = Linker(Encoder(resolve(options.encoder)))
    cases = read_cases(options.data)
    every = [each for case in compare_cases(cases, linker) for each in examples(case)]
    every += [
        each for case in compare_cases(lossy_cases(cases), linker) for each in examples(case, made_up=True)
    ]
    models = run(every, options.encoder, write=options.write, folds=options.folds)
    if options.ablate:
        ablate(every, models)


def run(
    every: Sequence[Example], encoder: str, *, write: bool, folds: Path | None = None
) -> list[dict[str, Floats]]:
    """Cross-validate, print, and write weights trained on everything; return each fold's weights."""
    models = cross_validate(every)
    guesses = [guess(each, models[fold(each.group)][group_of(each.lang)]) for each in every]
    report(every, guesses)
    calibration = {}
    for group in ("default", *GROUPS):
        pairs = [
            (found.probability, found.right(each), _weight(each))
            for each, found in zip(every, guesses, strict=True)
            if group in ("default", group_of(each.lang))
        ]
        calibration[group] = platt(pairs)
    print("calibration", calibration)
    report_kept(every, guesses, calibration)
    if folds:
        folds.write_text(json.dumps([_groups(each, calibration) for each in models]) + "\n")
    if write:
        document = _document(every, encoder) | {"groups": _groups(train(every), calibration)}
        WEIGHTS_PATH.write_text(json.dumps(document, indent=1) + "\n")
    return models


def _groups(
    models: dict[str, Floats], calibration: dict[str, tuple[float, float]]
) -> dict[str, dict[str, list[float]]]:
    n = len(FEATURES)
    return {
        group: {
            "weights": [round(float(w), 4) for w in weights[:n]],
            "loss_weights": [round(float(w), 4) for w in weights[n:]],
            "calibration": [round(x, 4) for x in calibration[group]],
        }
        for group, weights in models.items()
    }


def _document(every: Sequence[Example], encoder: str) -> dict[str, object]:
    counts: dict[str, int] = defaultdict(int)
    for each in every:
        counts["made-up losses" if each.made_up else f"{each.data}-{each.lang}"] += 1
    return {
        "recipe": {
            "script": "scripts/train_ranker.py",
            "date": date.today().isoformat(),
            "encoder": encoder,
            "mentions": dict(counts),
            "licences": "news, summit: the project's own; UNER-PUD, XC-Translate, XQuAD, NTREX: CC BY-SA 4.0",
            "penalty": {"pooled": POOLED, "group": APART},
            "made_up_weight": MADE_UP_WEIGHT,
            "folds": FOLDS,
        },
        "features": list(FEATURES),
        "loss_features": list(LOSS_FEATURES),
    }


if __name__ == "__main__":
    main()
