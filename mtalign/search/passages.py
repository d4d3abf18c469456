"""Passages: the sentences of aligned texts, as a search index holds them.

They come from the records of a run, or from rows of aligned sentences (`{"id", "sents", "tuples"}`, what
`mtalign align` writes for n languages). Rows have no entities and no dates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from mtalign.errors import InputError, UsageError
from mtalign.record import Record, encode_json

DATE = "date"


class Mention(Struct, frozen=True):
    """An entity mention in a passage; `id` is that of the source mention, and links the languages."""

    id: str
    label: str
    text: str


class Passage(Struct, frozen=True, omit_defaults=True):
    """One sentence of one language. The `id` is `article:language:sentence` and does not change.

    `tuple_number` is that of the n-way tuple that it stands in: with `article` it finds the counterparts,
    and the row of the published `sentences`. `date` is the article's, as ISO 8601, where it has one.
    """

    id: str
    article: str
    lang: str
    sentence: int
    tuple_number: int
    text: str
    date: str | None = None
    mentions: tuple[Mention, ...] = ()

    @property
    def group(self) -> str:
        """What a passage and its counterparts in other languages have in common."""
        return f"{self.article}:{self.tuple_number}"

    @property
    def entities(self) -> list[str]:
        """The entities mentioned, `article:mention`: the same in every language of an article."""
        return [f"{self.article}:{each.id}" for each in self.mentions]


class AlignedRow(Struct):
    """A row of sentences aligned in n languages."""

    id: str
    sents: dict[str, list[str]]
    tuples: list[dict[str, tuple[int, ...]]]


def of_records(records: Iterable[Record]) -> Iterator[list[Passage]]:
    """Yield the passages of every record, article by article."""
    for record in records:
        yield list(passages(record))


def of_rows(path: Path) -> Iterator[list[Passage]]:
    """Yield the passages of every row of a JSONL file of aligned sentences.

    Raises:
        UsageError: the file cannot be read.
        InputError: a line is no such row; the message names file and line.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield list(_row_passages(line, f"{path}:{number}"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def digest(article: Sequence[Passage]) -> str:
    """Return what changes whenever a passage of the article does: text, place, mentions or date."""
    return hashlib.sha256(encode_json(article)).hexdigest()[:16]


def passages(record: Record) -> Iterator[Passage]:
    """Yield the passages of an article, language by language, in reading order."""
    date = iso_date(record.source.attributes)
    for lang, document in record.documents().items():
        tuple_of = {n: number for number, each in enumerate(record.tuples) for n in each.sents.get(lang, ())}
        mentions = list(_mentions(record, lang))
        for number, sentence in enumerate(document.sentences):
            yield Passage(
                id=f"{record.id}:{lang}:{number}",
                article=record.id,
                lang=lang,
                sentence=number,
                tuple_number=tuple_of[number],
                text=sentence.span.of(document.text),
                date=date,
                mentions=tuple(
                    mention for start, mention in mentions if sentence.span.start <= start < sentence.span.end
                ),
            )


def iso_date(attributes: Mapping[str, str]) -> str | None:
    """Return the attribute `date` as `YYYY-MM-DD`, without the time of day; None where it is none."""
    from datetime import date

    try:
        return date.fromisoformat(attributes.get(DATE, "").strip()[:10]).isoformat()
    except ValueError:
        return None


def _row_passages(line: bytes, where: str) -> Iterator[Passage]:
    try:
        row = msgspec.json.decode(line, type=AlignedRow)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: not a row of aligned sentences: {error}") from error
    for lang, texts in row.sents.items():
        tuple_of = {n: number for number, each in enumerate(row.tuples) for n in each.get(lang, ())}
        for number, text in enumerate(texts):
            if number not in tuple_of:
                raise InputError(f"{where}: sentence {number} in {lang!r} is in no tuple")
            if text.strip():
                yield Passage(f"{row.id}:{lang}:{number}", row.id, lang, number, tuple_of[number], text)


def _mentions(record: Record, lang: str) -> Iterator[tuple[int, Mention]]:
    """Yield the mentions of one language with the offset at which each starts."""
    if lang == record.source.lang:
        for entity in record.source.entities:
            yield entity.span.start, Mention(entity.id, entity.label, entity.text)
        return
    for each in record.projections[lang]:
        if each.entity is not None:
            mention = Mention(each.source, each.entity.label, each.entity.text)
            yield each.entity.span.start, mention
