"""Sentence alignment of two languages: which run of sentences says what which other run says.

The search is monotone: beads never cross. Reordered passages come out as null beads or low scores.

The objective follows the margin idea of Bertalign (Liu and Zhu 2022) and the overlap vectors of
Vecalign (Thompson and Koehn 2019), and asks besides whether every word is covered. Every constant is
relative to the document:

    score(X, Y) = (margin(X, Y) + 3 * coverage(X, Y)) * length(X, Y)

`margin` is the cosine of the two blocks, less half the mean cosine of either block with the sentences
next to the other, less half the mean of the best four cosines that either block has on the other side.
`coverage` is the mean, over the tokens of both blocks, of the best cosine that a token has in the other
block, less what it has in the whole other side: half the mean over its sentences, half the mean of the
best four (so function words, which are at home everywhere, count for nothing). `length` falls with the
ratio of the lengths in bytes, one side rescaled by the ratio of the documents. The sum over beads is
maximised, not weighted by size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mtalign.align.band import Window, windows
from mtalign.align.side import Side
from mtalign.alignment import Bead

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HUBS = 4
_COVERAGE = 3.0
_LENGTH_SPREAD = 0.8  # of the logarithm of the length ratio; translations of sentences spread by 0.2 to 0.4

# Pairs of sentences up to which tokens are compared: 200 x 200, some eight thousand tokens a side.
_TOKEN_CELLS = 40_000

# One sentence in ten without a partner is what a faithful translation has; noise is what goes beyond.
_USUAL_NULLS = 0.1
_NULL_SLOPE = 0.7


@dataclass(frozen=True)
class BeadOptions:
    """How beads may look.

    `largest` bounds the sentences of a bead, both sides together. `skip` is the score of a sentence
    left unaligned, in units of the document's median best 1-1 score: 0 suits translations that are
    complete, values up to 0.2 let noisy texts drop more. None estimates it from the document.
    """

    largest: int = 4
    skip: float | None = None


@dataclass(frozen=True)
class _Pair:
    """Two sides, and what is the same for beads of every size.

    `ratio` turns right lengths into left ones. `left_best` is the best cosine of each left token in each
    right sentence, `right_best` that of each right token in each left sentence; None without tokens.
    """

    left: Side
    right: Side
    ratio: float
    left_best: NDArray[np.float32] | None = None
    right_best: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class _Lattice:
    """The scores of all beads in the windows.

    Cell (i, j) of a bead that begins at sentences i and j stands at `offsets[i] + j - firsts[i]`, for j
    from `firsts[i]` up to `lasts[i]`; `scores` is bead sizes x cells.
    """

    moves: NDArray[np.int64]
    scores: NDArray[np.float32]
    offsets: NDArray[np.int64]
    firsts: NDArray[np.int64]
    lasts: NDArray[np.int64]
    typical: float


def align(left: Side, right: Side, options: BeadOptions | None = None) -> tuple[Bead, ...]:
    """Return the best monotone beads: every sentence of both sides in exactly one of them.

    Time and memory grow with the longer side: texts of more than about a thousand sentences are searched
    in windows along anchors (`band`), and up to 200 x 200 sentences are compared by their tokens too.
    """
    options = options or BeadOptions()
    if not len(left) or not len(right):
        alone = [Bead((i,), ()) for i in range(len(left))] + [Bead((), (j,)) for j in range(len(right))]
        return tuple(alone)
    lattice = _lattice(left, right, options.largest)
    if options.skip is not None:
        return _best_beads(lattice, options.skip)
    # Sentences that stay alone at no cost tell how noisy the texts are.
    first = _best_beads(lattice, 0.0)
    alone_share = sum(len(b.left) + len(b.right) for b in first if not b.left or not b.right)
    excess = alone_share / (len(left) + len(right)) - _USUAL_NULLS
    return _best_beads(lattice, _NULL_SLOPE * excess) if excess > 0 else first


def _lattice(left: Side, right: Side, largest: int) -> _Lattice:
    import numpy as np

    moves = _moves(largest, len(left.vectors), len(right.vectors))
    pair = _pair(left, right)
    found = windows(left.vectors[0], right.vectors[0])
    firsts, lasts = np.empty(len(left), np.int64), np.empty(len(left), np.int64)
    for window in found:
        firsts[window.top : window.bottom] = window.first
        lasts[window.top : window.bottom] = window.last
    offsets = np.concatenate([[0], np.cumsum(lasts - firsts)])
    scores = np.empty((len(moves), int(offsets[-1])), np.float32)
    best = []
    for window in found:
        cells = slice(int(offsets[window.top]), int(offsets[window.bottom]))
        for kind, (rows, columns) in enumerate(moves):
            block = _scores(pair, window, rows, columns)
            scores[kind, cells] = block.ravel()
            if kind == 0:
                best.append(block.max(axis=1))
    typical = float(np.median(np.concatenate(best)))
    return _Lattice(np.array(moves, np.int64), scores, offsets, firsts, lasts, typical)


def _pair(left: Side, right: Side) -> _Pair:
    import numpy as np

    ratio = left.sizes.sum() / max(right.sizes.sum(), 1.0)
    if left.tokens is None or right.tokens is None or len(left) * len(right) > _TOKEN_CELLS:
        return _Pair(left, right, ratio)
    cosines = left.tokens.vectors @ right.tokens.vectors.T
    left_best = np.maximum.reduceat(cosines, right.tokens.starts[:-1], axis=1)
    right_best = np.maximum.reduceat(cosines, left.tokens.starts[:-1], axis=0).T
    return _Pair(left, right, ratio, left_best, right_best)


def _moves(largest: int, left_overlaps: int, right_overlaps: int) -> list[tuple[int, int]]:
    """Return the bead sizes that may be used, 1-1 first and then from small to large."""
    sizes = [
        (rows, columns)
        for rows in range(1, left_overlaps + 1)
        for columns in range(1, right_overlaps + 1)
        if rows + columns <= largest
    ]
    return sorted(sizes, key=lambda size: (sum(size), abs(size[0] - size[1]), size))


def _scores(pair: _Pair, window: Window, rows: int, columns: int) -> NDArray[np.float32]:
    """Return the score of every bead of `rows` x `columns` sentences by its first two sentences."""
    import numpy as np

    left, right = pair.left, pair.right
    # Sentences just outside the window are neighbours of those inside, and hold the ends of their beads.
    above, before = min(1, window.top), min(1, window.first)
    ours = slice(window.top - above, min(window.bottom + rows, len(left)))
    theirs = slice(window.first - before, min(window.last + columns, len(right)))
    block, other = left.vectors[rows - 1, ours], right.vectors[columns - 1, theirs]
    cosines = block @ other.T
    to_right = block @ right.vectors[0, theirs].T
    to_left = left.vectors[0, ours] @ other.T
    margin = cosines - _neighbours(to_left, to_right, rows, columns) / 2 - _hubness(to_left, to_right) / 2
    if left.tokens and right.tokens and pair.left_best is not None and pair.right_best is not None:
        one_way = _covered(pair.left_best, left.tokens.starts, rows, columns)[ours, theirs]
        other_way = _covered(pair.right_best, right.tokens.starts, columns, rows)[theirs, ours].T
        margin += _COVERAGE * (one_way + other_way) / 2
    scores = margin * _length_factor(
        _run_sums(left.sizes[ours], rows)[:, None], _run_sums(right.sizes[theirs], columns)[None] * pair.ratio
    )
    scores[max(0, len(left) - rows + 1 - ours.start) :] = -np.inf
    scores[:, max(0, len(right) - columns + 1 - theirs.start) :] = -np.inf
    height, width = window.bottom - window.top, window.last - window.first
    return np.asarray(scores[above : above + height, before : before + width], np.float32)


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

    return np.asarray((_mean_of_best(to_right)[:, None] + _mean_of_best(to_left.T)[None, :]) / 2, np.float32)


def _mean_of_best(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    count = min(_HUBS, cosines.shape[1])
    return np.asarray(np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1), np.float32)


def _covered(
    best: NDArray[np.float32], starts: NDArray[np.int64], length: int, other_length: int
) -> NDArray[np.float64]:
    """Return how well the tokens of `length` sentences match in `other_length` sentences, over the usual.

    Args:
        best: the best cosine of each token in each sentence of the other side, tokens x sentences.
        starts: the first token of each sentence, and the number of tokens.
        length: sentences whose tokens are averaged.
        other_length: sentences in which a match is sought.
    """
    import numpy as np

    usual = (best.mean(axis=1) + _mean_of_best(best)) / 2
    matched = best.copy()
    for step in range(1, other_length):
        np.maximum(matched[:, :-step], best[:, step:], out=matched[:, :-step])
    sums = np.concatenate([np.zeros((1, best.shape[1])), np.cumsum(matched - usual[:, None], axis=0)])
    ends = starts[np.minimum(np.arange(len(starts) - 1) + length, len(starts) - 1)]
    counts = (ends - starts[:-1])[:, None]
    return np.asarray((sums[ends] - sums[starts[:-1]]) / counts)


def _length_factor(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 for lengths that fit, and less the further their ratio is from 1, on a bell curve."""
    import numpy as np

    off = np.log(np.maximum(ours, 1.0)) - np.log(np.maximum(theirs, 1.0))
    return np.asarray(np.exp(-0.5 * (off / _LENGTH_SPREAD) ** 2))


