"""The card beside its counts: updates, the picture, Croissant; and the command's own options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from corpus import news
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mtalign.cli import app
from mtalign.cli.publish import shares
from mtalign.errors import UsageError
from mtalign.publish import ModelUse, publish
from mtalign.publish.chart import histogram
from mtalign.publish.croissant import check
from mtalign.publish.existing import BEGIN, END, front_matter, merged
from mtalign.review import Review, add_reviews
from mtalign.store import Writer


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("card") / "news"
    models = [ModelUse("encoder", "hub:some/encoder", "abc123", "mit")]
    publish(news()[:2], out, name="Two articles", splits={"train": 1, "test": 1}, models=models)
    return out


def card_of(folder: Path) -> tuple[dict[str, Any], str]:
    _, head, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), text


def test_the_card_says_which_models_took_part_and_how_to_cite(dataset: Path) -> None:
    _, text = card_of(dataset)
    assert "| encoder | hub:some/encoder | abc123 | mit |" in text
    assert "title = {Two articles}" in text
    assert "![Confidence of the mentions carried over](confidence.svg)" in text
    assert "Nobody looked for personal data" in text


def test_an_update_keeps_prose_configs_and_files_of_people(tmp_path: Path) -> None:
    import pyarrow.parquet
    from datasets import load_dataset

    out = tmp_path / "news"
    publish(news()[:2], out, name="Two articles")
    readme = out / "README.md"
    theirs = {"config_name": "glossary", "data_files": "extra/glossary.parquet", "default": True}
    head, text = card_of(out)
    head["configs"].append(theirs)
    head["license_link"] = "LICENCE"
    readme.write_text(f"{front_matter(head)}{text}\nOur own words.\n", encoding="utf-8")
    (out / "extra").mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"term": ["grid"]}), out / "extra" / "glossary.parquet")
    publish(news()[:1], out, name="One article")
    head, text = card_of(out)
    assert "1 article in English" in text
    assert "2 articles" not in text
    assert text.endswith("\nOur own words.\n")
    assert head["configs"][-1] == theirs
    assert not any(each.get("default") for each in head["configs"][:-1])
    assert (head["license_link"], head["pretty_name"]) == ("LICENCE", "Two articles")
    for config, rows in (("glossary", 1), ("articles", 1)):
        assert load_dataset(str(out), config, cache_dir=str(tmp_path / "c"))["train"].num_rows == rows


def test_a_card_that_people_wrote_gets_a_part_of_ours_and_a_second_update_only_renews_it(
    dataset: Path,
) -> None:
    new = (dataset / "README.md").read_text(encoding="utf-8")
    once = merged("---\nlicense: mit\ntags: energy\n---\n# Ours\n\nBy hand.\n", new)
    assert once.split("---\n", 2)[2].startswith("# Ours\n\nBy hand.\n\n" + BEGIN)
    assert yaml.safe_load(once.split("---\n", 2)[1])["tags"][:2] == ["energy", "mtalign"]
    assert merged(once, new) == once


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=60))
def test_whatever_people_write_around_our_part_is_kept(prose: str) -> None:
    head = front_matter({"pretty_name": "x", "configs": [], "tags": [], "language": [],
                         "multilinguality": [], "task_categories": []})  # fmt: skip
    old, new = (f"{head}\n# x\n\n{BEGIN}\n{part}\n{END}\n" for part in ("old", "new"))
    found = merged(f"{old}{prose}", new)
    assert found == f"{new}{prose}"


def test_a_card_with_broken_yaml_is_not_overwritten(dataset: Path) -> None:
    new = (dataset / "README.md").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="YAML of the earlier card"):
        merged("---\na: [\n---\n# x\n", new)


def test_the_histogram_is_a_picture_with_every_count() -> None:
    picture = histogram({0: 3, 9: 1200}, "How sure & why")
    root = ElementTree.fromstring(picture)  # noqa: S314  (our own text)
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"3", "1,200", "0.9–1.0"} <= set(texts)
    bars = list(root.iter("{http://www.w3.org/2000/svg}rect"))[1:]  # the first is the ground
    heights = [float(each.get("height", "")) for each in bars]
    assert heights[9] == max(heights) > heights[0] > heights[1] == 0


def test_croissant_metadata_is_valid_and_reads_the_rows(dataset: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    assert not [each for each in check(dataset / "croissant.json") if "recommended" not in each]
    described = mlcroissant.Dataset(jsonld=str(dataset / "croissant.json"))
    records = {each["sentences/id"].decode(): each for each in described.records("sentences")}
    assert len(records) == sum(len(each.tuples) for each in news()[:2])
    first = news()[0]
    row = records[f"{first.id}:0"]
    assert (
        row["sentences/translation"]["sentences/translation/ko"].decode()
        == (first.targets["ko"].sentence_texts()[0])
    )
    assert row["sentences/split"] in {b"train", b"test"}
    for each in described.records("ner-ko"):
        assert len(each["ner-ko/tokens"]) == len(each["ner-ko/ner_tags"])


# --- the command ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [("train=1", {"train": 1.0}), ("train=90, dev=5,test=5", {"train": 90.0, "dev": 5.0, "test": 5.0})],
)
def test_splits_are_read(text: str, found: dict[str, float]) -> None:
    assert shares(text) == found


@pytest.mark.parametrize("text", ["", "train", "train=x", "=1", "a=1,a=2"])
def test_splits_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError, match="--splits"):
        shares(text)


def test_the_command_reports_what_it_did(tmp_path: Path) -> None:
    with Writer(tmp_path / "run", {}) as run:
        for each in news()[:2]:
            run.add(each)
    args = ["publish", str(tmp_path / "run"), "-o", str(tmp_path / "out"), "--reviewed-only"]
    assert isinstance(CliRunner().invoke(app, args).exception, UsageError)
    args = [*args[:-1], "--min-confidence", "1", "--scan", str(tmp_path / "scan.jsonl"), "--json"]
    shown = json.loads(CliRunner().invoke(app, args).stdout)
    assert (shown["articles"], shown["scanned"], shown["pushed"]) == (2, {}, None)
    assert shown["removed"] == []
    assert shown["rows"]["ner-uk"]["train"] == sum(len(each.targets["uk"].sentences) for each in news()[:2])


def test_the_command_publishes_what_was_reviewed(tmp_path: Path) -> None:
    first, second = news()[:2]
    with Writer(tmp_path / "run", {}) as run:
        run.add(first)
        run.add(second)
    mention = first.projections["ko"][0]
    assert mention.entity is not None
    seen = first.targets["ko"].sentence_texts()[0]
    span = mention.entity.span
    add_reviews(
        tmp_path / "run",
        [Review(first.id, "ko", "accept", (0,), seen, entity=mention.source, start=span.start, end=span.end)],
    )
    args = ["publish", str(tmp_path / "run"), "-o", str(tmp_path / "out"), "--reviewed-only", "--json"]
    shown = json.loads(CliRunner().invoke(app, args).stdout)
    removed = {what: number for name, what, number in shown["removed"] if name == "reviewed-only"}
    mentions = sum(p.entity is not None for found in first.projections.values() for p in found)
    assert (shown["articles"], removed) == (1, {"articles": 1, "mentions": mentions - 1})


def test_options_of_the_hub_need_a_repository(tmp_path: Path) -> None:
    with Writer(tmp_path / "run", {}):
        pass
    for option in (["--private"], ["--create-pr"], ["--revision", "v2"], ["--parent-commit", "abc"]):
        args = ["publish", str(tmp_path / "run"), "-o", str(tmp_path / "out"), *option]
        found = CliRunner().invoke(app, args).exception
        assert isinstance(found, UsageError)
        assert "--push" in str(found)
