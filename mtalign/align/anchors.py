"""What is known of an alignment beforehand: pairs that must hold, paragraphs and headings that should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mtalign.errors import InvalidAlignment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What a bead loses whose border lies in different paragraphs, in units of the median best 1-1 score.
DISAGREEMENT = 0.3


@dataclass(frozen=True)
class Anchors:
    """Knowledge from outside the texts, by sentence numbers.

    `pairs` are a left and a right sentence each that must be in one bead; they must not cross. Paragraphs
    are given by a number per sentence, rising by reading order, headings by their sentences. Both count
    only where both sides have the same number of them, and softly: beads that begin or end in different
    paragraphs of the two sides, or join a heading with something else, score less.
    """

    pairs: Sequence[tuple[int, int]] = ()
    left_paragraphs: Sequence[int] = ()
    right_paragraphs: Sequence[int] = ()
    left_headings: Sequence[int] = ()
    right_headings: Sequence[int] = ()

    def check(self, n: int, m: int, largest: int) -> None:
        """Raise InvalidAlignment unless n left and m right sentences can be aligned so.

        Args:
            n: left sentences.
            m: right sentences.
            largest: the most sentences of a bead, both sides together.
        """
        if bad := [(i, j) for i, j in self.pairs if not (0 <= i < n and 0 <= j < m)]:
            raise InvalidAlignment(f"anchor {bad[0]} is outside texts of {n} and {m} sentences")
        for (i, j), (k, last) in pairwise(self.ordered):
            if last < j:
                raise InvalidAlignment(f"anchors {(i, j)} and {(k, last)} cross; an alignment is monotone")
        for lefts, rights in self._groups():
            size = lefts[-1] - lefts[0] + rights[-1] - rights[0] + 2
            if size > largest:
                raise InvalidAlignment(
                    f"the anchors of left sentences {lefts} need a bead of {size} sentences; raise `largest`"
                )
        for marks, count, side in (
            (self.left_paragraphs, n, "left"),
            (self.right_paragraphs, m, "right"),
        ):
            if len(marks) not in {0, count}:
                raise InvalidAlignment(f"{len(marks)} paragraph numbers for {count} {side} sentences")

    @property
    def ordered(self) -> list[tuple[int, int]]:
        """The pairs in reading order, each once."""
        return sorted(set(self.pairs))

    def _groups(self) -> list[tuple[list[int], list[int]]]:
        """Return the left and right sentences of pairs that hang together."""
        groups: list[tuple[list[int], list[int]]] = []
        for i, j in self.ordered:
            if groups and (groups[-1][0][-1] == i or groups[-1][1][-1] == j):
                groups[-1][0].append(i)
                groups[-1][1].append(j)
            else:
                groups.append(([i], [j]))
        return groups

    def marks(self, n: int, m: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Return the part of the text that each sentence is in, for both sides; None if none is known."""
        import numpy as np

        left, right = np.zeros(n, np.int64), np.zeros(m, np.int64)
        known = False
        ours, theirs = sorted(set(self.left_paragraphs)), sorted(set(self.right_paragraphs))
        if ours and len(ours) == len(theirs):
            known = True
            left += np.searchsorted(ours, self.left_paragraphs)
            right += np.searchsorted(theirs, self.right_paragraphs)
        if self.left_headings and len(set(self.left_headings)) == len(set(self.right_headings)):
            known = True
            # A heading is a part of its own, and so is what follows it.
            for marks, headings in ((left, self.left_headings), (right, self.right_headings)):
                for heading in sorted(set(headings)):
                    marks[heading:] += n + m
                    marks[heading + 1 :] += n + m
        return (left, right) if known else None
