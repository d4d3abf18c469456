"""Links from a corpus alone."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from mtalign.encode import TokenVectors
from mtalign.errors import UsageError
from mtalign.hmm import StatisticalLinks
from mtalign.stages import corpus_statistics
from mtalign.units import unit_text
from mtalign.words import Linker, LinkOptions

NAMES = {"kyiv": "київ", "oslo": "осло", "rome": "рим", "lima": "ліма", "bern": "берн"}
VERBS = {"sees": "бачить", "helps": "допомагає", "leaves": "лишає", "finds": "знаходить"}


def sentence(rng: random.Random) -> tuple[list[str], list[str], set[tuple[int, int]]]:
    """Return a sentence, its translation with the verb moved to the end, and the links between them."""
    one, other = rng.sample(list(NAMES), 2)
    verb = rng.choice(list(VERBS))
    when, said = rng.choice([("today", "сьогодні"), ("then", "тоді")])
    article = ["the"] * rng.randint(0, 1)
    source = [when, one, verb, *article, other]
    target = [said, NAMES[one], NAMES[other], VERBS[verb]]
    return source, target, {(0, 0), (1, 1), (len(source) - 1, 2), (2, 3)}


@pytest.fixture(scope="module")
def learnt() -> StatisticalLinks:
    rng = random.Random(1)
    return StatisticalLinks([sentence(rng)[:2] for _ in range(200)])


def test_words_are_linked_that_stand_in_the_same_pairs(learnt: StatisticalLinks) -> None:
    rng = random.Random(2)
    for _ in range(20):
        source, target, links = sentence(rng)
        found = learnt.link(source, target)
        assert {(int(i), int(j)) for i, j in np.argwhere(found > 0.5)} == links


def test_links_are_chances(learnt: StatisticalLinks) -> None:
    found = learnt.link(["kyiv", "never", "heard"], ["київ", "нечуване"])
    assert found.shape == (3, 2)
    assert ((found >= 0) & (found <= 1)).all()
    assert found[0, 0] == found.max()


def test_nothing_to_learn_and_nothing_to_link(learnt: StatisticalLinks) -> None:
    assert learnt.link([], ["київ"]).shape == (0, 1)
    unlearnt = StatisticalLinks([([], ["київ"])])
    assert np.isfinite(unlearnt.link(["kyiv", "oslo"], ["київ"])).all()


class Blind:
    """An encoder to which all words look the same."""

    def token_vectors(self, texts: list[str], layers: tuple[int, ...]) -> list[TokenVectors]:
        return [
            TokenVectors(np.array([[0, len(text)]]), np.ones((len(layers), 1, 4), np.float32))
            for text in texts
        ]


def test_a_corpus_decides_where_vectors_do_not() -> None:
    rng = random.Random(1)
    lines = []
    for number in range(200):
        source, target, _ = sentence(rng)
        lines.append(
            json.dumps({"id": number, "src_lang": "en", "tgt_lang": "uk", "src": source, "tgt": target})
        )
    statistics = corpus_statistics([line.encode() for line in lines], "corpus.jsonl")
    pair = (unit_text("today lima sees the rome", "en"), unit_text("сьогодні ліма рим бачить", "uk"))
    (plain,) = Linker(Blind()).link([pair])
    (helped,) = Linker(Blind(), statistics=statistics).link([pair])
    assert plain.max() < 0.3
    assert [int(helped[i].argmax()) for i in (0, 1, 4, 2)] == [0, 1, 2, 3]
    (off,) = Linker(Blind(), LinkOptions(statistics=0), statistics).link([pair])
    assert np.allclose(off, plain)


def test_a_bad_corpus_is_named_with_its_line() -> None:
    good = b'{"src_lang": "en", "tgt_lang": "ko", "src": "a", "tgt": ["b"]}'
    with pytest.raises(UsageError, match=r"corpus\.jsonl:3: .*src"):
        corpus_statistics([good, b"", b'{"src_lang": "en", "tgt_lang": "ko", "tgt": "b"}'], "corpus.jsonl")
    with pytest.raises(UsageError, match="no sentence pair"):
        corpus_statistics([b"\n"], "corpus.jsonl")
