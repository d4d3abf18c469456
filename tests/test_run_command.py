"""`mtalign run` and `mtalign status` as processes: signals, logs, figures for people and machines."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toys
from lxml import etree

from mtalign.store import Run

ROWS = toys.articles(9)
TOKEN = "hf_" + "tOpSeCrEt" * 4


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.config(tmp_path_factory.mktemp("toys"))


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-c", "from mtalign.cli import main; main()", *map(str, args)]


def mtalign(*args: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), capture_output=True, text=True, env={**os.environ, **env}, check=False
    )


@pytest.fixture(scope="module")
def finished(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str | Path], Path]:
    """A run of nine articles and a broken line, interrupted after its first group, then finished."""
    folder = tmp_path_factory.mktemp("run")
    inputs = toys.write_articles(folder / "in.jsonl", ROWS)
    with inputs.open("a") as stream:
        stream.write("{broken\n")
    run = folder / "run"
    options = ["run", inputs, "--to", "ru", "-c", config, "-o", run, "--together", "300", "--no-memory"]
    process = subprocess.Popen(command(*options), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    heard = ""
    while "article-" not in heard:  # the first group is written
        heard = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate()
    assert process.returncode == 130
    assert "stopping after the articles under work" in rest
    assert 0 < len(list(Run(run).records())) < 9
    tokens = dict.fromkeys(("HF_TOKEN", "OPENAI_API_KEY"), TOKEN)
    done = mtalign(*options, "--profile", "--metrics", folder / "metrics.prom", **tokens)
    assert done.returncode == 1, done.stderr
    (folder / "said").write_text(done.stdout + done.stderr)
    return options, run


def test_what_an_interrupt_left_is_finished_by_the_same_command(
    finished: tuple[list[str | Path], Path],
) -> None:
    _, run = finished
    assert [record.id for record in Run(run).records()] == [row["id"] for row in ROWS]


def test_a_finished_run_loads_no_weights(finished: tuple[list[str | Path], Path]) -> None:
    options, _ = finished
    code = (
        "import sys; from mtalign.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, options)], capture_output=True, text=True, check=True
    )
    assert "0 articles done, 9 done before, 1 rejected" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_the_log_says_what_happened(finished: tuple[list[str | Path], Path]) -> None:
    _, run = finished
    first, second = (
        [json.loads(line) for line in (run / "logs" / f"{start:05d}.jsonl").read_text().splitlines()]
        for start in (1, 2)
    )
    assert [first[0]["event"], first[-1]["event"]] == ["start", "end"]
    assert (first[-1]["interrupted"], second[-1]["interrupted"]) == (True, False)
    done = [name for each in first + second if each["event"] == "group" for name in each["articles"]]
    assert sorted(done) == [row["id"] for row in ROWS]
    assert {each["line"] for each in second if each["event"] == "reject"} == {10}


def test_a_token_in_the_environment_is_written_nowhere(finished: tuple[list[str | Path], Path]) -> None:
    _, run = finished
    written = [each.read_bytes() for each in run.parent.rglob("*") if each.is_file()]
    assert len(written) > 8
    assert not any(TOKEN.encode() in each for each in written)


def test_metrics_are_in_prometheus_text_format(finished: tuple[list[str | Path], Path]) -> None:
    _, run = finished
    lines = (run.parent / "metrics.prom").read_text().splitlines()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
    assert values['mtalign_articles_total{state="rejected"}'] == 1
    assert values["mtalign_sentences_total"] > 0
    assert values['mtalign_stage_seconds_total{stage="translate ru"}'] > 0


def test_the_profile_is_a_picture_of_the_stages(finished: tuple[list[str | Path], Path]) -> None:
    _, run = finished
    picture = etree.parse(run / "profile.svg", etree.XMLParser(resolve_entities=False))
    texts = {each.text for each in picture.iter()}
    assert {"translate ru", "project", "check"} <= texts


def test_status_counts_and_estimates(finished: tuple[list[str | Path], Path]) -> None:
    _, run = finished
    status: dict[str, Any] = json.loads(mtalign("status", run, "--json").stdout)
    assert (status["articles"], status["rejected"], status["remaining"]) == (9, 1, 0)
    assert sum(status["engines"]["ru"].values()) == 9
    assert status["rate"] > 0
    assert status["writers"] == []
    records = list(Run(run).records())
    assert sum(status["issues"].values()) == sum(len(record.issues) for record in records)
    assert status["sentences"] == sum(len(record.source.sentences) for record in records)
    shown = mtalign("status", run, "--watch", "1")
    assert shown.returncode == 0
    assert "9 articles" in shown.stdout


def test_status_says_which_translations_are_a_demo(
    finished: tuple[list[str | Path], Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished[1], run)
    assert "demo" not in mtalign("status", run).stdout
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["models"][1]["demo"] = True
    (run / "manifest.json").write_text(json.dumps(manifest))
    (line,) = [line for line in mtalign("status", run).stdout.splitlines() if "demo only" in line]
    assert line.startswith("ru ")


def test_a_second_signal_stops_at_once_and_the_run_goes_on(config: Path, tmp_path: Path) -> None:
    rows = [{"id": "long", "text": " ".join(str(each["text"]) for each in toys.articles(60))}]
    inputs = toys.write_articles(tmp_path / "in.jsonl", rows)
    options = ["run", inputs, "--to", "ru", "-c", config, "-o", tmp_path / "run", "--no-memory"]
    process = subprocess.Popen(command(*options), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while not (tmp_path / "run" / "records" / "00000.jsonl").exists():
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGTERM)
    assert "stopping" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate()
    assert process.returncode == 130
    assert "stopped; what was finished is kept" in rest
    assert list(Run(tmp_path / "run").records()) == []
    assert mtalign(*options).returncode == 0
    assert [record.id for record in Run(tmp_path / "run").records()] == ["long"]


def test_options_that_mean_nothing_are_usage_errors(config: Path, tmp_path: Path) -> None:
    inputs = toys.write_articles(tmp_path / "in.jsonl", ROWS[:1])
    options = ["run", inputs, "--to", "ru", "-c", config, "-o", tmp_path / "run"]
    for more, message in [
        (["--shard", "3/2"], "for example 2/8"),
        (["--runner", "spark"], "known are local and ray"),
    ]:
        done = mtalign(*options, *more)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert mtalign("run", "--to", "ru").returncode == 2
    assert not (tmp_path / "run").exists()


def test_migrating_is_part_of_the_command(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "manifest.json").write_text('{"targets": ["ko"]}')
    (old / "records.jsonl").write_text("")
    assert "mtalign run --migrate" in mtalign("status", old).stderr
    done = mtalign("run", "--migrate", "-o", old)
    assert (done.returncode, "0 articles brought up to date" in done.stdout) == (0, True)
    assert mtalign("status", old).returncode == 0
