"""The quality estimate: it tells translations from what is no translation, and goes with the record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from summit import summit

from mtalign.alignment import Bead
from mtalign.config import Config, EncoderConfig
from mtalign.document import Article, Document, Sentence, Span
from mtalign.encode import Encoder
from mtalign.errors import InvalidRecord, ModelUnavailable
from mtalign.load import Models
from mtalign.project.document import Task
from mtalign.quality import FEATURES, QualityOptions, estimate_documents, low_quality, read_weights
from mtalign.record import Record, decode_record, encode_json
from mtalign.review import Review, apply
from mtalign.run import process_article, process_articles
from mtalign.store import Made
from mtalign.words import Linker

SUMMIT = summit()
LANGS = ("ko", "uk", "ru")


@pytest.fixture(scope="module")
def models(encoder: Encoder) -> Models:
    made = Models(Config(encoder=EncoderConfig(model="starter:e5-small", prefix="query: ")))
    made.__dict__["encoder"] = encoder  # the one that all tests share, in place of a second copy
    return made


@pytest.fixture(scope="module")
def made(models: Models) -> Record:
    return process_article(Article(SUMMIT.source, SUMMIT.targets), LANGS, models)


def text(lang: str, *sentences: str) -> Document:
    spans, at = [], 0
    for each in sentences:
        spans.append(Sentence(Span(at, at + len(each))))
        at += len(each) + 1
    return Document("a", lang, "\n".join(sentences), tuple(spans))


def mixed_up(lang: str) -> Task:
    """Return the summit article with each sentence's translation in the place of the one before."""
    left, right = SUMMIT.source.sentence_texts(), SUMMIT.targets[lang].sentence_texts()
    both = [
        (" ".join(left[i] for i in bead.left), " ".join(right[k] for k in bead.right))
        for bead in SUMMIT.beads[f"en-{lang}"]
        if bead.left and bead.right
    ]
    sources, targets = [each for each, _ in both], [each for _, each in both]
    beads = [Bead((i,), (i,), 1.0) for i in range(len(both))]
    return Task(text("en", *sources), text(lang, *targets[1:], targets[0]), beads)


@pytest.mark.parametrize("lang", LANGS)
def test_translations_are_told_from_sentences_of_the_same_article(
    lang: str, made: Record, encoder: Encoder
) -> None:
    (wrong,) = estimate_documents([mixed_up(lang)], Linker(encoder).compare, encoder)
    right = sorted(each for each in made.quality[lang] if each is not None)
    assert right[len(right) // 2] > 0.5
    bad = [each for each in wrong if each is not None]
    pairs = [(a, b) for a in right for b in bad]
    assert sum(a > b for a, b in pairs) / len(pairs) > 0.95


@pytest.mark.parametrize(
    ("lang", "good", "bad"),
    [
        ("ru", "Министр прибыл в Киев в среду утром.", "Министр прибыл прибыл прибыл прибыл прибыл."),
        ("uk", "Міністр прибув до Києва в середу вранці.", "The minister arrived in Kyiv on Wednesday."),
        ("ko", "장관은 수요일 아침 키이우에 도착했다.", "나는 어제 사과를 먹었다."),
    ],
)
def test_one_sentence_alone_is_judged_too(lang: str, good: str, bad: str, encoder: Encoder) -> None:
    source = text("en", "The minister arrived in Kyiv on Wednesday morning.")
    tasks = [Task(source, text(lang, each), [Bead((0,), (0,), 1.0)]) for each in (good, bad)]
    ((better,), (worse,)) = estimate_documents(tasks, Linker(encoder).compare, encoder)
    assert better is not None
    assert worse is not None
    assert better > worse


def test_a_sentence_without_counterpart_has_no_estimate_and_no_issue(encoder: Encoder) -> None:
    task = Task(
        text("en", "Rain fell all night.", "Roads were closed."),
        text("ru", "Всю ночь шёл дождь."),
        [Bead((0,), (0,), 1.0), Bead((1,), ())],
    )
    (estimates,) = estimate_documents([task], Linker(encoder).compare, encoder)
    assert estimates[0] is not None
    assert estimates[1] is None
    (issue,) = low_quality(task, (0.1, None), QualityOptions(least=0.2))
    assert (issue.kind, issue.lang, issue.sentences) == ("low-quality", "ru", (0,))


def test_nothing_but_marks_is_no_error(encoder: Encoder) -> None:
    task = Task(text("en", "…", "12 !"), text("ko", "!", "?"), [Bead((i,), (i,), 1.0) for i in (0, 1)])
    (estimates,) = estimate_documents([task], Linker(encoder).compare, encoder)
    assert all(each is not None and 0 <= each <= 1 for each in estimates)
    assert estimate_documents([Task(text("en", "a"), text("ko"), [Bead((0,), ())])], _none, encoder) == [
        (None,)
    ]


def _none(pairs: object) -> list[object]:
    assert not pairs
    return []


def test_the_record_has_an_estimate_for_every_bead(made: Record) -> None:
    assert set(made.quality) == set(LANGS)
    for lang in LANGS:
        for bead, each in zip(made.beads[f"en-{lang}"], made.quality[lang], strict=True):
            assert (each is None) == (not bead.left or not bead.right)
    assert decode_record(encode_json(made)) == made


def test_records_without_estimates_are_read_and_wrong_ones_are_not() -> None:
    assert decode_record(encode_json(SUMMIT)).quality == {}
    with pytest.raises(InvalidRecord, match="each bead needs one quality estimate"):
        replace(SUMMIT, quality={"ko": (0.5,)})
    with pytest.raises(InvalidRecord, match="not 0 to 1"):
        replace(SUMMIT, quality={"ko": (1.5,) * len(SUMMIT.beads["en-ko"])})


def test_the_limit_can_be_changed_without_doing_the_rest_again(made: Record, models: Models) -> None:
    strict = Models(models.config.model_copy(update={"quality": QualityOptions(least=1.1)}))
    strict.__dict__["encoder"] = models.encoder
    article = Article(SUMMIT.source, SUMMIT.targets)
    (again,) = process_articles([article], LANGS, strict, [Made(made, 0)])
    assert isinstance(again, Made)
    assert again.record.projections == made.projections
    poor = [issue for issue in again.record.issues if issue.kind == "low-quality"]
    assert len(poor) == sum(each is not None for own in made.quality.values() for each in own)


def test_estimates_can_be_left_out(models: Models) -> None:
    without = Models(models.config.model_copy(update={"quality": QualityOptions(estimate=False)}))
    without.__dict__["encoder"] = models.encoder
    record = process_article(Article(SUMMIT.source, SUMMIT.targets), ["ko"], without)
    assert record.quality == {}


def test_a_corrected_sentence_loses_its_estimate(made: Record) -> None:
    seen = made.targets["ko"].sentence_texts()[0]
    record = apply(made, [Review("summit", "ko", "correct", (0,), seen, text="다른 문장이다.")])
    assert record.quality["uk"] == made.quality["uk"]
    kept = [each for each in record.quality["ko"] if each is not None]
    assert len(kept) == sum(each is not None for each in made.quality["ko"]) - 1


def test_weights_of_other_features_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "quality.json"
    path.write_text(json.dumps({"recipe": {}, "features": [*FEATURES, "luck"], "groups": {}}))
    with pytest.raises(ModelUnavailable, match="train them again"):
        read_weights(path)
