from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtalign.alignment import Bead, Tuple, check_beads, compose, invert
from mtalign.errors import InvalidAlignment

Groups = list[tuple[int, int]]


def beads_of(notation: str) -> tuple[Bead, ...]:
    """Read `0-0,1; 1-2; -3`: left and right sentence numbers of each bead."""
    beads = []
    for part in notation.split(";"):
        left, right = (tuple(int(n) for n in side.split(",") if n) for side in part.strip().split("-"))
        beads.append(Bead(left, right, 1.0))
    return tuple(beads)


def notation_of(beads: tuple[Bead, ...]) -> str:
    return "; ".join("-".join(",".join(map(str, side)) for side in (bead.left, bead.right)) for bead in beads)


@st.composite
def alignments(draw: st.DrawFn, left: int, right: int) -> tuple[Bead, ...]:
    """Any monotone alignment of so many sentences."""
    beads: list[Bead] = []
    i = j = 0
    while i < left or j < right:
        rows = draw(st.integers(0, min(2, left - i)))
        columns = draw(st.integers(0 if rows else min(1, right - j), min(2, right - j)))
        if rows or columns:
            beads.append(Bead(tuple(range(i, i + rows)), tuple(range(j, j + columns)), draw(st.floats(0, 1))))
            i, j = i + rows, j + columns
    return tuple(beads)


SIZES = st.integers(0, 6)


@given(st.data(), SIZES, SIZES, SIZES)
def test_composition_covers_every_sentence_once(data: st.DataObject, a: int, b: int, c: int) -> None:
    first, second = data.draw(alignments(a, b)), data.draw(alignments(b, c))
    joined = compose(first, second)
    check_beads(joined, a, c, "composition")
    lefts = [bead.left[0] for bead in joined if bead.left]
    assert lefts == sorted(lefts)


@given(st.data(), SIZES, SIZES)
def test_inverting_twice_changes_nothing(data: st.DataObject, a: int, b: int) -> None:
    beads = data.draw(alignments(a, b))
    assert invert(invert(beads)) == beads


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("0-0; 1-1", "0-0; 1-1", "0-0; 1-1"),
        ("0-0,1; 1-2", "0-0; 1-1; 2-2", "0-0,1; 1-2"),
        ("0-0; 1-1", "0,1-0", "0,1-0"),
        ("0-0,1; 1,2-2", "0-0; 1,2-1", "0,1,2-0,1"),
        ("0-; 1-0", "0-0", "0-; 1-0"),
        ("0-0", "0-; -0", "-0; 0-"),
        ("-0; 0-1", "0-0; 1-1", "-0; 0-1"),
    ],
)
def test_composition(first: str, second: str, joined: str) -> None:
    assert notation_of(compose(beads_of(first), beads_of(second))) == joined


def test_a_joined_bead_is_as_sure_as_its_weakest_part() -> None:
    (joined,) = compose([Bead((0,), (0,), 0.9)], [Bead((0,), (0,), 0.4)])
    assert joined.score == 0.4


@pytest.mark.parametrize("sides", [((), ()), ((0, 2), (0,)), ((1, 0), (0,)), ((-1,), (0,))])
def test_beads_that_cannot_be(sides: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(InvalidAlignment):
        Bead(*sides)


@pytest.mark.parametrize("notation", ["0-0", "0-0; 0-1", "0-0; 1-1; 2-2"])
def test_a_sentence_left_out_used_twice_or_made_up_is_an_error(notation: str) -> None:
    with pytest.raises(InvalidAlignment, match="exactly one bead"):
        check_beads(beads_of(notation), 2, 2, "test")


def test_an_empty_tuple_is_refused() -> None:
    with pytest.raises(InvalidAlignment):
        Tuple({"en": ()})
