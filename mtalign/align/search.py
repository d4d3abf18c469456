"""The best monotone path through the beads of a lattice, and how much worse others are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mtalign.align.band import Window
from mtalign.alignment import Bead

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Lattice:
    """The scores of all beads in the windows.

    Cell (i, j) of a bead that begins at sentences i and j stands at `offsets[i] + j - firsts[i]`, for j
    from `firsts[i]` up to `lasts[i]`; `scores` is moves x cells. Cells of 1-1 beads come first.
    """

    moves: NDArray[np.int64]
    scores: NDArray[np.float32]
    offsets: NDArray[np.int64]
    firsts: NDArray[np.int64]
    lasts: NDArray[np.int64]

    def block(self, window: Window) -> NDArray[np.float32]:
        """Return the scores of a window: moves x rows x columns, not a copy."""
        cells = slice(int(self.offsets[window.top]), int(self.offsets[window.bottom]))
        height = window.bottom - window.top
        return self.scores[:, cells].reshape(len(self.moves), height, window.last - window.first)

    @property
    def typical(self) -> float:
        """The median over the left sentences of their best 1-1 score."""
        import numpy as np

        return float(np.median(np.maximum.reduceat(self.scores[0], self.offsets[:-1])))


@dataclass(frozen=True)
class Skips:
    """What it scores to leave a sentence alone, by sentence."""

    left: NDArray[np.float64]
    right: NDArray[np.float64]


def best_beads(lattice: Lattice, skips: Skips) -> tuple[Bead, ...]:
    """Return the beads of the best path; a null bead holds one sentence and scores 0."""
    kinds, ours, theirs = _path()(*_arguments(lattice, skips))
    return tuple(_beads(lattice, kinds.tolist(), ours.tolist(), theirs.tolist()))


def count_alone(lattice: Lattice, skips: Skips) -> int:
    """Return how many sentences the best path leaves alone."""
    kinds, _, _ = _path()(*_arguments(lattice, skips))
    return int((kinds >= len(lattice.moves)).sum())


def slack(lattice: Lattice, skips: Skips) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how much the best path would lose by using a run of sentences as the side of a bead.

    For either side: lengths x sentences, by the length of the run (less 1) and its first sentence;
    infinite where no bead can hold the run.
    """
    left, right = _slack()(*_arguments(lattice, skips))
    return left, right


def _arguments(lattice: Lattice, skips: Skips) -> tuple[Any, ...]:
    return (
        lattice.scores,
        lattice.moves,
        lattice.offsets,
        lattice.firsts,
        lattice.lasts,
        skips.left,
        skips.right,
    )


def _beads(lattice: Lattice, kinds: Sequence[int], ours: Sequence[int], theirs: Sequence[int]) -> list[Bead]:
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


# In both programmes, node (i, j) says that i left and j right sentences are done. A row of nodes spans the
# cells above and below it. The machine code is kept on disk between runs.


@cache
def _nodes() -> Callable[..., Any]:
    import numba
    import numpy as np

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def nodes(firsts: Any, lasts: Any) -> Any:
        n = len(firsts)
        lows = np.empty(n + 1, np.int64)
        places = np.zeros(n + 2, np.int64)
        for i in range(n + 1):
            lows[i] = firsts[max(i - 1, 0)]
            places[i + 1] = places[i] + lasts[min(i, n - 1)] - lows[i] + 1
        return lows, places

    return nodes  # type: ignore[no-any-return]


@cache
def _forward() -> Callable[..., Any]:
    import numba
    import numpy as np

    nodes = _nodes()

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def forward(  # noqa: PLR0917
        scores: Any, moves: Any, offsets: Any, firsts: Any, lasts: Any, left: Any, right: Any
    ) -> Any:
        n, kinds = len(firsts), len(moves)
        lows, places = nodes(firsts, lasts)
        best = np.full(places[-1], -np.inf)
        chosen = np.full(places[-1], -1, np.int8)
        best[0] = 0.0
        for i in range(n + 1):
            for node in range(places[i], places[i + 1]):
                j = lows[i] + node - places[i]
                # Strictly better only: of equal paths the first kind listed wins, on every machine.
                for kind in range(kinds):
                    a, b = i - moves[kind, 0], j - moves[kind, 1]
                    if a >= 0 and firsts[a] <= b < lasts[a]:
                        total = best[places[a] + b - lows[a]] + scores[kind, offsets[a] + b - firsts[a]]
                        if total > best[node]:
                            best[node] = total
                            chosen[node] = kind
                if i > 0 and j <= lasts[i - 1]:
                    total = best[places[i - 1] + j - lows[i - 1]] + left[i - 1]
                    if total > best[node]:
                        best[node] = total
                        chosen[node] = kinds
                if node > places[i] and best[node - 1] + right[j - 1] > best[node]:
                    best[node] = best[node - 1] + right[j - 1]
                    chosen[node] = kinds + 1
        return best, chosen

    return forward  # type: ignore[no-any-return]


@cache
def _path() -> Callable[..., Any]:
    import numba
    import numpy as np

    forward, nodes = _forward(), _nodes()

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def path(  # noqa: PLR0917
        scores: Any, moves: Any, offsets: Any, firsts: Any, lasts: Any, left: Any, right: Any
    ) -> Any:
        lows, places = nodes(firsts, lasts)
        _, chosen = forward(scores, moves, offsets, firsts, lasts, left, right)
        n, m, kinds = len(firsts), lasts[-1], len(moves)
        found = np.empty((3, n + m), np.int64)
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
            found[0, length], found[1, length], found[2, length] = kind, i, j
            length += 1
        return found[0, :length][::-1], found[1, :length][::-1], found[2, :length][::-1]

    return path  # type: ignore[no-any-return]


@cache
def _slack() -> Callable[..., Any]:
    import numba
    import numpy as np

    forward, nodes = _forward(), _nodes()

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def lost(  # noqa: PLR0917
        scores: Any, moves: Any, offsets: Any, firsts: Any, lasts: Any, left: Any, right: Any
    ) -> Any:
        n, m, kinds = len(firsts), lasts[-1], len(moves)
        lows, places = nodes(firsts, lasts)
        before, _ = forward(scores, moves, offsets, firsts, lasts, left, right)
        whole = before[-1]
        after = np.full(places[-1], -np.inf)
        after[-1] = 0.0
        ours = np.full((moves[:, 0].max(), n), np.inf)
        theirs = np.full((moves[:, 1].max(), m), np.inf)
        for i in range(n, -1, -1):
            for node in range(places[i + 1] - 1, places[i] - 1, -1):
                j = lows[i] + node - places[i]
                if i < n and firsts[i] <= j < lasts[i]:
                    for kind in range(kinds):
                        a, b = i + moves[kind, 0], j + moves[kind, 1]
                        if a <= n and b <= m and lows[a] <= b < lows[a] + places[a + 1] - places[a]:
                            through = (
                                scores[kind, offsets[i] + j - firsts[i]] + after[places[a] + b - lows[a]]
                            )
                            after[node] = max(after[node], through)
                            loss = whole - before[node] - through
                            length, other = moves[kind, 0] - 1, moves[kind, 1] - 1
                            ours[length, i] = min(ours[length, i], loss)
                            theirs[other, j] = min(theirs[other, j], loss)
                if i < n and lows[i + 1] <= j:
                    after[node] = max(after[node], left[i] + after[places[i + 1] + j - lows[i + 1]])
                if node + 1 < places[i + 1]:
                    after[node] = max(after[node], right[j] + after[node + 1])
        return ours, theirs

    return lost  # type: ignore[no-any-return]