def _run_sums(sizes: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Return the sum of `length` sizes from each place on; shorter runs at the end."""
    import numpy as np

    sums = np.concatenate([[0.0], np.cumsum(sizes)])
    ends = np.minimum(np.arange(len(sizes)) + length, len(sizes))
    return np.asarray(sums[ends] - sums[: len(sizes)])


def _best_beads(lattice: _Lattice, null: float) -> tuple[Bead, ...]:
    """Return the beads of the best path; a null bead holds one sentence and scores 0."""
    kinds, ours, theirs = _search()(
        lattice.scores,
        lattice.moves,
        lattice.offsets,
        lattice.firsts,
        lattice.lasts,
        null * lattice.typical,
    )
    return tuple(_beads(lattice, kinds.tolist(), ours.tolist(), theirs.tolist()))


def _beads(lattice: _Lattice, kinds: Sequence[int], ours: Sequence[int], theirs: Sequence[int]) -> list[Bead]:
    beads = []
    for kind, i, j in zip(kinds, ours, theirs, strict=True):
        if kind < len(lattice.moves):
            rows, columns = lattice.moves[kind].tolist()
            score = float(lattice.scores[kind, lattice.offsets[i] + j - lattice.firsts[i]])
            beads.append(Bead(tuple(range(i, i + rows)), tuple(range(j, j + columns)), round(score, 4)))
        elif kind == len(lattice.moves):
            beads.append(Bead((i,), ()))
        else:
            beads.append(Bead((), (j,)))
    return beads


@cache
def _search() -> Callable[..., Any]:
    """Compile the dynamic programme; the machine code is kept on disk between runs."""
    import numba
    import numpy as np

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def search(  # noqa: PLR0912, PLR0917
        scores: Any, moves: Any, offsets: Any, firsts: Any, lasts: Any, null: float
    ) -> Any:
        # Node (i, j): i left and j right sentences are done. A row of nodes spans the cells above and below.
        n, m, kinds = len(firsts), lasts[-1], len(moves)
        lows = np.empty(n + 1, np.int64)
        places = np.zeros(n + 2, np.int64)
        for i in range(n + 1):
            lows[i] = firsts[max(i - 1, 0)]
            places[i + 1] = places[i] + lasts[min(i, n - 1)] - lows[i] + 1
        best = np.full(places[-1], -np.inf)
        chosen = np.full(places[-1], -1, np.int8)
        best[0] = 0.0
        for i in range(n + 1):
            width = places[i + 1] - places[i]
            for step in range(width):
                j = lows[i] + step
                node = places[i] + step
                # Strictly better only: of equal paths the first kind listed wins, on every machine.
                for kind in range(kinds):
                    a, b = i - moves[kind, 0], j - moves[kind, 1]
                    if a >= 0 and firsts[a] <= b < lasts[a]:
                        total = best[places[a] + b - lows[a]] + scores[kind, offsets[a] + b - firsts[a]]
                        if total > best[node]:
                            best[node] = total
                            chosen[node] = kind
                if i > 0 and j <= lasts[i - 1]:
                    total = best[places[i - 1] + j - lows[i - 1]] + null
                    if total > best[node]:
                        best[node] = total
                        chosen[node] = kinds
                if step > 0 and best[node - 1] + null > best[node]:
                    best[node] = best[node - 1] + null
                    chosen[node] = kinds + 1
        path = np.empty((3, n + m), np.int64)
        length = 0
        i, j = n, m
        while i > 0 or j > 0:
            kind = chosen[places[i] + j - lows[i]]
            if kind == kinds:
                i -= 1
            elif kind == kinds + 1:
                j -= 1
            else:
                i -= moves[kind, 0]
                j -= moves[kind, 1]
            path[0, length], path[1, length], path[2, length] = kind, i, j
            length += 1
        return path[0, :length][::-1], path[1, :length][::-1], path[2, :length][::-1]

    return search  # type: ignore[no-any-return]
