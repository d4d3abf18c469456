"""Sentence alignment of two languages: which run of sentences says what which other run says.

The search is monotone: beads never cross. Reordered passages come out as null beads or low scores;
`order` tells such texts. The sum of the scores of the beads (`score`) is maximised, not weighted by size;
every constant is relative to the document.

Runs of sentences are first taken as the mean of their sentences. Only those with which a path comes near
to the best are read as one text (overlaps, as in Vecalign, Thompson and Koehn 2019) before the last search:
a tenth of the work of reading all, and the same beads.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from mtalign.align.anchors import DISAGREEMENT, Anchors
from mtalign.align.band import Window, around, windows
from mtalign.align.score import Fits, Texts, score_beads
from mtalign.align.search import Lattice, Skips, best_beads, count_alone, slack
from mtalign.align.side import Run, Side
from mtalign.alignment import Bead

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Overlaps = Literal["mean", "hybrid", "text"]

# Pairs of sentences up to which all are compared by their tokens: beyond, only those near to first beads.
_TOKEN_CELLS = 40_000

_ROUGH_LARGEST = 3  # sentences of a first bead: it only says where to look again

# A run is read as text if the best path loses no more by using it, in units of the median best 1-1 score.
_CLOSE = 0.5

# The share of its sentences that a faithful translation leaves without a partner, and that of a noisy one.
# Texts are taken for noisy where the second makes it likelier that as many sentences stay alone at no gain;
# a sentence left alone then scores so much.
_FAITHFUL = 1 / 20
_NOISY = 1 / 4
_NOISY_SKIP = 0.2


@dataclass(frozen=True)
class BeadOptions:
    """How beads may look, and what is embedded to find them.

    `largest` bounds the sentences of a bead, both sides together. `skip` is the score of a sentence of
    usual length left unaligned, in units of the document's median best 1-1 score (shorter sentences score
    less in proportion): 0 suits translations that are complete, values up to 0.3 let noisy texts drop
    more. None estimates it from the document. `overlaps` says which runs of sentences are read as one
    text: none (`mean`), those that might change a bead (`hybrid`), or all (`text`).
    """

    largest: int = 4
    skip: float | None = None
    overlaps: Overlaps = "hybrid"


@dataclass(frozen=True)
class _Task:
    """What stays the same from search to search."""

    left: Side
    right: Side
    options: BeadOptions
    anchors: Anchors
    moves: tuple[tuple[int, int], ...]


def align(
    left: Side, right: Side, options: BeadOptions | None = None, anchors: Anchors | None = None
) -> tuple[Bead, ...]:
    """Return the best monotone beads: every sentence of both sides in exactly one of them.

    Time and memory grow with the longer side: long texts are searched in windows along anchors (`band`),
    and then again near to the beads found, by their tokens too. The search runs in one thread.

    Raises:
        InvalidAlignment: the anchors contradict each other, the texts or `largest`.
    """
    options, anchors = options or BeadOptions(), anchors or Anchors()
    n, m = len(left), len(right)
    anchors.check(n, m, options.largest)
    if not n or not m:
        alone = [Bead((i,), ()) for i in range(n)] + [Bead((), (j,)) for j in range(m)]
        return tuple(alone)
    task = _Task(left, right, options, anchors, _moves(options.largest))
    with _threads().limit(limits=1, user_api="blas"):
        return _align(task)


def _align(task: _Task) -> tuple[Bead, ...]:
    n, m = len(task.left), len(task.right)
    near = [Window.whole(0, n, 0, m)] if n * m <= _TOKEN_CELLS else _near_rough_beads(task)
    ours, theirs = Texts(task.left), Texts(task.right)
    fits: Fits = {}
    lattice = _lattice(task, ours, theirs, near, fits)
    skips = _estimated_skips(task, lattice)
    left_runs, right_runs = _runs_to_read(task, lattice, skips)
    if left_runs or right_runs:
        ours, theirs = _read(task.left, left_runs), _read(task.right, right_runs)
        _fill(task, lattice, ours, theirs, _touched(near, left_runs, right_runs), fits=fits)
        skips = _estimated_skips(task, lattice)
    return best_beads(lattice, skips)


def _near_rough_beads(task: _Task) -> list[Window]:
    """Find beads by the vectors of the sentences alone, and return narrow windows along them."""
    if not task.anchors.pairs:  # which may need beads of any size
        task = replace(task, moves=tuple(move for move in task.moves if sum(move) <= _ROUGH_LARGEST))
    wide = windows(task.left.vectors, task.right.vectors, task.anchors.ordered)
    lattice = _lattice(task, Texts(task.left), Texts(task.right), wide)
    beads = best_beads(lattice, _skips(task, lattice, 0.0))
    return around(beads, len(task.left), len(task.right))


@cache
def _threads() -> Any:
    """The libraries that multiply matrices: for many small ones, more than one thread only burns time."""
    import numpy as np  # noqa: F401 - the controller sees only libraries that are loaded
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _moves(largest: int) -> tuple[tuple[int, int], ...]:
    """Return the bead sizes that may be used, 1-1 first and then from small to large."""
    sizes = [(rows, columns) for rows in range(1, largest) for columns in range(1, largest - rows + 1)]
    return tuple(sorted(sizes, key=lambda size: (sum(size), abs(size[0] - size[1]), size)))


def _lattice(
    task: _Task, ours: Texts, theirs: Texts, found: Sequence[Window], fits: Fits | None = None
) -> Lattice:
    import numpy as np

    n = len(task.left)
    firsts, lasts = np.empty(n, np.int64), np.empty(n, np.int64)
    for window in found:
        firsts[window.top : window.bottom] = window.first
        lasts[window.top : window.bottom] = window.last
    offsets = np.concatenate([[0], np.cumsum(lasts - firsts)])
    scores = np.empty((len(task.moves), int(offsets[-1])), np.float32)
    lattice = Lattice(np.array(task.moves, np.int64), scores, offsets, firsts, lasts)
    _fill(task, lattice, ours, theirs, found, fits=fits)
    return lattice


def _fill(
    task: _Task,
    lattice: Lattice,
    ours: Texts,
    theirs: Texts,
    found: Sequence[Window],
    *,
    fits: Fits | None,
) -> None:
    for window in found:
        lattice.block(window)[:] = score_beads(ours, theirs, window, task.moves, fits)
    if task.anchors.pairs:
        _forbid(task, lattice, found)
    marks = task.anchors.marks(len(task.left), len(task.right))
    if marks:
        _lower(lattice, found, *marks)


def _touched(found: Sequence[Window], left: Sequence[Run], right: Sequence[Run]) -> list[Window]:
    """Return the windows in which one of the runs begins."""
    rows, columns = sorted(first for _, first in left), sorted(first for _, first in right)

    def holds(places: Sequence[int], first: int, last: int) -> bool:
        return bisect_left(places, first) < bisect_left(places, last)

    return [
        window
        for window in found
        if holds(rows, window.top, window.bottom) or holds(columns, window.first, window.last)
    ]


def _forbid(task: _Task, lattice: Lattice, found: Sequence[Window]) -> None:
    """Rule out the beads that part an anchor's sentences: before and behind a bead lie whole pairs."""
    import numpy as np

    left_done, right_done = _done(task)
    for window in found:
        block = lattice.block(window)
        rows, columns = np.arange(window.top, window.bottom), np.arange(window.first, window.last)
        for kind, (height, width) in enumerate(task.moves):
            ends = np.minimum(rows + height, len(task.left)), np.minimum(columns + width, len(task.right))
            whole = (left_done[rows][:, None] == right_done[columns][None]) & (
                left_done[ends[0]][:, None] == right_done[ends[1]][None]
            )
            block[kind][~whole] = -np.inf


