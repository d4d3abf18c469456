"""`mtalign export`: a run in other tools' formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtalign.cli.common import JsonOption, print_json, run_records, table


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("export", epilog="Example: mtalign export RUN --to tmx,iob2,brat -o FILES")(export)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="jsonl, parquet, brat, iob2, labelstudio, docbin, tmx, tsv, xliff, moses (with commas).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder; each format gets a folder in it.")],
    neutralise_formulas: Annotated[
        bool,
        typer.Option(
            "--neutralise-formulas",
            help="In TSV, put an apostrophe before cells that a spreadsheet would run.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a run in other tools' formats, and say what each of them could not hold."""
    from dataclasses import asdict

    from mtalign.formats.export import export as write

    formats = list(dict.fromkeys(name.strip() for name in to.split(",") if name.strip()))
    reports = write(run_records(run), formats, out, neutralise_formulas=neutralise_formulas)
    if as_json:
        print_json([asdict(each) for each in reports])
        return
    for each in reports:
        typer.echo(f"{out / each.format}: {each.articles} articles in {each.files} files")
        if each.not_held:
            table("not held", ["what", "count"], [[name, count] for name, count in each.not_held.items()])
    if reports and reports[0].demo:
        typer.echo(
            f"warning: {reports[0].demo} translations are of demo quality, not fit for use; "
            "the files do not say so",
            err=True,
        )
