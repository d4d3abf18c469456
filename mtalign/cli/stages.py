"""`mtalign translate | words | project`: one stage on JSONL."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtalign.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    MemoryOption,
    NoMemoryOption,
    Offsets,
    chosen_memory,
    languages,
    read_config,
)
from mtalign.cli.rows import check_distinct, opened, write_rows

if TYPE_CHECKING:
    from mtalign.stages import Stage

Input = Annotated[str, typer.Argument(metavar="IN.jsonl", help="Rows to read, - for standard input.")]
Output = Annotated[str, typer.Option("--out", "-o", help="Where the rows go, - for standard output.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("translate", epilog="Example: mtalign translate in.jsonl -o out.jsonl --to ko -c starter")(
        translate
    )
    app.command("words", epilog="Example: mtalign words in.jsonl -o - -c starter")(words)
    app.command("project", epilog="Example: mtalign project in.jsonl -o out.jsonl -c starter")(project)


def translate(
    rows: Input,
    to: Annotated[str, typer.Option("--to", help="Target languages, for example ko,uk,ru.")],
    out: Output = "-",
    config: ConfigOption = DEFAULT_CONFIG,
    memory: MemoryOption = None,
    no_memory: NoMemoryOption = False,
) -> None:
    """Translate rows `{"id", "lang", "text"}`, or plain lines, into the target languages."""
    from mtalign.stages import translate_rows

    targets = languages(to)
    _run(
        rows,
        out,
        config,
        translate_rows(targets),
        translated=targets,
        plain_lines=True,
        memory=chosen_memory(memory, no_memory),
    )


def words(
    rows: Input,
    out: Output = "-",
    config: ConfigOption = DEFAULT_CONFIG,
    pharaoh: Annotated[
        bool, typer.Option("--pharaoh", help="Write lines like 0-0 1-2, no JSON; an empty line for a reject.")
    ] = False,
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", help="Sentence pairs, in rows like the input; links learnt from them help."),
    ] = None,
) -> None:
    """Link the words of `src` and `tgt` (token lists or strings) per row."""
    from mtalign.stages import corpus_statistics, words_rows

    stage: Stage = words_rows
    if corpus is not None:
        with opened(str(corpus), sys.stdin.buffer, "rb") as lines:
            stage = partial(words_rows, statistics=corpus_statistics(lines, str(corpus)))
    _run(rows, out, config, stage, encode=_pharaoh if pharaoh else None)


def _pharaoh(row: dict[str, Any]) -> bytes:
    return " ".join(f"{i}-{j}" for i, j, _ in row.get("links", ())).encode()


def project(
    rows: Input,
    out: Output = "-",
    config: ConfigOption = DEFAULT_CONFIG,
    offsets: Annotated[
        Offsets, typer.Option("--offsets", help="How rows count places: utf16 is JavaScript's way.")
    ] = Offsets.CODE_POINTS,
) -> None:
    """Carry the `entities` of `src` over into `tgt` per row, as exact character spans."""
    from mtalign.stages import project_rows

    _run(rows, out, config, project_rows(utf16=offsets is Offsets.UTF16))


def _run(
    rows: str,
    out: str,
    config: str,
    stage: Stage,
    *,
    translated: list[str] | None = None,
    plain_lines: bool = False,
    encode: Callable[[dict[str, Any]], bytes] | None = None,
    memory: Path | None = None,
) -> None:
    """Send rows through a stage; a reject makes the exit code 1."""
    from mtalign.load import Models
    from mtalign.stages import run_stage

    check_distinct(rows, out)
    models = Models(read_config(config), memory)
    models.find(translated or [])
    with opened(rows, sys.stdin.buffer, "rb") as stream:
        lines = _as_rows(iter(stream)) if plain_lines else stream
        if write_rows(run_stage(lines, stage, models, rows), out, encode):
            raise typer.Exit(1)


def _as_rows(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Turn plain lines into rows numbered from 1; lines that are JSON objects stay."""
    import msgspec

    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith(b"{"):
            yield line
        else:
            yield msgspec.json.encode(
                {"id": str(number), "text": line.decode("utf-8", "replace").rstrip("\r\n")}
            )
