"""Words with exact offsets: what word alignment links and entity spans are made of.

A unit is a word, a number or a punctuation mark; in Korean it is a morpheme, so that the particle in
서울은 is a unit of its own and a span can end before it. White space belongs to no unit. Units are never
normalised: each is an exact range of the text. Languages written without spaces (Chinese, Japanese) come
out as one unit per run of letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from mtalign.document import Span
from mtalign.languages import language

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

# A hyphen or apostrophe inside a word belongs to it (Азиатско-Тихоокеанский, п’ять), but not an English
# possessive; a decimal or thousands mark belongs to its number.
_WORD = re.compile(r"\d+(?:[.,]\d+)*(?!\w)|\w+(?:[-'’ʼ‑](?!s\b)\w+)*|[^\w\s]")

# Tags of the Sejong scheme that Kiwi uses: J* are particles, E* endings, XS* suffixes, VCP the copula.
_PARTICLE_TAGS = ("J", "E", "VCP")


class Unit(Struct, frozen=True):
    """One unit. `particle` marks a function morpheme that no entity may begin or end with."""

    span: Span
    particle: bool = False


class UnitText(Struct, frozen=True):
    """A text of one language and its units, in order; together they cover everything but white space."""

    lang: str
    text: str
    units: tuple[Unit, ...]

    def words(self) -> list[str]:
        """Return what each unit says."""
        return [unit.span.of(self.text) for unit in self.units]


def unit_text(text: str, lang: str) -> UnitText:
    """Split a text into its units, by the rules of its language."""
    found = korean_units(text) if language(lang).particles else word_units(text)
    return UnitText(lang, text, tuple(found))


def word_units(text: str) -> list[Unit]:
    """Split a text by word shape."""
    return [Unit(Span(*match.span())) for match in _WORD.finditer(text)]


def korean_units(text: str) -> list[Unit]:
    """Split a Korean text into morphemes (kiwipiepy), function morphemes marked.

    Kiwi reports contracted morphemes (했 = 하 + 었) on overlapping ranges: those become one unit. What
    it does not report is split by word shape.
    """
    found: list[Unit] = []
    for start, end, tag in _morphemes(text):
        if found and start < found[-1].span.end:
            first = found.pop()
            found.append(Unit(Span(first.span.start, max(end, first.span.end)), first.particle))
        elif end > start:
            found.append(Unit(Span(start, end), tag.startswith(_PARTICLE_TAGS)))
    return _fill_gaps(text, _split_at_spaces(text, found))


def _morphemes(text: str) -> list[tuple[int, int, str]]:
    return [(token.start, token.start + token.len, token.tag) for token in _kiwi().tokenize(text)]


@cache
def _kiwi() -> Kiwi:
    from kiwipiepy import Kiwi

    return Kiwi(num_workers=1)


def _split_at_spaces(text: str, found: Sequence[Unit]) -> list[Unit]:
    """Cut units that Kiwi let run over white space, so that no unit holds any."""
    return [
        Unit(Span(unit.span.start + match.start(), unit.span.start + match.end()), unit.particle)
        for unit in found
        for match in re.finditer(r"\S+", unit.span.of(text))
    ]


def _fill_gaps(text: str, found: Sequence[Unit]) -> list[Unit]:
    filled: list[Unit] = []
    at = 0
    for unit in [*found, None]:
        end = unit.span.start if unit else len(text)
        filled.extend(Unit(each.span.shift(at)) for each in word_units(text[at:end]))
        if unit:
            filled.append(unit)
            at = unit.span.end
    return filled
