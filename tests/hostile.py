"""A corpus of bad inputs: each a file, or something like a file, and how many articles are still to be had.

python tests/hostile.py FOLDER    writes them for a look; FIFOs and links included
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GOOD = {"id": "good", "text": "Nothing is wrong here."}


@dataclass(frozen=True)
class Case:
    """A bad input. `good` articles must come out of it; `says` is in the reason of a due reject.

    What is `unusable` is a usage error before anything is read.
    """

    name: str
    write: Callable[[Path], object]
    good: int = 0
    says: str | None = None
    unusable: bool = False


def _bytes(name: str, content: bytes, good: int = 0, says: str | None = None) -> Case:
    return Case(name, lambda path: path.write_bytes(content), good, says)


def _row(name: str, says: str | None, **fields: Any) -> Case:
    """Return a JSONL file with one bad row between two good ones; without `says` the row is odd, not bad."""
    row = json.dumps({"id": "odd", "text": "Some text stands here.", **fields}).encode()
    return _line(name, row, says)


def _line(name: str, line: bytes, says: str | None) -> Case:
    before, after = (json.dumps({**GOOD, "id": each}).encode() for each in ("before", "after"))
    return _bytes(
        f"{name}.jsonl", before + b"\n" + line + b"\n" + after + b"\n", 3 - (says is not None), says
    )


def _entity(name: str, says: str | None, **fields: Any) -> Case:
    return _row(name, says, entities=[{"id": "e", "start": 0, "end": 4, "label": "X", **fields}])


def _make_link(path: Path) -> None:
    path.symlink_to(path.name)


def _sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(8 << 20)


def _make_loops(path: Path) -> None:
    """Make a folder in a circle: with itself inside, two links to each other, a pipe, and an article."""
    path.mkdir()
    (path / "again").symlink_to(path.absolute())
    (path / "there.txt").symlink_to("back.txt")
    (path / "back.txt").symlink_to("there.txt")
    os.mkfifo(path / "pipe.jsonl")
    (path / "good.txt").write_text("Nothing is wrong here.")


_BOMB = b"".join(
    [
        b'<!DOCTYPE x [<!ENTITY l0 "ha">',
        *(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10)),
        b"]>",
    ]
)
_OUTSIDE = b'<!DOCTYPE x [<!ENTITY out SYSTEM "file:///etc/passwd">]>'
_TMX = (
    b'%s<tmx version="1.4"><body><tu><tuv xml:lang="en"><seg>%s</seg></tuv>'
    b'<tuv xml:lang="ru"><seg>\xd0\xb0</seg></tuv></tu></body></tmx>'
)
_XLIFF = (
    b'%s<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" trgLang="ru">'
    b'<file id="f"><unit id="u"><segment><source>%s</source></segment></unit></file></xliff>'
)


def cases() -> list[Case]:
    """Return the corpus."""
    text = "Some text stands here."
    return [
        # Encodings of plain text
        _bytes("empty.txt", b"", says="empty"),
        _bytes("blank.txt", b" \r\n\t\n", says="empty"),
        _bytes("only-bom.txt", b"\xef\xbb\xbf", says="empty"),
        _bytes("bom.txt", b"\xef\xbb\xbfText after a mark.", 1),
        _bytes("latin1.txt", "Café in Zürich.".encode("latin-1"), says="not UTF-8"),
        _bytes("cp1251.txt", "Привет, мир.".encode("cp1251"), says="not UTF-8"),
        _bytes("euc-kr.txt", "안녕하세요.".encode("euc-kr"), says="not UTF-8"),
        _bytes("utf16-le.txt", text.encode("utf-16"), says="not UTF-8"),
        _bytes("utf16-be.txt", b"\xfe\xff" + text.encode("utf-16-be"), says="not UTF-8"),
        _bytes("utf32.txt", text.encode("utf-32"), says="not UTF-8"),
        _bytes("overlong.txt", b"An overlong slash: \xc0\xaf.", says="not UTF-8"),
        _bytes("surrogate-bytes.txt", b"Half a pair: \xed\xa0\x80.", says="not UTF-8"),
        _bytes("cut-character.txt", "Київ".encode()[:-1], says="not UTF-8"),
        _bytes("beyond-unicode.txt", b"\xf4\x90\x80\x80", says="not UTF-8"),
        _bytes("gzip.txt", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", says="not UTF-8"),
        # Characters that are valid and odd
        _bytes("nul.txt", b"A NUL\x00 inside.", 1),
        _bytes("controls.txt", bytes(range(1, 32)) + b" Bells.", 1),
        _bytes("bidi.txt", "Turned \u202eround\u202c here.".encode(), 1),
        _bytes("zero-width.txt", "Zero\u200bwidth\u200d joins\ufeff.".encode(), 1),
        _bytes("only-zero-width.txt", "\u200b\u200d".encode(), 1),
        _bytes("combining.txt", ("e" + "\u0301" * 5000).encode(), 1),
        _bytes("private-use.txt", "\ue000\U000f0000 private.".encode(), 1),
        _bytes("noncharacters.txt", "Not \ufffe\uffff characters.".encode(), 1),
        _bytes("emoji-family.txt", "👨\u200d👩\u200d👧 went home.".encode(), 1),
        _bytes("mixed-newlines.txt", b"One.\r\nTwo.\rThree.\n\nFour.\x0bFive.\x0cSix.\xe2\x80\xa8Seven.", 1),
        _bytes("only-punctuation.txt", b"...!!!???", 1),
        _bytes("html.txt", b"<script>alert('x')</script><img src=x onerror=alert(1)>", 1),
        _bytes("template.txt", b"{{ 7 * 7 }} {% raw %} ${HOME} `id` $(id)", 1),
        _bytes("long-line.txt", b"word " * 200_000, 1),
        _bytes("long-word.txt", b"a" * 1_000_000, 1),
        _bytes("many-lines.txt", b"\n" * 500_000 + b"End.", 1),
        _bytes("open-brackets.txt", b"([{" * 20_000, 1),
        _bytes("many-quotes.txt", b"\"'" * 50_000, 1),
        # Lines of JSONL that are no rows
        _bytes("empty.jsonl", b""),
        _bytes("blank-lines.jsonl", b"\n \n\r\n"),
        _line("not-json", b"{not json", "not an article row"),
        _line("cut-off", b'{"id": "x", "text": "half', "not an article row"),
        _line("array", b'["id", "text"]', "not an article row"),
        _line("number", b"17", "not an article row"),
        _line("null", b"null", "not an article row"),
        _line("string", b'"text"', "not an article row"),
        _line("two-on-a-line", b'{"id":"a","text":"b"}{"id":"c","text":"d"}', "not an article row"),
        _line("trailing-comma", b'{"id":"a","text":"b",}', "not an article row"),
        _line("single-quotes", b"{'id':'a','text':'b'}", "not an article row"),
        _line("not-utf8", b'{"id":"a","text":"caf\xe9"}', "not an article row"),
        _line("raw-nul", b'{"id":"a","text":"x\x00y"}', "not an article row"),
        _line("lone-surrogate", b'{"id":"a","text":"x\\ud800y"}', "not an article row"),
        _line("bad-escape", b'{"id":"a","text":"\\x41"}', "not an article row"),
        _line("nan", b'{"id":"a","text":"b","score":NaN}', "not an article row"),
        _line("infinity", b'{"id":"a","text":"b","score":1e999}', "not an article row"),
        _line("deep-arrays", b'{"id":"a","text":"b","x":' + b"[" * 100_000, "not an article row"),
        _line("deep-objects", b'{"x":' * 100_000, "not an article row"),
        _line("huge-number", b'{"id":"a","text":"b","n":' + b"9" * 100_000 + b"}", "not an article row"),
        _line("binary", bytes(byte for byte in range(256) if byte != 10), "not an article row"),
        _bytes("bom.jsonl", b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\n", 0, "not an article row"),
        _bytes("utf16.jsonl", json.dumps(GOOD).encode("utf-16"), 0, "not an article row"),
        _bytes("no-newline-at-end.jsonl", json.dumps(GOOD).encode(), 1),
        _bytes("carriage-returns.jsonl", json.dumps(GOOD).encode() + b"\r\n", 1),
        # Rows of the wrong shape
        _line("no-id", b'{"text":"Some text."}', "not an article row"),
        _line("no-text", b'{"id":"a"}', "not an article row"),
        _row("id-null", "not an article row", id=None),
        _row("id-float", "not an article row", id=1.5),
        _row("id-list", "not an article row", id=["a"]),
        _row("id-empty", "id", id=""),
        _row("text-number", "not an article row", text=5),
        _row("text-list", "not an article row", text=["a"]),
        _row("text-empty", "empty", text=""),
        _row("text-blank", "empty", text=" \n\t"),
        _row("language-unknown", "language", lang="klingon"),
        _row("language-path", "language", lang="../../etc"),
        _row("language-number", "not an article row", lang=7),
        _row("unknown-list", "list", tags=["a", "b"]),
        _row("attributes-nested", "not an article row", attributes={"a": {"b": "c"}}),
        # Ids that want to be something else
        _row("id-traversal", None, id="../../outside"),
        _row("id-absolute", None, id="/etc/passwd"),
        _row("id-newline", None, id="a\nb"),
        _row("id-nul", None, id="a\x00b"),
        _row("id-ansi", None, id="\x1b[31mred"),
        _row("id-quotes", None, id="'\"`;--"),
        _row("id-markup", None, id="<script>alert(1)</script>"),
        _row("id-long", None, id="x" * 100_000),
        _row("id-number", None, id=10**18),
        _row("id-format", None, id="{0.__class__}%s%n"),
        _row("id-twice", "used twice", id="before"),
        # Entities and sentences that are not in the text
        _entity("span-negative", "not inside", start=-1),
        _entity("span-reversed", "not inside", start=4, end=2),
        _entity("span-empty", "not inside", start=2, end=2),
        _entity("span-outside", "not inside", end=10_000),
        _entity("span-huge", "not", end=10**30),
        _entity("span-float", "not an article row", start=0.5),
        _entity("span-text", "not an article row", start="0"),
        _entity("span-null", "not an article row", end=None),
        _entity("span-nan", "not an article row", start=float("nan")),
        _entity("entity-text-differs", "code points", text="Other"),
        _entity("entity-unknown-field", "not an article row", colour="red"),
        _entity("entity-label-number", "not an article row", label=5),
        _row("entity-ids-twice", "twice", entities=[{"id": 1, "start": 0, "end": 4, "label": "X"}] * 2),
        _row("entities-object", "not an article row", entities={"id": 1}),
        _row("entity-in-bytes", "code points", text="Їжак", entities=[
            {"id": 1, "start": 2, "end": 4, "label": "X", "text": "ї"}]),
        _row("sentences-gap", "in no sentence", sentences=[[0, 4]]),
        _row("sentences-overlap", "overlaps", sentences=[[0, 10], [5, 22]]),
        _row("sentences-reversed", "negative or reversed", sentences=[[10, 0]]),
        _row("sentences-negative", "negative or reversed", sentences=[[-5, 22]]),
        _row("sentences-outside", "after the text", sentences=[[0, 9999]]),
        # Translations
        _row("translation-empty", "empty", translations={"ru": ""}),
        _row("translation-in-source-language", "source language", translations={"en": "Same."}),
        _row("translation-unknown-language", "language", translations={"xx": "What?"}),
        _row("translation-list", "not an article row", translations={"ru": ["a"]}),
        _row("translation-odd-field", "not an article row", translations={"ru": {"text": "а", "by": "me"}}),
        # XML that grows, reaches out, or never closes
        _bytes("billion-laughs.tmx", _TMX % (_BOMB, b"&l9;"), says="amplification"),
        _bytes("billion-laughs.xlf", _XLIFF % (_BOMB, b"&l9;"), says="document type"),
        _bytes("other-files.tmx", _TMX % (_OUTSIDE, b"&out;"), says="not expanded"),
        _bytes("other-files.xlf", _XLIFF % (_OUTSIDE, b"&out;"), says="document type"),
        _bytes("deep.tmx", _TMX % (b"", b"<hi>" * 100_000), says="not well-formed"),
        _bytes("deep.xlf", _XLIFF % (b"", b"<mrk>" * 100_000), says="not well-formed"),
        _bytes("deep.html", b"<div>" * 100_000 + b"Deep down.", says="main text"),
        _bytes("deep.json", b"[" * 100_000, says="no list"),
        # Archives and tables with nothing in them
        _bytes("empty-archive.spacy", zlib.compress(b""), says="DocBin"),
        _bytes("empty-archive.gz", gzip.compress(b"", mtime=0), says="not UTF-8"),
        _bytes("empty-archive.tar", b"\0" * 10_240, says="empty"),
        _bytes("empty.spacy", b"", says="cut off"),
        _bytes("empty.parquet", b"", says="Parquet"),
        _bytes("empty.tmx", b"", says="not well-formed"),
        _bytes("empty.xlf", b"", says="not well-formed"),
        _bytes("empty.html", b"", says="main text"),
        _bytes("empty.json", b"", says="no list"),
        _bytes("empty.tsv", b"", says="empty"),
        _bytes("empty.conll", b""),
        # What is not a plain file
        Case("link-to-itself.txt", _make_link, unusable=True),
        Case("link-to-nowhere.jsonl", lambda path: path.symlink_to("nowhere"), unusable=True),
        Case("pipe.txt", os.mkfifo, unusable=True),
        Case("folder.jsonl", lambda path: path.mkdir(), unusable=True),
        Case("loops", _make_loops, 1, "leads nowhere"),
        Case("sparse.txt", _sparse, says="empty"),
        Case("sparse.jsonl", _sparse, 0, "not an article row"),
    ]  # fmt: skip


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    for each in cases():
        each.write(folder / each.name)
    sys.stdout.write(f"{len(cases())} bad inputs in {folder}\n")
