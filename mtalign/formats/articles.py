"""Reading articles from whatever the user names: files of every format, folders, datasets, standard input.

The format is told by the file's ending, or else by how it begins. Human translations come in the rows
themselves (field `translations`), in bitext, or for every format in files beside: `news.ko.txt` beside
`news.txt` or `news.en.txt` holds the same articles, by id, in Korean.
"""

from __future__ import annotations

import dataclasses
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

from mtalign.document import Article, Document, paragraph_spans
from mtalign.errors import InputError, InvalidDocument, UnknownLanguage, UsageError
from mtalign.formats import brat, docbin, html, iob2, jsonl, labelstudio, memories, parquet, text, xliff
from mtalign.formats.names import name_and_language
from mtalign.formats.reading import Found, Options, Reader, decode, lines, rejected
from mtalign.formats.rows import check_columns
from mtalign.languages import LANGUAGES, language
from mtalign.record import Rejected

__all__ = ["FORMATS", "STDIN", "SUFFIXES", "Found", "find_inputs", "read_articles"]

STDIN = "-"
_DATASET = "dataset"
_XLIFF = "xliff"

_READERS: dict[str, Reader] = {
    "text": text.read,
    "jsonl": jsonl.read,
    "parquet": parquet.read,
    _DATASET: parquet.read_dataset,
    "html": html.read,
    "brat": brat.read,
    "iob2": iob2.read,
    "labelstudio": labelstudio.read,
    "docbin": docbin.read,
    "tmx": memories.read_tmx_articles,
    "tsv": memories.read_tsv_articles,
    _XLIFF: xliff.read,
}
FORMATS = tuple(_READERS)

SUFFIXES = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".html": "html",
    ".htm": "html",
    ".ann": "brat",
    ".conll": "iob2",
    ".iob": "iob2",
    ".iob2": "iob2",
    ".bio": "iob2",
    ".json": "labelstudio",
    ".spacy": "docbin",
    ".tmx": "tmx",
    ".tsv": "tsv",
    ".xlf": _XLIFF,
    ".xliff": _XLIFF,
}

# How files begin whose ending says nothing, once white space and a byte order mark are off.
_BEGINNINGS = {
    b"PAR1": "parquet",
    b"{": "jsonl",
    b"[": "labelstudio",
    b"<!doctype html": "html",
    b"<html": "html",
    b"<tmx": "tmx",
    b"<xliff": _XLIFF,
    b"-DOCSTART-": "iob2",
    b"# newdoc": "iob2",
}


def find_inputs(paths: Sequence[str], format: str | None = None) -> list[str]:
    """Return what is to be read behind the given names: folders are replaced by the files in them, sorted.

    Args:
        paths: files, folders, dataset folders, `hub:OWNER/NAME`, or `-` for standard input.
        format: one of `FORMATS`, where a folder's files of other formats are not meant.

    Raises:
        UsageError: a name that does not exist, or a folder without articles.
    """
    if format is not None and format not in FORMATS:
        raise UsageError(f"unknown format {format!r}; known are {', '.join(FORMATS)}")
    found: list[str] = []
    for name in paths:
        path = Path(name)
        if name == STDIN or name.startswith(parquet.HUB):
            found.append(name)
        elif path.is_dir():
            found.extend([name] if parquet.is_dataset(path) else _inside(path, format))
        elif path.is_file():
            found.append(name)
        else:
            raise UsageError(f"there is no file or folder {name}")
    return found


def _inside(folder: Path, format: str | None) -> list[str]:
    suffixes = (
        {".txt"} if format == "brat" else {end for end, name in SUFFIXES.items() if format in {None, name}}
    )
    # Links that lead nowhere and pipes are kept too: they are refused when they are read, by name.
    files = sorted(each for each in folder.iterdir() if each.suffix in suffixes and not each.is_dir())
    alone = [str(each) for each in files if each.suffix != ".ann" or not each.with_suffix(".txt").is_file()]
    if not alone:
        raise UsageError(f"folder {folder} has no {' or '.join(sorted(suffixes))} file in it")
    return alone


