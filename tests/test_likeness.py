"""Likeness: what tokens clear, what is left to the sentence vectors, and when tokens say nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtalign.encode import Encoder
from mtalign.likeness import Likeness
from mtalign.translate.prompts import examples

SOURCE = "The minister signed the agreement in Geneva on Monday."
GOOD = {
    "ko": "장관은 월요일 제네바에서 협정에 서명했다.",
    "uk": "Міністр підписав угоду в Женеві в понеділок.",
    "ru": "Министр подписал соглашение в Женеве в понедельник.",
}
OTHER = {
    "ko": "축구 경기는 연장전 끝에 무승부로 끝났다.",
    "uk": "Футбольний матч завершився внічию після додаткового часу.",
    "ru": "Футбольный матч закончился вничью после дополнительного времени.",
}


class Counting:
    """The encoder, with a count of the texts that went through it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.encoded += texts
        return self._encoder.encode(texts)

    def token_embeddings(self, texts: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        return self._encoder.token_embeddings(texts)


class Mute(Counting):
    """An encoder whose embeddings say nothing about meaning: every token has a vector by chance."""

    _chance = np.random.default_rng(0)

    def token_embeddings(self, texts: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        return [
            (ids, self._chance.normal(size=vectors.shape).astype(np.float32))
            for ids, vectors in super().token_embeddings(texts)
        ]


@pytest.mark.parametrize("lang", ["ko", "uk", "ru"])
def test_tokens_clear_a_good_translation_without_the_encoder(encoder: Encoder, lang: str) -> None:
    counting = Counting(encoder)
    likeness = Likeness(counting, examples())
    assert likeness.below(0.4, [(SOURCE, GOOD[lang])], "en", lang) == {}
    assert counting.encoded == []
    found = likeness.below(0.4, [(SOURCE, GOOD[lang]), (SOURCE, OTHER[lang])], "en", lang)
    assert list(found) == [1]
    assert GOOD[lang] not in counting.encoded


@pytest.mark.parametrize("lang", ["ko", "uk", "ru"])
def test_what_the_encoder_clears_is_cleared(encoder: Encoder, lang: str) -> None:
    likeness = Likeness(encoder, examples())
    pairs = [(SOURCE, GOOD[lang]), (SOURCE, OTHER[lang])]
    near, far = likeness.by_sentences(pairs, "en", lang)
    assert near > 0.7
    assert far < 0.3
    for limit in (0.1, 0.4, 0.9, 2.0):
        expected = {n for n, each in enumerate((near, far)) if each < limit}
        assert set(likeness.below(limit, pairs, "en", lang)) <= expected


def test_where_embeddings_tell_nothing_all_is_encoded(encoder: Encoder) -> None:
    mute = Mute(encoder)
    likeness = Likeness(mute, examples())
    assert likeness.by_tokens([(SOURCE, GOOD["ru"])], "en", "ru") == [-math.inf]
    assert list(likeness.below(0.4, [(SOURCE, GOOD["ru"]), (SOURCE, OTHER["ru"])], "en", "ru")) == [1]
    assert {SOURCE, GOOD["ru"], OTHER["ru"]} <= set(mute.encoded)


def test_languages_without_examples_are_not_compared(encoder: Encoder) -> None:
    likeness = Likeness(encoder, examples())
    assert likeness.covers("en", "ru")
    assert not likeness.covers("en", "bg")
    assert not Likeness(encoder, ()).covers("en", "ru")


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=40), other=st.text(max_size=40))
def test_any_text_has_a_place_or_none(encoder: Encoder, text: str, other: str) -> None:
    likeness = Likeness(encoder, examples())
    (near,) = likeness.by_tokens([(text, other)], "en", "ko")
    assert not math.isnan(near)
    assert near < math.inf


def test_a_text_of_any_length_is_compared(encoder: Encoder) -> None:
    likeness = Likeness(encoder, examples())
    long = f"{GOOD['ru']} " * 600
    assert likeness.by_tokens([(SOURCE, long)], "en", "ru") == [-math.inf]
    assert likeness.below(0.4, [(SOURCE, long)], "en", "ru") == {}
