"""The same text in several languages, a plain text file each: en.txt, ko.txt, or news.en.txt, news.ko.txt.

A line is a sentence; a blank line ends a paragraph. Several documents may stand in one file, apart by a
line that is the separator and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mtalign.document import Span
from mtalign.errors import InputError
from mtalign.languages import LANGUAGES

Splitter = Callable[[str, str], Sequence[Span]]

# Enough to tell a language by; the rest of a long file says no more.
_SAMPLE = 20_000

_SEPARATORS = re.compile(r"[._-]")


@dataclass(frozen=True)
class TextFile:
    """One language of a parallel text."""

    path: Path
    lang: str


@dataclass(frozen=True)
class ParallelText:
    """One document: its sentences by language (a language may have none), and the paragraph of each."""

    id: str
    sents: dict[str, list[str]]
    paragraphs: dict[str, list[int]]


def language_in_name(path: Path) -> str | None:
    """Return the language that a file's name ends in: `en.txt`, `news.en.txt`, `news_en.txt`, `news.en`."""
    parts = _SEPARATORS.split(path.name.lower())
    return next((part for part in reversed(parts[-2:]) if part in LANGUAGES), None)


def language_of_text(path: Path) -> tuple[str, float]:
    """Return the likeliest language of a file among those in the table, and its probability among them."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    text = ""
    for line in _lines(path):
        text += line + "\n"
        if len(text) > _SAMPLE:
            break
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    found, probability = identifier.classify(text)
    return str(found), float(probability)


def count_documents(path: Path, separator: str | None) -> int:
    """Return how many documents a file holds, and prove that it can be read to its end.

    Raises:
        InputError: it cannot be read or is not UTF-8.
    """
    return sum(1 for _ in _documents(path, separator))


def read_parallel(
    files: Sequence[TextFile], separator: str | None = None, split: Splitter | None = None
) -> Iterator[ParallelText]:
    """Return the documents of the files, in step: the n-th of every file belong together.

    The files are read once at the call, so that errors come before any work, and once on the way.

    Args:
        files: one per language.
        separator: the line that ends a document; None takes every file as one.
        split: finds the sentences of running text; None takes every line as one sentence.

    Raises:
        InputError: a file cannot be read or is not UTF-8 (file and line are named), or another file has
            fewer documents or more.
    """
    numbers = {file: count_documents(file.path, separator) for file in files}
    if len(set(numbers.values())) > 1:
        counts = ", ".join(f"{file.path} {number}" for file, number in numbers.items())
        raise InputError(f"the files differ in their number of documents: {counts}; every one must have all")
    return _in_step(files, separator, split)


def _in_step(
    files: Sequence[TextFile], separator: str | None, split: Splitter | None
) -> Iterator[ParallelText]:
    name = _common_name(files[0])
    documents = zip(*(_documents(file.path, separator) for file in files), strict=True)
    for number, texts in enumerate(documents, 1):
        found = {
            file.lang: list(_sentences(lines, file.lang, split))
            for file, lines in zip(files, texts, strict=True)
        }
        yield ParallelText(
            name if separator is None else f"{name}-{number}",
            {lang: [sentence for sentence, _ in each] for lang, each in found.items()},
            {lang: [paragraph for _, paragraph in each] for lang, each in found.items()},
        )


def _common_name(file: TextFile) -> str:
    """Return the file's name without its language and ending: `news` of news.en.txt.

    Where nothing is left (en.txt), the folder names what is in it.
    """
    parts = _SEPARATORS.split(file.path.name)
    # A language that was not in the name leaves only the ending to take off.
    tail = 2 if file.lang in (part.lower() for part in parts[-2:-1]) else 1
    return (
        file.path.name[: -len(".".join(parts[-tail:]))].rstrip("._-")
        or file.path.resolve().parent.name
        or "text"
    )


def _sentences(lines: Sequence[str], lang: str, split: Splitter | None) -> Iterator[tuple[str, int]]:
    """Yield every sentence with the number of its paragraph."""
    filled = (list(group) for full, group in groupby(lines, key=lambda line: bool(line.strip())) if full)
    for number, paragraph in enumerate(filled):
        for line in paragraph:
            spans = split(line, lang) if split else None
            for sentence in [line.strip()] if spans is None else [span.of(line) for span in spans]:
                yield sentence, number


def _documents(path: Path, separator: str | None) -> Iterator[list[str]]:
    """Yield the lines of each document. A separator at the very end begins no further one."""
    found: list[str] | None = []
    for line in _lines(path):
        if separator is not None and line.strip() == separator:
            yield found or []
            found = None
        else:
            found = [] if found is None else found
            found.append(line)
    if found is not None:
        yield found


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    raise InputError(
                        f"{path}:{number}: not UTF-8 (byte {line[error.start]:#04x}); convert it, "
                        "for example with: iconv -f WINDOWS-1251 -t UTF-8"
                    ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
