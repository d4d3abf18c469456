"""What a dry run says: models with sizes, sentences, what the memory serves, and how long it will take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import toys
from typer.testing import CliRunner

from mtalign.cli import app
from mtalign.plan import DEFAULT_SECONDS
from mtalign.store import Run
from mtalign.translate.memory import Entry, Memory


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.config(tmp_path_factory.mktemp("toys"))


def mtalign(*args: str | Path) -> str:
    done = CliRunner().invoke(app, list(map(str, args)))
    assert done.exit_code == 0, done.output
    return done.stdout


def plan(*args: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(mtalign("run", *args, "--dry-run", "--json"))
    return found


def test_the_plan_before_and_after_a_run(config: Path, tmp_path: Path) -> None:
    inputs = toys.write_articles(tmp_path / "in.jsonl", toys.articles(4))
    memory, run = tmp_path / "memory.sqlite", tmp_path / "run"
    options = [inputs, "--to", "ru", "-c", config, "--memory", memory]

    before = plan(*options, "-o", run)
    (ahead,) = before["languages"]
    assert not memory.exists()
    assert not run.exists()
    assert ahead["known"] == 0
    assert ahead["translate_rate"] == ahead["other_rate"] == "default"
    new = ahead["to_translate"] * DEFAULT_SECONDS["transformers"]
    assert before["seconds"] == pytest.approx(new + ahead["sentences"] * ahead["other_seconds"], abs=0.1)
    encoder, translator = before["models"]
    assert (encoder["engine"], translator["engine"]) == (None, "transformers")
    assert translator["compute_type"] == "auto"
    folder = config.parent / "translator"
    assert translator["bytes"] == sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())

    mtalign("run", *options, "-o", run)
    (ahead,) = plan(*options, "-o", run)["languages"]
    assert ahead["sentences"] == sum(len(record.source.sentences) for record in Run(run).records())
    assert ahead["known"] == ahead["to_translate"]
    assert ahead["cached_share"] == 1.0
    assert ahead["translate_rate"] == ahead["other_rate"] == "measured"

    told = mtalign("run", *options, "-o", run, "--dry-run")
    assert "(100%)" in told
    assert "measured in the run directory" in told


def test_what_people_translated_counts_as_known_in_their_language_only(config: Path, tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "The river rose. The bridge was closed."}]
    inputs = toys.write_articles(tmp_path / "in.jsonl", rows)
    path = tmp_path / "memory.sqlite"
    with Memory(path) as memory:
        memory.add_human([Entry("en", "ru", "The river rose.", "Река поднялась.")], "test")
    ru, uk = plan(inputs, "--to", "ru,uk", "-c", config, "--memory", path)["languages"]
    assert (ru["known"], ru["to_translate"]) == (1, 2)
    assert (uk["known"], uk["to_translate"]) == (0, 2)


def test_human_translations_cost_no_translation(config: Path, tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "The river rose.", "translations": {"ru": "Река поднялась."}}]
    inputs = toys.write_articles(tmp_path / "in.jsonl", rows)
    (ahead,) = plan(inputs, "--to", "ru", "-c", config, "--no-memory")["languages"]
    assert (ahead["sentences"], ahead["to_translate"]) == (1, 0)
    assert ahead["other_seconds"] > 0


@pytest.mark.parametrize("preset", sorted((Path(__file__).parents[1] / "configs").glob("*.yaml")))
def test_every_preset_can_be_read(preset: Path) -> None:
    from mtalign.config import load

    found = load(preset)
    assert all(found.translator(lang) is not None for lang in ("ko", "uk", "ru"))
