"""Articles as rows of named fields: the shape that JSON lines, Parquet and Hugging Face datasets share.

    {"id", "text", "lang"?, "title"?, "source"?, "license"?, "sentences"?: [[0, 12], …], "attributes"?: {…},
     "entities"?: [{"id", "start", "end", "label", "text"?, "attributes"?, "fragments"?: [[0, 5], [10, 15]]}],
     "relations"?: [{"label", "head", "tail"}],
     "translations"?: {"ko": "text" or {"text", "title"?, …, "sentences"?, "entities"?, "relations"?}}}

`sentences`, on the source or a translation, are spans that replace mtalign's own segmentation. Other
fields with a plain value become attributes of the document; other fields with lists or objects in them
are refused, since they could not be carried along. Tables have no objects with free keys: there, maps are
lists of `{"key", "value"}`, and translations a list of objects with a field `lang`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mtalign.document import Article, Document, Entity, Relation, Sentence, Span, paragraph_spans
from mtalign.errors import InputError, InvalidDocument
from mtalign.formats.features import documents_of
from mtalign.record import Record
from mtalign.utf16 import Utf16

_Row = TypeVar("_Row", "ArticleRow", "TextRow")


class EntityRow(Struct, forbid_unknown_fields=True):
    """An entity as a row gives it; `text`, where given, must be what stands at the offsets."""

    id: str | int
    start: int
    end: int
    label: str
    text: str | None = None
    attributes: dict[str, str] = {}
    fragments: list[Span] = []


class RelationRow(Struct, forbid_unknown_fields=True):
    """A relation between two entities of the row, named by their ids."""

    label: str
    head: str | int
    tail: str | int


class TextRow(Struct, forbid_unknown_fields=True):
    """A translation as a row gives it."""

    text: str
    sentences: list[Span] | None = None
    entities: list[EntityRow] = []
    relations: list[RelationRow] = []
    title: str | None = None
    source: str | None = None
    license: str | None = None
    attributes: dict[str, str] = {}


class ArticleRow(Struct):
    """The known fields of an article row."""

    id: str | int
    text: str
    lang: str | None = None
    title: str | None = None
    source: str | None = None
    license: str | None = None
    sentences: list[Span] | None = None
    entities: list[EntityRow] = []
    relations: list[RelationRow] = []
    translations: dict[str, str | TextRow] = {}
    attributes: dict[str, str] = {}


_KNOWN = frozenset(ArticleRow.__struct_fields__)


def article_from_row(fields: Mapping[str, Any], lang: str, *, utf16: bool = False) -> Article:
    """Return a row as an article.

    Args:
        fields: the row.
        lang: the source language where the row does not say.
        utf16: sentences and entities are counted in UTF-16 units, not code points.

    Raises:
        InputError: a field is missing or has another shape; InvalidDocument where offsets are off.
    """
    try:
        row = msgspec.convert(fields, ArticleRow)
    except msgspec.ValidationError as error:
        raise InputError(f"not an article row: {error}") from error
    if not row.text.strip():
        raise InputError(f"article {str(row.id)!r}: the text is empty")
    if utf16:
        row = _in_code_points(row)
        translations = {
            lang: each if isinstance(each, str) else _in_code_points(each)
            for lang, each in row.translations.items()
        }
        row = replace(row, translations=translations)
    source = Document(
        id=str(row.id),
        lang=row.lang or lang,
        text=row.text,
        sentences=place_sentences(row.text, row.sentences),
        entities=tuple(_entity(each, row.text, str(row.id)) for each in row.entities),
        title=row.title,
        source=row.source,
        license=row.license,
        attributes=row.attributes | _extra_fields(fields),
        relations=_relations(row.relations),
    )
    return Article(
        source, {lang: _translation(source.id, lang, each) for lang, each in row.translations.items()}
    )


def row_from_record(record: Record) -> dict[str, Any]:
    """Return a record as the row of an article with its translations; without what is None or empty."""
    source, *targets = documents_of(record)
    row = {"id": record.id, "lang": source.lang, **document_row(source)}
    if targets:
        row["translations"] = {each.lang: document_row(each) for each in targets}
    return row


def document_row(document: Document) -> dict[str, Any]:
    """Return a document as fields, its id and language left out, without what is None or empty."""
    row = {
        "text": document.text,
        "title": document.title,
        "source": document.source,
        "license": document.license,
        "attributes": document.attributes or None,
        "sentences": [[each.span.start, each.span.end] for each in document.sentences] or None,
        "entities": [_entity_row(each) for each in document.entities] or None,
        "relations": [msgspec.structs.asdict(each) for each in document.relations] or None,
    }
    return {key: value for key, value in row.items() if value is not None}


def _entity_row(entity: Entity) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": entity.id,
        "start": entity.span.start,
        "end": entity.span.end,
        "label": entity.label,
        "text": entity.text,
    }
    if entity.attributes:
        row["attributes"] = entity.attributes
    if entity.fragments:
        row["fragments"] = [[each.start, each.end] for each in entity.fragments]
    return row


def with_columns(fields: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Return a row under the names of an article's fields.

    Args:
        fields: the row as it is.
        columns: the column of each field (`text`, `translations.ko`, …). Where any are given, columns that
            are neither named there nor fields of an article are left out of the row.

    Raises:
        InputError: a column is not in the row.
    """
    row = {key: value for key, value in fields.items() if not columns or key in _KNOWN}
    for field, column in columns.items():
        if column not in fields:
            raise InputError(f"there is no column {column!r} for {field!r}; there are {', '.join(fields)}")
        head, _, lang = field.partition(".")
        if not lang:
            row[head] = fields[column]
        elif fields[column] is not None:
            own = row.get(head)
            row[head] = {**(own if isinstance(own, dict) else {}), lang: fields[column]}
    return row


