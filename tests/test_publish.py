from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from corpus import NEWS, news, record
from hypothesis import given
from hypothesis import strategies as st

from mtalign.document import Document
from mtalign.errors import UsageError
from mtalign.publish import publish
from mtalign.publish.card import size_category
from mtalign.publish.licence import strictest
from mtalign.publish.write import split_of
from mtalign.record import Origin, Record

DEMO = Origin("machine", engine="transformers", model="starter:gemma-3-270m", license="gemma", demo=True)
MACHINE = Origin("machine", engine="transformers", model="hub:some/model@abc", license="CC-BY-NC-4.0")
PAIRS = ["en-ko", "en-uk", "en-ru", "ko-uk", "ko-ru", "uk-ru"]
LANGUAGES = ["en", "ko", "uk", "ru"]
CONFIGS = [
    "sentences",
    *(f"pairs-{pair}" for pair in PAIRS),
    "entities",
    "articles",
    *(f"ner-{lang}" for lang in LANGUAGES),
]


def first_row() -> dict[str, Any]:
    row: dict[str, Any] = json.loads(NEWS.read_text(encoding="utf-8").splitlines()[0])
    return row


def load(folder: Path, config: str, cache: Path, **options: Any) -> Any:
    from datasets import load_dataset

    return load_dataset(str(folder), config, cache_dir=str(cache), **options)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The six articles, published."""
    out = tmp_path_factory.mktemp("published") / "news"
    publish(news(), out, name="Six articles")
    return out


@pytest.fixture(scope="module")
def tables(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every config, as `datasets` loads it from the folder."""
    cache = tmp_path_factory.mktemp("cache")
    return {config: load(dataset, config, cache)["train"] for config in CONFIGS}


def test_every_config_loads(dataset: Path, tables: dict[str, Any]) -> None:
    from datasets import get_dataset_config_names

    assert get_dataset_config_names(str(dataset)) == CONFIGS
    records = news()
    assert len(tables["articles"]) == len(records)
    assert len(tables["sentences"]) == sum(len(each.tuples) for each in records)
    assert len(tables["entities"]) == sum(len(each.source.entities) for each in records)
    for pair in PAIRS:
        assert len(tables[f"pairs-{pair}"]) == sum(len(each.beads[pair]) for each in records)


