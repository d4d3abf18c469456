"""JSON lines: an article a line, in the shape of `mtalign.formats.rows`.

The writer does not hold bead and tuple alignment, lost mentions, origins and issues; `records.jsonl` of
the run directory, which it reads, holds everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from mtalign.document import Article
from mtalign.errors import InputError
from mtalign.formats.features import Records
from mtalign.formats.reading import Found, Options, lines, rejected
from mtalign.formats.rows import article_from_row, row_from_record, with_columns
from mtalign.record import Rejected, encode_json

_decoder = msgspec.json.Decoder(dict[str, Any])


def article_from_json(line: bytes, lang: str) -> Article:
    """Read one line.

    Args:
        line: UTF-8 JSON.
        lang: the source language where the row does not say.

    Raises:
        InputError: the line is not JSON or has another shape; InvalidDocument where offsets are off.
    """
    return article_from_row(_fields(line), lang)


def read(path: Path, options: Options) -> Iterator[Found | Rejected]:
    """Yield the articles of a file."""
    with path.open("rb") as stream:
        yield from read_lines(lines(stream), str(path), options)


def read_lines(
    numbered: Iterable[tuple[int, bytes | InputError]], path: str, options: Options
) -> Iterator[Found | Rejected]:
    """Yield the articles of lines that have been read already; blank ones are passed over."""
    for number, line in numbered:
        if isinstance(line, InputError):
            yield rejected(line, path, number)
        elif line.strip():
            fields: dict[str, Any] = {}
            try:
                fields = with_columns(_fields(line), options.columns)
                yield Found(article_from_row(fields, options.lang, utf16=options.utf16), path, number)
            except InputError as error:
                article_id = fields.get("id")
                yield rejected(error, path, number, str(article_id) if article_id else None)


def write(records: Records, out: Path) -> Counter[str]:
    """Write all articles with their translations into one file; nothing is left out of what it holds."""
    with (out / "articles.jsonl").open("wb") as stream:
        for record in records():
            stream.write(encode_json(row_from_record(record)) + b"\n")
    return Counter()


def _fields(line: bytes) -> dict[str, Any]:
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"not an article row: {error}") from error
