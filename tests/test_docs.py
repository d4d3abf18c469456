"""The commands in the documentation work: every `console` block of a page that asks for it is run.

A page asks with the comment below. Its blocks run one after the other in one temporary folder, in which
`examples/` stands; every line that begins with `$ ` is a command (`> ` continues it) and must end well.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MARK = "<!-- tests/test_docs.py runs the console blocks of this page -->"
PAGES = [page for page in sorted(ROOT.glob("docs/*.md")) if MARK in page.read_text(encoding="utf-8")]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*(?:\n> .*)*)$", re.MULTILINE)


def commands(text: str) -> list[str]:
    """Return the commands of a page, in order."""
    return [
        command.replace("\n> ", "\n") for block in BLOCK.findall(text) for command in COMMAND.findall(block)
    ]


def test_commands_are_found_and_output_is_not_run() -> None:
    page = "```console\n$ one \\\n> --more\noutput\n$ two\n```\n\n```sh\n$ never\n```\n$ neither\n"
    assert commands(page) == ["one \\\n--more", "two"]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_work(page: Path, tmp_path: Path) -> None:
    found = commands(page.read_text(encoding="utf-8"))
    assert found, f"{page.name} asks to be run and has no command"
    work, programs = tmp_path / "work", tmp_path / "bin"
    work.mkdir()
    programs.mkdir()
    (work / "examples").symlink_to(ROOT / "examples")
    # `mtalign` is this checkout's, whether or not another one is installed.
    program = programs / "mtalign"
    program.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -c 'from mtalign.cli import main; main()' \"$@\"\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    for command in found:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=work,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"
