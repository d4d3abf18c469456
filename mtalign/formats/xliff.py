"""XLIFF 2 (2.0 and 2.1): a source and one target language a file, as translation tools exchange it.

Reading: every `file` is an article, every segment a sentence with its translation. Inline elements leave
their text and are counted. No DTD is allowed, nothing is fetched, and no `file` may be larger than
`LARGEST_FILE` bytes.

Writing: a file per target language. It does not hold white space and paragraphs between sentences,
boundaries of the sentences that a segment joins, pairs of two targets, tuples, scores, mentions, document
fields, origins and issues. Control characters that XML forbids are replaced and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mtalign.document import Article
from mtalign.errors import InputError
from mtalign.formats.bitext import primary_code
from mtalign.formats.features import Records
from mtalign.formats.reading import LARGEST_FILE, BadLine, BoundedStream, Found, Options, rejected
from mtalign.formats.record_units import joined, pair_units
from mtalign.record import Record, Rejected

_NS = "urn:oasis:names:tc:xliff:document:2.0"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Inline elements whose content is not text of the sentence.
_CODES = frozenset({"cp", "ph", "sc", "ec", "sm", "em"})


def read(path: Path, _: Options) -> Iterator[Found | Rejected]:
    """Yield the articles of a file, one in memory at a time. The file itself states the languages.

    Raises:
        InputError: it is not well-formed, is not XLIFF 2, or has a document type.
    """
    from lxml import etree

    with path.open("rb") as stream:
        bounded = BoundedStream(stream, LARGEST_FILE, f"{LARGEST_FILE:,} bytes without the end of a <file>")
        context = etree.iterparse(
            bounded,
            events=("start", "end"),
            tag=(f"{{{_NS}}}xliff", f"{{{_NS}}}file"),
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        root: Any = None
        try:
            for event, element in context:
                if root is None:
                    root = _root(element)
                elif event == "end" and etree.QName(element).localname == "file":
                    yield _article(element, root, str(path))
                    bounded.restart()
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
        except etree.XMLSyntaxError as error:
            line = error.lineno or 1
            raise BadLine(f"line {line}: not well-formed XML: {error.msg}", line) from error
    if root is None:
        raise InputError(
            f"{path.name} is XML, but not XLIFF 2 (its outermost element is <{context.root.tag}>)"
        )


def _root(element: Any) -> dict[str, str]:
    if element.getroottree().docinfo.doctype:
        raise InputError("the file has a document type, which XLIFF 2 has not; it is not read, for safety")
    languages = {"source": element.get("srcLang"), "target": element.get("trgLang")}
    if not all(languages.values()):
        raise BadLine("<xliff> needs srcLang and trgLang", element.sourceline)
    return {side: primary_code(tag) for side, tag in languages.items()}


def _article(file: Any, languages: dict[str, str], path: str) -> Found | Rejected:
    article_id = file.get("original") or file.get("id")
    line = file.sourceline
    sides: dict[str, list[str]] = {"source": [], "target": []}
    inline: Counter[str] = Counter()
    try:
        for part in file.iter(f"{{{_NS}}}segment", f"{{{_NS}}}ignorable"):
            for side, texts in sides.items():
                element = part.find(f"{{{_NS}}}{side}")
                texts.append("" if element is None else _flatten(element, inline))
        if not article_id:
            raise InputError("a <file> needs an id")
        source, target = (joined(article_id, languages[side], texts) for side, texts in sides.items())
        if not source.text:
            raise InputError(f"article {article_id!r} has no source text")
        translations = {target.lang: target} if target.text else {}
        return Found(Article(source, translations), path, line, inline)
    except InputError as error:
        return rejected(error, path, line, article_id)


def _flatten(element: Any, inline: Counter[str]) -> str:
    from lxml import etree

    parts = [element.text or ""]
    for child in element:
        if child.tag is etree.Entity:
            raise InputError(
                f"entity {child.text} is not expanded, for safety; write the characters themselves"
            )
        inline["inline elements"] += 1
        if etree.QName(child).localname not in _CODES:
            parts.append(_flatten(child, inline))
        parts.append(child.tail or "")
    return "".join(parts)


def write(records: Records, out: Path) -> Counter[str]:
    """Write `articles.ko.xlf` and so on: a `file` per article, a unit with one segment per bead.

    A file has one source language: articles in another one than the first go to `articles-from-ru.ko.xlf`.
    """
    from lxml import etree

    losses: Counter[str] = Counter()

    def clean(text: str) -> str:
        changed, times = _NOT_IN_XML.subn("\ufffd", text)
        losses["characters that XML forbids"] += times
        return changed

    with ExitStack() as stack:
        files: dict[tuple[str, str], Any] = {}
        first = None
        for number, record in enumerate(records(), 1):
            source = record.source.lang
            first = first or source
            for lang in record.targets:
                if (source, lang) not in files:
                    name = "articles" if source == first else f"articles-from-{source}"
                    stream = stack.enter_context((out / f"{name}.{lang}.xlf").open("wb"))
                    file = stack.enter_context(etree.xmlfile(stream, encoding="utf-8"))
                    file.write_declaration()
                    attributes = {"version": "2.0", "srcLang": source, "trgLang": lang}
                    stack.enter_context(file.element(f"{{{_NS}}}xliff", attributes, nsmap={None: _NS}))
                    files[source, lang] = file
                files[source, lang].write("\n", _file(record, lang, number, clean))
    return losses


def _file(record: Record, lang: str, number: int, clean: Callable[[str], str]) -> Any:
    from lxml import etree

    file = etree.Element(
        f"{{{_NS}}}file", {"id": f"f{number}", "original": clean(record.id)}, nsmap={None: _NS}
    )
    file.set(_SPACE, "preserve")
    source_lang = record.source.lang
    for count, unit in enumerate(pair_units(record, source_lang, lang), 1):
        element = etree.SubElement(file, f"{{{_NS}}}unit", {"id": f"u{count}"})
        segment = etree.SubElement(element, f"{{{_NS}}}segment")
        etree.SubElement(segment, f"{{{_NS}}}source").text = clean(unit.texts.get(source_lang, ""))
        if lang in unit.texts:
            etree.SubElement(segment, f"{{{_NS}}}target").text = clean(unit.texts[lang])
    return file