def _done(task: _Task) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for either side, how many anchors lie before each sentence, and in all."""
    import numpy as np

    pairs = np.array(task.anchors.ordered, np.int64).reshape(-1, 2)
    counts = (
        np.bincount(pairs[:, side], minlength=len(each)) for side, each in enumerate((task.left, task.right))
    )
    left, right = (np.concatenate([[0], np.cumsum(each)]) for each in counts)
    return left, right


def _lower(
    lattice: Lattice, found: Sequence[Window], left: NDArray[np.int64], right: NDArray[np.int64]
) -> None:
    """Take something off the beads that begin or end in different parts of the two texts."""
    import numpy as np

    loss = DISAGREEMENT * max(lattice.typical, 0.0)
    for window in found:
        block = lattice.block(window)
        rows, columns = np.arange(window.top, window.bottom), np.arange(window.first, window.last)
        for kind, (height, width) in enumerate(lattice.moves.tolist()):
            last_rows = np.minimum(rows + height, len(left)) - 1
            last_columns = np.minimum(columns + width, len(right)) - 1
            differ = (left[rows][:, None] != right[columns]) | (
                left[last_rows][:, None] != right[last_columns]
            )
            block[kind][differ] -= loss


def _skips(task: _Task, lattice: Lattice, skip: float) -> Skips:
    """Return what leaving each sentence alone scores; a short one that is dropped is no great find."""
    import numpy as np

    found = []
    for side, each in enumerate((task.left, task.right)):
        share = np.minimum(each.sizes / max(each.sizes.mean(), 1.0), 1.0)
        score = skip * lattice.typical * share
        score[[pair[side] for pair in task.anchors.pairs]] = -np.inf
        found.append(score)
    return Skips(*found)


def _estimated_skips(task: _Task, lattice: Lattice) -> Skips:
    """Take the skip score that was set, or let the sentences that stay alone tell the noise."""
    if task.options.skip is not None:
        return _skips(task, lattice, task.options.skip)
    free = _skips(task, lattice, 0.0)
    alone = count_alone(lattice, free)
    noisy = _are_noisy(alone, len(task.left) + len(task.right))
    return _skips(task, lattice, _NOISY_SKIP) if noisy else free


def _are_noisy(alone: int, count: int) -> bool:
    """Say which binomial makes it likelier that of `count` sentences `alone` stay alone."""
    odds = alone * math.log(_NOISY / _FAITHFUL) + (count - alone) * math.log((1 - _NOISY) / (1 - _FAITHFUL))
    return odds > 0


def _runs_to_read(task: _Task, lattice: Lattice, skips: Skips) -> tuple[list[Run], list[Run]]:
    """Return the runs of two sentences or more that are to be read as text, for either side."""
    import numpy as np

    embeds = task.left.embed, task.right.embed
    if task.options.overlaps == "mean" or not any(embeds):
        return [], []
    limit = np.inf if task.options.overlaps == "text" else _CLOSE * max(lattice.typical, 0.0)
    left, right = (
        [
            (length + 1, first)
            for length, first in np.argwhere(np.isfinite(losses) & (losses <= limit)).tolist()
            if length and embed
        ]
        for losses, embed in zip(slack(lattice, skips), embeds, strict=True)
    )
    return left, right


def _read(side: Side, runs: Sequence[Run]) -> Texts:
    return Texts(side, side.embed(runs) if side.embed else {})
