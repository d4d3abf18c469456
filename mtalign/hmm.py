"""Word links from a corpus alone: a hidden Markov model of word alignment.

Vogel, Ney and Tillmann (1996), with the empty word of Och and Ney (2003): each target word is said by the
source word that the chain stands at, or by none; a step is as likely as its width. Training begins with IBM
model 1 (Brown et al. 1993) and goes on by expectation maximisation, in both directions, with a sparse
Dirichlet prior on what a word may become (Mermer and Saraçlar 2011). Words are counted by their first
letters, which stand for their stems. Not handled: one source word that is said by a phrase is no unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

Words = Sequence[str]

# Words that share so many first letters count as one.
_STEM = 5
# Steps of EM by model 1, then by the hidden Markov model.
_FIRST_STEPS, _STEPS = 4, 5
# The prior of what a word may become: below 1, so that it becomes few things.
_SPARSE = 0.01
# How often a target word is said by no source word, and what is left to steps of any width.
_EMPTY, _ANY_STEP = 0.2, 0.2
# Steps wider than this are all as likely as it.
_WIDEST = 10
# What a word becomes that it never stood beside in the corpus.
_UNSEEN = 1e-6


class StatisticalLinks:
    """Links of a language pair, learnt from a corpus of sentence pairs in it.

    Args:
        corpus: sentence pairs as words, source first.
    """

    def __init__(self, corpus: Sequence[tuple[Words, Words]]) -> None:
        stemmed = [(_stems(source), _stems(target)) for source, target in corpus]
        self._forward = _train(stemmed)
        self._backward = _train([(target, source) for source, target in stemmed])

    def link(self, source: Words, target: Words) -> NDArray[np.float32]:
        """Return how surely two words are each other's, 0 to 1: source x target."""
        import numpy as np

        ours, theirs = _stems(source), _stems(target)
        if not ours or not theirs:
            return np.zeros((len(ours), len(theirs)), np.float32)
        there = _posterior(self._forward, ours, theirs)
        back = _posterior(self._backward, theirs, ours)
        return np.asarray(np.sqrt(there.T * back), np.float32)


@dataclass(frozen=True)
class _Direction:
    """A trained direction: `keys` are source * size + target stem, sorted; `table` their probabilities.

    `empty` is the probability of each target stem where nothing says it, `steps` that of each step.
    """

    source: dict[str, int]
    target: dict[str, int]
    keys: Integers
    table: Floats
    empty: Floats
    steps: Floats


def _stems(words: Words) -> list[str]:
    return [word.lower()[:_STEM] for word in words]


def _train(corpus: Sequence[tuple[Words, Words]]) -> _Direction:
    import numpy as np

    usable = [(source, target) for source, target in corpus if source and target]
    known: tuple[dict[str, int], dict[str, int]] = ({}, {})
    coded = [
        tuple(
            np.array([numbers.setdefault(word, len(numbers)) for word in words], np.int64)
            for numbers, words in zip(known, pair, strict=True)
        )
        for pair in usable
    ]
    size = max(len(known[1]), 1)
    cells = [(target[:, None] + source[None, :] * size).ravel() for source, target in coded]
    flat = np.concatenate(cells) if cells else np.zeros(0, np.int64)
    keys, places = np.unique(flat, return_inverse=True)
    owners = keys // size
    targets = np.concatenate([target for _, target in coded]) if coded else np.zeros(0, np.int64)
    widths = np.array([len(source) for source, _ in coded], np.int64)
    heights = np.array([len(target) for _, target in coded], np.int64)
    choices = np.bincount(owners, minlength=len(known[0]))
    table = 1 / np.maximum(choices[owners], 1)
    empty = np.full(size, 1 / size)
    steps = np.ones(2 * _WIDEST + 1) / (2 * _WIDEST + 1)
    for number in range(_FIRST_STEPS + _STEPS):
        counts, no_counts, step_counts = _expect()(
            places, targets, widths, heights, table, empty, steps, number < _FIRST_STEPS
        )
        totals = np.bincount(owners, counts, minlength=len(known[0]))
        table = np.exp(_digamma(counts + _SPARSE) - _digamma(totals + _SPARSE * choices)[owners])
        empty = (no_counts + _SPARSE) / (no_counts.sum() + _SPARSE * size)
        if number >= _FIRST_STEPS:
            steps = (step_counts + 1) / (step_counts.sum() + len(step_counts))
    return _Direction(*known, keys, table, empty, steps)


