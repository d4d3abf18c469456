"""Plain text files: one article a file, named by the file's stem. Text files carry no entities."""

from __future__ import annotations

from pathlib import Path

from mtalign.document import Article, Document
from mtalign.errors import InputError


def decode(data: bytes, where: str) -> str:
    """Decode UTF-8; a byte order mark is not part of the text.

    Raises:
        InputError: the bytes are not UTF-8; the message gives the line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{where} is not UTF-8 (byte {error.object[error.start]:#04x} in line {line}); "
            "convert it, for example with: iconv -f WINDOWS-1251 -t UTF-8"
        ) from error


def article_from_text(text: str, article_id: str, lang: str) -> Article:
    """Return a text as an article without entities.

    Raises:
        InputError: there is nothing in it but white space.
    """
    if not text.strip():
        raise InputError("the file is empty")
    return Article(Document(article_id, lang, text))


def read(path: Path, lang: str) -> Article:
    """Read one text file as one article."""
    return article_from_text(decode(path.read_bytes(), path.name), path.stem, lang)
