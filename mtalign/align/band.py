"""Where beads of two long texts can lie: windows along the translations that are beyond doubt.

Short texts are one window. In long ones, sentences that are each other's nearest are chained into
anchors, so the windows follow insertions and omissions of any length; there is no fixed diagonal.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DENSE = 1_000_000  # cells: up to here a text is one window
_ROWS = 128  # left sentences of a window
_MARGIN = 32  # right sentences of a window beyond its anchors
_CELLS = 4_000_000  # what all windows together may hold where anchors are too far apart to say anything
_DIMENSIONS = 96  # enough to find nearest sentences, a quarter of the work
_NEAR = 8  # an anchor counts if another one lies within so many sentences on both sides


@dataclass(frozen=True)
class Window:
    """Left sentences `top` … `bottom` - 1 against right sentences `first` … `last` - 1."""

    top: int
    bottom: int
    first: int
    last: int


def windows(left: NDArray[np.float32], right: NDArray[np.float32]) -> list[Window]:
    """Return windows that cover every left sentence once, with columns that never go back.

    Args:
        left: one vector per sentence, unit length, centred.
        right: likewise.
    """
    import numpy as np

    n, m = len(left), len(right)
    if n * m <= _DENSE:
        return [Window(0, n, 0, m)]
    fixed = [(-1, -1), *_anchors(left, right), (n, m)]
    rows, columns = np.array(fixed).T
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


def _anchors(left: NDArray[np.float32], right: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the longest rising chain of sentences that are each other's nearest, without lone ones."""
    import numpy as np

    forth, back = nearest(left, right)
    mutual = [(i, int(j)) for i, j in enumerate(forth) if back[j] == i]
    chain = np.array(_longest_rising(mutual), np.int64).reshape(-1, 2)
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


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
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
