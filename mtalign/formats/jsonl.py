"""Articles as JSON lines: `{"id", "text", "entities": [{"id", "start", "end", "label"}], …}`.

`translations` holds human translations: `{"ko": "text"}` or `{"ko": {"text": …, "sentences": [[0, 12], …]}}`.
`sentences`, on the source or a translation, are spans that replace mtalign's own segmentation. Other
fields with a plain value become attributes of the document; other fields with lists or objects in them
are refused, since they could not be carried along.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import msgspec
from msgspec import Struct

from mtalign.document import Article, Document, Entity, Sentence, Span, paragraph_spans
from mtalign.errors import InputError, InvalidDocument


class EntityRow(Struct, forbid_unknown_fields=True):
    """An entity as a row gives it; `text`, where given, must be what stands at the offsets."""

    id: str | int
    start: int
    end: int
    label: str
    text: str | None = None
    attributes: dict[str, str] = {}


class TextRow(Struct, forbid_unknown_fields=True):
    """A translation as a row gives it."""

    text: str
    sentences: list[Span] | None = None
    title: str | None = None
    source: str | None = None
    license: str | None = None


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
    translations: dict[str, str | TextRow] = {}
    attributes: dict[str, str] = {}


_KNOWN = frozenset(ArticleRow.__struct_fields__)
_decoder = msgspec.json.Decoder(dict[str, Any])


def article_from_json(line: bytes, lang: str) -> Article:
    """Read one line.

    Args:
        line: UTF-8 JSON.
        lang: the source language where the row does not say.

    Raises:
        InputError: the line is not JSON or has another shape; InvalidDocument where offsets are off.
    """
    try:
        fields = _decoder.decode(line)
        row = msgspec.convert(fields, ArticleRow)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"not an article row: {error}") from error
    if not row.text.strip():
        raise InputError(f"article {str(row.id)!r}: the text is empty")
    source = Document(
        id=str(row.id),
        lang=row.lang or lang,
        text=row.text,
        sentences=_sentences(row.text, row.sentences),
        entities=tuple(_entity(each, row.text, str(row.id)) for each in row.entities),
        title=row.title,
        source=row.source,
        license=row.license,
        attributes=row.attributes | _extra_fields(fields),
    )
    return Article(
        source, {lang: _translation(source.id, lang, each) for lang, each in row.translations.items()}
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
        sentences=_sentences(row.text, row.sentences),
        title=row.title,
        source=row.source,
        license=row.license,
    )


def _entity(row: EntityRow, text: str, article_id: str) -> Entity:
    if row.start < 0 or row.end > len(text) or row.start >= row.end:
        raise InvalidDocument(
            f"article {article_id!r}: entity {str(row.id)!r} at [{row.start}, {row.end}) is not inside the "
            f"text of {len(text)} characters"
        )
    span = Span(row.start, row.end)
    found = span.of(text) if row.text is None else row.text
    return Entity(str(row.id), span, found, row.label, row.attributes)


def _sentences(text: str, spans: list[Span] | None) -> tuple[Sentence, ...]:
    if not spans:
        return ()
    starts = [paragraph.start for paragraph in paragraph_spans(text)]
    return tuple(Sentence(span, max(0, bisect_right(starts, span.start) - 1)) for span in spans)


def _extra_fields(fields: dict[str, Any]) -> dict[str, str]:
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
