"""Every command in README, CONTRIBUTING and docs/ works.

Commands are the lines of code blocks, and the examples in the reference, that begin with `mtalign`; in
blocks marked `console` every line that begins with `$ ` is one (`> ` continues it). Those of a page run one
after the other, in this process, in a copy of one prepared folder with the files that the pages speak of.
What a test cannot have stands in `NOT_RUN` with its reason; there, as in running text, the command line has
to be one that mtalign understands. Of `make`, `pip` and `python scripts/…` the target, the extra, the options
have to exist.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from mtalign.cli import app
from mtalign.encode import Encoder

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLE = "mtalign run examples/summit/article.jsonl --to ko,uk,ru -c starter -o RUN"

NOT_RUN = {
    r"--shard \$i/4": "a shell loop over four GPUs",
    r"--shard": "waits for the claims of other machines; tests/test_parallel.py runs shards",
    r"--runner ray": "needs the ray extra and a cluster; make test-ray",
    r"--push": "pushes to the hub; tests/test_publish_hub.py pushes to one that runs here",
    r"report RUN --serve": "serves until it is interrupted; tests/test_report_pages.py interrupts it",
    r"status RUN --watch": "goes on until it is interrupted",
    r"^mtalign translate|rows\.parquet": "needs a large translator; tests/test_stages.py has a tiny one",
    r"models (fetch|show)": "may fetch packages; tests/test_models.py does so from a folder",
    r"(--gold|--pred) (g|gold|p)\.": "its files are those of tests/test_evaluate.py",
}


@dataclass(frozen=True)
class Line:
    """A command line of a page; `shell` says that it stands behind a prompt, whatever it begins with."""

    text: str
    shell: bool = False

    def why_not_run(self) -> str | None:
        """Return why a test cannot run it."""
        return next((why for what, why in NOT_RUN.items() if re.search(what, self.text)), None)


def lines_of(text: str) -> Iterator[Line]:
    """Yield the command lines of a page, in order."""
    fence = ""
    prompted = False
    known: list[str] = []

    for raw in [*text.splitlines(), ""]:
        # A line that ends in a backslash, or one that a prompt continues, is part of the line before.
        if known and (known[-1].endswith("\\") or (prompted and raw.startswith("> "))):
            joint = known.pop().removesuffix("\\")
            known.append(f"{joint.rstrip()} {raw.removeprefix('> ').strip()}")
            continue
        if known:
            yield Line(known.pop(), prompted)
        if opened := re.match(r"^ *```(\w*)", raw):
            fence = "" if fence else opened[1] or "text"
            continue
        prompted = fence == "console"
        if prompted:
            # The reference shows how a command is used in general.
            known = [raw[2:]] if raw.startswith("$ ") and "[OPTIONS]" not in raw else []
        elif fence in ("sh", "bash") or (not fence and raw.startswith("    ")):
            shown = re.search(r"(?:^|\s)((?:mtalign|make|pip|python) .*?)(?: &)?$", raw)
            known = [shown[1]] if shown else []
        elif not fence and (example := re.match(r"^Examples?: (.*)", raw)):
            yield from (Line(each) for each in example[1].split(" | "))


def test_command_lines_are_found_and_nothing_else() -> None:
    page = (
        "```console\n$ one \\\n> --more\noutput\n$ two | three\n```\n\n```sh\nmtalign a \\\n    --b\n```\n"
        "$ neither\n    mtalign c  # why\n    X=1 mtalign d &\n  mtalign e\n```yaml\nmtalign f\n```\n"
        "Examples: mtalign g | mtalign h\n"
    )
    assert [(each.text, each.shell) for each in lines_of(page)] == [
        ("one --more", True), ("two | three", True), ("mtalign a --b", False), ("mtalign c  # why", False),
        ("mtalign d", False), ("mtalign g", False), ("mtalign h", False),
    ]  # fmt: skip


# --- What is understood ---


def understood(words: list[str], *, whole: bool) -> Any:
    """Check that mtalign has these commands and options; return the command. `whole`: nothing is missing."""
    command: Any = get_command(app)
    while getattr(command, "commands", None) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    if whole:
        command.make_context("mtalign", [*words])
    named = {
        option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]
    }
    unknown = [word for word in words if re.match("-{1,2}[a-z]", word) and word.split("=")[0] not in named]
    assert set(unknown) <= {"--help", "--version"}, f"{command.name}: {unknown}"
    return command


def inline(text: str) -> list[list[str]]:
    """Return the command lines of running text, word by word."""
    spans = re.findall(r"(?<!`)`mtalign ([^`]+)`(?!`)", text)
    return [shlex.split(each) for span in spans for each in span.split(" | ")]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def check_other(words: list[str]) -> None:
    """Check a command of another program, as far as it speaks of this project."""
    if words[0] == "make":
        assert set(words[1:]) <= make_targets(), words
    elif words[0] == "pip":
        extras = re.findall(
            r"^([a-z]+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
        )
        assert {
            each for word in words for found in re.findall(r"\[(.*)\]", word) for each in found.split(",")
        } <= {*extras}, words
    elif words[0] == "python" and words[1].startswith("scripts/"):
        script = (ROOT / words[1]).read_text(encoding="utf-8")
        assert [word for word in words if word.startswith("--") and f'"{word}"' not in script] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_the_text_of_a_page_says_is_understood(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for words in inline(text):
        understood(words, whole=False)
    for span in re.findall(r"(?<!`)`((?:make|pip|python) [^`]+)`(?!`)", text):
        check_other(shlex.split(span))


# --- What runs ---

SHORT = {
    "en": "Busan trades with Osaka. The port is open.",
    "ko": "부산은 오사카와 교역한다. 항구가 열려 있다.",
    "uk": "Пусан торгує з Осакою. Порт відкритий.",
    "ru": "Пусан торгует с Осакой. Порт открыт.",
}
ENTITIES = [
    {"id": "1", "start": 0, "end": 5, "label": "LOC"},
    {"id": "2", "start": 18, "end": 23, "label": "LOC"},
]


def prepare(folder: Path) -> None:
    """Put the files that the pages speak of into a folder, all but the run directory."""
    (folder / "examples").symlink_to(ROOT / "examples")
    english, *_ = SHORT.values()
    targets = {lang: text for lang, text in SHORT.items() if lang != "en"}
    article = {"id": "port", "text": english, "entities": ENTITIES, "translations": targets}
    for name in ("news", "folder", "shared/news"):
        (folder / name).mkdir(parents=True)
        write_lines(folder / name / "port.jsonl", article)
    write_lines(folder / "news.jsonl", article)
    (folder / "article.txt").write_text(english, encoding="utf-8")
    for lang, text in targets.items():
        (folder / f"article.{lang}.txt").write_text(text, encoding="utf-8")
    for lang, text in SHORT.items():
        for name in (f"{lang}.txt", f"news.{lang}.txt"):
            (folder / name).write_text(text.replace(". ", ".\n") + "\n", encoding="utf-8")
    pq.write_table(
        pa.table({"id": ["port"], "body": [english], "korean": [SHORT["ko"]]}), folder / "rows.parquet"
    )
    pair = {"id": "port", "src_lang": "en", "tgt_lang": "ko"}
    write_lines(folder / "in.jsonl", {**pair, "src": english, "tgt": SHORT["ko"], "entities": ENTITIES})
    write_lines(
        folder / "rows.jsonl", {**pair, "src": english.split(" The"), "tgt": SHORT["ko"].split(" 항")}
    )
    (folder / "terms.tsv").write_text("source\tko\nBusan\t부산\n", encoding="utf-8")
    (folder / "reviewed.tmx").write_text(
        '<tmx version="1.4"><header srclang="en"/><body><tu><tuv xml:lang="en"><seg>Yes.</seg></tuv>'
        '<tuv xml:lang="ko"><seg>네.</seg></tuv></tu></body></tmx>',
        encoding="utf-8",
    )
    review = {"article": "summit", "lang": "ko", "verdict": "bad", "sentences": [0], "seen": "…"}
    write_lines(folder / "reviews.jsonl", review)


def write_lines(path: Path, *rows: dict[str, object]) -> None:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")


def run(line: Line) -> None:
    """Run a line in the current folder: mtalign in this process, anything else in a shell."""
    words = shlex.split(line.text.replace("/shared/", "shared/"), comments=True)
    if words[0] != "mtalign":
        check_other(words)
        if line.shell:
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            subprocess.run(["bash", "-ec", line.text], check=True, env={**os.environ, "PATH": path})
        return
    out = words[words.index(">") + 1] if ">" in words else None
    words = words[1 : words.index(">")] if out else words[1:]
    command = understood(words, whole=True)
    if line.why_not_run():
        return
    takes_config = any("--config" in parameter.opts for parameter in command.params)
    if takes_config and "-c" not in words:
        # The default needs the hub.
        words += ["-c", "starter"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, f"{line.text}\n{result.output}\n{result.exception!r}"
    if out:
        Path(out).write_text(result.stdout, encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def _one_encoder() -> Iterator[None]:
    """Read the encoder once for all commands, instead of half a gigabyte for each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtalign.encode.Encoder", lru_cache(Encoder))
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything in it, the run of the example too."""
    folder = tmp_path_factory.mktemp("docs") / "work"
    folder.mkdir()
    prepare(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for each in (
            EXAMPLE,
            "mtalign search build RUN -o INDEX",
            "mtalign align news.en.txt news.ko.txt -o FOLDER",
            "mtalign memory import reviewed.tmx",
        ):
            run(Line(each))
    return folder


WITH_COMMANDS = [page for page in PAGES if list(lines_of(page.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_the_commands_of_a_page_work(
    page: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    shutil.copytree(prepared, work, symlinks=True)
    monkeypatch.chdir(work)
    for line in lines_of(page.read_text(encoding="utf-8")):
        made = re.search(r"-o (RUN|FOLDER)\b(?!.*--dry-run)", line.text)
        if made and line.text != EXAMPLE:
            # The page makes one of its own: what is there is of other articles.
            shutil.rmtree(made[1], ignore_errors=True)
        run(line)
        if made and made[1] == "RUN" and page.stem == "commands":
            # There every example stands for itself.
            shutil.rmtree("RUN", ignore_errors=True)
            shutil.copytree(prepared / "RUN", "RUN")


def test_every_reason_not_to_run_a_command_is_needed() -> None:
    lines = [line for page in PAGES for line in lines_of(page.read_text(encoding="utf-8"))]
    assert [what for what in NOT_RUN if not any(re.search(what, line.text) for line in lines)] == []
