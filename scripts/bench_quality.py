"""Measure the quality estimate on documents that its weights were not trained on.

    python scripts/bench_quality.py STARTER.jsonl [--cache FEATURES.json]

STARTER.jsonl comes from scripts/starter_translations.py. Per language: AUC of human translations against bad
machine translations (chrF under 25), and the share of the bad ones under the limit that a tenth of the human
ones is under; the same for spoilt human translations; beside both the cosine alone. Then the corpus chrF of
the machine's translations, and what an estimate costs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from quality_data import BAD_CHRF, HUMAN, MACHINE, NEWS, SPOILT, Example, examples, read_texts
from scipy.stats import rankdata, spearmanr
from starter_translations import TARGETS, read_rows

from mtalign.encode import Encoder, RememberedVectors
from mtalign.evaluate.translation import score_translations
from mtalign.models import resolve
from mtalign.quality import FEATURES, QualityOptions, estimate_documents, estimates_of, read_weights
from mtalign.words import Linker

DATA = Path(__file__).resolve().parents[2] / "shared/data"
FALSE_ALARMS = 0.1
TIMED_TEXTS = 9

Floats = NDArray[np.float64]
Value = Callable[[Sequence[Example]], Floats]


def estimates(chosen: Sequence[Example]) -> Floats:
    """Return the estimate of each example with the weights that come with mtalign."""
    weights = read_weights()
    return np.concatenate([estimates_of(each.features[None], each.lang, weights) for each in chosen])


def cosines(chosen: Sequence[Example]) -> Floats:
    """Return how much nearer than unrelated sentences of the document each example is."""
    at = FEATURES.index("cosine_over_unrelated")
    return np.nan_to_num(np.array([each.features[at] for each in chosen]))


def auc(good: Floats, bad: Floats) -> float:
    """Return how often a good one has the higher value than a bad one."""
    ranks = rankdata(np.concatenate([good, bad]))
    n, m = len(good), len(bad)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def flagged(good: Floats, bad: Floats) -> float:
    """Return the share of the bad ones under the limit that leaves a tenth of the good ones below."""
    return float((bad < np.quantile(good, FALSE_ALARMS)).mean())


def row(name: str, lang: str, good: Sequence[Example], bad: Sequence[Example]) -> str:
    """Return a line of the main table."""
    cells = [
        f"{auc(value(good), value(bad)):.3f} | {flagged(value(good), value(bad)):.0%}"
        for value in (estimates, cosines)
    ]
    return f"| {name} | {lang} | {len(good)} | {len(bad)} | " + " | ".join(cells) + " |"


def report(every: Sequence[Example]) -> None:
    """Print the tables of what the estimate tells apart."""
    print("| bad ones | lang | human | bad | AUC | flagged | AUC, cosine | flagged, cosine |")
    print("|---|---|---|---|---|---|---|---|")
    for lang in TARGETS:
        own = [each for each in every if each.lang == lang]
        good = [each for each in own if each.kind == HUMAN]
        machine = [each for each in own if each.kind == MACHINE]
        print(row(f"machine, chrF < {BAD_CHRF:g}", lang, good, [e for e in machine if e.chrf < BAD_CHRF]))
        for kind in sorted({each.kind for each in own if each.kind.startswith(SPOILT)}):
            print(row(kind, lang, good, [each for each in own if each.kind == kind]))
    least = QualityOptions().least
    print(f"\n| lang | human under {least} | news under | bad machine under | rank correlation with chrF |")
    print("|---|---|---|---|---|")
    for lang in TARGETS:
        own = [each for each in every if each.lang == lang]
        machine = [each for each in own if each.kind == MACHINE]
        bad = [each for each in machine if each.chrf < BAD_CHRF]
        shares = [
            float((estimates(chosen) < least).mean())
            for chosen in ([e for e in own if e.kind == HUMAN], [e for e in own if e.kind == NEWS], bad)
        ]
        correlation = spearmanr(estimates(machine), [each.chrf for each in machine]).statistic
        print(f"| {lang} | " + " | ".join(f"{each:.1%}" for each in shares) + f" | {correlation:.2f} |")


def report_calibration(every: Sequence[Example]) -> None:
    """Print, by estimate, the share of human translations when they and the bad ones are equally many."""
    good = [each for each in every if each.kind == HUMAN]
    bad = [each for each in every if each.kind == MACHINE and each.chrf < BAD_CHRF]
    ours, theirs = estimates(good), estimates(bad)
    print("\n| estimate | human | bad machine | share human, both equally many |\n|---|---|---|---|")
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        n, m = (((each >= low) & (each < low + 0.2 + 1e-9 * (low > 0.7))).sum() for each in (ours, theirs))
        share = (n / len(ours)) / max(n / len(ours) + m / len(theirs), 1e-9)
        print(f"| {low:.1f} to {low + 0.2:.1f} | {n} | {m} | {share:.2f} |")


def report_chrf(starter: Path, ntrex: Path) -> None:
    """Print the corpus scores of the machine's translations, all lines."""
    human = {
        (line["doc"], line["line"]): line
        for line in map(json.loads, ntrex.read_text(encoding="utf-8").splitlines())
    }
    made = read_rows(starter)
    print("\n| lang | lines | chrF | chrF++ |\n|---|---|---|---|")
    for lang in TARGETS:
        outputs = [line[lang]["text"] for line in made]
        references = [human[line["doc"], line["line"]][lang] for line in made]
        scores = score_translations(outputs, references, lang)
        print(f"| {lang} | {scores.segments} | {scores.chrf.score:.1f} | {scores.chrf_pp.score:.1f} |")


def report_cost(ntrex: Path, news: Path, starter: Path) -> None:
    """Print processor time per bead, with sentence vectors to be made and with them remembered."""
    encoder = Encoder(resolve("starter:e5-small"), prefix="query: ")
    linker = Linker(encoder)
    tasks = [
        each.task()
        for each, _ in zip(
            (each for each in read_texts(ntrex, news, starter) if each.kinds[0] == HUMAN),
            range(TIMED_TEXTS),
            strict=False,
        )
    ]
    estimate_documents(tasks[:1], linker.compare, RememberedVectors(encoder))
    remembered = RememberedVectors(encoder)
    for name in ("all to be made", "sentence vectors remembered"):
        began = time.process_time()
        count = sum(map(len, estimate_documents(tasks, linker.compare, remembered)))
        print(f"{name}: {1000 * (time.process_time() - began) / count:.0f} ms of processor time a bead")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("starter", type=Path)
    parser.add_argument("--ntrex", type=Path, default=DATA / "translation/ntrex.jsonl")
    parser.add_argument("--news", type=Path, default=DATA / "corpus/news.jsonl")
    parser.add_argument("--cache", type=Path, help="keep features here")
    options = parser.parse_args()
    paths = (options.ntrex, options.news, options.starter)
    held_out = [each for each in examples(*paths, options.cache) if not each.first_half]
    report(held_out)
    report_calibration(held_out)
    report_chrf(options.starter, options.ntrex)
    print()
    report_cost(*paths)


if __name__ == "__main__":
    main()
