"""What must hold for every alignment and every score of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtalign.evaluate import SentenceRow, SentenceScores, evaluate_sentences, to_rows
from mtalign.evaluate.counts import Counts, f1_interval

LANGS = ("en", "ko", "uk")
Sizes = tuple[int, ...]

sizes = st.tuples(*(st.integers(0, 3) for _ in LANGS)).filter(any)
documents = st.lists(sizes, min_size=1, max_size=6)


def groups(walk: list[Sizes]) -> list[dict[str, list[int]]]:
    """Monotone tuples that have these sizes, in this order."""
    at = [0] * len(LANGS)
    found = []
    for size in walk:
        found.append({lang: [*range(at[n], at[n] + size[n])] for n, lang in enumerate(LANGS) if size[n]})
        at = [a + b for a, b in zip(at, size, strict=True)]
    return found


def row(walk: list[Sizes], doc_id: str = "d") -> dict[str, Any]:
    """The tuples of a walk, and the beads that they make between the first two languages."""
    found = groups(walk)
    counts = [sum(size[n] for size in walk) for n in range(len(LANGS))]
    return {
        "id": doc_id,
        "sents": {lang: [f"{lang}{n}." for n in range(counts[at])] for at, lang in enumerate(LANGS)},
        "tuples": found,
        "beads": {
            "en-ko": [
                [each.get("en", []), each.get("ko", [])] for each in found if {"en", "ko"} & each.keys()
            ]
        },
    }


def reordered(walk: list[Sizes]) -> st.SearchStrategy[list[Sizes]]:
    return st.permutations(walk)


def score(gold: list[dict[str, Any]], pred: list[dict[str, Any]]) -> SentenceScores:
    return evaluate_sentences(to_rows(gold, SentenceRow, "gold"), to_rows(pred, SentenceRow, "pred"))


two_walks = documents.flatmap(lambda walk: st.tuples(st.just(walk), reordered(walk)))


@given(documents)
def test_the_gold_scores_one_against_itself(walk: list[Sizes]) -> None:
    scores = score([row(walk)], [row(walk)])
    beads = scores.pairs["en-ko"]
    assert beads.strict.f1 == beads.lax.f1 == beads.nulls.f1 == scores.strict_average == 1.0
    assert (beads.strict_interval.low, beads.lax_interval.low) == (1.0, 1.0)
    assert scores.tuples is not None
    assert scores.tuples.exact.f1 == scores.tuples.links.f1 == 1.0


@given(two_walks)
def test_gold_and_prediction_are_symmetric(both: tuple[list[Sizes], list[Sizes]]) -> None:
    one, other = both
    there, back = score([row(one)], [row(other)]), score([row(other)], [row(one)])
    assert there.tuples is not None
    assert back.tuples is not None
    pairs = [
        (there.pairs["en-ko"].strict, back.pairs["en-ko"].strict),
        (there.pairs["en-ko"].lax, back.pairs["en-ko"].lax),
        (there.pairs["en-ko"].nulls, back.pairs["en-ko"].nulls),
        (there.tuples.exact, back.tuples.exact),
        (there.tuples.links, back.tuples.links),
    ]
    for forth, turned in pairs:
        assert (forth.precision, forth.recall) == (turned.recall, turned.precision)


@given(two_walks)
def test_strict_is_never_easier_than_lax(both: tuple[list[Sizes], list[Sizes]]) -> None:
    beads = score([row(both[0])], [row(both[1])]).pairs["en-ko"]
    # Null beads are strict's alone: what is left of strict is right in lax too.
    assert beads.strict.right - beads.nulls.right <= beads.lax.right
    assert beads.strict.found - beads.nulls.found <= beads.lax.found


@given(two_walks)
def test_the_side_does_not_matter(both: tuple[list[Sizes], list[Sizes]]) -> None:
    gold, pred = (row(walk) for walk in both)
    turned = {**pred, "beads": {"ko-en": [[right, left] for left, right in pred["beads"]["en-ko"]]}}
    assert score([gold], [turned]).pairs["en-ko"] == score([gold], [pred]).pairs["en-ko"]


@given(two_walks)
def test_types_add_up_to_the_totals(both: tuple[list[Sizes], list[Sizes]]) -> None:
    beads = score([row(both[0])], [row(both[1])]).pairs["en-ko"]
    kinds = beads.kinds.values()
    assert sum(each.gold for each in kinds) == beads.strict.gold
    assert sum(each.found for each in kinds) == beads.strict.found
    assert sum(each.predicted for each in kinds) == beads.strict.predicted


@given(two_walks)
def test_links_are_those_of_a_list_of_pairs(both: tuple[list[Sizes], list[Sizes]]) -> None:
    def links(walk: list[Sizes]) -> set[frozenset[tuple[str, int]]]:
        places = [[(lang, n) for lang, ids in each.items() for n in ids] for each in groups(walk)]
        return {frozenset((a, b)) for each in places for a in each for b in each if a[0] != b[0]}

    gold, pred = (links(walk) for walk in both)
    found = score([row(both[0])], [row(both[1])]).tuples
    assert found is not None
    shared = len(gold & pred)
    assert found.links == Counts(shared, len(pred), shared, len(gold))
    assert found.largest == max((size for walk in both[1] for size in walk), default=0)


@given(two_walks, two_walks)
def test_documents_add_up_and_their_order_does_not_matter(
    first: tuple[list[Sizes], list[Sizes]], second: tuple[list[Sizes], list[Sizes]]
) -> None:
    gold = [row(first[0], "a"), row(second[0], "b")]
    pred = [row(first[1], "a"), row(second[1], "b")]
    both = score(gold, pred).pairs["en-ko"]
    alone = [score([g], [p]).pairs["en-ko"] for g, p in zip(gold, pred, strict=True)]
    assert both.strict == alone[0].strict + alone[1].strict
    assert both.lax == alone[0].lax + alone[1].lax
    assert score(gold, pred[::-1]).pairs["en-ko"] == both


counts = st.integers(0, 9).flatmap(
    lambda right: st.builds(
        Counts, st.just(right), st.integers(right, 12), st.just(right), st.integers(right, 12)
    )
)


@given(st.lists(counts, min_size=1, max_size=12))
def test_the_interval_lies_between_the_worst_and_the_best_document(table: list[Counts]) -> None:
    interval = f1_interval(table)
    assert interval == f1_interval(table)
    assert 0 <= interval.low <= interval.high <= 1
    filled = [each.f1 for each in table if each.predicted and each.gold]
    if len(filled) == len(table):
        # A micro-average is a mean of the documents' scores, weighted by their sizes.
        assert min(filled) - 1e-9 <= interval.low
        assert interval.high <= max(filled) + 1e-9


@given(counts)
def test_the_interval_of_one_document_is_its_score(one: Counts) -> None:
    interval = f1_interval([one])
    assert interval.low == pytest.approx(one.f1)
    assert interval.high == pytest.approx(one.f1)


def test_the_mean_of_the_pairs_counts_every_pair_alike() -> None:
    gold = {"id": "d", "beads": {"en-ko": [[[0], [0]], [[1], [1]]], "en-uk": [[[0], [0]]]}}
    pred = {"id": "d", "beads": {"en-ko": [[[0, 1], [0, 1]]], "en-uk": [[[0], [0]]]}}
    scores = score([gold], [pred])
    assert scores.strict_average == pytest.approx(0.5)
    assert scores.as_dict()["average"] == {"strict_f1": 0.5, "lax_f1": 1.0}
