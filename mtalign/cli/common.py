"""What several commands share: options, the configuration, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtalign.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mtalign.config import Config
    from mtalign.record import Record

DEFAULT_CONFIG = "ko-uk-ru"


class Offsets(str, Enum):
    """How places in a text are counted."""

    CODE_POINTS = "codepoints"
    UTF16 = "utf16"


ConfigOption = Annotated[
    str,
    typer.Option(
        "--config",
        "-c",
        help="A YAML file, or the name of a preset: ko-uk-ru, nllb, madlad, translategemma, "
        "or starter, which needs no hub.",
    ),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.")]
MemoryOption = Annotated[
    Path | None,
    typer.Option(
        "--memory",
        envvar="MTALIGN_MEMORY",
        help="The translation memory; without it one in the user's cache folder.",
    ),
]
NoMemoryOption = Annotated[
    bool, typer.Option("--no-memory", help="Neither look translations up in the memory nor keep them there.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def read_config(name: str) -> Config:
    """Read a configuration file, or a preset by its name."""
    from importlib.resources import files

    from mtalign.config import load

    path = Path(name)
    if path.is_file():
        return load(path)
    presets = sorted(each.name for each in files("mtalign.configs").iterdir() if each.name.endswith(".yaml"))
    if f"{name}.yaml" in presets:
        return load(Path(str(files("mtalign.configs") / f"{name}.yaml")))
    names = ", ".join(each.removesuffix(".yaml") for each in presets)
    raise ConfigError(f"there is no configuration file {name!r}; presets are {names}")


def memory_path() -> Path:
    """Return where the translation memory lies unless the user names another place."""
    from mtalign.models import cache_root

    return cache_root() / "memory.sqlite"


def chosen_memory(memory: Path | None, no_memory: bool) -> Path | None:
    """Return the translation memory to use, if any."""
    return None if no_memory else memory or memory_path()


def languages(codes: str) -> list[str]:
    """Split `ko,uk,ru` and check every code.

    Raises:
        UsageError: none is given, one is given twice, or one is unknown.
    """
    from mtalign.languages import language

    found = [language(code.strip()).code for code in codes.split(",") if code.strip()]
    if not found or len(set(found)) < len(found):
        raise UsageError(f"--to {codes!r}: give each target language once, for example --to ko,uk,ru")
    return found


def print_json(value: object) -> None:
    """Print one value as indented JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def run_records(run: Path) -> Callable[[], Iterator[Record]]:
    """Return a function that streams the records of a run directory as reviewed, each time anew."""
    from mtalign.review import reviewed
    from mtalign.store import Run

    return partial(reviewed, Run(run))


@contextmanager
def progress_bar(total: int | None, unit: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that reports one finished item: a bar on a terminal, plain lines in a log."""
    if not sys.stderr.isatty():
        count = 0

        def line(name: str) -> None:
            nonlocal count
            count += 1
            typer.echo(f"{count}/{total or '?'} {name}", err=True)

        yield line
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=f" {unit}", dynamic_ncols=True, file=sys.stderr) as bar:

        def advance(name: str) -> None:
            bar.set_postfix_str(name[:30])
            bar.update()

        yield advance


def table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    """Print a table; numbers are right-aligned."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], (int, float)) for row in rows)
        grid.add_column(Text(column), no_wrap=True, justify="right" if numeric else "left")
    for row in rows:
        grid.add_row(*(Text(f"{cell:.3f}" if isinstance(cell, float) else str(cell)) for cell in row))
    # A pipe has no width; the 80 columns that rich takes for it would cut numbers off.
    console = Console(width=None if sys.stdout.isatty() else 200)
    if title:
        console.print(Text(title, style="bold"))
    console.print(grid)
