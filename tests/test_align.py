"""Sentence alignment of two languages: every sentence in one bead, whatever the texts are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtalign.align.anchors import Anchors
from mtalign.align.band import windows
from mtalign.align.beads import BeadOptions, Overlaps, align
from mtalign.align.order import reading_order
from mtalign.align.side import Side, prepare
from mtalign.alignment import Bead, check_beads, invert
from mtalign.encode import Encoder, unit
from mtalign.errors import InvalidAlignment

ENGLISH = [
    "The river rose by two metres overnight.",
    "Three bridges were closed to traffic.",
    "Schools in the lower town stayed shut on Monday.",
    "The mayor asked people to boil their drinking water.",
    "Volunteers filled more than 4,000 sandbags.",
    "No one was hurt.",
]
UKRAINIAN = [
    "За ніч рівень води в річці піднявся на два метри.",
    "Три мости закрили для руху.",
    "Школи в нижній частині міста в понеділок не працювали.",
    "Мер попросив людей кип'ятити питну воду.",
    "Волонтери наповнили понад 4000 мішків з піском.",
    "Ніхто не постраждав.",
]


def notation(beads: tuple[Bead, ...]) -> str:
    """`0-0,1; -2`: the sentences of each bead, left and right."""
    return "; ".join("-".join(",".join(map(str, side)) for side in (b.left, b.right)) for b in beads)


def both(encoder: Encoder, left: list[str], right: list[str], options: BeadOptions | None = None) -> str:
    beads = align(prepare(left, encoder), prepare(right, encoder), options)
    check_beads(beads, len(left), len(right), "test")
    return notation(beads)


def random_side(rng: np.random.Generator, base: NDArray[np.float32], noise: float = 0.5) -> Side:
    """Sentences without text: vectors near to those of the base."""
    count, dim = base.shape
    vectors = base + noise * rng.standard_normal(base.shape).astype(np.float32) / np.sqrt(dim)
    return Side(unit(vectors), np.asarray(rng.uniform(60, 120, count)))


def random_base(rng: np.random.Generator, count: int, dim: int = 128) -> NDArray[np.float32]:
    base = rng.standard_normal((count, dim)).astype(np.float32)
    return unit(base)


# --- With the real encoder ---------------------------------------------------------------------------


def test_translations_align_one_to_one(encoder: Encoder) -> None:
    assert both(encoder, ENGLISH, UKRAINIAN) == "0-0; 1-1; 2-2; 3-3; 4-4; 5-5"


def test_merged_split_and_missing_sentences_are_found(encoder: Encoder) -> None:
    left = [f"{ENGLISH[0]} {ENGLISH[1]}", *ENGLISH[2:]]
    right = [*UKRAINIAN[:3], *UKRAINIAN[4:]]
    assert both(encoder, left, right) == "0-0,1; 1-2; 2-; 3-3; 4-4"


def test_an_insertion_stands_alone(encoder: Encoder) -> None:
    right = [*UKRAINIAN[:2], "Реклама: нові шини зі знижкою до кінця тижня!", *UKRAINIAN[2:]]
    assert both(encoder, ENGLISH, right) == "0-0; 1-1; -2; 2-3; 3-4; 4-5; 5-6"


def test_a_sentence_finds_its_own_among_fifty_others(encoder: Encoder) -> None:
    others = [f"Рядок {number} про погоду й дороги." for number in range(50)]
    beads = both(encoder, ENGLISH[:1], [*UKRAINIAN[:1], *others])
    assert beads.startswith("0-0; -1; -2")


def test_identical_texts(encoder: Encoder) -> None:
    assert both(encoder, ENGLISH, ENGLISH) == "0-0; 1-1; 2-2; 3-3; 4-4; 5-5"


def test_repeated_sentences_keep_their_order(encoder: Encoder) -> None:
    chorus = ["Read more."]
    left = [*ENGLISH[:2], *chorus, *ENGLISH[2:4], *chorus, *ENGLISH[4:], *chorus]
    right = [*UKRAINIAN[:2], "Читати далі.", *UKRAINIAN[2:4], "Читати далі.", *UKRAINIAN[4:], "Читати далі."]
    assert both(encoder, left, right) == "; ".join(f"{i}-{i}" for i in range(9))


def test_unrelated_texts_score_low(encoder: Encoder) -> None:
    """A side that is no translation is not made into one: scores say so."""
    other = [
        "Змішайте борошно з цукром і двома яйцями.",
        "Гітарист настроїв струни перед концертом.",
        "Кіт спить на підвіконні.",
        "Акції компанії подешевшали на третину.",
        "Рецепт розрахований на чотири порції.",
        "Фінал чемпіонату покажуть у суботу.",
    ]
    left = prepare(ENGLISH, encoder)
    good = [b.score for b in align(left, prepare(UKRAINIAN, encoder))]
    poor = [b.score for b in align(left, prepare(other, encoder)) if b.left and b.right]
    assert max(poor, default=0.0) < min(good)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([], []),
        ([], UKRAINIAN),
        (ENGLISH, []),
        (ENGLISH[:1], UKRAINIAN[:1]),
        (ENGLISH[:1], (UKRAINIAN * 9)[:50]),
        (["1 2 3", "2024", "4,000"], ["1 2 3", "2024", "4 000"]),
        (["...", "\u200b", "!"], ["?", "…"]),
        (ENGLISH, UKRAINIAN[::-1]),
        (ENGLISH[:3] * 3, UKRAINIAN[:3]),
        (ENGLISH[:2], ["слово " * 9_000, UKRAINIAN[1]]),
    ],
    ids=[
        "none",
        "no left",
        "no right",
        "one",
        "one to many",
        "digits",
        "signs",
        "reversed",
        "chorus",
        "100 kB",
    ],
)
def test_any_text_goes_through(encoder: Encoder, left: list[str], right: list[str]) -> None:
    both(encoder, left, right)


def test_more_sentences_in_a_bead_on_request(encoder: Encoder) -> None:
    whole = " ".join(ENGLISH[:3])
    assert both(encoder, [whole, *ENGLISH[3:]], UKRAINIAN) == "0-0,1,2; 1-3; 2-4; 3-5"


def test_content_that_moved_across_a_border_makes_one_bead_of_two_sentences_each(encoder: Encoder) -> None:
    left = [f"{ENGLISH[0]} {ENGLISH[1]}", ENGLISH[2], *ENGLISH[3:]]
    right = [UKRAINIAN[0], f"{UKRAINIAN[1]} {UKRAINIAN[2]}", *UKRAINIAN[3:]]
    assert both(encoder, left, right) == "0,1-0,1; 2-2; 3-3; 4-4"


@pytest.mark.parametrize("overlaps", ["mean", "hybrid", "text"])
def test_overlaps_are_read_as_text_where_they_matter(encoder: Encoder, overlaps: Overlaps) -> None:
    left = [f"{ENGLISH[0]} {ENGLISH[1]}", *ENGLISH[2:]]
    asked: list[str] = []

    class Counting:
        depth = encoder.depth
        token_vectors = encoder.token_vectors

        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            asked.extend(texts)
            return encoder.encode(texts)

    sides = prepare(left, Counting()), prepare(UKRAINIAN, Counting())
    assert notation(align(*sides, BeadOptions(overlaps=overlaps))) == "0-0,1; 1-2; 2-3; 3-4; 4-5"
    runs = set(asked) - {*left, *UKRAINIAN}
    every = sum(len(side) - length + 1 for side in (left, UKRAINIAN) for length in (2, 3))
    expected = {"mean": runs == set(), "hybrid": 0 < len(runs) < every / 2, "text": len(runs) == every}
    assert expected[overlaps]


@pytest.mark.parametrize("depth", [4, 8])
def test_another_encoder_needs_no_tuning(encoder: Encoder, depth: int) -> None:
    """The lower layers of the encoder, averaged, are an encoder with another depth and other cosines."""

    class Cut:
        def __init__(self) -> None:
            self.depth = depth
            self.token_vectors = encoder.token_vectors

        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            means = [each.vectors[0].mean(axis=0) for each in encoder.token_vectors(texts, [depth])]
            return unit(np.array(means))

    left, right = prepare(ENGLISH, Cut()), prepare([*UKRAINIAN[:4], *UKRAINIAN[5:]], Cut())
    assert notation(align(left, right)) == "0-0; 1-1; 2-2; 3-3; 4-; 5-4"


# --- What is known beforehand -----------------------------------------------------------------------------


def test_anchors_hold_against_the_vectors(encoder: Encoder) -> None:
    left, right = prepare(ENGLISH, encoder), prepare(UKRAINIAN, encoder)
    beads = align(left, right, anchors=Anchors(pairs=[(2, 1), (2, 2)]))
    assert any({2} <= {*b.left} and {1, 2} <= {*b.right} for b in beads)
    beads = align(left, right, anchors=Anchors(pairs=[(0, 4)]))
    assert any({0} <= {*b.left} and {4} <= {*b.right} for b in beads)


@pytest.mark.parametrize(
    ("anchors", "message"),
    [
        (Anchors(pairs=[(1, 3), (2, 2)]), "cross"),
        (Anchors(pairs=[(0, 6)]), "outside"),
        (Anchors(pairs=[(0, 0), (0, 3)]), "a bead of 5 sentences"),
        (Anchors(left_paragraphs=[0, 1]), "2 paragraph numbers for 6 left sentences"),
    ],
)
def test_anchors_that_cannot_hold_are_an_error(anchors: Anchors, message: str) -> None:
    rng = np.random.default_rng(3)
    sides = random_side(rng, random_base(rng, 6)), random_side(rng, random_base(rng, 6))
    with pytest.raises(InvalidAlignment, match=message):
        align(*sides, anchors=anchors)


def test_paragraphs_and_headings_decide_where_vectors_do_not() -> None:
    """A sentence that is as near to the one before it as to the one behind it goes where they say."""
    axes = np.eye(8, dtype=np.float32)
    middle = unit(axes[:1] + axes[1:2])
    left = Side(np.concatenate([axes[:1], middle, axes[1:]]), np.full(9, 50.0))
    right = Side(axes, np.full(8, 50.0))

    def partners(anchors: Anchors) -> tuple[int, ...]:
        beads = align(left, right, BeadOptions(skip=-2.0), anchors)
        return next(bead.left for bead in beads if 1 in bead.left)

    rest = [2] * 6
    assert partners(Anchors((), [0, 0, 1, *rest], [0, 1, *rest])) == (0, 1)
    assert partners(Anchors((), [0, 1, 1, *rest], [0, 1, *rest])) == (1, 2)
    assert partners(Anchors(left_headings=[2], right_headings=[1])) == (0, 1)
    assert partners(Anchors(left_headings=[0], right_headings=[0])) == (1, 2)


def test_paragraphs_that_differ_in_number_are_ignored(encoder: Encoder) -> None:
    left, right = prepare(ENGLISH, encoder), prepare(UKRAINIAN, encoder)
    odd = Anchors(left_paragraphs=[0, 0, 1, 1, 2, 2], right_paragraphs=[0, 0, 0, 1, 1, 1])
    assert align(left, right, anchors=odd) == align(left, right)


# --- Order ------------------------------------------------------------------------------------------------


def test_reversed_and_moved_sentences_are_reported(encoder: Encoder) -> None:
    left = prepare(ENGLISH, encoder)
    same = reading_order(left, prepare(UKRAINIAN, encoder))
    assert same.order == 1
    assert same.is_monotone
    assert not same.crossing
    turned = reading_order(left, prepare(UKRAINIAN[::-1], encoder))
    assert turned.order == -1
    assert not turned.is_monotone
    moved = reading_order(left, prepare([*UKRAINIAN[1:3], UKRAINIAN[0], *UKRAINIAN[3:]], encoder))
    assert moved.crossing == ((0, 2),)
    assert moved.is_monotone
    assert reading_order(left, prepare([], encoder)).pairs == 0


def test_a_side_in_the_wrong_language_scores_low(encoder: Encoder) -> None:
    """The right text is missing: another article stands in its place, in a third language."""
    wrong = ["El gato duerme.", "La receta lleva harina.", "El partido terminó sin goles.", "Llueve en Lima."]
    left = prepare(ENGLISH, encoder)
    good = [b.score for b in align(left, prepare(UKRAINIAN, encoder))]
    assert all(b.score < min(good) for b in align(left, prepare(wrong, encoder)))


# --- Properties, on vectors alone ----------------------------------------------------------------------


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 12),
    m=st.integers(0, 12),
    largest=st.integers(2, 6),
    null=st.one_of(st.none(), st.floats(-0.5, 1)),
)
def test_every_sentence_is_in_one_bead_and_sides_can_change_places(
    seed: int, n: int, m: int, largest: int, null: float | None
) -> None:
    rng = np.random.default_rng(seed)
    left, right = random_side(rng, random_base(rng, n)), random_side(rng, random_base(rng, m))
    options = BeadOptions(largest, null)
    beads = align(left, right, options)
    check_beads(beads, n, m, "test")
    assert all(len(b.left) + len(b.right) <= largest for b in beads)
    assert beads == align(left, right, options)
    # The typical score is a median over the left side, so a penalty in its units may differ by side.
    if null == 0:
        turned = {(b.left, b.right) for b in invert(align(right, left, options))}
        assert turned == {(b.left, b.right) for b in beads}


def test_noise_raises_the_null_penalty() -> None:
    """Half of each side is foreign: the estimate leaves more of it alone than a penalty of nothing."""
    rng = np.random.default_rng(5)
    base = random_base(rng, 40)
    left, right = base.copy(), base.copy()
    left[::4], right[1::4] = random_base(rng, 10), random_base(rng, 10)
    sides = random_side(rng, left, 1.0), random_side(rng, right, 1.0)
    gold = {i for i in range(40) if i % 4 > 1}

    def alone(options: BeadOptions) -> int:
        return sum(len(b.left) + len(b.right) for b in align(*sides, options) if not b.left or not b.right)

    found = {b.left[0] for b in align(*sides) if b.kind == "1-1" and b.left == b.right}
    assert found >= gold
    assert alone(BeadOptions(skip=0.0)) <= alone(BeadOptions())


# --- Long texts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["plain", "inserted", "missing"])
def test_long_texts_with_a_third_inserted_or_missing(how: str) -> None:
    rng = np.random.default_rng(1)
    count = 1500
    base = random_base(rng, count)
    gold = {i: i for i in range(count)}
    right = base
    if how == "inserted":
        right = np.concatenate([base[:500], random_base(rng, 750), base[500:]])
        gold = {i: i if i < 500 else i + 750 for i in range(count)}
    elif how == "missing":
        right = np.concatenate([base[:500], base[1000:]])
        gold = {i: i if i < 500 else i - 500 for i in range(count) if not 500 <= i < 1000}
    sides = random_side(rng, base), random_side(rng, right)
    assert len(windows(sides[0].vectors, sides[1].vectors)) > 1
    beads = align(*sides)
    check_beads(beads, count, len(right), "test")
    found = {b.left[0]: b.right[0] for b in beads if b.kind == "1-1"}
    assert sum(found.get(i) == j for i, j in gold.items()) > 0.98 * len(gold)


def test_long_texts_that_have_nothing_in_common_stay_small() -> None:
    rng = np.random.default_rng(2)
    left, right = random_side(rng, random_base(rng, 3000)), random_side(rng, random_base(rng, 2500))
    found = windows(left.vectors, right.vectors)
    assert sum((w.bottom - w.top) * (w.last - w.first) for w in found) < 3000 * 2500
    check_beads(align(left, right), 3000, 2500, "test")
