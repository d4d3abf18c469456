"""Records as units of translated sentences, and such units as articles with translations.

Units whose ids are `NAME:0`, `NAME:1` … are sentences of the article NAME, as the writers here make them; any
other unit is an article of its own. Sentences of an article are joined by spaces: what stood between them
is not in a unit, nor are mentions, document fields, origins and issues.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mtalign.document import Article, Document, Sentence, Span
from mtalign.errors import InputError
from mtalign.formats.bitext import Unit
from mtalign.formats.reading import LARGEST_FILE, Found, rejected
from mtalign.record import Record, Rejected, pair_key

_ID = re.compile(r"(.+):(\d+)", re.DOTALL)


def tuple_units(record: Record) -> Iterator[Unit]:
    """Yield a unit per n-way tuple; several sentences of one language are joined by spaces."""
    documents = record.documents()
    for number, each in enumerate(record.tuples):
        texts = {
            lang: sentences_text(document, each.sents[lang])
            for lang, document in documents.items()
            if each.sents.get(lang)
        }
        yield Unit(texts, f"{record.id}:{number}", each.score)


def pair_units(record: Record, left: str, right: str) -> Iterator[Unit]:
    """Yield a unit per bead of two languages, in the order of the record; an empty side has no text."""
    documents = record.documents()
    for number, bead in enumerate(record.beads[pair_key(left, right)]):
        sides = {left: bead.left, right: bead.right}
        texts = {lang: sentences_text(documents[lang], ids) for lang, ids in sides.items() if ids}
        yield Unit(texts, f"{record.id}:{number}", bead.score)


def sentences_text(document: Document, indices: Iterable[int]) -> str:
    """Return sentences of a document joined by spaces."""
    return " ".join(document.sentences[index].span.of(document.text) for index in indices)


def articles_of_units(units: Iterable[Unit], path: str, name: str, lang: str) -> Iterator[Found | Rejected]:
    """Yield the articles that units make up, one in memory at a time.

    Args:
        units: in the order of the file.
        path: where they come from.
        name: what articles are called whose units have no id.
        lang: the source language; all others are translations.
    """
    own: list[Unit] = []
    size, current, line = 0, None, 1
    for number, unit in enumerate(units, 1):
        found = _ID.fullmatch(unit.id or "")
        article_id = found[1] if found else unit.id or f"{name}-{number}"
        if own and (not found or article_id != current):
            yield _article(own, current or name, path, line, lang)
            own, size = [], 0
        if not own:
            current, line = article_id, number
        size += sum(map(len, unit.texts.values()))
        if size > LARGEST_FILE:
            raise InputError(f"article {article_id!r} has more than {LARGEST_FILE:,} characters")
        own.append(unit)
        if not found:
            yield _article(own, article_id, path, line, lang)
            own, size = [], 0
    if own:
        yield _article(own, current or name, path, line, lang)


def _article(units: Sequence[Unit], article_id: str, path: str, line: int, lang: str) -> Found | Rejected:
    """Return units as one article; `line` is the number of the first unit."""
    try:
        langs = list(dict.fromkeys(code for unit in units for code in unit.texts))
        documents = {
            code: joined(article_id, code, [unit.texts.get(code, "") for unit in units]) for code in langs
        }
        source = documents.pop(lang, None)
        if source is None or not source.text:
            raise InputError(f"article {article_id!r} has no text in {lang!r}, but in {', '.join(langs)}")
        markup = sum(unit.markup for unit in units)
        translations = {code: each for code, each in documents.items() if each.text}
        return Found(
            Article(source, translations), path, line, Counter({"inline elements": markup} if markup else {})
        )
    except InputError as error:
        return rejected(error, path, line, article_id)


def joined(article_id: str, lang: str, sentences: Iterable[str]) -> Document:
    """Return sentences as a document, a space between two; blank ones are left out."""
    text = ""
    placed: list[Sentence] = []
    for each in sentences:
        if each.strip():
            text += " " if text else ""
            placed.append(Sentence(Span(len(text), len(text) + len(each))))
            text += each
    return Document(article_id, lang, text, tuple(placed))
