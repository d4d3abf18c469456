"""Runs of three letters of romanised text: how frequent they are, which ones to ask for, how many are shared.

Romanised text is made of lower-case Latin letters, digits and spaces (`names.romanise`), and stands between
two spaces, so that the edges of words count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BASE = 128


def trigrams(romanised: str) -> list[str]:
    """Return the distinct trigrams of a romanised text, in its order."""
    text = f" {romanised} "
    return list(dict.fromkeys(text[at : at + 3] for at in range(len(text) - 2)))


def frequencies(passages: Sequence[str]) -> NDArray[np.int64]:
    """Count the trigrams of romanised passages, each at its place in ASCII to the base of 128."""
    import numpy as np

    codes = np.frombuffer("".join(passages).encode("ascii"), np.uint8).astype(np.int64)
    places = (codes[:-2] * _BASE + codes[1:-1]) * _BASE + codes[2:]
    return np.bincount(places, minlength=_BASE**3)


def rarest(romanised: str, counts: NDArray[np.int64], limit: int) -> list[str]:
    """Return the rarest trigrams of a query: up to `limit` that were counted, and as many that never were.

    Those that no passage has cost nothing to ask for, so they do not take the place of others.
    """
    found = {each: int(counts[_place(each)]) for each in trigrams(romanised)}
    seen = sorted((each for each, count in found.items() if count), key=found.__getitem__)
    return [each for each, count in found.items() if not count][:limit] + seen[:limit]


def shares(query: str, passages: Sequence[str]) -> list[float]:
    """Return the share (0 to 1) of the trigrams of a romanised query that each romanised passage has."""
    own = trigrams(query)
    return [sum(each in passage for each in own) / max(1, len(own)) for passage in passages]


def _place(trigram: str) -> int:
    first, second, third = map(ord, trigram)
    return (first * _BASE + second) * _BASE + third
