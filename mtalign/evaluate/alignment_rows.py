"""Rows of aligned sentences, gold or predicted, taken apart into beads by pair and n-way tuples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct

from mtalign.errors import InputError
from mtalign.evaluate.rows import Row

Groups = tuple[tuple[int, ...], ...]


class BeadRow(Struct, frozen=True):
    """A bead as the aligner writes it."""

    src: tuple[int, ...]
    tgt: tuple[int, ...]
    score: float = 0.0


Beads = list[BeadRow | tuple[tuple[int, ...], tuple[int, ...]]]


class SentenceRow(Struct, frozen=True):
    """A row of aligned sentences: one pair (`src`, `tgt`), or n languages (`sents`, `tuples`).

    Beads stand under `beads` or `gold`, as `{"src": [0], "tgt": [0, 1]}` or `[[0], [0, 1]]`; in a row of n
    languages `beads` maps `"en-ko"` to such a list. A prediction may leave its sentences out, which says
    that they are those of the gold.
    """

    id: str
    src_lang: str | None = None
    tgt_lang: str | None = None
    src: list[str] | None = None
    tgt: list[str] | None = None
    sents: dict[str, list[str]] | None = None
    beads: Beads | dict[str, Beads] | None = None
    gold: Beads | dict[str, Beads] | None = None
    tuples: list[dict[str, tuple[int, ...]]] | None = None


@dataclass(frozen=True)
class BeadDocument:
    """The beads of one document in one pair; `sides` are its sentences where the row holds them."""

    id: str
    pair: tuple[str, str] | None
    sides: tuple[Sequence[str] | None, Sequence[str] | None]
    beads: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id and the pair."""
        return self.id, self.pair

    def flipped(self) -> BeadDocument:
        """Return the same document seen from the other side."""
        return BeadDocument(
            self.id,
            self.pair and (self.pair[1], self.pair[0]),
            (self.sides[1], self.sides[0]),
            tuple((right, left) for left, right in self.beads),
        )


@dataclass(frozen=True)
class TupleDocument:
    """The tuples of one document in n languages; a tuple may leave a language out."""

    id: str
    sents: Mapping[str, Sequence[str]]
    tuples: tuple[Mapping[str, tuple[int, ...]], ...]

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id alone: a row of n languages holds all of them."""
        return self.id, None

    def groups(self, lang: str) -> Groups:
        """Return the sentences of one language, by tuple."""
        return tuple(each.get(lang, ()) for each in self.tuples)


def bead_documents(rows: Iterable[Row[SentenceRow]], *, gold: bool) -> list[Row[BeadDocument]]:
    """Take the pairs out of rows; where a row has both `gold` and `beads`, the file's part decides."""
    documents = []
    for row in rows:
        value = row.value
        first, second = (value.gold, value.beads) if gold else (value.beads, value.gold)
        beads = first if first is not None else second
        if isinstance(beads, dict):
            sents = value.sents or {}
            for key, each in beads.items():
                left, _, right = key.partition("-")
                if not left or not right:
                    raise InputError(f"{row.where}: {key!r} is no pair of languages, such as 'en-ko'")
                sides = (sents.get(left), sents.get(right))
                documents.append(Row(BeadDocument(value.id, (left, right), sides, _plain(each)), row.where))
        elif beads is not None:
            named = value.src_lang is not None and value.tgt_lang is not None
            pair = (value.src_lang or "", value.tgt_lang or "") if named else None
            document = BeadDocument(value.id, pair, (value.src, value.tgt), _plain(beads))
            documents.append(Row(document, row.where))
        elif value.tuples is None:
            raise InputError(f"{row.where}: no 'beads', 'gold' or 'tuples' in this row")
    return documents


def tuple_documents(rows: Iterable[Row[SentenceRow]]) -> list[Row[TupleDocument]]:
    """Take the n-way tuples out of rows that have them."""
    return [
        Row(TupleDocument(row.value.id, row.value.sents or {}, tuple(row.value.tuples)), row.where)
        for row in rows
        if row.value.tuples is not None
    ]


def _plain(beads: Beads) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    return tuple((each.src, each.tgt) if isinstance(each, BeadRow) else each for each in beads)
