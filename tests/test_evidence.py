"""Other evidence for spans: it decides between likely ones, and stays out where it knows nothing."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from checkpoints import marian, name_tagger

from mtalign.annotate import natasha_entities, tagged_entities
from mtalign.config import Config
from mtalign.document import Document, Entity, Sentence, Span
from mtalign.errors import InvalidDocument
from mtalign.load import Models
from mtalign.models import ModelFiles
from mtalign.project.evidence import EngineScores, MarkedTranslations, TaggedNames, mark, marked_words, weigh
from mtalign.project.rank import Ranked
from mtalign.tagger import Tagger
from mtalign.translate.options import TransformersOptions
from mtalign.translate.transformers import load_engine


def document(lang: str, text: str) -> Document:
    return Document("d", lang, text, (Sentence(Span(0, len(text))),))


def ranked(
    source: Document, said: str, target: Document, spans: Sequence[str], odds: Sequence[float]
) -> Ranked:
    """Return a ranking of what stands in the target, with these probabilities."""
    at = source.text.index(said)
    entity = Entity("e", Span(at, at + len(said)), said, "X")
    places = [target.text.index(each) for each in spans]
    return Ranked(
        entity,
        tuple(Span(place, place + len(each)) for place, each in zip(places, spans, strict=True)),
        tuple(odds),
        1 - sum(odds),
        (1.0, 0.0),
    )


SOURCE = document("en", "She met Olena in Kyiv.")
TARGET = document("uk", "Вона зустріла Olena Ivanivna у місті Київ.")
CLOSE = ranked(SOURCE, "Olena", TARGET, ["Olena", "Olena Ivanivna"], [0.5, 0.4])


@pytest.fixture(scope="module")
def small_marian(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return marian(tmp_path_factory.mktemp("marian") / "small")


def best(each: Ranked, target: Document = TARGET) -> str:
    return each.spans[0].of(target.text)


def test_a_tagger_of_the_target_decides_between_close_spans(tmp_path: Path) -> None:
    tagger = Tagger(name_tagger(tmp_path / "names"))
    evidence = TaggedNames(lambda text: tagged_entities(text, tagger), 1.0)
    (heard,) = weigh([CLOSE], SOURCE, TARGET, [evidence])
    assert best(heard) == "Olena Ivanivna"
    assert heard.probabilities[0] / heard.probabilities[1] == pytest.approx(0.4 * math.e / 0.5)
    unknown = ranked(SOURCE, "Kyiv", TARGET, ["місті Київ", "у місті Київ"], [0.5, 0.4])
    assert weigh([unknown], SOURCE, TARGET, [evidence]) == [unknown]


@pytest.mark.skipif(importlib.util.find_spec("natasha") is None, reason="the natasha extra is not installed")
def test_natasha_finds_russian_names() -> None:
    text = "Владимир Путин приехал в Москву.\n\nСбербанк закрыт."
    found = natasha_entities(document("ru", text)).entities
    assert [(each.text, each.label) for each in found] == [
        ("Владимир Путин", "PER"),
        ("Москву", "LOC"),
        ("Сбербанк", "ORG"),
    ]
    with pytest.raises(InvalidDocument, match="Russian"):
        natasha_entities(document("uk", "Київ"))


def test_an_engine_scores_the_likeliest_spans(small_marian: ModelFiles) -> None:
    engine = load_engine(small_marian, TransformersOptions())
    source = document("en", "The minister rejected the plan.")
    target = document("ru", "Министр отклонил план вчера.")
    spans = ["отклонил план", "план", "Министр отклонил план", "вчера", "отклонил"]
    close = ranked(source, "the plan", target, spans, [0.2] * 5)
    alone = close.without([1, 2, 3, 4])
    gains, none = EngineScores(engine, 0.5).gains(source, target, [close, alone])
    scores = engine.score(["the plan"] * 4, spans[:4], "en", "ru")
    means = [sum(each) / len(each) for each in scores]
    # The likeliest of the four gains all, the others less by what they are behind; the fifth is not asked.
    wanted = [0.5 * max(0.0, 1 - (max(means) - mean)) for mean in means]
    assert max(wanted) == 0.5
    assert gains == pytest.approx([*wanted, 0.0], abs=1e-4)
    assert none == [0.0]
    sure = ranked(source, "the plan", target, spans, [0.95, 0.01, 0.01, 0.01, 0.01])
    assert EngineScores(engine, 0.5).gains(source, target, [sure]) == [[0.0] * 5]


@pytest.mark.parametrize(
    ("translation", "words"),
    [
        ("Вона [ Олена ] тут", "Олена"),
        ("[Олена]", "Олена"),
        ("Вона Олена тут", None),
        ("Вона [Олена тут", None),
        ("Вона ]Олена[ тут", None),
        ("[Вона] [Олена] тут", None),
        ("Вона [[Олена]] тут", None),
        ("Вона [] тут", None),
    ],
)
def test_marks_count_only_where_one_pair_survives(translation: str, words: str | None) -> None:
    assert marked_words(translation) == words


def test_marked_translations_help_or_leave_the_ranking_alone() -> None:
    asked: list[str] = []

    def translate(sentences: Sequence[str], source: str, target: str) -> list[str]:
        asked.extend(sentences)
        assert (source, target) == ("en", "uk")
        return answers

    answers = ["Вона зустріла [Олену Іванівну] в Києві."]
    (heard,) = weigh([CLOSE], SOURCE, TARGET, [MarkedTranslations(translate, 2.0)])
    assert asked == ["She met [Olena] in Kyiv."]
    assert best(heard) == "Olena Ivanivna"
    answers = ["Вона зустріла Олену Іванівну в Києві."]
    assert weigh([CLOSE], SOURCE, TARGET, [MarkedTranslations(translate, 2.0)]) == [CLOSE]
    sure = ranked(SOURCE, "Olena", TARGET, ["Olena", "Olena Ivanivna"], [0.95, 0.04])
    assert MarkedTranslations(translate).gains(SOURCE, TARGET, [sure]) == [[0.0, 0.0]]
    assert mark(document("en", "[He] met Olena"), Span(9, 14)) is None


def test_evidence_comes_from_the_configuration_and_is_part_of_the_signature(
    small_marian: ModelFiles, tmp_path: Path
) -> None:
    names = name_tagger(tmp_path / "names").path
    plain = {
        "encoder": {"model": "starter:e5-small"},
        "translate": {"ru": {"engine": "transformers", "model": str(small_marian.path)}},
    }
    evidence = {"ner": str(names), "score": 0.5, "markers": 1.0}
    off, on = (Models(Config.model_validate(each)) for each in (plain, {**plain, "evidence": evidence}))
    assert off.evidence("ru") == []
    kinds = [type(each) for each in on.evidence("ru")]
    assert kinds == [TaggedNames, EngineScores, MarkedTranslations]
    assert on.signature([]) != off.signature([])
    source, target = (
        document("en", "The minister rejected the plan."),
        document("ru", "Министр отклонил план."),
    )
    close = ranked(source, "the plan", target, ["отклонил план", "план"], [0.5, 0.45])
    (heard,) = weigh([close], source, target, on.evidence("ru"))
    assert sum(heard.probabilities) + heard.lost == pytest.approx(1.0)
