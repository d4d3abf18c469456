"""Scores of word alignment: precision, recall, F1 and alignment error rate of links.

Och and Ney 2003: the gold has sure links S and possible links P (S among them); with A predicted,
precision = |A & P| / |A|, recall = |A & S| / |S|, AER = 1 - (|A & S| + |A & P|) / (|A| + |S|). Where all
gold links are sure, AER = 1 - F1. Indices count from 0; gold that counts from 1 is not converted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from mtalign.errors import InputError, UsageError
from mtalign.evaluate.counts import BOOTSTRAP, Counts, Interval, f1_interval, signature, total
from mtalign.evaluate.rows import Row, decode_row, match, read_lines

_LINK = re.compile(r"(\d+)([-p?])(\d+)")


class LinkRow(Struct, frozen=True, array_like=True):
    """A link as the aligner writes it, `[i, j]` or `[i, j, score]`."""

    source: int
    target: int
    score: float = 1.0


class WordRow(Struct, frozen=True):
    """The links of one sentence pair: a Pharaoh string, or a list."""

    id: str
    links: str | list[LinkRow]


@dataclass(frozen=True)
class Links:
    """The links of one sentence pair; `possible` contains `sure`."""

    id: str
    sure: frozenset[tuple[int, int]]
    possible: frozenset[tuple[int, int]]

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id; links name no languages."""
        return self.id, None


@dataclass(frozen=True)
class WordScores:
    """Scores of links. `links.right` counts possible ones, `links.found` sure ones."""

    sentences: int
    links: Counts
    interval: Interval
    signature: str

    @property
    def aer(self) -> float:
        """The alignment error rate; lower is better."""
        links = self.links
        whole = links.predicted + links.gold
        return 1 - (links.found + links.right) / whole if whole else 0.0

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "sentences": self.sentences,
            **self.links.as_dict(),
            "aer": self.aer,
            "interval": self.interval.as_dict(),
            "signature": self.signature,
        }


def evaluate_words_files(gold: Path, pred: Path) -> WordScores:
    """Score the word links in one file against those in another.

    Either file is JSONL with `id` and `links`, or text with Pharaoh links in the last tab-separated
    column, the line number being the id.

    Raises:
        UsageError: a file cannot be read or is empty.
        InputError: a line is unusable, or a gold row has no prediction.
    """
    return evaluate_words(read_links(gold), read_links(pred))


def evaluate_words(gold: Sequence[Row[Links]], pred: Sequence[Row[Links]]) -> WordScores:
    """Score predicted links; a link that the prediction marks as possible counts as predicted.

    Raises:
        InputError: a gold row has no prediction.
    """
    counts = [
        Counts(
            len(theirs.value.possible & mine.value.possible),
            len(theirs.value.possible),
            len(theirs.value.possible & mine.value.sure),
            len(mine.value.sure),
        )
        for mine, theirs in match(gold, pred)
    ]
    recipe = signature(links="sure+possible", average="micro", ci=BOOTSTRAP)
    return WordScores(len(counts), total(counts), f1_interval(counts), recipe)


def read_links(path: Path) -> list[Row[Links]]:
    """Read links from JSONL (`.jsonl`, `.json`) or from Pharaoh text.

    Raises:
        UsageError: the file cannot be read or is empty.
        InputError: a line is unusable.
    """
    rows = []
    for where, line in read_lines(path):
        if path.suffix in {".jsonl", ".json"}:
            row = decode_row(line, WordRow, where)
        else:
            row = WordRow(where.rpartition(":")[2], line.rpartition("\t")[2])
        rows.append(Row(to_links(row, where), where))
    if not rows:
        raise UsageError(f"{path} holds no rows; nothing can be scored")
    return rows


def to_links(row: WordRow, where: str) -> Links:
    """Return the links of a row as sets; `i?j` and `ipj` are possible links.

    Raises:
        InputError: a link is not of a known form.
    """
    if isinstance(row.links, str):
        found = [(_LINK.fullmatch(each), each) for each in row.links.split()]
        for link, each in found:
            if link is None:
                raise InputError(f"{where}: {each!r} is no link; links look like 0-0, possible ones like 0?1")
        marked = [(int(link[1]), int(link[3]), link[2] == "-") for link, _ in found if link]
    else:
        marked = [(link.source, link.target, True) for link in row.links]
    return Links(
        row.id,
        frozenset((i, k) for i, k, sure in marked if sure),
        frozenset((i, k) for i, k, _ in marked),
    )
