"""Runs of three letters of romanised text: how frequent they are, which ones to ask for, how many are shared.

Romanised text is made of lower-case Latin letters, digits and spaces (`names.romanise`), and stands between
two spaces, so that the edges of words count.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BASE = 128
_LEAST = 4
_UNSEEN = 16


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


def rarest(romanised: str, counts: NDArray[np.int64], budget: float) -> list[str]:
    """Return the rarest trigrams of a query: at least four, and as many as occur `budget` times together.

    A few that were never counted come besides: those that no passage has cost nothing to ask for.
    """
    found = {each: int(counts[_place(each)]) for each in trigrams(romanised)}
    seen = sorted((each for each, count in found.items() if count), key=found.__getitem__)
    total = accumulate(found[each] for each in seen)
    within = [
        each for n, (each, sum_) in enumerate(zip(seen, total, strict=True)) if n < _LEAST or sum_ <= budget
    ]
    return [each for each, count in found.items() if not count][:_UNSEEN] + within


def shares(query: str, passages: Sequence[str]) -> list[float]:
    """Return the share (0 to 1) of the trigrams of a romanised query that each romanised passage has."""
    own = trigrams(query)
    return [sum(each in passage for each in own) / max(1, len(own)) for passage in passages]


def _place(trigram: str) -> int:
    first, second, third = map(ord, trigram)
    return (first * _BASE + second) * _BASE + third
