"""How well a run of sentences fits a run of the other side, for all beads of a window.

    score(X, Y) = (weight * margin(X, Y) + 3 * (coverage(X, Y) - leak(X, Y))) * length(X, Y)

`margin` (after Bertalign, Liu and Zhu 2022) is the cosine of the two runs, less half the mean cosine of
either with the sentences next to the other, less half the mean of the best four cosines that either has
on the other side. Texts of fewer than sixteen sentences hold too few to compare with: `weight` falls with
their number.

`coverage` and `leak` compare tokens; `fit` says how.

`length` falls with the ratio of the lengths in bytes, one side rescaled by the ratio of the documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from mtalign.align.band import Part, Window
from mtalign.align.fit import HUBS, Area, compiled_mean_of_best, fit
from mtalign.align.side import Run, Side
from mtalign.encode import unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COVERAGE = 3.0
_LENGTH_SPREAD = 0.8  # of the logarithm of the length ratio; translations of sentences spread by 0.2 to 0.4
_MANY = 3  # times the sentences of the other side: more than usual beads can hold
_ENOUGH = 16  # sentences from which on margins count in full
_AFTER = 1  # sentences behind those where a bead may begin that its tokens are compared with


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


# Coverage less leak of the beads of a part of a window, moves x rows x columns. It does not change when runs
# are read as text, and is the better part of the work, so it is kept from one scoring to the next. Keys are
# the first row and the first column.
Fits = dict[tuple[int, int], "NDArray[np.float32]"]


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
    for part in window.parts:
        at = slice(part.first - window.first, part.last - window.first)
        scores[:, :, at] = _score_part(left, right, part, moves, fits)
    return scores


def _score_part(
    left: Texts, right: Texts, part: Part, moves: Sequence[tuple[int, int]], fits: Fits | None
) -> NDArray[np.float32]:
    import numpy as np

    # Sentences just outside the part are neighbours of those inside, and hold the ends of their beads.
    most = max(max(move) for move in moves) + 1
    top, first = max(0, part.top - 1), max(0, part.first - 1)
    bottom, last = min(len(left.side), part.bottom + most), min(len(right.side), part.last + most)
    ours = {rows: left.vectors(rows, top, bottom) for rows in {1} | {move[0] for move in moves}}
    theirs = {columns: right.vectors(columns, first, last) for columns in {1} | {move[1] for move in moves}}
    cosines = {
        (rows, columns): ours[rows] @ theirs[columns].T
        for rows, columns in {*moves, *((rows, 1) for rows in ours), *((1, columns) for columns in theirs)}
    }
    # A run near to everything is worth less than one near to a few (CSLS, Conneau et al. 2018).
    left_hubs = {rows: _hubs()(cosines[rows, 1], HUBS) for rows in ours}
    right_hubs = {columns: _hubs()(cosines[1, columns].T, HUBS) for columns in theirs}
    sizes = left.side.sizes[top:bottom], right.side.sizes[first:last] * _ratio(left.side, right.side)
    left_logs = {rows: _log_sizes(sizes[0], rows) for rows in ours}
    right_logs = {columns: _log_sizes(sizes[1], columns) for columns in theirs}
    inside = part.top - top, part.first - first
    by_tokens = None
    if fits is not None and left.side.tokens and right.side.tokens:
        key = part.top, part.first
        if key not in fits:
            lows, highs = _wanted(part, (top, bottom), (first, last))
            area = Area((top, bottom), (first, last), lows, highs)
            found = fit(left.side.tokens, right.side.tokens, area, moves)
            fits[key] = found[:, inside[0] :, inside[1] :][
                :, : part.bottom - part.top, : part.last - part.first
            ]
        by_tokens = fits[key]
    weight = min(1.0, min(len(left.side), len(right.side)) / _ENOUGH)
    columns_of_rows = np.array(part.lows) - part.first, np.array(part.highs) - part.first
    scores = np.full((len(moves), part.bottom - part.top, part.last - part.first), -np.inf, np.float32)
    for kind, (rows, columns) in enumerate(moves):
        _combined()(
            cosines[rows, columns],
            cosines[rows, 1],
            cosines[1, columns],
            (left_hubs[rows], right_hubs[columns]),
            (left_logs[rows], right_logs[columns]),
            (rows, columns),
            (len(left.side) - rows - part.top, len(right.side) - columns - part.first),
            inside,
            columns_of_rows,
            (weight, _COVERAGE, _LENGTH_SPREAD),
            scores[kind] if by_tokens is None else by_tokens[kind],
            by_tokens is not None,
            scores[kind],
        )
    return scores


def _ratio(left: Side, right: Side) -> float:
    """Return what turns right lengths into left ones.

    It is the ratio of the whole texts; but where one has so many more sentences that most must stay alone,
    the ratio of two usual sentences.
    """
    if max(len(left), len(right)) > _MANY * min(len(left), len(right)):
        return float(left.sizes.mean() / max(right.sizes.mean(), 1.0))
    return float(left.sizes.sum() / max(right.sizes.sum(), 1.0))


def _log_sizes(sizes: NDArray[Any], length: int) -> NDArray[np.float32]:
    """Return the logarithm of the sum of `length` sizes from each place on; of fewer at the end."""
    import numpy as np

    sums = np.concatenate([[0.0], np.cumsum(sizes)])
    ends = np.minimum(np.arange(len(sizes)) + length, len(sizes))
    return np.asarray(np.log(np.maximum(sums[ends] - sums[: len(sizes)], 1.0)), np.float32)


def _wanted(
    part: Part, rows: tuple[int, int], columns: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return from where to where, in `columns`, the beads of a part need tokens, for each of `rows`."""
    import numpy as np

    lows, highs = np.array(part.lows), np.array(part.highs)
    used = lows < highs
    lows = np.where(used, lows - columns[0], 0)
    highs = np.where(used, np.minimum(highs + _AFTER, columns[1]) - columns[0], 0)
    # The rows above and below the part are neighbours, and hold the ends of beads.
    at = np.clip(np.arange(*rows), part.top, part.bottom - 1) - part.top
    return lows[at], highs[at]


