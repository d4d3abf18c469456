"""Measure the likeness of a translation to its source: alarms on human translations, and mix-ups found.

    python scripts/bench_likeness.py [NEWS.jsonl] [NTREX.jsonl] [LINES]

A mix-up is the translation of the sentence after next in the same article. For each limit the table has
the share of human translations under it (false alarms) and of mix-ups under it (found). LINES limits the
lines of NTREX.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import groupby
from pathlib import Path

from mtalign.check import Judge, Limits
from mtalign.encode import Encoder
from mtalign.models import resolve
from mtalign.translate.prompts import examples

DATA = Path(__file__).resolve().parents[2] / "shared/data"
TARGETS = ("ko", "uk", "ru")
LIMITS = (0.2, 0.3, 0.4, 0.5, 0.6)


def read_news(path: Path) -> list[list[dict[str, str]]]:
    """Return the beads of each article, as texts by language."""
    articles = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        articles.append(
            [
                {
                    lang: " ".join(row["sentences"][lang][i]["text"] for i in found)
                    for lang, found in bead.items()
                    if found
                }
                for bead in row["beads"]
            ]
        )
    return articles


def read_lines(path: Path, count: int) -> list[list[dict[str, str]]]:
    """Return the lines of each document, as texts by language."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:count]]
    return [
        [{lang: row[lang].strip() for lang in ("en", *TARGETS)} for row in group]
        for _, group in groupby(rows, key=lambda row: row["doc"])
    ]


def main() -> int:
    """Print the table."""
    paths = [Path(each) for each in sys.argv[1:3]] or [
        DATA / "corpus/news.jsonl",
        DATA / "translation/ntrex.jsonl",
    ]
    if not all(path.is_file() for path in paths):
        print(f"no such files: {', '.join(map(str, paths))}; give the paths of NEWS.jsonl and NTREX.jsonl")
        return 2
    judge = Judge(Limits(), Encoder(resolve("starter:e5-small"), prefix="query: "), examples())
    sets = {
        "news": read_news(paths[0]),
        "ntrex": read_lines(paths[1], int(sys.argv[3]) if len(sys.argv) > 3 else 300),
    }
    print("set    lang  beads  " + "  ".join(f"under {limit}: alarms, found" for limit in LIMITS))
    for name, articles in sets.items():
        for lang in TARGETS:
            right, wrong = [], []
            for article in articles:
                beads = [bead for bead in article if "en" in bead and lang in bead]
                right += [(bead["en"], bead[lang]) for bead in beads]
                wrong += [(a["en"], b[lang]) for a, b in zip(beads, beads[2:], strict=False)]
            began = time.process_time()
            good, bad = (
                [each for each in judge.likenesses(pairs, "en", lang) if each is not None]
                for pairs in (right, wrong)
            )
            seconds = time.process_time() - began
            cells = [
                f"{sum(each < limit for each in good) / len(good):12.1%}, "
                f"{sum(each < limit for each in bad) / len(bad):6.1%}"
                for limit in LIMITS
            ]
            rate = (len(good) + len(bad)) / seconds
            print(f"{name:6} {lang:4} {len(good):6}  " + "  ".join(cells) + f"  ({rate:,.0f} pairs/cpu-s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
