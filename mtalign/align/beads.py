"""Sentence alignment of two languages: which run of sentences says what which other run says.

The search is monotone: beads never cross. Reordered passages come out as null beads or low scores.

The objective follows the margin idea of Bertalign (Liu and Zhu 2022) and the overlap vectors of
Vecalign (Thompson and Koehn 2019), with every constant relative to the document:

    score(X, Y) = (cos(X, Y) - neighbours / 2 - hubness / 2) * log2(1 + shorter / longer)

`neighbours` is the mean cosine of either block with the sentences next to the other block; `hubness`
is the mean of the best four cosines that either block has on the other side; lengths are in bytes, one
side rescaled by the ratio of the documents. The sum over beads is maximised, not weighted by size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mtalign.align.side import Side
from mtalign.alignment import Bead

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HUBS = 4


@dataclass(frozen=True)
class BeadOptions:
    """How beads may look.

    `largest` bounds the sentences of a bead, both sides together. `null` is the score of a sentence
    left unaligned, in units of the document's median best 1-1 score: 0 suits translations that are
    complete, values above it let noisy texts drop more.
    """

    largest: int = 4
    null: float = 0.0


def align(left: Side, right: Side, options: BeadOptions | None = None) -> tuple[Bead, ...]:
    """Return the best monotone beads: every sentence of both sides in exactly one of them.

    Time and memory grow with len(left) * len(right).
    """
    import numpy as np

    options = options or BeadOptions()
    if not len(left) or not len(right):
        alone = [Bead((i,), ()) for i in range(len(left))] + [Bead((), (j,)) for j in range(len(right))]
        return tuple(alone)
    moves = _moves(options.largest, len(left.vectors), len(right.vectors))
    scores = np.stack([_scores(left, right, rows, columns) for rows, columns in moves])
    null = options.null * float(np.median(scores[0].max(axis=1)))
    path = _search()(scores, np.array(moves, np.int64), null)
    return _nulls_apart(path, scores, moves)


def _moves(largest: int, left_overlaps: int, right_overlaps: int) -> list[tuple[int, int]]:
    """Return the bead sizes that may be used, 1-1 first and then from small to large."""
    sizes = [
        (rows, columns)
        for rows in range(1, left_overlaps + 1)
        for columns in range(1, right_overlaps + 1)
        if rows + columns <= largest
    ]
    return sorted(sizes, key=lambda size: (sum(size), abs(size[0] - size[1]), size))


def _scores(left: Side, right: Side, rows: int, columns: int) -> NDArray[np.float32]:
    """Return the score of every bead of `rows` x `columns` sentences by its first two sentences."""
    import numpy as np

    block, other = left.vectors[rows - 1], right.vectors[columns - 1]
    cosines = block @ other.T
    to_right = block @ right.vectors[0].T
    to_left = left.vectors[0] @ other.T
    margin = cosines - _neighbours(to_left, to_right, rows, columns) / 2 - _hubness(to_left, to_right) / 2
    scores = margin * _length_factor(left, right, rows, columns)
    scores[len(left) - rows + 1 :] = -np.inf
    scores[:, len(right) - columns + 1 :] = -np.inf
    return np.asarray(scores, np.float32)


def _neighbours(
    to_left: NDArray[np.float32], to_right: NDArray[np.float32], rows: int, columns: int
) -> NDArray[np.float32]:
    """Return the mean cosine of each pair of blocks with the up to four sentences beside them."""
    import numpy as np

    total = np.zeros_like(to_left)
    count = np.zeros_like(to_left)
    total[:, 1:] += to_right[:, :-1]
    count[:, 1:] += 1
    total[:, :-columns] += to_right[:, columns:]
    count[:, :-columns] += 1
    total[1:] += to_left[:-1]
    count[1:] += 1
    total[:-rows] += to_left[rows:]
    count[:-rows] += 1
    return np.divide(total, np.maximum(count, 1))


def _hubness(to_left: NDArray[np.float32], to_right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return, for each pair of blocks, the mean of the best cosines either has with single sentences.

    A block near to everything is worth less than one near to a few (CSLS, Conneau et al. 2018).
    """
    import numpy as np

    best_right = np.sort(to_right, axis=1)[:, -_HUBS:].mean(axis=1)
    best_left = np.sort(to_left, axis=0)[-_HUBS:].mean(axis=0)
    return np.asarray((best_right[:, None] + best_left[None, :]) / 2, np.float32)


def _length_factor(left: Side, right: Side, rows: int, columns: int) -> NDArray[np.float64]:
    import numpy as np

    ratio = left.sizes.sum() / max(right.sizes.sum(), 1.0)
    ours = _run_sums(left.sizes, rows)[:, None]
    theirs = _run_sums(right.sizes, columns)[None, :] * ratio
    return np.asarray(np.log2(1 + np.minimum(ours, theirs) / np.maximum(np.maximum(ours, theirs), 1e-9)))


def _run_sums(sizes: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Return the sum of `length` sizes from each place on; shorter runs at the end."""
    import numpy as np

    sums = np.concatenate([[0.0], np.cumsum(sizes)])
    ends = np.minimum(np.arange(len(sizes)) + length, len(sizes))
    return np.asarray(sums[ends] - sums[: len(sizes)])


@cache
def _search() -> Callable[..., Any]:
    """Compile the dynamic programme; the machine code is kept on disk between runs."""
    import numba
    import numpy as np

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def search(scores: Any, moves: Any, null: float) -> Any:
        n, m = scores.shape[1], scores.shape[2]
        best = np.full((n + 1, m + 1), -np.inf)
        chosen = np.full((n + 1, m + 1), -1, np.int8)
        best[0, 0] = 0.0
        kinds = len(moves)
        for i in range(n + 1):
            for j in range(m + 1):
                # Strictly better only: of equal paths the first kind listed wins, on every machine.
                for kind in range(kinds):
                    a, b = i - moves[kind, 0], j - moves[kind, 1]
                    if a >= 0 and b >= 0:
                        total = best[a, b] + scores[kind, a, b]
                        if total > best[i, j]:
                            best[i, j] = total
                            chosen[i, j] = kind
                if i > 0 and best[i - 1, j] + null > best[i, j]:
                    best[i, j] = best[i - 1, j] + null
                    chosen[i, j] = kinds
                if j > 0 and best[i, j - 1] + null > best[i, j]:
                    best[i, j] = best[i, j - 1] + null
                    chosen[i, j] = kinds + 1
        path = []
        i, j = n, m
        while i > 0 or j > 0:
            kind = chosen[i, j]
            if kind == kinds:
                i -= 1
            elif kind == kinds + 1:
                j -= 1
            else:
                i -= moves[kind, 0]
                j -= moves[kind, 1]
            path.append((kind, i, j))
        return path[::-1]

    return search  # type: ignore[no-any-return]


def _nulls_apart(
    path: list[tuple[int, int, int]], scores: NDArray[np.float32], moves: list[tuple[int, int]]
) -> tuple[Bead, ...]:
    """Turn the path of (kind, left, right) into beads; a null bead holds one sentence and scores 0."""
    beads = []
    for kind, i, j in path:
        if kind < len(moves):
            rows, columns = moves[kind]
            score = float(scores[kind, i, j])
            beads.append(Bead(tuple(range(i, i + rows)), tuple(range(j, j + columns)), round(score, 4)))
        elif kind == len(moves):
            beads.append(Bead((i,), ()))
        else:
            beads.append(Bead((), (j,)))
    return tuple(beads)
