"""Word links: the obvious ones, sizes, long and empty texts."""

from __future__ import annotations

import numpy as np
import pytest

from mtalign.encode import Encoder
from mtalign.units import unit_text
from mtalign.words import Linker, links_of, sound_likeness


@pytest.fixture(scope="session")
def linker(encoder: Encoder) -> Linker:
    return Linker(encoder)


def test_words_are_linked_to_their_translations(linker: Linker) -> None:
    left = unit_text("The minister bought three black horses in Poland .", "en")
    right = unit_text("Міністр купив у Польщі трьох чорних коней .", "uk")
    (matrix,) = linker.link([(left, right)])
    ours, theirs = left.words(), right.words()
    best = {ours[i]: theirs[int(matrix[i].argmax())] for i in range(len(ours)) if matrix[i].any()}
    for word, other in {
        "minister": "Міністр",
        "Poland": "Польщі",
        "horses": "коней",
        "three": "трьох",
    }.items():
        assert best[word] == other


def test_links_lie_between_0_and_1_and_are_cut(linker: Linker) -> None:
    (matrix,) = linker.link([(unit_text("a b", "en"), unit_text("서울은 비", "ko"))])
    assert matrix.shape == (2, 3)
    assert ((matrix >= 0) & (matrix <= 1)).all()


def test_empty_texts_have_empty_matrices(linker: Linker) -> None:
    found = linker.link(
        [(unit_text("", "en"), unit_text("Київ", "uk")), (unit_text("Kyiv", "en"), unit_text(" ", "uk"))]
    )
    assert [each.shape for each in found] == [(0, 1), (1, 0)]


def test_texts_longer_than_the_model_are_linked_to_their_end(linker: Linker) -> None:
    left = unit_text("The bridge was repaired in spring. " * 80 + "Kyiv paid.", "en")
    right = unit_text("Міст відремонтували навесні. " * 80 + "Київ заплатив.", "uk")
    (matrix,) = linker.link([(left, right)])
    assert matrix.shape == (len(left.units), len(right.units))
    i, k = left.words().index("Kyiv"), right.words().index("Київ")
    assert matrix[i].argmax() == k


def test_links_of_lists_what_reaches_the_threshold() -> None:
    found = links_of(np.array([[0.05, 0.5], [0.2, 0.0]], np.float32))
    assert [(each.source, each.target) for each in found] == [(0, 1), (1, 0)]


def test_names_sound_alike_across_scripts() -> None:
    sound = sound_likeness(["Tereshchuk", "of"], ["테레슈크", "Терещук", "дом"])
    assert sound[0, 0] > sound[0, 2]
    assert sound[0, 1] > 0.8
    assert not sound[1].any()


def test_function_words_share_the_links_of_the_word_they_belong_to() -> None:
    source = unit_text("the old bridge has fallen", "en")
    matrix = np.zeros((5, 3), np.float32)
    matrix[1, 0] = matrix[2, 1] = matrix[4, 2] = 0.9
    found = {(each.source, each.target) for each in links_of(matrix, source)}
    assert found == {(0, 0), (1, 0), (2, 1), (3, 2), (4, 2)}
