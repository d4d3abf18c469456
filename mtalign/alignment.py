"""What connects texts: beads between two, tuples between many, links between words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from mtalign.errors import InvalidAlignment


class Bead(Struct, frozen=True):
    """Sentences of two languages that say the same: `left` and `right` are sentence indices.

    m to n; either side may be empty (a null bead: something left out or added), never both. `score` is
    the aligner's own, comparable within a document only; beads by construction have score 1.
    """

    left: tuple[int, ...]
    right: tuple[int, ...]
    score: float = 0.0

    def __post_init__(self) -> None:
        if not self.left and not self.right:
            raise InvalidAlignment("a bead needs a sentence on at least one side")
        check_run(self.left)
        check_run(self.right)

    @property
    def kind(self) -> str:
        """The bead type as the field writes it: `1-1`, `2-1`, `0-1` …"""
        return f"{len(self.left)}-{len(self.right)}"


class Tuple(Struct, frozen=True):
    """Sentences of n languages that say the same: sentence indices by language code."""

    sents: dict[str, tuple[int, ...]]
    score: float = 0.0

    def __post_init__(self) -> None:
        if not any(self.sents.values()):
            raise InvalidAlignment("a tuple needs a sentence in at least one language")


class WordLink(Struct, frozen=True, array_like=True):
    """A link from unit `source` to unit `target`, with a score from 0 to 1. JSON: `[i, j, score]`."""

    source: int
    target: int
    score: float


def check_run(indices: Sequence[int]) -> None:
    """Raise InvalidAlignment unless the indices are consecutive and not negative."""
    if indices and indices[0] < 0:
        raise InvalidAlignment(f"sentence index {indices[0]} is negative")
    if any(b != a + 1 for a, b in pairwise(indices)):
        raise InvalidAlignment(f"the sentences {list(indices)} of a bead are not consecutive")


def check_cover(groups: Iterable[Sequence[int]], count: int, where: str) -> None:
    """Raise InvalidAlignment unless the groups hold each of 0 … count-1 exactly once."""
    found = sorted(index for group in groups for index in group)
    if found != list(range(count)):
        missing = sorted(set(range(count)) - set(found))
        twice = sorted({a for a, b in pairwise(found) if a == b})
        raise InvalidAlignment(
            f"{where}: every one of {count} sentences must be in exactly one bead; "
            f"missing {missing[:5]}, twice {twice[:5]}, outside {[i for i in found if i >= count][:5]}"
        )


def check_beads(beads: Iterable[Bead], n_left: int, n_right: int, where: str) -> None:
    """Raise InvalidAlignment unless every sentence of both sides is in exactly one bead."""
    beads = list(beads)
    check_cover((bead.left for bead in beads), n_left, f"{where}, left side")
    check_cover((bead.right for bead in beads), n_right, f"{where}, right side")


def invert(beads: Iterable[Bead]) -> tuple[Bead, ...]:
    """Return the same beads seen from the other side."""
    return tuple(Bead(bead.right, bead.left, bead.score) for bead in beads)


def compose(first: Iterable[Bead], second: Iterable[Bead]) -> tuple[Bead, ...]:
    """Join monotone beads a-b and b-c into beads a-c, merging whatever shares a sentence of b.

    The result covers every sentence of a and c that the input covers. A joined bead has the lowest of
    the scores that went into it. It is exact, and coarser than aligning a with c directly: a chain of
    overlapping beads becomes one bead, which also takes in null beads that stand inside it.
    """
    groups = _grouped(list(first), list(second))
    joined = [
        Bead(
            _run_of(bead.left for bead in lefts),
            _run_of(bead.right for bead in rights),
            min(bead.score for bead in (*lefts, *rights)),
        )
        for lefts, rights in groups
        if any(bead.left for bead in lefts) and any(bead.right for bead in rights)
    ]
    inside_left = {i for bead in joined for i in bead.left}
    inside_right = {k for bead in joined for k in bead.right}
    for lefts, rights in groups:
        joined += [Bead(each.left, ()) for each in lefts if each.left and not inside_left & {*each.left}]
        joined += [Bead((), each.right) for each in rights if each.right and not inside_right & {*each.right}]
    return in_order(joined)


def _run_of(groups: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Return all numbers from the smallest to the largest."""
    numbers = [number for group in groups for number in group]
    return tuple(range(min(numbers), max(numbers) + 1))


def _grouped(first: list[Bead], second: list[Bead]) -> list[tuple[list[Bead], list[Bead]]]:
    """Group the beads of both lists that hang together through sentences of the middle text."""
    groups: list[tuple[list[Bead], list[Bead]]] = []
    group_of: dict[int, int] = {}
    for side, beads in enumerate((first, second)):
        for bead in beads:
            shared = bead.right if side == 0 else bead.left
            hits = sorted({group_of[middle] for middle in shared if middle in group_of})
            target = hits[0] if hits else len(groups)
            if not hits:
                groups.append(([], []))
            for other in hits[1:]:
                for mine, theirs in zip(groups[target], groups[other], strict=True):
                    mine.extend(theirs)
                    theirs.clear()
                group_of.update({middle: target for middle, group in group_of.items() if group == other})
            groups[target][side].append(bead)
            group_of.update(dict.fromkeys(shared, target))
    return groups


def in_order(beads: Iterable[Bead]) -> tuple[Bead, ...]:
    """Return the beads in reading order: a null bead stands behind the last bead that precedes it."""
    monotone = sorted(beads, key=lambda bead: (bead.left or (-1,), bead.right or (-1,)))
    placed: list[Bead] = [bead for bead in monotone if bead.left]
    for bead in monotone:
        if bead.left:
            continue
        before = [i for i, other in enumerate(placed) if other.right and other.right[-1] < bead.right[0]]
        placed.insert(before[-1] + 1 if before else 0, bead)
    return tuple(placed)
