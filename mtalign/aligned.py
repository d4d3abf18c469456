"""Aligned documents as `mtalign align` writes them: read back, judged, summed up, and exported.

Scores of beads are comparable within a document only. So a bead is judged by its *share*: its score as
part of the document's median score in that pair, from 0 (a null bead, or none at all) to 1.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import BinaryIO

import msgspec
from msgspec import Struct

from mtalign.alignment import Bead, check_beads, check_cover
from mtalign.errors import InputError
from mtalign.formats.bitext import Unit
from mtalign.formats.tmx import write_tmx
from mtalign.formats.tsv import encode_row, write_tsv
from mtalign.languages import HAN, LANGUAGES

FORMATS = ("jsonl", "tsv", "tmx")

# Beads with a smaller share of the typical score than this go on the list for review.
DOUBTFUL_SHARE = 0.5

# The list for review holds no more beads than a person can look at.
REVIEW_ROWS = 1000

ROWS_FILE = "tuples.jsonl"
REVIEW_FILE = "review.tsv"
_REVIEW_COLUMNS = ("document", "pair", "type", "share", "score", "left", "right")

Pair = tuple[str, str]


class _BeadRow(Struct, frozen=True):
    src: tuple[int, ...]
    tgt: tuple[int, ...]
    score: float = 0.0


class PairWarning(Struct, frozen=True):
    """What is wrong with a pair of texts as a whole."""

    pair: str
    kind: str
    evidence: str


class _Row(Struct, frozen=True):
    id: str | int
    langs: list[str]
    sents: dict[str, list[str]]
    tuples: list[dict[str, tuple[int, ...]]]
    beads: dict[str, list[_BeadRow]]
    warnings: tuple[PairWarning, ...] = ()


@dataclass(frozen=True)
class AlignedDocument:
    """One document in n languages: sentences by language, beads by pair, tuples of all, warnings."""

    id: str
    sents: Mapping[str, Sequence[str]]
    beads: Mapping[Pair, tuple[Bead, ...]]
    tuples: tuple[Mapping[str, tuple[int, ...]], ...]
    warnings: tuple[PairWarning, ...] = ()

    def text(self, lang: str, indices: Iterable[int]) -> str:
        """Return sentences as one text, with the spaces that the language wants between them."""
        space = "" if lang in LANGUAGES and LANGUAGES[lang].script == HAN else " "
        return space.join(self.sents[lang][index] for index in indices)


@dataclass(frozen=True)
class Doubt:
    """A bead for a person to look at: nothing on one side, or a score far below the usual."""

    document: str
    pair: Pair
    bead: Bead
    share: float
    left: str
    right: str

    def cells(self) -> list[str]:
        """Return the row of the list for review."""
        pair = "-".join(self.pair)
        numbers = [f"{self.share:.3f}", f"{self.bead.score:.4f}"]
        return [self.document, pair, self.bead.kind, *numbers, self.left, self.right]


@dataclass
class PairSummary:
    """What came out in one pair of languages."""

    kinds: Counter[str] = field(default_factory=Counter)
    typical: list[float] = field(default_factory=list)
    doubtful: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return the counts; `score` is the median over documents of the median score of a bead."""
        nulls = sum(count for kind, count in self.kinds.items() if _is_null_kind(kind))
        return {
            "beads": self.kinds.total(),
            "nulls": nulls,
            "doubtful": self.doubtful,
            "score": round(median(self.typical), 4) if self.typical else None,
            "types": dict(sorted(self.kinds.items())),
        }


