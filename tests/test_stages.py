"""The row shapes of the single stages: other tools depend on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np
import pytest
from checkpoints import m2m100
from numpy.typing import NDArray

from mtalign.config import Config, EncoderConfig, TranslatorConfig
from mtalign.encode import Encoder
from mtalign.errors import InputError
from mtalign.evaluate import EntityRow, evaluate_entities, to_rows
from mtalign.load import Models
from mtalign.record import Rejected, encode_json
from mtalign.stages import (
    Stage,
    align_rows,
    project_rows,
    run_stage,
    translate_rows,
    words_rows,
)

EN = ["The port reopened on Monday.", "Ships from Busan arrived first.", "Nobody was hurt."]
RU = ["В понедельник порт снова открылся.", "Первыми пришли суда из Пусана.", "Никто не пострадал."]
KO = ["항구는 월요일에 다시 문을 열었다.", "부산에서 온 배들이 먼저 도착했다.", "다친 사람은 없었다."]


@pytest.fixture(scope="module")
def models(encoder: Encoder) -> Models:
    made = Models(Config(encoder=EncoderConfig(model="starter:e5-small", prefix="query: ")))
    made.__dict__["encoder"] = encoder
    return made


def run(stage: Stage, models: Models, rows: Sequence[Any]) -> list[Any]:
    lines = [row if isinstance(row, bytes) else msgspec.json.encode(row) for row in rows]
    results = list(run_stage(lines, stage, models, "in.jsonl"))
    return [
        each if isinstance(each, Rejected) else msgspec.json.decode(encode_json(each)) for each in results
    ]


def test_align_two_languages(models: Models) -> None:
    row = {"id": 5, "src_lang": "en", "tgt_lang": "ru", "src": EN, "tgt": [f"{RU[0]} {RU[1]}", RU[2]]}
    (out,) = run(align_rows, models, [row])
    assert out["id"] == 5
    assert [(bead["src"], bead["tgt"]) for bead in out["beads"]] == [([0, 1], [0]), ([2], [1])]
    assert all(isinstance(bead["score"], float) for bead in out["beads"])


def test_align_n_languages(models: Models) -> None:
    row = {"id": "n", "langs": ["en", "ko", "ru"], "sents": {"en": EN, "ko": KO, "ru": RU}}
    (out,) = run(align_rows, models, [row])
    assert out["tuples"] == [{"en": [n], "ko": [n], "ru": [n]} for n in range(3)]
    assert set(out["beads"]) == {"en-ko", "en-ru", "ko-ru"}


def test_texts_in_another_order_are_reported(models: Models) -> None:
    english = [
        *EN,
        "Cranes were repaired over the summer.",
        "Insurance paid half of it.",
        "Traffic is normal.",
    ]
    russian = [*RU, "Краны отремонтировали за лето.", "Половину оплатила страховка.", "Движение обычное."]
    row = {"id": 1, "src_lang": "en", "tgt_lang": "ru", "src": english, "tgt": russian}
    turned = {**row, "tgt": russian[::-1]}
    sides = {"en": english, "ru": russian[::-1]}
    kept, pair, ways = run(
        align_rows, models, [row, turned, {"id": 2, "langs": ["en", "ru"], "sents": sides}]
    )
    assert "warnings" not in kept
    for out in (pair, ways):
        (warning,) = out["warnings"]
        assert (warning["pair"], warning["kind"]) == ("en-ru", "non-monotone")


def test_words_of_tokens_and_of_strings(models: Models) -> None:
    tokens = {"id": 1, "src_lang": "en", "tgt_lang": "ru", "src": EN[1].split(), "tgt": RU[1].split()}
    strings = {**tokens, "id": 2, "src": EN[1], "tgt": RU[1]}
    first, second = run(words_rows, models, [tokens, strings])
    for out in (first, second):
        assert [2, 4] in [link[:2] for link in out["links"]]  # Busan - Пусана
        assert all(0 < score <= 1 for _, _, score in out["links"])


def test_project_exact_spans(models: Models) -> None:
    row = {
        "id": "p",
        "src_lang": "en",
        "tgt_lang": "ko",
        "src": EN[1],
        "tgt": KO[1],
        "entities": [{"id": 3, "start": 11, "end": 16, "label": "LOC"}],
    }
    (out,) = run(project_rows(), models, [row])
    (entity,) = out["entities"]
    assert (entity["source"], entity["start"], entity["end"], entity["text"]) == (3, 0, 2, "부산")
    assert entity["label"] == "LOC"
    assert 0 < entity["confidence"] <= 1
    assert out["lost"] == []


def test_project_counts_in_utf16_if_asked(models: Models) -> None:
    row = {"id": "p", "src_lang": "en", "tgt_lang": "ko", "src": "🎸🎸 " + EN[1], "tgt": "🎸🎸 " + KO[1]}
    row["entities"] = [{"id": "b", "start": 16, "end": 21, "label": "LOC"}]
    (out,) = run(project_rows(utf16=True), models, [row])
    (entity,) = out["entities"]
    assert (entity["start"], entity["end"], entity["text"]) == (5, 7, "부산")
    inside = {**row, "entities": [{"id": "b", "start": 1, "end": 21}]}
    (error,) = project_rows(utf16=True)([inside], models)
    assert isinstance(error, InputError)
    assert "UTF-16 offset 1" in str(error)


def test_project_carries_relations_whose_ends_survive(models: Models) -> None:
    row = {
        "id": "p",
        "src_lang": "en",
        "tgt_lang": "ru",
        "src": "Busan trades with Osaka.",
        "tgt": "Пусан торгует с Осакой.",
        "entities": [{"id": 1, "start": 0, "end": 5}, {"id": 2, "start": 18, "end": 23}],
        "relations": [{"label": "trades", "head": 1, "tail": 2}],
    }
    cut = {**row, "tgt": "Пусан торгует."}
    both, one = run(project_rows(), models, [row, cut])
    assert [each["text"] for each in both["entities"]] == ["Пусан", "Осакой"]
    assert both["relations"] == row["relations"]
    assert [each["source"] for each in one["entities"]] == [1]
    assert one["relations"] == []
    (error,) = project_rows()([{**row, "relations": [{"label": "x", "head": 1, "tail": 9}]}], models)
    assert isinstance(error, InputError)


def test_what_is_not_in_the_target_is_lost_with_a_reason(models: Models) -> None:
    row = {
        "id": "p",
        "src_lang": "en",
        "tgt_lang": "ko",
        "src": EN[1],
        "tgt": "",
        "entities": [{"id": "e", "start": 11, "end": 16, "label": "LOC"}],
    }
    (out,) = run(project_rows(), models, [row])
    assert out["entities"] == []
    assert out["lost"][0]["source"] == "e"
    assert out["lost"][0]["reason"]


def test_a_long_text_is_aligned_before_it_is_projected(models: Models) -> None:
    src, tgt = " ".join(EN), " ".join(RU)
    at = src.index("Busan")
    entity = {"id": "e", "start": at, "end": at + 5, "label": "LOC"}
    row = {"id": "p", "src_lang": "en", "tgt_lang": "ru", "src": src, "tgt": tgt, "entities": [entity]}
    (out,) = run(project_rows(), models, [row])
    assert out["entities"][0]["text"] == "Пусана"


def test_bad_rows_are_rejected_in_place_and_the_rest_goes_on(models: Models) -> None:
    good = {"id": "g", "src_lang": "en", "tgt_lang": "ru", "src": EN, "tgt": RU}
    rows = [
        b"{broken",
        good,
        b"[1]",
        {**good, "id": "x", "tgt_lang": "xx"},
        {**good, "src": "text"},
        {**good, "src": [" "]},
        {"id": "n", "langs": ["en", "ru"], "sents": {"en": EN}},
        good,
    ]
    out = run(align_rows, models, rows)
    assert [isinstance(each, Rejected) for each in out] == [True, False, True, True, True, True, True, False]
    assert [each.line for each in out if isinstance(each, Rejected)] == [1, 3, 4, 5, 6, 7]
    assert out[3].id == "x"
    assert "unknown language" in out[3].reason
    assert "not JSON" in out[0].reason


@pytest.mark.parametrize("sizes", [(0, 0), (0, 3), (3, 0), (1, 1), (1, 3)])
def test_align_empty_and_small_sides(models: Models, sizes: tuple[int, int]) -> None:
    row = {"id": 1, "src_lang": "en", "tgt_lang": "ru", "src": EN[: sizes[0]], "tgt": RU[: sizes[1]]}
    (out,) = run(align_rows, models, [row])
    assert sorted(i for bead in out["beads"] for i in bead["src"]) == list(range(sizes[0]))
    assert sorted(j for bead in out["beads"] for j in bead["tgt"]) == list(range(sizes[1]))


def test_an_entity_outside_the_text_rejects_the_row(models: Models) -> None:
    row = {"id": "p", "src_lang": "en", "tgt_lang": "ru", "src": "Hi.", "tgt": "Да."}
    (out,) = run(
        project_rows(), models, [{**row, "entities": [{"id": 1, "start": 0, "end": 40, "label": "X"}]}]
    )
    assert isinstance(out, Rejected)
    assert "not inside src" in out.reason


def test_translate_keeps_every_row_and_its_layout(
    encoder: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = m2m100(tmp_path_factory.mktemp("m2m100"))
    config = Config(
        encoder=EncoderConfig(model="starter:e5-small"),
        translate={"default": TranslatorConfig(model=str(files.path), ladder=())},
    )
    made = Models(config)
    made.__dict__["encoder"] = encoder
    rows = [
        {"id": 1, "text": f"{EN[0]}\n\n{EN[1]} {EN[2]}\n", "lang": "en"},
        b'{"text": "no id"}',
        {"id": "uk", "text": "Порт відкрили.", "lang": "uk"},
        {"id": "empty", "text": ""},
    ]
    first, bad, there, empty = run(translate_rows(["ko", "uk"]), made, rows)
    assert first["source"] == rows[0]["text"]  # type: ignore[index]
    assert set(first["translations"]) == {"ko", "uk"}
    for text in first["translations"].values():
        before, after = text.split("\n\n")
        assert before.strip()
        assert after.endswith("\n")
    assert first["engine"]["ko"]["model"] == str(files.path)
    assert isinstance(bad, Rejected)
    assert isinstance(there, Rejected)
    assert there.reason == "the text is in 'uk', a target language"
    assert empty["translations"] == {"ko": "", "uk": ""}


def test_the_baseline_projects_by_links_alone(models: Models) -> None:
    row = {
        "id": 1,
        "src_lang": "en",
        "tgt_lang": "ko",
        "src": EN[1],
        "tgt": KO[1],
        "entities": [{"id": 7, "start": 11, "end": 16, "label": "LOC"}],
    }
    (plain,) = run(project_rows(baseline=True), models, [row])
    (entity,) = plain["entities"]
    assert (entity["source"], entity["text"]) == (7, "부산")
    gone = {**row, "tgt": ""}
    (lost,) = run(project_rows(baseline=True), models, [gone])
    assert lost["lost"] == [{"source": 7, "reason": "no-counterpart-sentence", "confidence": 0.0}]
    rows = to_rows([plain], EntityRow, "pred")
    gold = {"id": "1", "entities": [{"source": "7", "start": 0, "end": 2}]}
    assert evaluate_entities(to_rows([gold], EntityRow, "gold"), rows).overall.exact.f1 == 1.0


class TheFirst:
    """A corpus in which everything is linked to the first word."""

    def link(self, source: Sequence[str], target: Sequence[str]) -> NDArray[np.float32]:
        found = np.zeros((len(source), len(target)), np.float32)
        found[:, 0] = 1.0
        return found


def test_words_take_links_from_a_corpus_of_their_languages(models: Models) -> None:
    row = {"id": 1, "src_lang": "en", "tgt_lang": "ru", "src": EN[1], "tgt": RU[1]}
    plain, helped, other = (
        run(partial(words_rows, statistics=known), models, [row])[0]["links"]
        for known in (None, {("en", "ru"): TheFirst()}, {("en", "ko"): TheFirst()})
    )
    assert helped != plain
    assert other == plain