def test_the_default_config_is_sentences(dataset: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    assert "tuple" in load_dataset(str(dataset), cache_dir=str(tmp_path))["train"].column_names


def test_streaming_gives_the_same_rows(dataset: Path, tables: dict[str, Any], tmp_path: Path) -> None:
    for config in CONFIGS:
        streamed = load(dataset, config, tmp_path, streaming=True)["train"]
        assert list(streamed) == list(tables[config])


def test_articles_hold_texts_and_offsets_that_fit(tables: dict[str, Any]) -> None:
    for row, source in zip(tables["articles"], news(), strict=True):
        assert row["text"] == {lang: each.text for lang, each in source.documents().items()}
        for lang, text in row["text"].items():
            cut = [text[each["start"] : each["end"]] for each in row["sentences"][lang]]
            assert cut == source.documents()[lang].sentence_texts()
            assert row["entities"][lang]
            for mention in row["entities"][lang]:
                assert text[mention["start"] : mention["end"]] == mention["text"]
        assert row["origin"]["en"] is None
        assert row["origin"]["ko"]["kind"] == "human"


def test_entities_link_a_mention_with_every_target_or_say_why_not(tables: dict[str, Any]) -> None:
    texts = {row["id"]: row["text"] for row in tables["articles"]}
    lost = 0
    for row in tables["entities"]:
        assert texts[row["article"]]["en"][row["start"] : row["end"]] == row["text"]
        assert row["targets"]["en"] is None
        for lang in ("ko", "uk", "ru"):
            target = row["targets"][lang]
            if target["reason"] is None:
                assert texts[row["article"]][lang][target["start"] : target["end"]] == target["text"]
            else:
                lost += 1
                assert (target["text"], target["start"], target["method"]) == (None, None, "gold")
    assert (
        lost == sum(p.entity is None for each in news() for ps in each.projections.values() for p in ps) > 0
    )


def test_pairs_hold_the_text_of_both_sides(tables: dict[str, Any]) -> None:
    from datasets import Translation

    table = tables["pairs-ko-uk"]
    assert table.features["translation"] == Translation(languages=["ko", "uk"])
    wide = [row for row in table if row["kind"] == "1-2"]
    source = next(each for each in news() if each.id == wide[0]["article"])
    sentences = source.targets["uk"].sentence_texts()
    assert wide[0]["translation"]["uk"] == " ".join(sentences[n] for n in wide[0]["indices"]["uk"])


def test_a_sentence_without_counterpart_is_a_row_of_sentences_and_of_no_pair(tmp_path: Path) -> None:
    row = first_row()
    row["sentences"]["en"].append({"text": "Nobody translated this.", "paragraph": 9})
    row["beads"].append({"en": [len(row["sentences"]["en"]) - 1], "ko": [], "uk": [], "ru": []})
    published = publish([record(row)], tmp_path / "out", name="x")
    assert published.rows["sentences"]["train"] == published.rows["pairs-en-ko"]["train"] + 1
    last = load(tmp_path / "out", "sentences", tmp_path / "cache")["train"][-1]
    assert last["translation"] == {"en": "Nobody translated this.", "ko": None, "uk": None, "ru": None}
    assert (last["paragraph"], last["indices"]["ko"]) == (source_paragraphs(row), [])


def source_paragraphs(row: dict[str, Any]) -> int:
    """The number, from 0, of the last paragraph of the English text."""
    return len({each["paragraph"] for each in row["sentences"]["en"]}) - 1


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_records_give_the_same_bytes_in_any_order(dataset: Path, tmp_path: Path) -> None:
    publish(reversed(news()), tmp_path / "again", name="Six articles")
    assert digests(tmp_path / "again") == digests(dataset)


def test_records_are_streamed_into_groups_of_bounded_size(tmp_path: Path) -> None:
    import pyarrow.parquet

    row = first_row() | {"entities": {}}

    def many() -> Iterable[Record]:
        return (record(row | {"id": f"a{n}"}) for n in range(200))

    publish(many(), tmp_path / "out", name="x")
    table = pyarrow.parquet.ParquetFile(tmp_path / "out" / "sentences" / "train-00000-of-00001.parquet")
    groups = [table.metadata.row_group(n).num_rows for n in range(table.num_row_groups)]
    assert (sum(groups), max(groups), len(groups)) == (200 * len(row["beads"]), 1000, 2)


def test_an_article_is_in_one_split_and_empty_splits_are_left_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    published = publish(news(), out, name="x", splits={"train": 0.5, "test": 0.5, "never": 1e-9})
    assert set(published.rows["articles"]) == {"train", "test"}
    for config in CONFIGS:
        loaded = load(out, config, tmp_path / "cache")
        assert {split: len(rows) for split, rows in loaded.items()} == published.rows[config]
        articles = [set(rows["id" if config == "articles" else "article"]) for rows in loaded.values()]
        assert not articles[0] & articles[1]


@given(st.text(min_size=1))
def test_a_split_depends_on_the_id_alone_and_shares_only_move_the_border(article: str) -> None:
    narrow, wide = {"train": 0.1, "test": 0.9}, {"train": 0.6, "test": 0.4}
    assert split_of(article, narrow) == split_of(article, dict(narrow))
    assert not (split_of(article, narrow) == "train" and split_of(article, wide) == "test")


def test_shares_are_kept_to() -> None:
    found = [split_of(f"article {n}", {"train": 8, "test": 2}) for n in range(2000)]
    assert found.count("test") / len(found) == pytest.approx(0.2, abs=0.03)


def test_articles_without_entities_and_with_fewer_languages(tmp_path: Path) -> None:
    row = first_row()
    row["entities"] = {}
    only_korean = row | {
        "id": "ko-only",
        "sentences": {lang: row["sentences"][lang] for lang in ("en", "ko")},
        "beads": [{lang: each[lang] for lang in ("en", "ko")} for each in row["beads"]],
    }
    published = publish([record(only_korean), record(row)], tmp_path / "out", name="x")
    assert "entities" not in published.rows
    assert published.rows["pairs-en-uk"]["train"] < published.rows["pairs-en-ko"]["train"]
    for config in published.rows:
        load(tmp_path / "out", config, tmp_path / "cache")
    articles = load(tmp_path / "out", "articles", tmp_path / "cache")["train"]
    assert articles[0]["text"]["uk"] is None
    assert articles[0]["sentences"]["uk"] is None


def test_other_directions_share_one_pair(tmp_path: Path) -> None:
    row = first_row()
    turned = row | {"id": "turned", "sentences": dict(reversed(row["sentences"].items()))}
    out = tmp_path / "out"
    published = publish([record(row), record(turned)], out, name="x")
    assert list(published.rows) == CONFIGS
    rows = load(out, "pairs-en-ko", tmp_path / "cache")["train"]
    half = len(rows) // 2
    assert rows[:half]["translation"] == rows[half:]["translation"]


# --- the card ----------------------------------------------------------------------------------------


def head_and_text(folder: Path) -> tuple[dict[str, Any], str]:
    _, head, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), text


