"""The documentation as a site: it builds without a warning, and its reference knows every key there is."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from mtalign.config import Config

ROOT = Path(__file__).parents[1]


def keys(model: Any) -> Iterator[str]:
    """Yield every key of a configuration class and of those below it."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield name
            yield from keys(field.annotation)
    elif isinstance(model, type) and dataclasses.is_dataclass(model):
        for name, hint in typing.get_type_hints(model).items():
            yield name
            yield from keys(hint)
    else:
        for inner in typing.get_args(model):
            yield from keys(inner)


def test_every_key_of_the_configuration_is_in_the_docs() -> None:
    reference = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", reference, re.MULTILINE))
    assert set(keys(Config)) - rows == set(), "run make docs"


def test_the_pages_that_the_code_writes_are_those_that_it_would_write_now(tmp_path: Path) -> None:
    recipe = re.findall(
        r"^\t\$\(BIN\)/(.*--output docs/\w+\.md)$", (ROOT / "Makefile").read_text("utf-8"), re.M
    )
    assert len(recipe) == 2
    for command in recipe:
        *words, page = shlex.split(command)
        written = tmp_path / Path(page).name
        program = [sys.executable] if words[0] == "python" else [sys.executable, "-m", words[0]]
        subprocess.run([*program, *words[1:], str(written)], cwd=ROOT, check=True, capture_output=True)
        assert written.read_text("utf-8") == (ROOT / page).read_text("utf-8"), f"{page}: run make docs"


def test_the_site_builds_without_a_warning_and_asks_for_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="pip install mtalign[docs]")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for name in ("index", "report", "configuration", "commands"):
        page = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//', page)
        assert not re.findall(
            r'<link[^>]+rel="(?:stylesheet|preconnect|icon)"[^>]+href="(?:https?:)?//', page
        )
