"""Words with exact offsets: what word alignment links and entity spans are made of.

A unit is a word, a part of a hyphenated word, a number or a punctuation mark. In Korean it is a
morpheme, so that the particle in 서울은 is a unit of its own and a span can end before it; a syllable
that may be a particle or may belong to the name (the 주 of 로스토프주, the 에 that an unknown name
swallowed) is a unit marked `loose`. White space belongs to no unit. Units are never normalised: each is
an exact range of the text. Languages written without spaces (Chinese, Japanese) come out as one unit
per run of letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from mtalign.document import Span
from mtalign.languages import language

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

# An apostrophe inside a word belongs to it (п’ять), but not an English possessive; a decimal or
# thousands mark belongs to its number. A hyphen is a unit of its own: Азиатско | - | Тихоокеанский.
_MARK = r"[\u0300-\u036f\u200c\u200d\ufe00-\ufe0f]"
_WORD = re.compile(
    rf"\d+(?:[.,]\d+)*(?!\w)|\w(?:\w|{_MARK})*(?:['’ʼ](?!s\b)\w(?:\w|{_MARK})*)*|[^\w\s]{_MARK}*"
)

# Tags of the Sejong scheme that Kiwi uses: J* are particles, E* endings, VCP the copula.
_PARTICLE_TAGS = ("J", "E", "VCP")
_ENDING_TAGS = ("E", "VCP")
_NOUN_TAGS = ("NN", "SL", "SW", "XR", "MAG")

# What Kiwi leaves on a noun that it does not know or takes for part of the name, longest first: particles,
# then nouns of one syllable that guidelines draw into a name or leave out (state, city, island, people …).
_SWALLOWED = re.compile(
    "(?:에서[는도]?|에게[는도]?|으로는?|로부터|로의|까지의?|[과와]의|에[는도]?|부터|이다|이나|보다|처럼"
    "|[의와과은는이가을를로서도나])$"
)
_GENERIC = re.compile("[주시군구도섬인족측호당역강산유장행만현항교단팀사청어계제가령국]$")
_ALIAS = re.compile(r"(?<=[가-힣])\(([A-Za-zÀ-ɏ][^()가-힣]*)\)")
_BRACKETED = re.compile(r"[(]([^()]*)[)]")
# Kiwi's log probability of a noun that it had to make up is below this.
_UNKNOWN = -16.0

_HANGUL_END = re.compile("[가-힣]+$")


class Unit(Struct, frozen=True):
    """One unit.

    `particle` marks a function morpheme that no entity begins with and hardly one ends with. `loose`
    marks a syllable that may or may not be part of the word before it; an ending of a verb is both, since
    titles end in them.
    """

    span: Span
    particle: bool = False
    loose: bool = False


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


def set_aside_aliases(target: UnitText, source: UnitText) -> UnitText:
    """Return the target without the units of Latin names in brackets after Hangul: 로사(Rosa).

    Korean gives the original spelling once; left in, it would draw the links of the source name away
    from the Korean one. What stands in brackets in the source too, (ICRC), is a mention of its own and stays.
    """
    aside = [
        Span(*found.span())
        for found in _ALIAS.finditer(target.text)
        if found.group(1).casefold() not in {each.casefold() for each in _BRACKETED.findall(source.text)}
    ]
    if not aside:
        return target
    kept = tuple(unit for unit in target.units if not any(unit.span.overlaps(span) for span in aside))
    return UnitText(target.lang, target.text, kept)


def alias_after(text: str, end: int) -> str | None:
    """Return the Latin name in brackets that stands at offset `end`, right after Hangul."""
    found = _ALIAS.match(text, end)
    return found.group(1) if found else None


def word_units(text: str) -> list[Unit]:
    """Split a text by word shape."""
    return [Unit(Span(*match.span())) for match in _WORD.finditer(text)]


def korean_units(text: str) -> list[Unit]:
    """Split a Korean text into morphemes (kiwipiepy), function morphemes marked.

    Kiwi reports contracted morphemes (했 = 하 + 었) on overlapping ranges: those become one unit. What
    it does not report is split by word shape. From nouns, loose syllables at the end are split off.
    """
    found: list[Unit] = []
    for start, end, tag, known in _morphemes(text):
        if found and start < found[-1].span.end:
            first = found.pop()
            found.append(Unit(Span(first.span.start, max(end, first.span.end)), first.particle))
        elif end > start:
            unit = Unit(Span(start, end), tag.startswith(_PARTICLE_TAGS), tag.startswith(_ENDING_TAGS))
            found.extend(_loosened(text, unit, known) if tag.startswith(_NOUN_TAGS) else [unit])
    return _fill_gaps(text, _split_at_spaces(text, found))


def _loosened(text: str, unit: Unit, known: bool) -> Iterator[Unit]:
    """Yield a noun, and what at its end may not be part of it; no known noun has swallowed a particle."""
    word = unit.span.of(text)
    least = 2 if _HANGUL_END.search(word) else len(word)
    cuts = [len(word)]
    for endings in (_GENERIC, _GENERIC) if known else (_SWALLOWED, _GENERIC, _GENERIC):
        ending = endings.search(word, 0, cuts[-1])
        if ending and ending.start() >= least:
            cuts.append(ending.start())
    yield Unit(Span(unit.span.start, unit.span.start + cuts[-1]))
    for start, end in zip(cuts[:0:-1], cuts[-2::-1], strict=True):
        yield Unit(Span(unit.span.start + start, unit.span.start + end), loose=True)


def _morphemes(text: str) -> list[tuple[int, int, str, bool]]:
    """Return start, end, tag, and whether the model seems to know the word."""
    return [
        (token.start, token.start + token.len, token.tag, token.score > _UNKNOWN)
        for token in _kiwi().tokenize(text)
    ]


@cache
def _kiwi() -> Kiwi:
    from kiwipiepy import Kiwi

    return Kiwi(num_workers=1)


def _split_at_spaces(text: str, found: Sequence[Unit]) -> list[Unit]:
    """Cut units that Kiwi let run over white space, so that no unit holds any."""
    return [
        Unit(Span(unit.span.start + match.start(), unit.span.start + match.end()), unit.particle, unit.loose)
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
