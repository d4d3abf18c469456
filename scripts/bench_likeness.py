"""Measure the likeness of a translation to its source: alarms on human translations, and mix-ups found.

    python scripts/bench_likeness.py [--news NEWS.jsonl] [--ntrex NTREX.jsonl] [--lines 300]
        [--outputs STARTER.jsonl]

A mix-up is the translation of the sentence after next in the same article; an unrelated one is that of a
sentence far away. The table has the share of human translations (false alarms), of mix-ups and of unrelated
ones (found) that tokens do not clear, so that the encoder sees them; and for each limit the share under it,
by sentences alone and by both, as a run does it. With outputs of scripts/starter_translations.py the same for
those.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from itertools import groupby, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from starter_translations import read_rows

from mtalign.encode import Encoder
from mtalign.likeness import CLEARED, Likeness
from mtalign.models import resolve
from mtalign.translate.prompts import examples

DATA = Path(__file__).resolve().parents[2] / "shared/data"
TARGETS = ("ko", "uk", "ru")
LIMITS = (0.2, 0.3, 0.4, 0.5)
_FAR = 97


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


def kinds_of_pairs(articles: list[list[dict[str, str]]], lang: str) -> list[list[tuple[str, str]]]:
    """Return human translations, mix-ups, and unrelated sentences, as pairs of texts."""
    beads = [[bead for bead in article if "en" in bead and lang in bead] for article in articles]
    every = [bead for article in beads for bead in article]
    return [
        [(bead["en"], bead[lang]) for bead in every],
        [(a["en"], b[lang]) for article in beads for a, b in zip(article, article[2:], strict=False)],
        [(a["en"], b[lang]) for a, b in zip(every, every[_FAR:] + every[:_FAR], strict=True)],
    ]


def compare(
    by: Callable[[list[tuple[str, str]], str, str], list[float]],
    groups: list[list[tuple[str, str]]],
    lang: str,
) -> tuple[list[NDArray[np.float64]], float]:
    """Return the likeness of all pairs of each group, and the seconds it took."""
    by(groups[0][:1], "en", lang)
    began = time.process_time()
    found = [np.array(by(pairs, "en", lang)) for pairs in groups]
    return found, time.process_time() - began


def print_shares(name: str, lang: str, groups: list[list[tuple[str, str]]], likeness: Likeness) -> None:
    """Print what tokens leave to the encoder, and what is under each limit."""
    near, seconds = compare(likeness.by_tokens, groups, lang)
    vectors, more = compare(likeness.by_sentences, groups, lang)
    left = [each < CLEARED for each in near]
    print(f"{name:7} {lang:4} {len(groups[0]):6}  not cleared {shares(left)}")
    for limit in LIMITS:
        under = [each < limit for each in vectors]
        both = [a & b for a, b in zip(under, left, strict=True)]
        print(f"{'under ' + str(limit):>32}   {shares(under)}   both {shares(both)}", flush=True)
    rates = [sum(map(len, groups)) / each for each in (seconds, more)]
    print(f"pairs a second of processor time: tokens {rates[0]:,.0f}, sentences {rates[1]:,.0f}")


def shares(found: list[NDArray[np.bool_]]) -> str:
    """Return the share of each group in which something is so."""
    return " /".join(f"{np.mean(each):6.1%}" for each in found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--news", type=Path, default=DATA / "corpus/news.jsonl")
    parser.add_argument("--ntrex", type=Path, default=DATA / "translation/ntrex.jsonl")
    parser.add_argument("--lines", type=int, default=300, help="lines of NTREX")
    parser.add_argument("--outputs", type=Path, help="translations by the starter")
    arguments = parser.parse_args()
    likeness = Likeness(Encoder(resolve("starter:e5-small"), prefix="query: "), examples())
    sets = {"news": read_news(arguments.news), "ntrex": read_lines(arguments.ntrex, arguments.lines)}
    print("set     lang  beads  human / mixed up / unrelated")
    for (name, articles), lang in product(sets.items(), TARGETS):
        print_shares(name, lang, kinds_of_pairs(articles, lang), likeness)
    if arguments.outputs:
        rows = read_rows(arguments.outputs)
        for lang in TARGETS:
            print_shares("outputs", lang, [[(row["en"], row[lang]["text"]) for row in rows]], likeness)


if __name__ == "__main__":
    main()