@dataclass
class Summary:
    """What came out, over all documents; and the most doubtful beads among them."""

    documents: int = 0
    sentences: Counter[str] = field(default_factory=Counter)
    tuples: int = 0
    complete: int = 0
    pairs: dict[Pair, PairSummary] = field(default_factory=lambda: defaultdict(PairSummary))
    warnings: list[tuple[str, PairWarning]] = field(default_factory=list)
    _worst: list[tuple[float, int, Doubt]] = field(default_factory=list)
    _seen: int = 0

    def add(self, document: AlignedDocument) -> None:
        """Count a document in."""
        self.documents += 1
        self.sentences.update({lang: len(each) for lang, each in document.sents.items()})
        self.tuples += len(document.tuples)
        self.warnings += [(document.id, each) for each in document.warnings]
        self.complete += sum(all(each.get(lang) for lang in document.sents) for each in document.tuples)
        for pair, beads in document.beads.items():
            summary = self.pairs[pair]
            summary.kinds.update(bead.kind for bead in beads)
            if any(bead.left and bead.right for bead in beads):
                summary.typical.append(typical_score(beads))
        for doubt in doubts(document):
            self.pairs[doubt.pair].doubtful += 1
            self._seen += 1
            # The heap's root is the least doubtful of those kept, of equal ones the last seen.
            entry = (-doubt.share, -self._seen, doubt)
            if len(self._worst) < REVIEW_ROWS:
                heapq.heappush(self._worst, entry)
            else:
                heapq.heappushpop(self._worst, entry)

    def worst(self) -> list[Doubt]:
        """Return the most doubtful beads, worst first."""
        return [doubt for *_, doubt in sorted(self._worst, key=lambda entry: (-entry[0], -entry[1]))]

    def as_dict(self) -> dict[str, object]:
        """Return all counts, ready for JSON."""
        return {
            "documents": self.documents,
            "sentences": dict(self.sentences),
            "tuples": self.tuples,
            "tuples_in_all_languages": self.complete,
            "pairs": {"-".join(pair): summary.as_dict() for pair, summary in self.pairs.items()},
            "warnings": [{"document": doc_id, **msgspec.to_builtins(each)} for doc_id, each in self.warnings],
        }


def from_row(row: Mapping[str, object]) -> AlignedDocument:
    """Read a row of aligned sentences.

    Raises:
        InputError: it has another shape, or a sentence is not in exactly one bead and tuple.
    """
    try:
        typed = msgspec.convert(row, _Row)
    except msgspec.ValidationError as error:
        raise InputError(f"not a row of aligned sentences: {error}") from error
    doc_id = str(typed.id)
    beads = {}
    for key, found in typed.beads.items():
        left, _, right = key.partition("-")
        if left not in typed.sents or right not in typed.sents:
            raise InputError(f"document {doc_id!r}: beads for {key!r}, but no such two languages in sents")
        beads[left, right] = tuple(Bead(each.src, each.tgt, each.score) for each in found)
        check_beads(beads[left, right], len(typed.sents[left]), len(typed.sents[right]), f"{doc_id} {key}")
    for lang, sents in typed.sents.items():
        groups = [each.get(lang, ()) for each in typed.tuples]
        check_cover(groups, len(sents), f"document {doc_id!r}, tuples, {lang}")
    in_order = {lang: typed.sents[lang] for lang in typed.langs}
    return AlignedDocument(doc_id, in_order, beads, tuple(typed.tuples), typed.warnings)


def read_documents(path: Path) -> Iterator[AlignedDocument]:
    """Yield the documents of a file that `mtalign align` wrote into a folder.

    Raises:
        InputError: a line cannot be used; the message names it.
    """
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield from_row(msgspec.json.decode(line, type=dict))
            except (InputError, msgspec.MsgspecError) as error:
                raise InputError(f"{path}:{number}: {error}") from error


def typical_score(beads: Iterable[Bead]) -> float:
    """Return the median score of the beads with something on both sides; 0 if there is none."""
    scores = [bead.score for bead in beads if bead.left and bead.right]
    return median(scores) if scores else 0.0


def shares(beads: Sequence[Bead]) -> list[float]:
    """Return each bead's score as part of the typical one, from 0 to 1; null beads have 0."""
    typical = typical_score(beads)
    if typical <= 0:
        return [0.0] * len(beads)
    return [min(1.0, max(0.0, bead.score / typical)) if bead.left and bead.right else 0.0 for bead in beads]