def read_articles(
    files: Sequence[str],
    lang: str,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    *,
    utf16: bool = False,
) -> Iterator[Found | Rejected]:
    """Yield every article of the files in order; what cannot be read comes as a reject, and the rest goes on.

    Args:
        files: as `find_inputs` returns them.
        lang: the language of texts that do not say.
        format: one of `FORMATS`, for all files; without it each file is looked at.
        columns: for rows: the column of each field of an article.
        utf16: rows and brat files count places in UTF-16 units, not code points.

    Raises:
        UsageError: a column is meant for a field that no article has, or a package is missing.
    """
    try:
        check_columns(columns or {})
    except InputError as error:
        raise UsageError(str(error)) from error
    for name, siblings in _grouped(files, lang, format):
        options = Options(lang, columns or {}, utf16)
        own = _read(name, format, options)
        if siblings:
            yield from _translated(own, name, siblings, format, options)
        else:
            yield from own


def _read(name: str, format: str | None, options: Options) -> Iterator[Found | Rejected]:
    try:
        if name == STDIN:
            found = _read_stdin(format, options)
        elif name.startswith(parquet.HUB):
            found = parquet.read_hub(name, options)
        else:
            path = Path(name)
            if not path.is_file() and not path.is_dir():
                raise InputError(f"{path.name} is gone, or is no file: a pipe, or a link that leads nowhere")
            found = _READERS[format or _format_of(path)](path, options)
        for each in found:
            yield _checked(each) if isinstance(each, Found) else each
    except (InputError, OSError) as error:
        yield rejected(error, name)


def _format_of(path: Path) -> str:
    if path.is_dir():
        return _DATASET
    if path.suffix == ".txt" and path.with_suffix(".ann").is_file():
        return "brat"
    if known := SUFFIXES.get(path.suffix.lower()):
        return known
    with path.open("rb") as stream:
        start = stream.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<?xml"):
        start = start[start.find(b"<", 1) :]
    return next(
        (name for begin, name in _BEGINNINGS.items() if start.lower().startswith(begin.lower())), "text"
    )


@cache
def _stdin() -> bytes:
    """Return standard input, which can be read once but is looked through twice."""
    return sys.stdin.buffer.read()


def _read_stdin(format: str | None, options: Options) -> Iterator[Found | Rejected]:
    if format not in {None, "text", "jsonl"}:
        raise UsageError(f"standard input is read as text or jsonl; write the {format} into a file")
    data = _stdin()
    if format == "jsonl" or (format is None and data.lstrip().startswith(b"{")):
        yield from jsonl.read_lines(lines(BytesIO(data)), STDIN, options)
    else:
        yield Found(text.article_from_text(decode(data, "standard input"), "stdin", options.lang), STDIN)


def _checked(found: Found) -> Found | Rejected:
    """Refuse, before any work is done: languages without a row in the table, mentions over paragraphs."""
    article = found.article
    try:
        for document in (article.source, *article.translations.values()):
            language(document.lang)
            _check_paragraphs(document)
    except (InputError, UnknownLanguage) as error:
        return Rejected(str(error), found.path, found.line, article.source.id)
    return found


def _check_paragraphs(document: Document) -> None:
    if not document.entities:
        return
    starts = [each.start for each in paragraph_spans(document.text)]
    for entity in document.entities:
        if bisect_right(starts, entity.span.start) != bisect_right(starts, entity.span.end - 1):
            raise InvalidDocument(
                f"document {document.id!r}: entity {entity.id!r} at [{entity.span.start}, {entity.span.end}) "
                "runs from one paragraph into another; a mention stands in one"
            )


