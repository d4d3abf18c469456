"""Where beads of two long texts can lie.

Short texts are one window. In long ones, sentences that are each other's nearest are chained into
anchors, and windows along these follow insertions and omissions of any length; there is no fixed
diagonal. Narrow windows around the beads found there bound the comparison of tokens.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtalign.alignment import Bead

_DENSE = 1_000_000  # cells: up to here a text is one window
_ROWS = 128  # left sentences of a window
_MARGIN = 32  # right sentences of a window beyond its anchors
_CELLS = 4_000_000  # what all windows together may hold where anchors are too far apart to say anything
_DIMENSIONS = 96  # enough to find nearest sentences, a quarter of the work
_NEAR = 8  # an anchor counts if another one that was looked for lies within so many on both sides
_SEARCHED = 25_000_000  # pairs of sentences that are compared to find anchors: 5,000 x 5,000
_FAR = 256  # left sentences between two anchors that say nothing of the way between them

_NARROW_ROWS = 128
_PAD = 3  # right sentences on either side of the first beads where others may begin

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Part:
    """Columns `first` … `last` - 1 of the rows from `top`.

    In row `top` + i beads begin at `lows[i]` … `highs[i]` - 1. Neither ever goes back, but for rows in
    which no bead begins: these have both at `first`.
    """

    top: int
    first: int
    last: int
    lows: tuple[int, ...]
    highs: tuple[int, ...]

    @property
    def bottom(self) -> int:
        """The row after the last."""
        return self.top + len(self.lows)


@dataclass(frozen=True)
class Window:
    """Left sentences `top` … `bottom` - 1 against right sentences `first` … `last` - 1.

    Beads begin in the `parts`, which follow each other from left to right.
    """

    top: int
    bottom: int
    first: int
    last: int
    parts: tuple[Part, ...]

    @classmethod
    def whole(cls, top: int, bottom: int, first: int, last: int) -> Window:
        """Return a window in which beads begin everywhere."""
        rows = bottom - top
        return cls(top, bottom, first, last, (Part(top, first, last, (first,) * rows, (last,) * rows),))


def windows(left: NDArray[np.float32], right: NDArray[np.float32], fixed: Pairs = ()) -> list[Window]:
    """Return windows that cover every left sentence once, with columns that never go back.

    Args:
        left: one vector per sentence, unit length, centred.
        right: likewise.
        fixed: sentences known to be in one bead, in order.
    """
    import numpy as np

    n, m = len(left), len(right)
    if n * m <= _DENSE:
        return [Window.whole(0, n, 0, m)]
    anchors = [(-1, -1), *_fitting(_anchors(left, right), fixed), (n, m)]
    rows, columns = np.array(anchors).T
    reach = max(_ROWS, _CELLS // n)
    found = []
    for top in range(0, n, _ROWS):
        bottom = min(top + _ROWS, n)
        before = int(np.searchsorted(rows, top, "right")) - 1
        after = int(np.searchsorted(rows, bottom, "left"))
        first, last = int(columns[before]) - _MARGIN, int(columns[after]) + _MARGIN
        # Between anchors far apart anything may lie; there the way is taken for a straight one.
        at = np.interp([top, bottom], rows, columns)
        if rows[min(before + 1, len(rows) - 1)] - rows[before] > _FAR:
            first = max(first, int(at[0]) - reach)
        if rows[after] - rows[after - 1] > _FAR:
            last = min(last, int(at[1]) + reach)
        found.append((top, bottom, max(first, 0), min(last, m)))
    found[0] = (0, found[0][1], 0, found[0][3])
    found[-1] = (found[-1][0], n, found[-1][2], m)
    return [Window.whole(*each) for each in found]


def around(beads: Iterable[Bead], n: int, m: int) -> list[Window]:
    """Return narrow windows along the beads of n left and m right sentences."""
    places: list[tuple[int, int]] = []  # the right sentences done before and after each left one
    done = 0
    for bead in beads:
        done += len(bead.right)
        # Right sentences that stand alone before a left one may join it.
        places += [(places[-1][1] if places else 0, done) for _ in bead.left]
    found: list[Window] = []
    for top in range(0, n, _NARROW_ROWS):
        bottom = min(top + _NARROW_ROWS, n)
        parts = _parts(top, places[top:bottom], m)
        found.append(Window(top, bottom, parts[0].first, parts[-1].last, parts))
    found[0] = replace(found[0], first=0)
    found[-1] = replace(found[-1], last=m)
    return found


def _parts(top: int, places: Sequence[tuple[int, int]], m: int) -> tuple[Part, ...]:
    """Return the columns near to the places of the rows from `top`, what touches in one part."""
    stretches = [[(max(0, at - _PAD), min(m, at + _PAD + 1)) for at in row] for row in places]
    merged: list[list[int]] = []
    for first, last in sorted({each for row in stretches for each in row}):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(last, merged[-1][1])
        else:
            merged.append([first, last])
    parts = []
    for first, last in merged:
        rows = [[each for each in row if first <= each[0] and each[1] <= last] for row in stretches]
        lows = tuple(min((low for low, _ in row), default=first) for row in rows)
        highs = tuple(max((high for _, high in row), default=first) for row in rows)
        parts.append(Part(top, first, last, lows, highs))
    return tuple(parts)


def _fitting(anchors: Pairs, fixed: Pairs) -> list[tuple[int, int]]:
    """Return the fixed pairs and those anchors that cross none of them."""
    kept = list(fixed)
    lefts, rights = [i for i, _ in fixed], [j for _, j in fixed]
    kept += [(i, j) for i, j in anchors if bisect_left(lefts, i) == bisect_left(rights, j)]
    return sorted(set(kept))


def _anchors(left: NDArray[np.float32], right: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the longest rising chain of sentences that are each other's nearest, without lone ones."""
    import numpy as np

    chain = np.array(longest_rising(mutual_nearest(left, right)), np.int64).reshape(-1, 2)
    close = (np.diff(chain, axis=0) <= _NEAR * _stride(len(left), len(right))).all(axis=1)
    kept = np.zeros(len(chain), bool)
    kept[1:] |= close
    kept[:-1] |= close
    return [(int(i), int(j)) for i, j in chain[kept]]


