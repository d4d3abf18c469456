"""How well a run of sentences fits a run of the other side, for all beads of a window.

    score(X, Y) = (weight * margin(X, Y) + 3 * (coverage(X, Y) - leak(X, Y))) * length(X, Y)

`margin` (after Bertalign, Liu and Zhu 2022) is the cosine of the two runs, less half the mean cosine of
either with the sentences next to the other, less half the mean of the best four cosines that either has
on the other side. Texts of fewer than sixteen sentences hold too few to compare with: `weight` falls with
their number.

`coverage` is the mean, over the tokens of both runs, of the best cosine that a token has in the other run,
less what it has in the other side: half the mean over its sentences, half the mean of the best four (so
function words, which are at home everywhere, count for nothing).

`leak` is what the last and the first tokens of a run would gain in the sentence after or before the other
run: the best sum over a tail or a head of the run, in units of a sentence of usual length. It tells a bead
whose border is in the wrong place: two sentences against two, between which a clause has moved, leak into
each other; so does a sentence whose last part belongs to the next bead.

`length` falls with the ratio of the lengths in bytes, one side rescaled by the ratio of the documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from mtalign.align.band import Window
from mtalign.align.side import Run, Side, Tokens, unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HUBS = 4
_COVERAGE = 3.0
_LENGTH_SPREAD = 0.8  # of the logarithm of the length ratio; translations of sentences spread by 0.2 to 0.4
_ENOUGH = 16  # sentences from which on margins count in full
_ROWS = 32  # sentences whose tokens are compared at once


@dataclass(frozen=True)
class Texts:
    """One side with the vectors of those of its runs that were read as text."""

    side: Side
    runs: Mapping[Run, NDArray[np.float32]] = field(default_factory=dict)

    def vectors(self, length: int, first: int, last: int) -> NDArray[np.float32]:
        """Return the vectors of the runs of `length` sentences that begin at `first` … `last` - 1.

        A run that was not read as text has the mean of its sentences, weighted by size. Runs that would
        reach beyond the last sentence are zero.
        """
        import numpy as np

        if length == 1:
            return self.side.vectors[first:last]
        inside = min(last, len(self.side) - length + 1) - first
        found = np.zeros((last - first, self.side.vectors.shape[1]), np.float32)
        if inside <= 0:
            return found
        weighted = self.side.vectors[first : first + inside + length - 1]
        weighted = weighted * self.side.sizes[first : first + inside + length - 1, None].astype(np.float32)
        for step in range(length):
            found[:inside] += weighted[step : step + inside]
        found = unit(found)
        for number in range(inside):
            text = self.runs.get((length, first + number))
            if text is not None:
                found[number] = text
        return found


@dataclass(frozen=True)
class _Matches:
    """The tokens of consecutive sentences against sentences of the other side.

    `best` is the best cosine of each token in each sentence; sentence i holds the tokens from `starts[i]`
    up to `starts[i + 1]`.
    """

    best: NDArray[np.float32]
    starts: NDArray[np.int64]


# Coverage less leak of the beads of a piece, moves x rows x columns. It does not change when runs are read as
# text, and is the better part of the work, so it is kept from one scoring to the next.
Fits = dict[Window, "NDArray[np.float32]"]


def score_beads(
    left: Texts, right: Texts, window: Window, moves: Sequence[tuple[int, int]], fits: Fits | None = None
) -> NDArray[np.float32]:
    """Return the score of every bead that begins in the window: moves x rows x columns.

    Beads that would reach beyond the last sentence, and cells that the window leaves out, have -inf.

    Args:
        left: the side of the rows.
        right: the side of the columns.
        window: where beads begin.
        moves: the numbers of left and right sentences of a bead.
        fits: what is known of the fit of tokens; what is not is added. None: tokens are not compared.
    """
    import numpy as np

    height = window.bottom - window.top
    scores = np.full((len(moves), height, window.last - window.first), -np.inf, np.float32)
    for first, last in window.pieces:
        at = slice(first - window.first, last - window.first)
        piece = Window(window.top, window.bottom, first, last)
        scores[:, :, at] = _score_piece(left, right, piece, moves, fits)
    return scores


def _score_piece(
    left: Texts, right: Texts, window: Window, moves: Sequence[tuple[int, int]], fits: Fits | None
) -> NDArray[np.float32]:
    import numpy as np

    # Sentences just outside the window are neighbours of those inside, and hold the ends of their beads.
    most = max(max(move) for move in moves) + 1
    top, first = max(0, window.top - 1), max(0, window.first - 1)
    bottom, last = min(len(left.side), window.bottom + most), min(len(right.side), window.last + most)
    inside = np.s_[window.top - top : window.bottom - top, window.first - first : window.last - first]
    ours = {rows: left.vectors(rows, top, bottom) for rows in {1} | {move[0] for move in moves}}
    theirs = {columns: right.vectors(columns, first, last) for columns in {1} | {move[1] for move in moves}}
    to_right = {rows: block @ theirs[1].T for rows, block in ours.items()}
    to_left = {columns: ours[1] @ block.T for columns, block in theirs.items()}
    # A run near to everything is worth less than one near to a few (CSLS, Conneau et al. 2018).
    left_hubs = {rows: _mean_of_best(cosines)[:, None] for rows, cosines in to_right.items()}
    right_hubs = {columns: _mean_of_best(cosines.T)[None] for columns, cosines in to_left.items()}
    sizes = left.side.sizes[top:bottom], right.side.sizes[first:last] * _ratio(left.side, right.side)
    by_tokens = None
    if fits is not None and left.side.tokens and right.side.tokens:
        if window not in fits:
            fits[window] = _fit(left.side.tokens, right.side.tokens, (top, bottom), (first, last), moves)
        by_tokens = fits[window]
    weight = min(1.0, min(len(left.side), len(right.side)) / _ENOUGH)
    scores = []
    for kind, (rows, columns) in enumerate(moves):
        near = _neighbours(to_left[columns], to_right[rows], rows, columns)
        hubs = (left_hubs[rows] + right_hubs[columns]) / 2
        score = weight * (ours[rows] @ theirs[columns].T - near / 2 - hubs / 2)
        if by_tokens is not None:
            score += _COVERAGE * by_tokens[kind]
        score *= _length_factor(_run_sums(sizes[0], rows)[:, None], _run_sums(sizes[1], columns)[None])
        score[max(0, len(left.side) - rows + 1 - top) :] = -np.inf
        score[:, max(0, len(right.side) - columns + 1 - first) :] = -np.inf
        scores.append(score[inside])
    return np.asarray(scores, np.float32)


def _ratio(left: Side, right: Side) -> float:
    """Return what turns right lengths into left ones."""
    return float(left.sizes.sum() / max(right.sizes.sum(), 1.0))


def _neighbours(
    to_left: NDArray[np.float32], to_right: NDArray[np.float32], rows: int, columns: int
) -> NDArray[np.float32]:
    """Return the mean cosine of each pair of runs with the up to four sentences beside them."""
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


def _mean_of_best(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    count = min(_HUBS, cosines.shape[1])
    return np.asarray(np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1), np.float32)


def _length_factor(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return 1 for lengths that fit, and less the further their ratio is from 1, on a bell curve."""
    import numpy as np

    off = np.log(np.maximum(ours, 1.0)) - np.log(np.maximum(theirs, 1.0))
    return np.asarray(np.exp(-0.5 * (off / _LENGTH_SPREAD) ** 2), np.float32)


