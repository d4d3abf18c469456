"""Which spans of a target text an entity could be projected to."""

from __future__ import annotations

from collections.abc import Iterator

from mtalign.units import UnitText

# A name crosses one of these only if the source entity does too. A full stop does not count: it may be
# that of an abbreviation.
BARRIERS = frozenset(',;:!?…()[]{}«“„<>—–·"')
_OPENING = frozenset("«“„‘(\"'")
_CLOSING = frozenset("»”’)\"'.!?%")
_NEVER_EDGE = frozenset(".-‑&/%'’ʼ*_=|~^`")


def candidates(text: UnitText, longest: int = 8) -> Iterator[tuple[int, int]]:
    """Yield the unit ranges [first, last) that could be a mention, up to `longest` units long.

    A mention begins with a word, number or opening quote and ends with a word, number or closing mark.
    It does not begin with a particle. It may end with one: the analysis takes ends of names for particles,
    and titles end in verbs; which it is, the ranking decides.
    """
    words = text.words()
    kinds = [_edges(word, unit.particle) for word, unit in zip(words, text.units, strict=True)]
    for first, (starts, _) in enumerate(kinds):
        if not starts:
            continue
        for last in range(first + 1, min(first + longest, len(words)) + 1):
            if kinds[last - 1][1]:
                yield first, last


def _edges(word: str, particle: bool) -> tuple[bool, bool]:
    """Say whether a mention may begin and whether it may end with this unit."""
    if any(char.isalnum() for char in word):
        return not particle, True
    opens, closes = word in _OPENING, word in _CLOSING
    symbol = word not in BARRIERS and word not in _NEVER_EDGE
    return opens or symbol, closes or symbol