def _stride(n: int, m: int) -> int:
    return 1 + n * m // _SEARCHED


def mutual_nearest(left: NDArray[np.float32], right: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the sentences that are each other's nearest, by rising left one.

    Of long texts only every few left sentences are looked up, so that the work grows with the length and
    not with its square; their number is what matters for finding the way.
    """
    import numpy as np

    values, axes = np.linalg.eigh(left.T @ left + right.T @ right)
    main = axes[:, np.argsort(values)[-_DIMENSIONS:]].astype(np.float32)
    short_left, short_right = left @ main, right @ main
    rows = np.arange(0, len(left), _stride(len(left), len(right)))
    forth = _nearest(short_left[rows], short_right)
    back = _nearest(short_right[forth], short_left)
    return [(int(i), int(j)) for i, j in zip(rows[back == rows], forth[back == rows], strict=True)]


def _nearest(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the number of the nearest of the others for each of some."""
    import numpy as np

    step = max(1, _CELLS // 4 // len(others))
    parts = [(some[top : top + step] @ others.T).argmax(axis=1) for top in range(0, len(some), step)]
    return np.concatenate(parts)


def longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of the pairs, given by rising i, in which j rises too (patience sorting)."""
    lasts: list[int] = []
    heads: list[int] = []
    before: list[int] = []
    for number, (_, j) in enumerate(pairs):
        place = bisect_left(lasts, j)
        before.append(heads[place - 1] if place else -1)
        lasts[place : place + 1] = [j]
        heads[place : place + 1] = [number]
    chain = []
    at = heads[-1] if heads else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]
