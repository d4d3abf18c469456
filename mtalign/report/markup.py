"""Text made fit to show: hidden characters made visible, overlapping mentions made properly nested.

Nothing is removed: what a reader copies out of a rendered text is the text, code point by code point.
The exceptions are NUL and lone surrogates, which HTML cannot hold; they come out as U+FFFD.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from markupsafe import Markup, escape

from mtalign.document import Span

T = TypeVar("T")

# Controls, embeddings, overrides, isolates, zero-width and annotation characters, tags, surrogates. Not tab
# and line feed (white space is kept as it is), nor the joiners and direction marks that scripts need.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u180e\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
# What an HTML parser would change if it met it bare.
_WRITTEN = {"\r": Markup("&#13;"), "\0": Markup("\ufffd")}
_CONTROL = Markup('<bdi class="hidden-char" title="{0} {1}" data-code="{0}">{2}</bdi>')


def visible(text: str) -> Markup:
    """Return the text as markup for element content, with hidden characters shown by their number.

    Each one stands alone in a `bdi` element, so that a bidi override ends where it begins.
    """
    if not _HIDDEN.search(text):
        return escape(text)
    parts: list[str] = []
    end = 0
    for match in _HIDDEN.finditer(text):
        parts += [escape(text[end : match.start()]), _CONTROL.format(*_named(match[0]), _written(match[0]))]
        end = match.end()
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def plain(text: str) -> str:
    """Return the text for places without markup (attributes, the title): hidden characters as ⟨U+202E⟩."""
    return _HIDDEN.sub(lambda match: f"⟨{_named(match[0])[0]}⟩", text)


def worded(code: str) -> str:
    """Return a code in kebab case as words, `lost-entity` as `lost entity`; sentences stay as they are."""
    return code if " " in code else code.replace("-", " ")


def _named(char: str) -> tuple[str, str]:
    return f"U+{ord(char):04X}", unicodedata.name(char, "control character")


def _written(char: str) -> str:
    return Markup("\ufffd") if unicodedata.category(char) == "Cs" else _WRITTEN.get(char, char)


@dataclass(frozen=True)
class Open(Generic[T]):
    """The begin of a mark. A mark that crosses another is cut: `first` and `last` tell its pieces apart."""

    what: T
    first: bool
    last: bool


@dataclass(frozen=True)
class Close:
    """The end of the mark opened last."""


def nest(text: str, marks: Sequence[tuple[Span, T]]) -> list[str | Open[T] | Close]:
    """Cut a text into pieces in which the marks are opened and closed like brackets.

    The strings among the pieces join to `text`. Nested marks stay whole; of two that cross, one is cut
    where the other ends. Of marks over the same span the one given first is the outer one.
    """
    if all(one.end <= other.start for (one, _), (other, _) in pairwise(marks)):
        return _beside(text, marks)
    pieces: list[str | Open[T] | Close] = []
    begun: set[int] = set()
    last_piece: dict[int, int] = {}
    stack: list[int] = []
    edges = sorted({0, len(text), *(edge for span, _ in marks for edge in (span.start, span.end))})
    for here, there in pairwise([*edges, len(text)]):
        due = [number for number, (span, _) in enumerate(marks) if span.start == here]
        while any(marks[number][0].end <= here for number in stack):
            number = stack.pop()
            pieces.append(Close())
            if marks[number][0].end > here:
                due.append(number)
        for number in sorted(due, key=lambda number: (-marks[number][0].end, number)):
            last_piece[number] = len(pieces)
            pieces.append(Open(marks[number][1], first=number not in begun, last=False))
            begun.add(number)
            stack.append(number)
        if here < there:
            pieces.append(text[here:there])
    for index in last_piece.values():
        opened = pieces[index]
        if isinstance(opened, Open):
            pieces[index] = Open(opened.what, opened.first, last=True)
    return pieces


def _beside(text: str, marks: Sequence[tuple[Span, T]]) -> list[str | Open[T] | Close]:
    """`nest` for marks that neither touch each other's text nor come out of order, as most do."""
    pieces: list[str | Open[T] | Close] = []
    at = 0
    for span, what in marks:
        if at < span.start:
            pieces.append(text[at : span.start])
        pieces += [Open(what, first=True, last=True), text[span.start : span.end], Close()]
        at = span.end
    if at < len(text):
        pieces.append(text[at:])
    return pieces
