"""Where beads of two long texts can lie.

Short texts are one window. In long ones, sentences that are each other's nearest are chained into
anchors, and windows along these follow insertions and omissions of any length; there is no fixed
diagonal. Narrow windows around the beads found there bound the comparison of tokens.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
_NEAR = 8  # an anchor counts if another one lies within so many sentences on both sides

_NARROW_ROWS = 16
_PAD = 6  # right sentences of a narrow window on either side of the beads

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Window:
    """Left sentences `top` … `bottom` - 1 against right sentences `first` … `last` - 1.

    `parts` are the stretches of columns where a bead may begin, in order; all of them unless said.
    """

    top: int
    bottom: int
    first: int
    last: int
    parts: tuple[tuple[int, int], ...] = ()

    @property
    def pieces(self) -> tuple[tuple[int, int], ...]:
        """The stretches of columns where a bead may begin."""
        return self.parts or ((self.first, self.last),)


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
        return [Window(0, n, 0, m)]
    anchors = [(-1, -1), *_fitting(_anchors(left, right), fixed), (n, m)]
    rows, columns = np.array(anchors).T
    reach = max(_ROWS, _CELLS // n)
    found = []
    for top in range(0, n, _ROWS):
        bottom = min(top + _ROWS, n)
        before = int(np.searchsorted(rows, top, "right")) - 1
        after = int(np.searchsorted(rows, bottom, "left"))
        at = np.interp([top, bottom], rows, columns)
        first = max(columns[before] - _MARGIN, int(at[0]) - reach, 0)
        last = min(columns[after] + _MARGIN, int(at[1]) + reach, m)
        found.append(Window(top, bottom, int(first), int(last)))
    found[0] = Window(0, found[0].bottom, 0, found[0].last)
    found[-1] = Window(found[-1].top, n, found[-1].first, m)
    return found


def around(beads: Iterable[Bead], n: int, m: int) -> list[Window]:
    """Return narrow windows along the beads of n left and m right sentences."""
    places: list[tuple[int, int]] = [(0, 0)] * n  # the right sentences done before and after each left one
    done = 0
    for bead in beads:
        start, done = done, done + len(bead.right)
        for i in bead.left:
            places[i] = (start, done)
    # Right sentences that stand alone before a left one may join it.
    for i in range(n):
        places[i] = (places[i - 1][1] if i else 0, places[i][1])
    found: list[Window] = []
    for top in range(0, n, _NARROW_ROWS):
        bottom = min(top + _NARROW_ROWS, n)
        near = sorted({place for pair in places[top:bottom] for place in pair})
        parts = _merged([(max(0, at - _PAD), min(m, at + _PAD)) for at in near])
        found.append(Window(top, bottom, parts[0][0], parts[-1][1], tuple(parts)))
    found[0] = _widened(found[0], 0, found[0].last)
    found[-1] = _widened(found[-1], found[-1].first, m)
    return found


def _widened(window: Window, first: int, last: int) -> Window:
    return Window(window.top, window.bottom, first, last, window.pieces)


def _merged(stretches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found = [stretches[0]]
    for first, last in stretches[1:]:
        if first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def _fitting(anchors: Pairs, fixed: Pairs) -> list[tuple[int, int]]:
    """Return the fixed pairs and those anchors that cross none of them."""
    kept = list(fixed)
    lefts, rights = [i for i, _ in fixed], [j for _, j in fixed]
    kept += [(i, j) for i, j in anchors if bisect_left(lefts, i) == bisect_left(rights, j)]
    return sorted(set(kept))


def _anchors(left: NDArray[np.float32], right: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the longest rising chain of sentences that are each other's nearest, without lone ones."""
    import numpy as np

    forth, back = nearest(left, right)
    mutual = [(i, int(j)) for i, j in enumerate(forth) if back[j] == i]
    chain = np.array(longest_rising(mutual), np.int64).reshape(-1, 2)
    close = (np.diff(chain, axis=0) <= _NEAR).all(axis=1)
    kept = np.zeros(len(chain), bool)
    kept[1:] |= close
    kept[:-1] |= close
    return [(int(i), int(j)) for i, j in chain[kept]]


def nearest(
    left: NDArray[np.float32], right: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the nearest right sentence of each left one, and the nearest left of each right one."""
    import numpy as np

    values, axes = np.linalg.eigh(left.T @ left + right.T @ right)
    main = axes[:, np.argsort(values)[-_DIMENSIONS:]].astype(np.float32)
    short_left, short_right = left @ main, right @ main
    forth = np.empty(len(left), np.int64)
    back = np.zeros(len(right), np.int64)
    best = np.full(len(right), -np.inf, np.float32)
    columns = np.arange(len(right))
    step = max(1, _CELLS // len(right))
    for top in range(0, len(left), step):
        cosines = short_left[top : top + step] @ short_right.T
        forth[top : top + step] = cosines.argmax(axis=1)
        rows = cosines.argmax(axis=0)
        highest = cosines[rows, columns]
        better = highest > best
        best[better] = highest[better]
        back[better] = rows[better] + top
    return forth, back


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