def test_the_card_names_what_there_is(dataset: Path) -> None:
    head, text = head_and_text(dataset)
    assert head["language"] == ["en", "ko", "uk", "ru"]
    assert head["license"] == "cc-by-4.0"
    assert head["size_categories"] == ["n<1K"]
    assert head["tags"][0] == "mtalign"
    assert head["task_categories"] == ["translation", "token-classification"]
    assert [each["config_name"] for each in head["configs"]] == CONFIGS
    assert "6 articles in English, Korean, Ukrainian and Russian" in text
    assert "- `news-corpus|gold`: 6\n" in text
    assert "none was made by mtalign" in text
    assert "fictional news written by a language model" in text
    assert "Demo quality" not in text
    kept = sum(p.entity is not None for each in news() for p in each.projections["ko"])
    lost = sum(p.entity is None for each in news() for p in each.projections["ko"])
    sentences = sum(len(each.targets["ko"].sentences) for each in news())
    assert f"| ko | {sentences} | {kept} | {lost} | {lost / (kept + lost):.1%} |" in text


def test_the_loading_lines_of_the_card_run(dataset: Path, tmp_path: Path) -> None:
    _, text = head_and_text(dataset)
    code = text.split("```python\n")[1].split("```")[0]
    code = code.replace("path/or/name/of/this/dataset", str(dataset)) + "print(data.num_rows)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_DATASETS_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout.split()[-1]) == sum(len(each.tuples) for each in news())


def test_machine_translations_are_said_to_be_such(tmp_path: Path) -> None:
    published = publish([record(first_row(), MACHINE)], tmp_path / "out", name="x")
    head, text = head_and_text(tmp_path / "out")
    assert "machine-made" in text
    assert "hub:some/model@abc" in text
    assert head["license"] == published.licence == "cc-by-nc-4.0"


def test_demo_translations_need_a_flag_and_are_marked(tmp_path: Path) -> None:
    demo = [record(first_row(), DEMO)]
    with pytest.raises(UsageError, match=r"starter:gemma-3-270m.*--allow-demo"):
        publish(demo, tmp_path / "out", name="x")
    assert not any(tmp_path.iterdir())
    assert publish(demo, tmp_path / "out", name="x", allow_demo=True).demo
    head, text = head_and_text(tmp_path / "out")
    assert "**Demo quality.**" in text
    assert head["license"] == "other"


def test_text_from_outside_cannot_break_the_card(tmp_path: Path) -> None:
    nasty = "a | b\n---\n# c `d`"
    changed = msgspec.structs.replace(news()[0], signature=nasty)
    publish([changed], tmp_path / "out", name=nasty)
    head, text = head_and_text(tmp_path / "out")
    assert head["pretty_name"] == "a | b --- # c `d`"
    assert "\n# c" not in text
    assert "\n---\n" not in text


@pytest.mark.parametrize(
    ("licences", "name", "reason"),
    [
        (["CC BY 4.0"], "cc-by-4.0", None),
        (["apache-2.0", "CC-BY-4.0", "cc0-1.0"], "cc-by-4.0", None),
        (["cc-by-4.0", "cc-by-sa-4.0"], "cc-by-sa-4.0", None),
        (["mit", "CC BY-NC 4.0"], "cc-by-nc-4.0", None),
        (["cc-by-sa-4.0", "cc-by-nc-4.0"], "other", "cannot be combined"),
        (["cc-by-nc-4.0", "cc-by-nc-sa-4.0"], "cc-by-nc-sa-4.0", None),
        (["cc-by-4.0", "CC BY-ND 4.0"], "other", "does not allow translations"),
        (["https://creativecommons.org/licenses/by-sa/4.0/", "mit"], "cc-by-sa-4.0", None),
        (["cc-by-4.0", "gemma"], "other", "does not know gemma"),
        (["cc-by-4.0", None], "other", "states no licence"),
        ([], "other", "states no licence"),
    ],
)
def test_the_strictest_licence_decides(licences: list[str | None], name: str, reason: str | None) -> None:
    found = strictest(licences)
    assert found.name == name
    assert (found.reason is None) if reason is None else (reason in (found.reason or ""))