def _grouped(files: Sequence[str], lang: str, format: str | None) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield every file that holds articles, with the files beside it that hold their translations."""
    given = {str(Path(name)) for name in files}  # ./news.txt is news.txt
    taken: set[str] = set()
    listed: dict[Path, frozenset[str]] = {}
    for name in files:
        path = Path(name)
        if str(path) in taken:
            continue
        if name == STDIN or name.startswith(parquet.HUB) or path.is_dir():
            yield name, {}
            continue
        stem, code = name_and_language(path)
        # An XLIFF file holds source and target: its name states the target, and any of them may be the first.
        bilingual = (format or SUFFIXES.get(path.suffix)) == _XLIFF
        mains = [str(path.with_name(f"{stem}{mark}{path.suffix}")) for mark in ("", f".{lang}")]
        if code not in {None, lang} and not bilingual and not given.isdisjoint(mains):
            continue
        if path.parent not in listed:
            inside = path.parent.iterdir() if path.parent.is_dir() else ()
            listed[path.parent] = frozenset(each.name for each in inside)
        beside = {
            other: str(path.with_name(each))
            for other in LANGUAGES
            if (each := f"{stem}.{other}{path.suffix}") in listed[path.parent] and each != path.name
        }
        if bilingual:
            taken |= set(beside.values())
        elif code not in {None, lang}:
            beside = {}
        beside.pop(lang, None)
        yield name, beside


def _translated(
    own: Iterator[Found | Rejected],
    name: str,
    siblings: Mapping[str, str],
    format: str | None,
    options: Options,
) -> Iterator[Found | Rejected]:
    """Yield articles with their translations from the files beside; those are held in memory meanwhile."""
    found: dict[str, dict[str, Found | Rejected]] = {}
    for lang, path in siblings.items():
        found[lang] = {}
        for each in _read(path, format, dataclasses.replace(options, lang=lang)):
            article_id = each.article.source.id if isinstance(each, Found) else each.id
            if article_id in found[lang]:
                found[lang][article_id] = Rejected(f"id {article_id!r} is used twice", each.path, each.line)
            elif article_id is not None:
                found[lang][article_id] = each
            else:
                yield each
                # No article may go on without a translation that a person has made and a machine cannot read.
                yield Rejected(f"{path}, which has its {lang} translation, cannot be used", name)
                return
    for each in own:
        if isinstance(each, Found):
            theirs = {lang: per_id.pop(each.article.source.id, None) for lang, per_id in found.items()}
            yield _joined(each, {lang: other for lang, other in theirs.items() if other is not None})
        else:
            yield each
    for lang, per_id in found.items():
        for article_id, left in per_id.items():
            reason = f"a {lang} translation of {article_id!r}, but there is no such article in {name}"
            yield left if isinstance(left, Rejected) else Rejected(reason, left.path, left.line, article_id)


def _joined(found: Found, others: Mapping[str, Found | Rejected]) -> Found | Rejected:
    article = found.article
    translations = dict(article.translations)
    left_out = Counter(found.left_out)
    try:
        for lang, other in others.items():
            if isinstance(other, Rejected):
                raise InputError(f"its {lang} translation cannot be used: {other.reason} ({other.path})")
            translations.update(_translations_in(other.article, lang, article))
            left_out.update(other.left_out)
        whole = Article(article.source, translations)
        return dataclasses.replace(found, article=whole, left_out=left_out)
    except InputError as error:
        return rejected(error, found.path, found.line, article.source.id)


def _translations_in(other: Article, lang: str, article: Article) -> dict[str, Document]:
    """Return what a file beside contributes: its article, or where it holds both sides the translations."""
    if other.translations and other.source.lang == article.source.lang:
        if other.source.text != article.source.text:
            raise InputError(f"the source text beside its {lang} translation is another one")
        return other.translations
    if other.source.lang != lang:
        raise InputError(f"the file beside for {lang} holds a text in {other.source.lang!r}")
    return {lang: other.source}
