"""`mtalign align` as a user meets it: rows, text files, folders, and a document side by side."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from mtalign.cli import app
from mtalign.cli.rows import write_rows
from mtalign.config import Config, EncoderConfig
from mtalign.encode import Encoder
from mtalign.errors import MtalignError
from mtalign.load import Models
from mtalign.stages import align_rows, run_stage

EXAMPLE = Path(__file__).parents[1] / "examples" / "summit"
TEXTS = [str(EXAMPLE / f"{lang}.txt") for lang in ("en", "ko", "uk", "ru")]
EN = ["The port reopened on Monday.", "Ships from Busan arrived first.", "Nobody was hurt."]
RU = ["В понедельник порт снова открылся.", "Первыми пришли суда из Пусана.", "Никто не пострадал."]
PAIR = {"id": "p", "src_lang": "en", "tgt_lang": "ru", "src": EN, "tgt": RU}


@pytest.fixture(autouse=True)
def _one_encoder(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    # The real encoder, loaded once for all tests instead of once a command.
    monkeypatch.setattr(Models, "encoder", encoder)


def align(*args: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["align", *map(str, args), "-c", "starter"], input=stdin)


def error_of(result: Result) -> str:
    assert isinstance(result.exception, MtalignError)
    return str(result.exception)


@pytest.fixture(scope="module")
def folder(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("aligned") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Models, "encoder", encoder)
        assert align(*TEXTS, "-o", out).exit_code == 0
    return out


def test_rows_come_out_in_their_fixed_shape(tmp_path: Path) -> None:
    rows = tmp_path / "in.jsonl"
    rows.write_text(json.dumps(PAIR) + "\n{broken\n" + json.dumps({**PAIR, "id": 2}) + "\n", encoding="utf-8")
    result = align(rows, "-o", tmp_path / "out.jsonl", "--json")
    assert result.exit_code == 1
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines())
    assert set(first) == {"id", "beads"}
    assert [(bead["src"], bead["tgt"]) for bead in first["beads"]] == [([n], [n]) for n in range(3)]
    assert second["id"] == 2
    assert json.loads(result.stdout) == {"rows": 2, "rejected": 1}
    assert json.loads((tmp_path / "out.jsonl.rejects.jsonl").read_text(encoding="utf-8"))["line"] == 2


def test_a_result_is_out_before_the_next_row_is_read(tmp_path: Path, encoder: Encoder) -> None:
    models = Models(Config(encoder=EncoderConfig(model="starter:e5-small")))
    models.__dict__["encoder"] = encoder
    out = tmp_path / "out.jsonl"
    written: list[int] = []

    def lines() -> Iterator[bytes]:
        for number in range(3):
            written.append(out.read_bytes().count(b"\n"))
            yield json.dumps({**PAIR, "id": number}).encode()

    write_rows(run_stage(lines(), align_rows, models, "-", chunk_rows=1), str(out))
    assert written == [0, 1, 2]


def test_text_files_fill_a_folder(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert {each.name for each in folder.iterdir()} == set(summary["files"])
    assert summary["sentences"] == {"en": 15, "ko": 14, "uk": 15, "ru": 17}
    assert len(summary["pairs"]) == 6
    (row,) = map(json.loads, (folder / "tuples.jsonl").read_text(encoding="utf-8").splitlines())
    assert row["langs"] == ["en", "ko", "uk", "ru"]
    assert row["id"] == "summit"
    gold = CliRunner().invoke(
        app,
        [
            "evaluate",
            "sentences",
            "--gold",
            str(EXAMPLE / "beads.gold.jsonl"),
            "--pred",
            str(folder / "tuples.jsonl"),
            "--json",
        ],
    )
    assert json.loads(gold.stdout)["pairs"]["en-ko"]["lax"]["f1"] > 0.9


def test_only_the_formats_asked_for(tmp_path: Path) -> None:
    rows = tmp_path / "in.jsonl"
    rows.write_text(json.dumps(PAIR) + "\n", encoding="utf-8")
    result = align(rows, "-o", tmp_path / "out", "--format", "tmx", "--json")
    assert result.exit_code == 0
    assert {each.name for each in (tmp_path / "out").iterdir()} == {
        "tuples.jsonl",
        "en-ru.tmx",
        "review.tsv",
        "summary.json",
    }
    assert json.loads(result.stdout)["pairs"]["en-ru"]["types"] == {"1-1": 3}


def test_text_files_to_standard_output_with_given_and_guessed_languages(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(EN), encoding="utf-8")
    (tmp_path / "b.txt").write_text("\n".join(RU), encoding="utf-8")
    given = align(tmp_path / "a.txt", tmp_path / "b.txt", "--langs", "en,ru")
    guessed = align(tmp_path / "a.txt", tmp_path / "b.txt")
    row = json.loads(given.stdout)
    align(tmp_path / "a.txt", tmp_path / "b.txt", "--langs", "en,ru", "-o", tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == given.stdout
    assert row["sents"] == {"en": EN, "ru": RU}
    assert json.loads(guessed.stdout) == row
    assert "taken for 'ru'" in guessed.stderr


def test_documents_in_one_file_and_a_language_that_one_lacks(tmp_path: Path) -> None:
    (tmp_path / "n.en.txt").write_text(f"{EN[0]}\n#\n{EN[1]} {EN[2]}\n", encoding="utf-8")
    (tmp_path / "n.ru.txt").write_text(f"{RU[0]}\n#\n\n", encoding="utf-8")
    texts = (tmp_path / "n.en.txt", tmp_path / "n.ru.txt")
    result = align(*texts, "--split", "--document-separator", "#")
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["id"], first["tuples"]) == ("n-1", [{"en": [0], "ru": [0]}])
    assert [(bead["src"], bead["tgt"]) for bead in second["beads"]["en-ru"]] == [([0], []), ([1], [])]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([TEXTS[0]], "is one text"),
        ([TEXTS[0], TEXTS[0]], "two files are in one language"),
        ([*TEXTS[:2], "--langs", "en"], "--langs names 1 languages, and there are 2 files"),
        ([TEXTS[0], "nowhere.ko.txt"], "there is no file nowhere.ko.txt"),
        ([TEXTS[0], "rows.jsonl"], "either one file of JSONL rows"),
        (["rows.jsonl", "--split"], "for text files"),
        (["rows.jsonl", "--langs", "en,ko"], "rows name their languages"),
        ([*TEXTS[:2], "--json"], "--json needs -o"),
        ([*TEXTS[:2], "-o", "out", "--format", "xlsx"], "known are jsonl, tsv, tmx"),
        ([*TEXTS[:2], "--show", "nothing"], "no document 'nothing'.* there are: summit"),
    ],
)
def test_wrong_use_is_explained(args: list[str], message: str) -> None:
    assert re.search(message, error_of(align(*args)))


def test_anchors_are_kept_and_bad_ones_reject_the_row(tmp_path: Path) -> None:
    rows = tmp_path / "in.jsonl"
    anchored = {**PAIR, "anchors": [[0, 1]], "src_paragraphs": [0, 0, 1], "tgt_paragraphs": [0, 0, 1]}
    bad = {**PAIR, "anchors": [[0, 1], [1, 0]]}
    rows.write_text("".join(json.dumps(each) + "\n" for each in (anchored, bad)), encoding="utf-8")
    result = align(rows)
    assert result.exit_code == 1
    (row,) = map(json.loads, result.stdout.splitlines())
    assert any(0 in bead["src"] and 1 in bead["tgt"] for bead in row["beads"])
    assert "cross" in result.stderr
    whole = align(rows, "-o", tmp_path / "out", "--format", "jsonl", "--json")
    assert json.loads(whole.stdout)["rejected"] == 1


def test_rows_are_not_written_over_themselves(tmp_path: Path) -> None:
    rows = tmp_path / "in.jsonl"
    rows.write_text(json.dumps(PAIR) + "\n", encoding="utf-8")
    assert "read and written at once" in error_of(align(rows, "-o", rows))
    assert json.loads(rows.read_text(encoding="utf-8")) == PAIR


def test_show_two_languages_either_way_round(folder: Path) -> None:
    result = align(folder, "--show", "summit", "--langs", "ko,en")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    lines = result.stdout.splitlines()
    assert lines[1].split() == ["score", "ko", "(14)", "en", "(15)"]
    assert "한국과 우크라이나" in result.stdout
    assert any("null" in line for line in lines)


def test_show_many_languages_keeps_every_sentence(folder: Path) -> None:
    (row,) = map(json.loads, (folder / "tuples.jsonl").read_text(encoding="utf-8").splitlines())
    shown = "".join(align(folder, "--show", "summit").stdout.split())
    for sentences in row["sents"].values():
        for number, sentence in enumerate(sentences):
            # Columns interleave the lines of a sentence: its first word is whole on its first line.
            assert f"{number}{sentence.split()[0]}"[:8] in shown


def test_show_rows_that_are_not_aligned_yet(tmp_path: Path) -> None:
    rows = tmp_path / "in.jsonl"
    other: dict[str, Any] = {**PAIR, "id": "evil", "src": ["\x1b[2J[bold]Hello[/bold]."], "tgt": ["Привет."]}
    rows.write_text(json.dumps(PAIR) + "\n" + json.dumps(other) + "\n", encoding="utf-8")
    assert "Пусана" in align(rows, "--show", "p").stdout
    # Neither an escape sequence nor the table's own markup gets through.
    assert "\ufffd[2J[bold]Hello[/bold]." in align(rows, "--show", "evil").stdout


def test_on_a_terminal_columns_fit_and_scores_have_colours(folder: Path) -> None:
    parent, child = pty.openpty()
    code = "import sys; from mtalign.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "align", str(folder), "--show", "summit"],
        stdout=child,
        env={**os.environ, "COLUMNS": "72", "TERM": "xterm-256color"},
    ) as process:
        os.close(child)
        output = b""
        try:
            while piece := os.read(parent, 65536):
                output += piece
        except OSError:
            pass  # how Linux says that the other end is closed
        assert process.wait() == 0
    os.close(parent)
    text = output.decode()
    assert "\x1b[32m" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    widths = [cell_len(line) for line in plain.splitlines()]
    assert max(widths) <= 72
    assert "한국과" in plain