def _run_sums(sizes: NDArray[Any], length: int) -> NDArray[Any]:
    """Return the sum of `length` sizes from each place on; shorter runs at the end."""
    import numpy as np

    sums = np.concatenate([np.zeros((1, *sizes.shape[1:])), np.cumsum(sizes, axis=0)])
    ends = np.minimum(np.arange(len(sizes)) + length, len(sizes))
    return np.asarray(sums[ends] - sums[: len(sizes)])


def _fit(
    left: Tokens,
    right: Tokens,
    ours: tuple[int, int],
    theirs: tuple[int, int],
    moves: Sequence[tuple[int, int]],
) -> NDArray[np.float32]:
    """Return coverage less leak of the beads of one piece: moves x rows x columns.

    Args:
        left: tokens of the left side.
        right: tokens of the right side.
        ours: the first left sentence of the piece, and the one after its last.
        theirs: likewise, on the right.
        moves: the numbers of left and right sentences of a bead.
    """
    import numpy as np

    from_left, from_right = (
        _fits()(
            each.best,
            each.starts,
            _usual(each.best),
            tokens.starts[-1] / (len(tokens.starts) - 1),
            max(map(sum, moves)),
        )
        for each, tokens in zip(_matches(left, right, ours, theirs), (left, right), strict=True)
    )
    return np.array(
        [from_left[rows - 1, columns - 1] + from_right[columns - 1, rows - 1].T for rows, columns in moves],
        np.float32,
    )


