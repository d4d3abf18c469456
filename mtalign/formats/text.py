"""Plain text files: one article a file, named by the file's stem. Text files carry no entities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtalign.document import Article, Document
from mtalign.errors import InputError
from mtalign.formats.names import name_and_language
from mtalign.formats.reading import Found, Options, read_text


def article_from_text(text: str, article_id: str, lang: str) -> Article:
    """Return a text as an article without entities.

    Raises:
        InputError: there is nothing in it but white space, or the zeros of a file that was never filled.
    """
    if not text.replace("\0", "").strip():
        raise InputError("the file is empty")
    return Article(Document(article_id, lang, text))


def read(path: Path, options: Options) -> Iterator[Found]:
    """Yield the one article of a text file."""
    name, lang = name_and_language(path)
    yield Found(article_from_text(read_text(path), name, lang or options.lang), str(path))