def test_an_unknown_licence_is_said_in_the_card_and_can_be_overridden(tmp_path: Path) -> None:
    def unlicensed() -> list[Record]:
        return [record(first_row(), license=None)]

    publish(unlicensed(), tmp_path / "out", name="x")
    head, text = head_and_text(tmp_path / "out")
    assert head["license"] == "other"
    assert "states no licence" in text
    publish(unlicensed(), tmp_path / "out", name="x", licence="cc-by-4.0")
    assert head_and_text(tmp_path / "out")[0]["license"] == "cc-by-4.0"


@pytest.mark.parametrize(
    ("wish", "against"),
    [
        ("cc-by-4.0", ("cc-by-nc-4.0",)),
        ("CC BY-NC 4.0", ()),
        ("cc0-1.0", ("cc-by-4.0", "cc-by-nc-4.0")),
        ("our-own-terms", ()),
    ],
)
def test_a_stated_licence_that_asks_for_less_than_the_works_do_is_said(
    tmp_path: Path, wish: str, against: tuple[str, ...]
) -> None:
    machine = [record(first_row(), MACHINE, license="CC-BY-4.0")]
    published = publish(machine, tmp_path / "out", name="x", licence=wish)
    head, text = head_and_text(tmp_path / "out")
    assert (published.licence, published.licences_against) == (head["license"], against)
    assert ("which may ask for more" in text) is bool(against)


def test_a_conflict_of_licences_stops_publishing_until_somebody_decides(tmp_path: Path) -> None:
    mixed = [record(first_row() | {"id": "a"}, license="CC-BY-SA-4.0"), record(first_row(), MACHINE)]
    with pytest.raises(UsageError, match=r"cc-by-sa-4.0 and cc-by-nc-4.0 cannot be combined.*--licence"):
        publish(mixed, tmp_path / "out", name="x")
    assert not any(tmp_path.iterdir())
    assert publish(mixed, tmp_path / "out", name="x", licence="cc-by-nc-sa-4.0").licence == "cc-by-nc-sa-4.0"


def test_sizes() -> None:
    assert [size_category(n) for n in (999, 1000, 10**9)] == ["n<1K", "1K<n<10K", "n>1B"]


# --- what must not happen ----------------------------------------------------------------------------


def test_nothing_to_publish(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to publish"):
        publish([], tmp_path / "out", name="x")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("splits", [{}, {"train": 0.0}, {"train": -1.0, "test": 2.0}, {"../up": 1.0}])
def test_splits_that_make_no_sense(tmp_path: Path, splits: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="split"):
        publish(news(), tmp_path / "out", name="x", splits=splits)


def fails_half_way() -> Iterable[Record]:
    yield from news()[:2]
    raise UsageError("the run directory went away")


def test_a_failure_leaves_the_earlier_dataset_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(news(), out, name="before")
    before = digests(out)
    with pytest.raises(UsageError, match="went away"):
        publish(fails_half_way(), out, name="after")
    assert digests(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_dataset_replaces_an_earlier_one_wholly(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(news(), out, name="x", splits={"train": 0.5, "test": 0.5})
    publish(news(), out, name="x")
    assert not list(out.rglob("test-*"))


@pytest.mark.parametrize("name", ["thesis.txt", "README.md", "data/train.parquet"])
def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("my own work", encoding="utf-8")
    with pytest.raises(UsageError, match="no dataset of mtalign's"):
        publish(news(), tmp_path / "out", name="x")
    assert mine.read_text(encoding="utf-8") == "my own work"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="is a file"):
        publish(news(), tmp_path / "file", name="x")
    with pytest.raises(UsageError, match="cannot write"):
        publish(news(), tmp_path / "file" / "below", name="x")


def test_an_article_with_an_empty_text_is_published(tmp_path: Path) -> None:
    empty = Record("empty", Document("empty", "en", "", license="CC0-1.0"), "s")
    published = publish([empty], tmp_path / "out", name="x")
    assert published.rows == {"articles": {"train": 1}}
    assert load(tmp_path / "out", "articles", tmp_path / "cache")["train"][0]["text"] == {"en": ""}
