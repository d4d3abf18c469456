"""TMX 1.4b, the exchange format of translation memories, read and written as a stream.

What TMX cannot hold: control characters other than tab, line feed and carriage return, lone surrogates,
U+FFFE and U+FFFF (XML 1.0 forbids them even as references). The writer puts U+FFFD in their place and
counts them. Beads without a text on one side are units with one language. Everything else comes back as
it was written, white space included.

Files are hostile until read: no DTD is loaded, no entity expanded, nothing fetched, and no unit may be
larger than `LARGEST_UNIT` bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mtalign import __version__
from mtalign.errors import InputError
from mtalign.formats.bitext import OnReject, Unit, add_text
from mtalign.formats.reading import BoundedStream

__all__ = ["LARGEST_UNIT", "Unit", "Written", "read_tmx", "write_tmx"]

# Bytes that one unit (or the header) may take in a file; a sentence has a few hundred.
LARGEST_UNIT = 16 * 1024 * 1024

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\ufffd"

# Elements whose content is native code of the original format, not text: `<bpt>&lt;b&gt;</bpt>`.
_CODES = frozenset({"bpt", "ept", "ph", "it", "ut"})


@dataclass(frozen=True)
class Written:
    """What went into a file: units, and characters that it cannot hold and that U+FFFD stands for."""

    units: int
    replaced: int


def read_tmx(path: Path, on_reject: OnReject | None = None) -> Iterator[Unit]:
    """Yield the units of a TMX file, one at a time.

    Regions are left out of language codes (`en-US` is `en`), unless a unit has two of one language. Inline
    markup is flattened: `hi` and unknown elements leave their text, `bpt`, `ept`, `ph`, `it` and `ut` leave
    nothing, and each is counted in `Unit.markup`.

    Args:
        path: the file, in any encoding that it declares.
        on_reject: gets the error of a unit that cannot be used, and the rest goes on. Without it such a
            unit ends the reading.

    Raises:
        InputError: the file cannot be read, is not well-formed, is not TMX, or holds something too large;
            the message names file and line. Units before that place have been yielded.
    """
    from lxml import etree

    try:
        with path.open("rb") as stream:
            source = BoundedStream(
                stream,
                LARGEST_UNIT,
                f"{path}: {LARGEST_UNIT} bytes without the end of a unit; this is no TMX file",
            )
            context = etree.iterparse(
                source,
                tag="{*}tu",
                resolve_entities=False,
                load_dtd=False,
                no_network=True,
                huge_tree=False,
                remove_comments=True,
                remove_pis=True,
            )
            for _, element in context:
                source.restart()
                try:
                    unit = _unit(element)
                except InputError as error:
                    error = InputError(f"{path}:{element.sourceline}: {error}")
                    if on_reject is None:
                        raise error from None
                    on_reject(error)
                else:
                    yield unit
                _forget(element)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except etree.XMLSyntaxError as error:
        raise InputError(f"{path}:{error.lineno or 1}: not well-formed XML: {error.msg}") from error
    if (root := etree.QName(context.root).localname) != "tmx":
        raise InputError(f"{path} is XML, but not TMX: its outermost element is <{root}>")


def write_tmx(stream: BinaryIO, units: Iterable[Unit], source_lang: str) -> Written:
    """Write units as TMX, one at a time, in UTF-8 and without a date, so that equal units give equal bytes.

    Ids become `tuid`, scores a `prop` of type `score`, notes a `note`.

    Args:
        stream: where the bytes go.
        units: any number of languages each.
        source_lang: the language that the header names as the source.
    """
    from lxml import etree

    count = replaced = 0

    def clean(text: str) -> str:
        nonlocal replaced
        text, times = _NOT_IN_XML.subn(_REPLACEMENT, text)
        replaced += times
        return text

    header = {
        "creationtool": "mtalign",
        "creationtoolversion": __version__,
        "segtype": "sentence",
        "o-tmf": "mtalign",
        "adminlang": "en",
        "srclang": source_lang,
        "datatype": "plaintext",
    }
    with etree.xmlfile(stream, encoding="utf-8") as file:
        file.write_declaration()
        with file.element("tmx", version="1.4"):
            file.write("\n", etree.Element("header", header), "\n")
            with file.element("body"):
                for unit in units:
                    file.write("\n", _element(unit, clean))
                    count += 1
                file.write("\n")
            file.write("\n")
    return Written(count, replaced)


def _unit(element: Any) -> Unit:
    texts: dict[str, str] = {}
    markup = 0
    for variant in element.iterchildren("{*}tuv"):
        segment = variant.find("{*}seg")
        tag = variant.get(_LANG) or variant.get("lang")  # `lang`: TMX before 1.4
        if segment is None or not tag:
            raise InputError(f"a <tuv> of this unit has no {'xml:lang' if segment is not None else '<seg>'}")
        add_text(texts, tag, _flatten(segment))
        markup += sum(1 for _ in segment.iterdescendants())
    return Unit(texts, element.get("tuid"), _score(element), element.findtext("{*}note"), markup)


def _score(element: Any) -> float | None:
    for prop in element.iterchildren("{*}prop"):
        if prop.get("type") == "score":
            try:
                return float(prop.text or "")
            except ValueError:
                raise InputError(f"score {prop.text!r} is not a number") from None
    return None


def _flatten(element: Any) -> str:
    """Return the text of an element without the codes in it."""
    from lxml import etree

    parts = [element.text or ""]
    for child in element:
        if child.tag is etree.Entity:
            raise InputError(
                f"entity {child.text} is not expanded, for safety; write the characters themselves"
            )
        if etree.QName(child).localname not in _CODES:
            parts.append(_flatten(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _element(unit: Unit, clean: Any) -> Any:
    from lxml import etree

    element = etree.Element("tu", {} if unit.id is None else {"tuid": clean(unit.id)})
    if unit.note is not None:
        etree.SubElement(element, "note").text = clean(unit.note)
    if unit.score is not None:
        etree.SubElement(element, "prop", {"type": "score"}).text = repr(unit.score)
    for lang, text in unit.texts.items():
        variant = etree.SubElement(element, "tuv", {_LANG: lang})
        etree.SubElement(variant, "seg").text = clean(text)
    return element


def _forget(element: Any) -> None:
    """Free a unit that has been read, and what stands before it."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]