def _posterior(model: _Direction, source: Words, target: Words) -> Floats:
    """Return the probability that a source word says a target word: target x source."""
    import numpy as np

    size = max(len(model.target), 1)
    ours = np.array([model.source.get(word, -1) for word in source], np.int64)
    theirs = np.array([model.target.get(word, -1) for word in target], np.int64)
    wanted = ours[None, :] * size + theirs[:, None]
    places = np.minimum(np.searchsorted(model.keys, wanted), max(len(model.keys) - 1, 0))
    chances = np.full(wanted.shape, _UNSEEN)
    if len(model.keys):
        seen = (model.keys[places] == wanted) & (ours >= 0)[None, :] & (theirs >= 0)[:, None]
        chances = np.where(seen, np.maximum(model.table[places], _UNSEEN), _UNSEEN)
    empty = np.where(theirs >= 0, model.empty[np.maximum(theirs, 0)], _UNSEEN)
    return np.asarray(_walk()(chances, empty, model.steps, np.zeros(len(model.steps))))


def _digamma(x: Floats) -> Floats:
    """Return the digamma function of positive numbers (recurrence, then the asymptotic series)."""
    import numpy as np

    moved = np.zeros_like(x)
    for _ in range(6):
        moved -= 1 / x
        x = x + 1
    inverse = 1 / (x * x)
    return np.asarray(
        moved + np.log(x) - 0.5 / x - inverse * (1 / 12 - inverse * (1 / 120 - inverse / 252)), np.float64
    )


@cache
def _walk() -> Callable[..., Any]:
    import numba
    import numpy as np

    widest, empty_share, any_step = _WIDEST, _EMPTY, _ANY_STEP

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def walk(chances: Any, empty: Any, steps: Any, counts: Any) -> Any:
        """Return posteriors (target x source) by the forward-backward algorithm; add steps to `counts`.

        State 0 is before the first source word. Where nothing says a target word, the chain stands still.
        """
        m, n = chances.shape
        widths = np.empty((n + 1, n), np.int64)
        moves = np.empty((n + 1, n))
        for i in range(n + 1):
            for k in range(n):
                widths[i, k] = min(max(k + 1 - i, -widest), widest) + widest
                moves[i, k] = steps[widths[i, k]]
            moves[i] = (1 - any_step) * moves[i] / moves[i].sum() + any_step / n
        said = (1 - empty_share) * chances
        idle = empty_share * empty
        # How likely the chain stands where before word j, given the words before; and that it says j there.
        stand = np.zeros((m + 1, n + 1))
        stand[0, 0] = 1.0
        here = np.empty((m, n))
        for j in range(m):
            here[j] = (stand[j].reshape(-1, 1) * moves).sum(axis=0) * said[j]
            stand[j + 1] = stand[j] * idle[j]
            stand[j + 1, 1:] += here[j]
            total = stand[j + 1].sum()
            here[j] /= total
            stand[j + 1] /= total
        # How well the rest goes for one who stands there.
        later = np.ones(n + 1)
        for j in range(m - 1, -1, -1):
            here[j] *= later[1:] / (stand[j + 1] * later).sum()
            gone = moves * (said[j] * later[1:])
            before = gone.sum(axis=1) + idle[j] * later
            share = stand[j] / (stand[j] * before).sum()
            for i in range(n + 1):
                for k in range(n):
                    counts[widths[i, k]] += share[i] * gone[i, k]
            later = before / before.sum()
        return here

    return walk  # type: ignore[no-any-return]


@cache
def _expect() -> Callable[..., Any]:
    import numba
    import numpy as np

    walk = _walk()
    empty_share = _EMPTY

    @numba.njit(cache=True)  # type: ignore[untyped-decorator]
    def expect(  # noqa: PLR0917
        places: Any, targets: Any, widths: Any, heights: Any, table: Any, empty: Any, steps: Any, first: Any
    ) -> Any:
        """Return the expected counts of the table, of the empty word and of the steps."""
        counts, no_counts, step_counts = np.zeros(len(table)), np.zeros(len(empty)), np.zeros(len(steps))
        at, word = 0, 0
        for number in range(len(widths)):
            n, m = widths[number], heights[number]
            chances, nothing = np.empty((m, n)), np.empty(m)
            for j in range(m):
                nothing[j] = empty[targets[word + j]]
                for i in range(n):
                    chances[j, i] = table[places[at + j * n + i]]
            if first:
                found = np.empty((m, n))
                for j in range(m):
                    total = empty_share * nothing[j] + (1 - empty_share) * chances[j].sum() / n
                    for i in range(n):
                        found[j, i] = (1 - empty_share) * chances[j, i] / n / total
            else:
                found = walk(chances, nothing, steps, step_counts)
            for j in range(m):
                rest = 1.0
                for i in range(n):
                    counts[places[at + j * n + i]] += found[j, i]
                    rest -= found[j, i]
                no_counts[targets[word + j]] += max(rest, 0.0)
            at += n * m
            word += m
        return counts, no_counts, step_counts

    return expect  # type: ignore[no-any-return]