def tuple_shares(document: AlignedDocument) -> list[float]:
    """Return for each tuple the lowest share of the beads between its languages; 0 if it has only one."""
    share_of = {
        (pair, index): share
        for pair, beads in document.beads.items()
        for bead, share in zip(beads, shares(beads), strict=True)
        for index in bead.left
    }
    return [
        min(
            (
                share_of[pair, index]
                for pair in document.beads
                if each.get(pair[0]) and each.get(pair[1])
                for index in each[pair[0]]
            ),
            default=0.0,
        )
        for each in document.tuples
    ]


def doubts(document: AlignedDocument) -> Iterator[Doubt]:
    """Yield the null beads and those whose share of the typical score is low, in reading order."""
    for pair, beads in document.beads.items():
        for bead, share in zip(beads, shares(beads), strict=True):
            if share < DOUBTFUL_SHARE:
                left, right = document.text(pair[0], bead.left), document.text(pair[1], bead.right)
                yield Doubt(document.id, pair, bead, share, left, right)


def pair_units(document: AlignedDocument, pair: Pair) -> Iterator[Unit]:
    """Yield the beads of one pair as units; a null bead is a unit of one language."""
    for number, bead in enumerate(document.beads.get(pair, ())):
        sides = zip(pair, (bead.left, bead.right), strict=True)
        texts = {lang: document.text(lang, side) for lang, side in sides if side}
        yield Unit(texts, f"{document.id}.{number}", bead.score)


def tuple_units(document: AlignedDocument) -> Iterator[Unit]:
    """Yield the n-way tuples as units of as many languages as each has."""
    for number, each in enumerate(document.tuples):
        texts = {lang: document.text(lang, each[lang]) for lang in document.sents if each.get(lang)}
        yield Unit(texts, f"{document.id}.{number}")


def export(folder: Path, summary: Summary, formats: Iterable[str]) -> list[Path]:
    """Write what follows from the rows in `folder`, and return the files.

    For every pair a file of its beads (`en-ko.tsv`, `en-ko.tmx`), for more than two languages one of the
    n-way tuples, and the list for review. TMX leaves null beads out, since a translation memory has no use
    for them; TSV has them, with an empty cell.
    """
    langs = list(summary.sentences)
    tables: list[tuple[str, Sequence[str], Sequence[str], Callable[[AlignedDocument], Iterator[Unit]]]] = [
        ("-".join(pair), pair, ("score",), partial(pair_units, pair=pair)) for pair in summary.pairs
    ]
    if len(langs) > 2:
        tables.append(("tuples", langs, (), tuple_units))
    written = [folder / REVIEW_FILE]
    with written[0].open("wb") as stream:
        _write_review(stream, summary.worst())
    for name, columns, extra, units_of in tables:
        if "tsv" in formats:
            written.append(folder / f"{name}.tsv")
            with written[-1].open("wb") as stream:
                write_tsv(stream, _units(folder, units_of), ["unit", *extra, *columns])
        if "tmx" in formats:
            written.append(folder / f"{name}.tmx")
            with written[-1].open("wb") as stream:
                whole = (unit for unit in _units(folder, units_of) if len(unit.texts) > 1)
                write_tmx(stream, whole, columns[0])
    return written


def _units(folder: Path, units_of: Callable[[AlignedDocument], Iterator[Unit]]) -> Iterator[Unit]:
    for document in read_documents(folder / ROWS_FILE):
        yield from units_of(document)


def _write_review(stream: BinaryIO, worst: Iterable[Doubt]) -> None:
    stream.write(encode_row(_REVIEW_COLUMNS))
    for doubt in worst:
        stream.write(encode_row(doubt.cells()))


def _is_null_kind(kind: str) -> bool:
    return "0" in kind.split("-")
