"""Measure the checks: false alarms on human translations, and how many planted faults they find.

    python scripts/bench_checks.py [NEWS.jsonl] [NTREX.jsonl]

NEWS holds articles with sentences and beads in every language; NTREX one sentence a line in every language,
grouped by `doc`. A false alarm is an issue on a bead as it is. A fault is planted in each bead in turn.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mtalign.check import Limits, Pair, check_pair, expected_ratio

DATA = Path(__file__).resolve().parents[2] / "shared/data"
TARGETS = ("ko", "uk", "ru")
NEIGHBOUR = {"uk": "ru", "ru": "uk"}
LIMITS = Limits()


@dataclass(frozen=True)
class Bead:
    """The text of a bead in every language."""

    texts: dict[str, str]


def read_news(path: Path) -> Iterator[list[Bead]]:
    """Yield the beads of each article."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        sentences = row["sentences"]
        yield [
            Bead({lang: " ".join(sentences[lang][i]["text"] for i in found) for lang, found in bead.items()})
            for bead in row["beads"]
        ]


def read_lines(path: Path) -> Iterator[list[Bead]]:
    """Yield the lines of each document as beads."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for _, group in groupby(rows, key=lambda row: row["doc"]):
        yield [Bead({lang: row[lang].strip() for lang in ("en", *TARGETS)}) for row in group]


def kinds(source: str, target: str, lang: str, ratio: float) -> set[str]:
    """Return the kinds of issue that a bead raises."""
    pair = Pair(source, target, "en", lang, (0,), ratio)
    return {issue.kind for issue in check_pair(pair, LIMITS)}


def plant(source: str, target: str, lang: str, texts: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield faults: what is wrong, the issue that should say so, and the faulty text."""
    yield "copy of the source", "untranslated-copy", source
    if (other := NEIGHBOUR.get(lang)) and texts.get(other):
        yield "Russian or Ukrainian", "wrong-language", texts[other]
    length = "80 characters or more" if len(source) >= 80 else "under 80 characters"
    if half := target[: len(target) // 2]:
        yield f"half, {length}", "length-ratio", half
    words = target.split()
    if len(words) > 6:
        yield "looped phrase", "repetition", " ".join([*words[:5], *words[3:5] * 4, *words[5:]])
    numbers = [
        found for found in re.finditer(r"\d[\d,.]*", target) if int(re.sub(r"\D", "", found.group())) > 12
    ]
    if numbers:
        found = random.choice(numbers)
        before, after = target[: found.start()], target[found.end() :]
        yield "number dropped", "number-mismatch", before + after
        yield "number changed", "number-mismatch", f"{before}{random.randint(13, 999)}{after}"


def main() -> int:
    """Print the false alarms by kind and the faults found, for each language."""
    paths = [Path(each) for each in sys.argv[1:]] or [
        DATA / "corpus/news.jsonl",
        DATA / "translation/ntrex.jsonl",
    ]
    if len(paths) != 2 or not all(path.is_file() for path in paths):
        print(f"not two files: {', '.join(map(str, paths))}; give the paths of NEWS.jsonl and NTREX.jsonl")
        return 2
    documents = {"news": list(read_news(paths[0])), "ntrex": list(read_lines(paths[1]))}
    random.seed(1)
    for lang in TARGETS:
        planted, found = Counter[str](), Counter[str]()
        for name, articles in documents.items():
            alarms, beads, began = Counter[str](), 0, time.process_time()
            pairs = []
            for article in articles:
                texts = [bead.texts for bead in article if bead.texts.get("en") and bead.texts.get(lang)]
                ratio = expected_ratio([(each["en"], each[lang]) for each in texts], "en", lang)
                pairs += [(each["en"], each[lang], ratio, each) for each in texts]
            for source, target, ratio, _ in pairs:
                alarms.update(kinds(source, target, lang, ratio))
                beads += 1
            seconds = time.process_time() - began
            shares = ", ".join(f"{kind} {count / beads:.2%}" for kind, count in sorted(alarms.items()))
            print(
                f"{lang} {name}: false alarms on {beads} beads: {shares or 'none'} "
                f"({beads / seconds:,.0f} beads/cpu-s)"
            )
            for source, target, ratio, texts in pairs:
                for fault, kind, text in plant(source, target, lang, texts):
                    planted[fault] += 1
                    found[fault] += kind in kinds(source, text, lang, ratio)
        for fault, count in planted.items():
            print(f"{lang} found: {fault}: {found[fault] / count:.1%} of {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
