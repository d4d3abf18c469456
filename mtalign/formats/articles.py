"""Reading articles from whatever the user names: files, folders, standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mtalign.document import Article
from mtalign.errors import InputError, UsageError
from mtalign.formats import jsonl, text
from mtalign.languages import language
from mtalign.record import Rejected

STDIN = "-"
SUFFIXES = (".txt", ".jsonl")


@dataclass(frozen=True)
class Found:
    """An article and the place that it was read from; `line` only where a file holds several."""

    article: Article
    path: str
    line: int | None = None


def find_inputs(paths: Sequence[str]) -> list[str]:
    """Return the files behind the given names: folders are replaced by the articles in them, sorted.

    Raises:
        UsageError: a name that does not exist, or a folder without articles.
    """
    files: list[str] = []
    for name in paths:
        path = Path(name)
        if name == STDIN:
            files.append(name)
        elif path.is_dir():
            inside = sorted(
                str(each) for each in path.iterdir() if each.suffix in SUFFIXES and each.is_file()
            )
            if not inside:
                raise UsageError(f"folder {name} has no {' or '.join(SUFFIXES)} file in it")
            files.extend(inside)
        elif path.is_file():
            files.append(name)
        else:
            raise UsageError(f"there is no file or folder {name}")
    return files


def read_articles(files: Sequence[str], lang: str) -> Iterator[Found | Rejected]:
    """Yield every article of the files in order; what cannot be read comes as a reject, and the rest goes on.

    A `.jsonl` file holds an article a line; anything else, and standard input unless its first character
    is an opening brace, is one article of plain text. `lang` is the language of texts that do not say.
    """
    for name in files:
        try:
            if name == STDIN:
                yield from _from_stdin(lang)
            elif name.endswith(".jsonl"):
                with Path(name).open("rb") as stream:
                    yield from _rows(stream, name, lang)
            else:
                yield Found(_checked(text.read(Path(name), lang)), name)
        except (InputError, UsageError, OSError) as error:
            yield Rejected(str(error), name)


@cache
def _stdin() -> bytes:
    """Return standard input, which can be read once but is looked through twice."""
    return sys.stdin.buffer.read()


def _from_stdin(lang: str) -> Iterator[Found | Rejected]:
    data = _stdin()
    if data.lstrip().startswith(b"{"):
        yield from _rows(data.splitlines(), STDIN, lang)
    else:
        yield Found(
            _checked(text.article_from_text(text.decode(data, "standard input"), "stdin", lang)), STDIN
        )


def _rows(lines: Iterable[bytes], name: str, lang: str) -> Iterator[Found | Rejected]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield Found(_checked(jsonl.article_from_json(line, lang)), name, number)
        except (InputError, UsageError) as error:
            yield Rejected(str(error), name, number)


def _checked(article: Article) -> Article:
    """Refuse languages without a row in the table before any work is done on the article."""
    for code in (article.source.lang, *article.translations):
        language(code)
    return article
