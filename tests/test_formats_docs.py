"""docs/formats.md says what the code says; the command line exports and reads."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest
from corpus import news
from msgspec.structs import replace
from typer.testing import CliRunner

from mtalign.cli import app
from mtalign.formats.articles import FORMATS as READ
from mtalign.formats.articles import SUFFIXES
from mtalign.formats.export import FORMATS
from mtalign.formats.features import FEATURES
from mtalign.record import Origin
from mtalign.store import Writer

PAGE = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")


def table(first: str) -> list[list[str]]:
    """Return the cells of the table whose header row begins so, without header and rule."""
    lines = PAGE[PAGE.index(first) :].split("\n\n")[0].splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:] if line.startswith("|")
    ]


def test_the_table_of_what_is_held_is_that_of_the_code() -> None:
    header = "| | what it is | " + " | ".join(FORMATS) + " |"
    expected = [
        [name, what, *("yes" if name in each.holds else "" for each in FORMATS.values())]
        for name, what in FEATURES.items()
    ]
    assert table(header) == expected


def test_the_table_of_what_is_read_is_that_of_the_code() -> None:
    endings: dict[str, set[str]] = defaultdict(set)
    for ending, name in SUFFIXES.items():
        endings[name].add(ending)
    rows = table("| format | endings |")
    assert [row[0] for row in rows] == list(READ)
    for name, told, *_ in rows:
        assert {each for each in told.split() if each.startswith(".")} >= endings[name]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    with Writer(folder, {"models": []}) as writer:
        for record in news()[:2]:
            writer.add(record)
    return folder


def test_export_reports_what_is_not_held(run: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "files")
    done = CliRunner().invoke(app, ["export", str(run), "--to", "tmx, xliff", "-o", out, "--json"])
    assert done.exit_code == 0, done.output
    memory, exchange = json.loads(done.stdout)
    assert (memory["format"], memory["articles"], memory["files"]) == ("tmx", 2, 1)
    assert exchange["files"] == 3
    assert memory["not_held"]["mentions"] == sum(
        len(list(record.entities(lang))) for record in news()[:2] for lang in record.documents()
    )
    told = CliRunner().invoke(app, ["export", str(run), "--to", "moses", "-o", out]).output
    assert "2 articles in 18 files" in told
    assert "mention ids" in told


def test_an_export_of_demo_translations_says_so(run: Path, tmp_path: Path) -> None:
    record, other = news()[:2]
    demo = Origin("machine", "transformers", "starter:gemma-3-270m", "gemma", demo=True)
    folder = tmp_path / "run"
    with Writer(folder, {"models": []}) as writer:
        writer.add(replace(record, origins={**record.origins, "ko": demo}))
        writer.add(other)
    done = CliRunner().invoke(app, ["export", str(folder), "--to", "tmx", "-o", str(tmp_path / "files")])
    assert "1 translations are of demo quality" in done.stderr
    done = CliRunner().invoke(app, ["export", str(run), "--to", "tmx", "-o", str(tmp_path / "others")])
    assert done.stderr == ""


def test_what_an_article_cannot_hold_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Lviv is open.")
    (tmp_path / "a.ann").write_text("T1\tLOC 0 4\tLviv\nE1\tOpen:T1\n")
    (tmp_path / "a.ko.txt").write_text("르비우가 열렸다.")
    options = ["--to", "ko", "-c", "starter", "--dry-run", "--json"]
    done = CliRunner().invoke(app, ["run", str(tmp_path / "a.txt"), *options])
    assert done.exit_code == 0, done.output
    plan = json.loads(done.stdout)
    assert plan["articles"] == 1
    assert plan["not_read"] == {"events": 1}


@pytest.mark.parametrize("columns", ["text", "text=", "=body"])
def test_columns_that_are_no_pairs_are_a_usage_error(tmp_path: Path, columns: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "body": "Lviv."}')
    done = CliRunner().invoke(
        app,
        ["run", str(tmp_path / "a.jsonl"), "--columns", columns, "--to", "ko", "-c", "starter", "--dry-run"],
    )
    assert "expected FIELD=COLUMN" in str(done.exception)
