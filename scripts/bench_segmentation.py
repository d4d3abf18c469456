"""Measure sentence boundaries on documents whose sentences are known.

    python scripts/bench_segmentation.py [DATA.jsonl] [--errors LANG]

DATA holds one sentence a line, `{"doc": …, "en": …, "ko": …}`; the lines of a document are joined by single
spaces, and the end of each but the last is a gold boundary. F1 leaves aside the boundaries after lines that
end in no mark (headings, mostly: once joined, nothing shows where they end); "strict" counts them as
missed. A line that holds two sentences counts against every splitter. The baseline splits after
[.!?] and white space.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mtalign.segment import split_sentences

DEFAULT = Path(__file__).resolve().parents[2] / "shared/data/translation/ntrex.jsonl"
LANGUAGES = ("en", "ko", "uk", "ru")
MARKED = re.compile(r"[.!?…。][\"'”’»)\]]*[.,]?[\"'”’»)\]]*(?:\s[—–-])?$")
NAIVE = re.compile(r"(?<=[.!?])\s+")

Splitter = Callable[[str, str], "list[int]"]


@dataclass(frozen=True)
class Joined:
    """A document in one language, with its gold boundaries that a mark shows and those that none shows."""

    text: str
    marked: frozenset[int]
    unmarked: frozenset[int]


@dataclass(frozen=True)
class Score:
    """Counts of boundaries over all documents, and the cpu seconds and sentences of the splitter."""

    right: int
    wrong: int
    missed: int
    missed_unmarked: int
    sentences: int
    seconds: float

    @property
    def f1(self) -> float:
        """Boundary F1, boundaries without a mark left aside."""
        return 2 * self.right / (2 * self.right + self.wrong + self.missed)

    @property
    def strict(self) -> float:
        """Boundary F1 over all gold boundaries."""
        return 2 * self.right / (2 * self.right + self.wrong + self.missed + self.missed_unmarked)

    @property
    def speed(self) -> float:
        """Sentences per cpu second."""
        return self.sentences / self.seconds


def read_documents(path: Path, lang: str) -> Iterator[Joined]:
    """Yield the documents of one language."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for _, group in groupby(rows, key=lambda row: row["doc"]):
        lines = [row[lang].strip() for row in group]
        ends, at = [], -1
        for line in lines:
            at += len(line) + 1
            ends.append((at, bool(MARKED.search(line))))
        inner = ends[:-1]
        yield Joined(
            " ".join(lines),
            frozenset(end for end, marked in inner if marked),
            frozenset(end for end, marked in inner if not marked),
        )


def ours(text: str, lang: str) -> list[int]:
    """Return the ends of the sentences that mtalign finds."""
    return [span.end for span in split_sentences(text, lang)]


def naive(text: str, _lang: str) -> list[int]:
    """Return the ends of the sentences that the baseline finds."""
    return [*(gap.start() for gap in NAIVE.finditer(text)), len(text)]


def measure(documents: list[Joined], lang: str, split: Splitter, repeats: int = 5) -> Score:
    """Score a splitter; the time is that of the fastest of several runs."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        found = [split(document.text, lang) for document in documents]
        seconds.append(time.process_time() - began)
    inner = [set(ends[:-1]) for ends in found]
    pairs = list(zip(inner, documents, strict=True))
    return Score(
        right=sum(len(ends & document.marked) for ends, document in pairs),
        wrong=sum(len(ends - document.marked - document.unmarked) for ends, document in pairs),
        missed=sum(len(document.marked - ends) for ends, document in pairs),
        missed_unmarked=sum(len(document.unmarked - ends) for ends, document in pairs),
        sentences=sum(map(len, found)),
        seconds=min(seconds),
    )


def show_errors(documents: list[Joined], lang: str) -> None:
    """Print every wrong (+) and missed (-) boundary in its context."""
    for document in documents:
        ends = set(ours(document.text, lang)[:-1])
        wrong = ends - document.marked - document.unmarked
        for at in sorted(wrong | (document.marked - ends)):
            sign = "+" if at in wrong else "-"
            print(f"{sign} {lang} …{document.text[max(0, at - 50) : at]} |{document.text[at : at + 40]}…")


def main() -> int:
    """Print one line a language."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--errors", metavar="LANG", help="print the errors in one language instead")
    arguments = parser.parse_args()
    if not arguments.data.is_file():
        print(f"no file {arguments.data}; give the path of a JSONL file with one sentence a line")
        return 2
    if arguments.errors:
        show_errors(list(read_documents(arguments.data, arguments.errors)), arguments.errors)
        return 0
    print("lang    F1  strict | naive F1  strict | errors, ours/naive | sentences/cpu-s  naive  ratio")
    for lang in LANGUAGES:
        documents = list(read_documents(arguments.data, lang))
        mine, base = measure(documents, lang, ours), measure(documents, lang, naive)
        errors = (mine.wrong + mine.missed) / (base.wrong + base.missed)
        print(
            f"{lang}    {mine.f1:.4f}  {mine.strict:.4f} |   {base.f1:.4f}  {base.strict:.4f} | "
            f"{errors:18.2f} | {mine.speed:15,.0f} {base.speed:9,.0f}  {mine.speed / base.speed:.3f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
