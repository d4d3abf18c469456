r"""Tab-separated texts with a header row of language codes, read and written as a stream.

One unit a line, no quoting: a tab, line feed, carriage return or backslash inside a text is written as
`\t`, `\n`, `\r` or `\\` and read back so. Besides languages the header may name the columns `unit` (the
unit's id; `id` is Indonesian), `score` and `note`.

What TSV cannot hold: the difference between an empty text and none (both are an empty cell), and the order
of the languages of a single unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from mtalign.errors import InputError
from mtalign.formats.bitext import OnReject, Unit, add_text, primary_code

__all__ = ["LARGEST_ROW", "Unit", "read_tsv", "write_tsv"]

# Bytes that one row may take.
LARGEST_ROW = 16 * 1024 * 1024

ID, SCORE, NOTE = "unit", "score", "note"
_OTHER = (ID, SCORE, NOTE)

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {escape: char for char, escape in _ESCAPES.items()}
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPE = re.compile(r"\\[\\tnr]")

# What makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@")


def read_tsv(path: Path, on_reject: OnReject | None = None) -> Iterator[Unit]:
    """Yield the units of a file, one at a time. Empty lines are passed over.

    Args:
        path: a UTF-8 file; a byte order mark is left out.
        on_reject: gets the error of a row that cannot be used, and the rest goes on. Without it such a
            row ends the reading.

    Raises:
        InputError: the file cannot be read or its header names no language; the message names file and line.
    """
    try:
        with path.open("rb") as stream:
            columns: list[str] | None = None
            for number, line in enumerate(_lines(stream, path), 1):
                try:
                    cells = _cells(line, first=number == 1)
                    if columns is None:
                        columns = _checked(cells)
                    elif cells != [""]:
                        yield _unit(columns, cells)
                except InputError as error:
                    error = InputError(f"{path}:{number}: {error}")
                    if on_reject is None or columns is None:
                        raise error from None
                    on_reject(error)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if columns is None:
        raise InputError(f"{path} is empty; a header row with language codes was expected")


def write_tsv(
    stream: BinaryIO, units: Iterable[Unit], columns: Sequence[str], *, neutralise_formulas: bool = False
) -> int:
    """Write units, one at a time, and return their number.

    Args:
        stream: where the bytes go.
        units: their languages must be among the columns.
        columns: the header: language codes, and `unit`, `score` or `note` where wanted.
        neutralise_formulas: put an apostrophe before cells that a spreadsheet would run (they begin with
            =, +, - or @). It stays there when the file is read.

    Raises:
        InputError: a unit has a language without a column, or a text that is not valid Unicode.
    """
    columns = _checked(columns)
    stream.write(encode_row(columns))
    count = 0
    for count, unit in enumerate(units, 1):
        if missing := [lang for lang in unit.texts if lang not in columns]:
            raise InputError(
                f"unit {unit.id or count}: no column for {', '.join(missing)} in {', '.join(columns)}"
            )
        cells = [_value(unit, column) for column in columns]
        if neutralise_formulas:
            cells = [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
        try:
            stream.write(encode_row(cells))
        except UnicodeEncodeError as error:
            raise InputError(f"unit {unit.id or count}: not valid Unicode: {error.reason}") from error
    return count


def encode_row(cells: Sequence[str]) -> bytes:
    """Return one row with its line feed: what would break it is escaped."""
    return "\t".join(_SPECIAL.sub(lambda found: _ESCAPES[found[0]], cell) for cell in cells).encode() + b"\n"


def _lines(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    while line := stream.readline(LARGEST_ROW + 1):
        if len(line) > LARGEST_ROW:
            raise InputError(f"{path}: a line of more than {LARGEST_ROW} bytes; this is no such table")
        yield line


def _cells(line: bytes, *, first: bool) -> list[str]:
    try:
        text = line.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 (byte {error.object[error.start]:#04x}); convert the file") from error
    # A bare carriage return at the end is the line ending of another system: one in a text is escaped.
    return text.removesuffix("\n").removesuffix("\r").split("\t")


def _checked(columns: Sequence[str]) -> list[str]:
    langs = [column for column in columns if column not in _OTHER]
    for column in langs:
        primary_code(column)
    if not langs or len(set(columns)) < len(columns):
        raise InputError(f"header {list(columns)}: at least one language, and every column once, are needed")
    return list(columns)


def _unit(columns: Sequence[str], cells: Sequence[str]) -> Unit:
    if len(cells) != len(columns):
        raise InputError(
            f"{len(cells)} cells where the header has {len(columns)}; tabs in texts are written \\t"
        )
    values = {column: _unescape(cell) for column, cell in zip(columns, cells, strict=True) if cell}
    texts: dict[str, str] = {}
    for column, text in values.items():
        if column not in _OTHER:
            add_text(texts, column, text)
    try:
        score = float(values[SCORE]) if SCORE in values else None
    except ValueError:
        raise InputError(f"score {values[SCORE]!r} is not a number") from None
    return Unit(texts, values.get(ID), score, values.get(NOTE))


def _value(unit: Unit, column: str) -> str:
    if column == SCORE:
        return "" if unit.score is None else repr(unit.score)
    return {ID: unit.id, NOTE: unit.note}.get(column, unit.texts.get(column)) or ""


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: _UNESCAPES[found[0]], text)