def _matches(
    left: Tokens, right: Tokens, ours: tuple[int, int], theirs: tuple[int, int]
) -> tuple[_Matches, _Matches]:
    """Return how left tokens match right sentences, and right tokens left sentences."""
    import numpy as np

    left_starts = left.starts[ours[0] : ours[1] + 1]
    right_starts = right.starts[theirs[0] : theirs[1] + 1]
    columns = right.vectors[right_starts[0] : right_starts[-1]].astype(np.float32)
    left_best = np.full((left_starts[-1] - left_starts[0], len(right_starts) - 1), -1.0, np.float32)
    right_best = np.full((len(left_starts) - 1, right_starts[-1] - right_starts[0]), -1.0, np.float32)
    for first in range(0, len(left_starts) - 1, _ROWS):
        starts = left_starts[first : first + _ROWS + 1]
        cosines = left.vectors[starts[0] : starts[-1]].astype(np.float32) @ columns.T
        rows = slice(int(starts[0] - left_starts[0]), int(starts[-1] - left_starts[0]))
        _best_by_sentence()(
            cosines,
            starts - starts[0],
            right_starts - right_starts[0],
            left_best[rows],
            right_best[first : first + len(starts) - 1],
        )
    return (
        _Matches(left_best, left_starts - left_starts[0]),
        _Matches(np.ascontiguousarray(right_best.T), right_starts - right_starts[0]),
    )


def _usual(best: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what each token has on the other side anyway."""
    import numpy as np

    return np.asarray((best.mean(axis=1) + _mean_of_best(best)) / 2, np.float32)


# Machine code is kept on disk between runs. Inner loops run over neighbouring memory, without branches.


@cache
def _best_by_sentence() -> Callable[..., Any]:
    """Compile the best cosines of tokens in sentences, in both directions at once."""
    import numba

    @numba.njit(cache=True, fastmath={"nnan", "nsz"})  # type: ignore[untyped-decorator]
    def best_by_sentence(cosines: Any, starts: Any, other_starts: Any, best: Any, other_best: Any) -> None:
        for i in range(len(starts) - 1):
            for row in range(starts[i], starts[i + 1]):
                for column in range(cosines.shape[1]):
                    other_best[i, column] = max(other_best[i, column], cosines[row, column])
                for j in range(len(other_starts) - 1):
                    highest = best[row, j]
                    for column in range(other_starts[j], other_starts[j + 1]):
                        highest = max(highest, cosines[row, column])
                    best[row, j] = highest

    return best_by_sentence  # type: ignore[no-any-return]


@cache
def _fits() -> Callable[..., Any]:
    """Compile coverage / 2 less leak of runs of sentences in runs of the other side.

    The result is lengths x other lengths x first sentences x other first sentences; it is zero where a run
    would reach beyond the last sentence.
    """
    import numba
    import numpy as np

    @numba.njit(cache=True, fastmath={"nnan", "nsz"})  # type: ignore[untyped-decorator]
    def fits(best: Any, starts: Any, usual: Any, usual_count: float, largest: int) -> Any:
        count, width, longest = len(starts) - 1, best.shape[1], largest - 1
        # By sentence: coverage; the sum and the best tail of what the sentence after the other run would add;
        # the sum and the best head of what the sentence before it would add.
        sums = np.zeros((longest, 5, count, width), np.float32)
        inside = np.empty(width, np.float32)
        for i in range(count):
            for token in range(starts[i], starts[i + 1]):
                row = best[token]
                inside[:] = row
                for other in range(min(longest, width)):
                    here = sums[other, :, i]
                    for j in range(width - other):
                        inside[j] = max(inside[j], row[j + other])
                        here[0, j] += inside[j] - usual[token]
                    for j in range(width - other - 1):
                        gain = row[j + other + 1] - inside[j]
                        here[1, j] += gain
                        here[2, j] = max(np.float32(0), here[2, j] + gain)
                    for j in range(1, width - other):
                        here[3, j] += row[j - 1] - inside[j]
                        here[4, j] = max(here[4, j], here[3, j])
        found = np.zeros((longest, longest, count, width), np.float32)
        for length in range(1, longest + 1):
            for other in range(largest - length):
                for i in range(count - length + 1):
                    tokens = starts[i + length] - starts[i]
                    for j in range(width - other):
                        coverage = tail = tail_sum = head = head_sum = np.float32(0)
                        for k in range(i, i + length):
                            coverage += sums[other, 0, k, j]
                            head = max(head, head_sum + sums[other, 4, k, j])
                            head_sum += sums[other, 3, k, j]
                        for k in range(i + length - 1, i - 1, -1):
                            tail = max(tail, tail_sum + sums[other, 2, k, j])
                            tail_sum += sums[other, 1, k, j]
                        found[length - 1, other, i, j] = coverage / tokens / 2 - (head + tail) / usual_count
        return found

    return fits  # type: ignore[no-any-return]
