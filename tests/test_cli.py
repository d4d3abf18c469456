"""The command line as a user meets it: as a process, with its output and exit code."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtalign.cli import app

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "summit"
HUB_CONFIG = (
    "encoder: {model: starter:e5-small}\ntranslate: {default: {model: 'hub:no-such-owner/no-such-model'}}\n"
)


def mtalign(*args: str | Path, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from mtalign.cli import main; main()", *map(str, args)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **env},
        check=False,
    )


def all_commands() -> list[list[str]]:
    import typer.main

    found: list[list[str]] = [[]]
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found.append([name])
        found += [[name, sub] for sub in getattr(command, "commands", {})]
    return found


@pytest.mark.parametrize("command", all_commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "mtalign" in result.output
    is_group = any(other[: len(command)] == command and other != command for other in all_commands())
    assert is_group or "Example" in result.output


def test_every_command_is_in_the_docs() -> None:
    reference = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    missing = [command for command in all_commands()[1:] if f"`mtalign {' '.join(command)}`" not in reference]
    assert not missing, "run make docs"


def test_starting_imports_nothing_heavy() -> None:
    code = (
        "import sys, mtalign, mtalign.cli\n"
        "heavy = {'torch', 'transformers', 'datasets', 'numpy', 'pydantic', 'spacy'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_costs_little_processor_time() -> None:
    def children() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def cost() -> float:
        before = children()
        assert mtalign("--help").returncode == 0
        return children() - before

    assert min(cost() for _ in range(3)) < 0.4


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "nowhere.txt", "--to", "ko", "-o", "out"], "no file or folder nowhere.txt"),
        (["run", "a.txt", "--to", "klingon", "-o", "out"], "unknown language 'klingon'"),
        (["run", "a.txt", "--to", "ko,ko", "-o", "out"], "each target language once"),
        (["run", "a.txt", "--to", "en", "-o", "out"], "cannot be a target"),
        (["run", "a.txt", "--to", "ko"], "-o RUN"),
        (
            ["run", "a.txt", "--to", "ko", "-o", "out", "-c", "mine.yaml"],
            "presets are ko-uk-ru, madlad, nllb, starter, translategemma",
        ),
        (["run", "a.txt", "--to", "ko", "-o", "out", "--entities", "magic"], "neither none, spacy, hub:"),
        (["status", "."], "not a run directory"),
        (["publish", "nowhere", "-o", "d"], "not a run directory"),
        (["models", "show", "starter:none"], "unknown model"),
        (["align", "nowhere.jsonl", "-o", "out.jsonl", "-c", "starter"], "nowhere.jsonl"),
        (["evaluate", "sentences", "--gold", "none.jsonl", "--pred", "none.jsonl"], "none.jsonl"),
    ],
)
def test_usage_errors_say_what_and_exit_with_2(tmp_path: Path, args: list[str], message: str) -> None:
    (tmp_path / "a.txt").write_text("Hello there.")
    if "-c" not in args and "run" in args:
        args = [*args, "-c", "starter"]
    done = mtalign(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.txt"]


def test_without_a_hub_one_clear_error_and_nothing_written(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(HUB_CONFIG)
    (tmp_path / "a.txt").write_text("Hello there.")
    done = mtalign(
        *["run", "a.txt", "--to", "ko,uk,ru", "-o", "out", "-c", "hub.yaml"],
        cwd=tmp_path,
        HF_ENDPOINT="http://127.0.0.1:9",
        HF_HOME=str(tmp_path / "hf"),
    )
    assert done.returncode == 2
    for part in (
        "hub:no-such-owner/no-such-model",
        "cannot be reached",
        "configs/starter.yaml",
        "local folder",
    ):
        assert part in done.stderr
    assert done.stderr.count("error:") == 1
    assert not (tmp_path / "out").exists()


def test_the_default_preset_without_a_hub_is_the_same_error(tmp_path: Path) -> None:
    done = mtalign(
        *["run", EXAMPLE / "article.jsonl", "--to", "ko", "-o", tmp_path / "out"],
        HF_ENDPOINT="http://127.0.0.1:9",
        HF_HOME=str(tmp_path / "hf"),
    )
    assert done.returncode == 2
    assert "sentence-transformers/LaBSE" in done.stderr
    assert "configs/starter.yaml" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_output_is_an_error(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    done = mtalign("run", EXAMPLE / "article.jsonl", "--to", "ko", "-c", "starter", "-o", closed / "run")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_an_output_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = mtalign(
        "run", EXAMPLE / "article.jsonl", "--to", "ko,uk,ru", "-c", "starter", "-o", tmp_path / "file" / "run"
    )
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_a_dry_run_writes_nothing_and_shows_the_plan(tmp_path: Path) -> None:
    args = ["run", EXAMPLE / "article.jsonl", EXAMPLE / "english.jsonl", "--to", "ko,uk", "-c", "starter"]
    done = mtalign(*args, "--dry-run", "--json", cwd=tmp_path)
    plan = json.loads(done.stdout)
    assert plan["articles"] == 2
    assert plan["to_translate"] == {"ko": 1, "uk": 1}
    assert {each["role"]: each["demo"] for each in plan["models"]} == {
        "encoder": False,
        "translator ko": True,
        "translator uk": True,
    }
    assert not list(tmp_path.iterdir())


def test_models_are_listed_with_their_licences() -> None:
    listed = {each["name"]: each for each in json.loads(mtalign("models", "list", "--json").stdout)}
    assert listed["starter:e5-small"]["license"] == "mit"
    assert listed["starter:gemma-3-270m"]["demo"] is True


def test_a_reader_that_leaves_early_is_no_error() -> None:
    shell = f"{sys.executable} -c 'from mtalign.cli import main; main()' models list | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
