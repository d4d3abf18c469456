"""What all readers share: what they yield, how much they take into memory, how bytes become text.

A reader is a function of a path and `Options` that yields `Found` and `Rejected`, in the order of the file.
It may raise InputError where a file as a whole cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mtalign.document import Article
from mtalign.errors import InputError
from mtalign.record import Rejected

# A file that is one article, or has to be looked at as a whole, may have this many bytes.
LARGEST_FILE = 64 << 20
# An article or sentence that is one line of a file may have this many bytes.
LARGEST_LINE = 16 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Found:
    """An article and the place that it was read from; `line` only where a file holds several.

    `left_out` counts what the file says and an article cannot hold: relations, inline markup …
    """

    article: Article
    path: str
    line: int | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """How to read.

    `lang` is the language of texts that do not say, `columns` says which column is which field of an article,
    and `utf16` that rows and brat files count places in UTF-16 units, not code points.
    """

    lang: str = "en"
    columns: Mapping[str, str] = field(default_factory=dict)
    utf16: bool = False


Reader = Callable[[Path, Options], Iterator[Found | Rejected]]


class BadLine(InputError):
    """Something is wrong in one line of a file; carries its number."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def read_whole(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        InputError: it is larger than `LARGEST_FILE`; nothing of it has been read then.
    """
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise InputError(
            f"{path.name} has {size:,} bytes, more than the {LARGEST_FILE:,} that are read as one"
        )
    return path.read_bytes()


class BoundedStream:
    """A stream for a parser, which refuses to go on when one part of the file takes too many bytes."""

    def __init__(self, stream: BinaryIO, limit: int, refusal: str) -> None:
        """Wrap a stream: `refusal` is what the error says once `limit` bytes have been read at a stretch."""
        self._stream = stream
        self._limit = self._left = limit
        self._refusal = refusal

    def restart(self) -> None:
        """Begin to count anew, since a part has ended."""
        self._left = self._limit

    def read(self, size: int = -1) -> bytes:
        """Read as files do.

        Raises:
            InputError: the part is too large.
        """
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise InputError(self._refusal)
        return data


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, line breaks as they are."""
    return decode(read_whole(path), path.name)


def decode(data: bytes, where: str) -> str:
    """Decode UTF-8; a byte order mark is not part of the text.

    Raises:
        InputError: the bytes are not UTF-8; the message gives the line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadLine(
            f"{where} is not UTF-8 (byte {error.object[error.start]:#04x} in line {line}); "
            "convert it, for example with: iconv -f WINDOWS-1251 -t UTF-8",
            line,
        ) from error


def lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | InputError]]:
    """Yield number and bytes of every line. Of one that is too long comes the error that says so.

    Never more than `LARGEST_LINE` bytes of a line are in memory.
    """
    number = 0
    while line := stream.readline(LARGEST_LINE + 1):
        number += 1
        if len(line) > LARGEST_LINE and not line.endswith(b"\n"):
            size = len(line)
            while rest := stream.readline(_CHUNK):
                size += len(rest)
                if rest.endswith(b"\n"):
                    break
            yield (
                number,
                BadLine(f"a line of {size:,} bytes; more than {LARGEST_LINE:,} are not read", number),
            )
        else:
            yield number, line


def rejected(error: Exception, path: str, line: int | None = None, article_id: str | None = None) -> Rejected:
    """Return the reject row of an error; the line is the error's own where it knows one."""
    return Rejected(str(error), path, error.line if isinstance(error, BadLine) else line, article_id)
