"""How well the words of a run of sentences are covered in a run of the other side, by their token vectors.

`coverage` is the mean, over the tokens of both runs, of the best cosine that a token has in the other run,
less what it has in the other side: half the mean over its sentences, half the mean of the best four (so
function words, which are at home everywhere, count for nothing).

`leak` is what the last and the first tokens of a run would gain in the sentence after or before the other
run: the best sum over a tail or a head of the run, in units of a sentence of usual length. It tells a bead
whose border is in the wrong place: two sentences against two, between which a clause has moved, leak into
each other; so does a sentence whose last part belongs to the next bead.

In long texts only the sentences near to a first path are compared: "the other side" is what was compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mtalign.align.side import Tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


HUBS = 4  # best cosines on the other side whose mean says how much at home something is everywhere
_ROWS = 3  # sentences whose tokens are compared at once, with all the sentences that one of them wants

_TOKENS = 1024  # of those sentences at once: a sentence may be as long as a book


@dataclass(frozen=True)
class Area:
    """Which sentences are compared.

    Left sentences `rows[0]` … `rows[1]` - 1 with right ones `columns[0]` … `columns[1]` - 1: the first of the
    left ones with those from `lows[0]` up to `highs[0]`, counted from `columns[0]`, and so on. Neither ever
    goes back.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    lows: NDArray[np.int64]
    highs: NDArray[np.int64]


@dataclass(frozen=True)
class _Matches:
    """The tokens of consecutive sentences against sentences of the other side.

    `best` is the best cosine of each token in each sentence; sentence i holds the tokens from `starts[i]`
    up to `starts[i + 1]`, and was compared with the sentences from `lows[i]` up to `highs[i]`.
    """

    best: NDArray[np.float32]
    starts: NDArray[np.int64]
    lows: NDArray[np.int64]
    highs: NDArray[np.int64]