# Machine code is kept on disk between runs.


@cache
def _hubs() -> Callable[..., Any]:
    """Compile the mean of the best few cosines of each row."""
    import numba
    import numpy as np

    mean_of_best = compiled_mean_of_best()

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def hubs(cosines: Any, count: int) -> Any:
        found = np.empty(len(cosines), np.float32)
        highest = np.empty(count, np.float32)
        for i in range(len(cosines)):
            found[i] = mean_of_best(cosines[i], highest)
        return found

    return hubs  # type: ignore[no-any-return]


@cache
def _combined() -> Callable[..., Any]:
    """Compile the scores of one kind of beads, where a bead may begin.

    Neighbours of two runs are the sentences just before and behind either, up to four; of their cosines
    with the other run the mean counts.
    """
    import numba
    import numpy as np

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def combined(  # noqa: PLR0917
        cosines: Any,
        to_right: Any,
        to_left: Any,
        hubs: Any,
        logs: Any,
        move: Any,
        lasts: Any,
        inside: Any,
        columns: Any,
        constants: Any,
        by_tokens: Any,
        has_tokens: bool,
        scores: Any,
    ) -> None:
        weight, coverage, spread = np.float32(constants[0]), np.float32(constants[1]), constants[2]
        slope = np.float32(-0.5 / spread**2)
        bottom, right = cosines.shape
        for row in range(min(len(scores), lasts[0] + 1)):
            i = row + inside[0]
            for column in range(columns[0][row], min(columns[1][row], lasts[1] + 1)):
                j = column + inside[1]
                near, count = np.float32(0), 0
                if j > 0:
                    near += to_right[i, j - 1]
                    count += 1
                if j + move[1] < right:
                    near += to_right[i, j + move[1]]
                    count += 1
                if i > 0:
                    near += to_left[i - 1, j]
                    count += 1
                if i + move[0] < bottom:
                    near += to_left[i + move[0], j]
                    count += 1
                margin = cosines[i, j] - near / np.float32(max(2 * count, 1))
                score = weight * (margin - (hubs[0][i] + hubs[1][j]) / np.float32(4))
                if has_tokens:
                    score += coverage * by_tokens[row, column]
                off = logs[0][i] - logs[1][j]
                scores[row, column] = score * np.exp(slope * off * off)

    return combined  # type: ignore[no-any-return]