def check_columns(columns: Mapping[str, str]) -> None:
    """Raise InputError where a column is meant for a field that no article has."""
    for field in columns:
        head, _, lang = field.partition(".")
        if head not in _KNOWN or bool(lang) != (head == "translations"):
            raise InputError(
                f"columns: {field!r} is no field of an article; there are {', '.join(sorted(_KNOWN))}, "
                "and translations.LANG"
            )


def _translation(article_id: str, lang: str, row: str | TextRow) -> Document:
    if isinstance(row, str):
        row = TextRow(row)
    if not row.text.strip():
        raise InputError(f"article {article_id!r}: the translation {lang!r} is empty")
    return Document(
        id=article_id,
        lang=lang,
        text=row.text,
        sentences=place_sentences(row.text, row.sentences),
        entities=tuple(_entity(each, row.text, article_id) for each in row.entities),
        title=row.title,
        source=row.source,
        license=row.license,
        attributes=row.attributes,
        relations=_relations(row.relations),
    )


def _in_code_points(row: _Row) -> _Row:
    """Return a text's row with its places, counted in UTF-16 units, in code points."""
    place = Utf16(row.text).code_points
    entities = []
    for each in row.entities:
        try:
            span = place(each.start, each.end)
            fragments = [place(part.start, part.end) for part in each.fragments]
        except InputError as error:
            raise InputError(f"entity {str(each.id)!r}: {error}") from error
        entities.append(replace(each, start=span.start, end=span.end, fragments=fragments))
    sentences = row.sentences and [place(each.start, each.end) for each in row.sentences]
    return replace(row, entities=entities, sentences=sentences)


def _relations(rows: list[RelationRow]) -> tuple[Relation, ...]:
    return tuple(Relation(each.label, str(each.head), str(each.tail)) for each in rows)


def _entity(row: EntityRow, text: str, article_id: str) -> Entity:
    if row.start < 0 or row.end > len(text) or row.start >= row.end:
        raise InvalidDocument(
            f"article {article_id!r}: entity {str(row.id)!r} at [{row.start}, {row.end}) is not inside the "
            f"text of {len(text)} characters"
        )
    span = Span(row.start, row.end)
    found = span.of(text) if row.text is None else row.text
    return Entity(str(row.id), span, found, row.label, row.attributes, tuple(row.fragments))


def place_sentences(text: str, spans: list[Span] | None) -> tuple[Sentence, ...]:
    """Return spans as sentences, with the paragraphs that they stand in."""
    if not spans:
        return ()
    starts = [paragraph.start for paragraph in paragraph_spans(text)]
    return tuple(Sentence(span, max(0, bisect_right(starts, span.start) - 1)) for span in spans)


def _extra_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    extra = {key: value for key, value in fields.items() if key not in _KNOWN and value is not None}
    for key, value in extra.items():
        if isinstance(value, (list, dict)):
            raise InputError(
                f"unknown field {key!r} holds a list or an object; known are {', '.join(sorted(_KNOWN))}"
            )
    return {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for key, value in extra.items()
    }