def fit(left: Tokens, right: Tokens, area: Area, moves: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
    """Return coverage less leak of the beads of an area: moves x left sentences x right sentences.

    Args:
        left: tokens of the left side.
        right: tokens of the right side.
        area: where beads begin and end.
        moves: the numbers of left and right sentences of a bead.
    """
    import numpy as np

    largest = max(map(sum, moves))
    from_left, from_right = (
        _fits()(
            _sums()(each.best, each.starts, each.lows, each.highs, largest - 1, np.empty(HUBS, np.float32)),
            each.starts,
            tokens.starts[-1] / (len(tokens.starts) - 1),
            largest,
        )
        for each, tokens in zip(_matches(left, right, area), (left, right), strict=True)
    )
    return np.array(
        [from_left[rows - 1, columns - 1] + from_right[columns - 1, rows - 1].T for rows, columns in moves],
        np.float32,
    )


def _matches(left: Tokens, right: Tokens, area: Area) -> tuple[_Matches, _Matches]:
    """Return how left tokens match right sentences, and right tokens left sentences."""
    import numpy as np

    ours, theirs = area.rows, area.columns
    n, m = ours[1] - ours[0], theirs[1] - theirs[0]
    starts = left.starts[ours[0] : ours[1] + 1] - left.starts[ours[0]]
    others = right.starts[theirs[0] : theirs[1] + 1] - right.starts[theirs[0]]
    rows = left.vectors[left.starts[ours[0]] :][: starts[-1]].astype(np.float32)
    columns = right.vectors[right.starts[theirs[0]] :][: others[-1]].astype(np.float32)
    left_best = np.full((len(rows), m), -1.0, np.float32)
    right_best = np.full((n, len(columns)), -1.0, np.float32)
    lows, highs = np.zeros(n, np.int64), np.zeros(n, np.int64)
    right_lows, right_highs = np.full(m, n), np.zeros(m, np.int64)
    for first in range(0, n, _ROWS):
        last = min(first + _ROWS, n)
        some = np.flatnonzero(area.lows[first:last] < area.highs[first:last]) + first
        if not len(some):
            continue
        low, high = int(area.lows[some].min()), int(area.highs[some].max())
        lows[first:last], highs[first:last] = low, high
        right_lows[low:high] = np.minimum(right_lows[low:high], first)
        right_highs[low:high] = last
        other_tokens = slice(others[low], others[high])
        for start in range(starts[first], starts[last], _TOKENS):
            tokens = slice(start, min(start + _TOKENS, starts[last]))
            _best_by_sentence()(
                rows[tokens] @ columns[other_tokens].T,
                np.clip(starts[first : last + 1], tokens.start, tokens.stop) - start,
                others[low : high + 1] - others[low],
                left_best[tokens, low:high],
                right_best[first:last, other_tokens],
            )
    return (
        _Matches(left_best, starts, lows, highs),
        _Matches(
            np.ascontiguousarray(right_best.T), others, np.minimum(right_lows, right_highs), right_highs
        ),
    )


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
def compiled_mean_of_best() -> Callable[..., Any]:
    """Compile the mean of the highest values of a row, as many as there is room in `highest`, or fewer."""
    import numba
    import numpy as np

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def mean_of_best(values: Any, highest: Any) -> Any:
        count = min(len(highest), len(values))
        highest[:] = -np.inf
        for value in values:
            if value > highest[count - 1]:
                at = count - 1
                while at > 0 and value > highest[at - 1]:
                    highest[at] = highest[at - 1]
                    at -= 1
                highest[at] = value
        return highest[:count].mean()

    return mean_of_best  # type: ignore[no-any-return]


@cache
def _sums() -> Callable[..., Any]:
    """Compile what the tokens of each sentence add up to.

    The result is other lengths x 5 x sentences x first other sentences. By sentence: coverage; the sum and
    the best tail of what the sentence after the other run would add; the sum and the best head of what the
    sentence before it would add.
    """
    import numba
    import numpy as np

    mean_of_best = compiled_mean_of_best()

    @numba.njit(cache=True, fastmath={"nnan", "nsz"})  # type: ignore[untyped-decorator]
    def sums(  # noqa: PLR0917
        best: Any, starts: Any, lows: Any, highs: Any, longest: int, highest: Any
    ) -> Any:
        count, width = len(starts) - 1, best.shape[1]
        found = np.zeros((longest, 5, count, width), np.float32)
        inside = np.empty(width, np.float32)
        for i in range(count):
            # What was not compared has nothing in common.
            found[:, 0, i] = starts[i] - starts[i + 1]
            low, high = lows[i], highs[i]
            for other in range(min(longest, high - low)):
                found[other, 0, i, low : high - other] = 0
            for token in range(starts[i], starts[i + 1] if low < high else starts[i]):
                row = best[token]
                usual = (row[low:high].mean() + mean_of_best(row[low:high], highest)) / np.float32(2)
                inside[low:high] = row[low:high]
                for other in range(min(longest, high - low)):
                    here = found[other, :, i]
                    for j in range(low, high - other):
                        inside[j] = max(inside[j], row[j + other])
                        here[0, j] += inside[j] - usual
                    for j in range(low, high - other - 1):
                        gain = row[j + other + 1] - inside[j]
                        here[1, j] += gain
                        here[2, j] = max(np.float32(0), here[2, j] + gain)
                    for j in range(low + 1, high - other):
                        here[3, j] += row[j - 1] - inside[j]
                        here[4, j] = max(here[4, j], here[3, j])
        return found

    return sums  # type: ignore[no-any-return]


@cache
def _fits() -> Callable[..., Any]:
    """Compile coverage / 2 less leak of runs of sentences in runs of the other side.

    The result is lengths x other lengths x first sentences x other first sentences; it is zero where a run
    would reach beyond the last sentence.
    """
    import numba
    import numpy as np

    @numba.njit(cache=True, fastmath={"nnan", "nsz"})  # type: ignore[untyped-decorator]
    def fits(sums: Any, starts: Any, usual_count: float, largest: int) -> Any:
        longest, _, count, width = sums.shape
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
