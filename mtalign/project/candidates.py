"""Which spans of a target text an entity could be projected to."""

from __future__ import annotations

from collections.abc import Iterator

from mtalign.units import UnitText

# A name does not run across these. A full stop does not count: it may be that of an abbreviation.
_BARRIERS = frozenset(",;:!?…()[]{}«“„<>—–·")
_INSIDE_OR_END = frozenset("»”\"'’.-‑&/%")


def candidates(text: UnitText, longest: int = 8) -> Iterator[tuple[int, int]]:
    """Yield the unit ranges [first, last) that could be a mention, up to `longest` units long.

    A mention begins with a word and ends with a word; it does not begin or end with a particle, and does
    not run across a comma, a bracket, a dash or an opening quote.
    """
    words = text.words()
    edges = [_is_edge(word, unit.particle) for word, unit in zip(words, text.units, strict=True)]
    for first, starts in enumerate(edges):
        if not starts:
            continue
        for last in range(first + 1, min(first + longest, len(words)) + 1):
            word = words[last - 1]
            if word in _BARRIERS:
                break
            if edges[last - 1]:
                yield first, last


def _is_edge(word: str, particle: bool) -> bool:
    return not particle and word not in _BARRIERS and word not in _INSIDE_OR_END
