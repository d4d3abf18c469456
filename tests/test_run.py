"""The main job on real articles with the real encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checkpoints import m2m100

from mtalign.config import Config, EncoderConfig, TranslatorConfig
from mtalign.document import Article, Document
from mtalign.encode import Encoder
from mtalign.errors import ConfigError, InputError
from mtalign.evaluate import (
    EntityRow,
    SentenceRow,
    alignment_row,
    evaluate_entities,
    evaluate_sentences,
    projection_rows,
    read_rows,
    to_rows,
)
from mtalign.formats.articles import Found, read_articles
from mtalign.load import Models
from mtalign.record import Record
from mtalign.run import process_article
from mtalign.translate.options import TransformersOptions

EXAMPLE = Path(__file__).parents[1] / "examples" / "summit"
TARGETS = ("ko", "uk", "ru")


@pytest.fixture(scope="module")
def models(encoder: Encoder) -> Models:
    config = Config(encoder=EncoderConfig(model="starter:e5-small", prefix="query: "))
    made = Models(config)
    made.__dict__["encoder"] = encoder  # the one that all tests share, in place of a second copy
    return made


@pytest.fixture(scope="module")
def summit(models: Models) -> Record:
    (found,) = read_articles([str(EXAMPLE / "article.jsonl")], "en")
    assert isinstance(found, Found)
    return process_article(found.article, TARGETS, models)


def test_the_example_is_aligned_as_people_did(summit: Record) -> None:
    gold = read_rows(EXAMPLE / "beads.gold.jsonl", SentenceRow)
    scores = evaluate_sentences(gold, to_rows([alignment_row(summit)], SentenceRow, "summit")).as_dict()
    pairs: Any = scores["pairs"]
    for pair, score in pairs.items():
        assert score["strict"]["f1"] >= 0.89, pair
        assert score["lax"]["f1"] >= 0.99, pair


def test_the_entities_of_the_example_are_carried_over(summit: Record) -> None:
    gold = read_rows(EXAMPLE / "entities.gold.jsonl", EntityRow)
    scores: Any = evaluate_entities(gold, to_rows(projection_rows(summit), EntityRow, "summit")).as_dict()
    assert scores["exact"]["f1"] >= 0.95


def test_every_lost_entity_has_a_reason(summit: Record) -> None:
    lost = [each for projections in summit.projections.values() for each in projections if not each.entity]
    assert all(each.reason for each in lost)
    assert {issue.entity for issue in summit.issues if issue.kind == "lost-entity"} == {
        e.source for e in lost
    }


def test_the_same_article_gives_the_same_record(summit: Record, models: Models) -> None:
    (found,) = read_articles([str(EXAMPLE / "article.jsonl")], "en")
    assert isinstance(found, Found)
    again = process_article(found.article, TARGETS, models)
    assert [getattr(again, name) for name in Record.__struct_fields__ if name != "timings"] == [
        getattr(summit, name) for name in Record.__struct_fields__ if name != "timings"
    ]


def test_an_article_in_a_target_language_is_refused(models: Models) -> None:
    article = Article(Document("a", "ru", "Министр уехал."), {"ko": Document("a", "ko", "장관이 떠났다.")})
    with pytest.raises(InputError, match="'a' is in 'ru', a target language"):
        process_article(article, ["ko", "ru"], models)


def test_a_missing_translator_is_a_configuration_error(models: Models) -> None:
    with pytest.raises(ConfigError, match=r"translate\.pl"):
        process_article(Article(Document("a", "en", "Hello.")), ["pl"], models)


@pytest.mark.parametrize(
    "text",
    [
        "No full stop",
        "“Quoted\n\n“over paragraphs.”",
        "😀",
        "a" * 3000,
        "\u200b.\u200b",
        "Один. 둘. Three.",
        "1.\n2.\n3.",
    ],
)
def test_odd_texts_come_through_whole(models: Models, text: str) -> None:
    article = Article(Document("odd", "en", text), {"ko": Document("odd", "ko", text)})
    record = process_article(article, ["ko"], models)
    assert record.source.text == text
    assert sum(len(bead.left) for bead in record.beads["en-ko"]) == len(record.source.sentences)


@pytest.fixture(scope="module")
def translating(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A run with a real, tiny and untrained M2M100: the words mean nothing, the structure must hold."""
    files = m2m100(tmp_path_factory.mktemp("m2m100"))
    config = Config(
        encoder=EncoderConfig(model="starter:e5-small", prefix="query: "),
        translate={
            "default": TranslatorConfig(
                model=str(files.path), options=TransformersOptions(max_ratio=1), ladder=()
            )
        },
        entities="spacy",
    )
    made = Models(config)
    made.__dict__["encoder"] = encoder
    return made


HARD = """Envoy Okafor: Talks To Resume

The envoy, [Minister] Okafor, said on Monday that 600,000 people had been “one, left without water. Two, \
without power. And three, without news”.

“The pipes are old.

“They must be replaced,” she added.

Photo released by Ukraine’s Centre for Water of workers near Kursk

Mr. Okafor’s office gave no date."""


def test_every_sentence_of_a_hard_article_is_in_every_language(translating: Models) -> None:
    record = process_article(Article(Document("hard", "en", HARD)), TARGETS, translating)
    check_whole(record, 8)
    assert record.source.entities


def test_every_sentence_of_the_article_asked_for(translating: Models, shared_data: Path) -> None:
    (found,) = read_articles([str(shared_data / "articles" / "nato-kursk.txt")], "en")
    assert isinstance(found, Found)
    check_whole(process_article(found.article, TARGETS, translating), 19)


def check_whole(record: Record, sentences: int) -> None:
    """Nothing is lost: sentences, paragraphs, white space, entities."""
    assert len(record.source.sentences) == sentences
    for lang in TARGETS:
        target = record.targets[lang]
        beads = record.beads[f"en-{lang}"]
        assert [bead.left for bead in beads] == [(n,) for n in range(sentences)]
        assert all(bead.right for bead in beads)
        assert target.text.count("\n\n") == record.source.text.count("\n\n")
        assert len(record.projections[lang]) == len(record.source.entities)
        assert record.origins[lang].kind == "machine"
    assert all(len(each.sents) == 4 for each in record.tuples)
