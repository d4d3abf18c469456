"""n-way tuples: every sentence in one of them, and no chain through a paragraph."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from mtalign.align.tuples import tuples
from mtalign.alignment import Bead

LANGS = ["en", "ko", "uk", "ru", "de", "fr", "es", "it", "pl", "cs"]


def one_to_one(count: int) -> list[Bead]:
    return [Bead((i,), (i,), 0.5) for i in range(count)]


def test_languages_that_agree_give_one_tuple_a_sentence() -> None:
    for number in range(2, 11):
        langs = LANGS[:number]
        found = tuples(dict.fromkeys(langs, 3), {pair: one_to_one(3) for pair in combinations(langs, 2)})
        assert [each.sents for each in found] == [dict.fromkeys(langs, (i,)) for i in range(3)]


def test_one_bad_bead_does_not_chain_two_tuples() -> None:
    beads = {pair: one_to_one(4) for pair in combinations(LANGS[:4], 2)}
    beads["en", "ko"] = [Bead((0, 1), (0, 1)), Bead((2,), (2,)), Bead((3,), (3,))]
    found = tuples(dict.fromkeys(LANGS[:4], 4), beads)
    assert [each.sents["en"] for each in found] == [(0,), (1,), (2,), (3,)]


def test_a_language_without_a_text_is_a_witness_less() -> None:
    counts = {"en": 2, "ko": 0, "uk": 2}
    beads = {("en", "ko"): [Bead((0,), ()), Bead((1,), ())], ("en", "uk"): one_to_one(2)}
    beads["ko", "uk"] = [Bead((), (0,)), Bead((), (1,))]
    assert [each.sents for each in tuples(counts, beads)] == [{"en": (i,), "uk": (i,)} for i in range(2)]


def test_a_pair_without_beads_is_joined_by_the_others() -> None:
    beads = {("en", "ko"): one_to_one(2), ("en", "uk"): one_to_one(2)}
    found = tuples({"en": 2, "ko": 2, "uk": 2}, beads)
    assert [each.sents for each in found] == [dict.fromkeys(("en", "ko", "uk"), (i,)) for i in range(2)]


@given(st.data())
def test_every_sentence_is_in_one_tuple(data: st.DataObject) -> None:
    langs = LANGS[: data.draw(st.integers(2, 5))]
    counts = {lang: data.draw(st.integers(0, 5)) for lang in langs}
    beads = {
        (a, b): [
            *(Bead((i,), (i,)) for i in range(min(counts[a], counts[b]))),
            *(Bead((i,), ()) for i in range(counts[b], counts[a])),
            *(Bead((), (i,)) for i in range(counts[a], counts[b])),
        ]
        for a, b in combinations(langs, 2)
    }
    found = tuples(counts, beads)
    for lang, count in counts.items():
        assert sorted(i for each in found for i in each.sents.get(lang, ())) == list(range(count))
