"""What a dry run says: models with sizes, sentences, what the memory serves, and how long it will take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toys
from hub import commit_of, serve
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


def planned_of_the_hub(endpoint: str, home: Path, *args: str | Path) -> tuple[int, dict[str, Any], str]:
    """Plan in a process of its own, since the hub client reads its endpoint when imported."""
    env = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "MTALIGN_CACHE": str(home)}
    command = [sys.executable, "-c", "from mtalign.cli import main; main()", "run", *map(str, args)]
    done = subprocess.run(
        [*command, "--dry-run", "--json"], capture_output=True, text=True, env=env, check=False
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def test_a_plan_fetches_nothing_and_says_what_a_run_would(config: Path, tmp_path: Path) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"w" * 5000, "tf_model.h5": b"w" * 7000}
    row = json.loads(config.read_text())
    row["translate"]["default"]["model"] = "hub:owner/name"
    preset = tmp_path / "hub.yaml"
    preset.write_text(json.dumps(row))
    inputs = toys.write_articles(tmp_path / "in.jsonl", [{"id": "a", "text": "The river rose. It fell."}])
    memory = tmp_path / "memory.sqlite"
    with Memory(memory) as open_memory:
        open_memory.add_human([Entry("en", "ru", "The river rose.", "Река поднялась.")], "test")
    asked = [inputs, "--to", "ru", "-c", preset, "--memory", memory]
    home = tmp_path / "home"

    with serve("owner/name", {"main": files}, license="cc-by-nc-4.0") as endpoint:
        code, found, _ = planned_of_the_hub(endpoint, home, *asked)
    assert code == 0
    model = found["models"][1]
    assert (model["license"], model["revision"]) == ("cc-by-nc-4.0", commit_of("main"))
    assert model["to_fetch"] == model["bytes"] == 5002
    assert not list(home.rglob("*.safetensors"))
    assert [(each["known"], each["to_translate"]) for each in found["languages"]] == [(1, 2)]

    code, found, said = planned_of_the_hub("http://127.0.0.1:9", home, *asked)
    assert code == 2
    assert "hub:owner/name" in said
    assert "cannot be reached" in said
    encoder, model = found["models"]
    assert encoder["problem"] is None
    assert "mtalign models fetch" in model["problem"]
    assert found["languages"][0]["known"] == 1


@pytest.mark.parametrize("preset", sorted((Path(__file__).parents[1] / "configs").glob("*.yaml")))
def test_every_preset_can_be_read(preset: Path) -> None:
    from mtalign.config import load

    found = load(preset)
    assert all(found.translator(lang) is not None for lang in ("ko", "uk", "ru"))
