"""`mtalign show`: a run or an article in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from mtalign.cli.common import RunArgument


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("show", epilog="Examples: mtalign show RUN | mtalign show RUN summit")(show)


def show(
    run: RunArgument,
    article: Annotated[str | None, typer.Argument(help="An article's id; without it, the list.")] = None,
    width: Annotated[
        int | None, typer.Option("--width", min=20, help="Columns to fill (default: those of the terminal).")
    ] = None,
) -> None:
    """Print the articles of a run, or one article with its languages side by side, as the report does."""
    from rich.console import Console

    from mtalign.errors import UsageError
    from mtalign.report.article import article_view
    from mtalign.report.overview import line
    from mtalign.report.page import label_hues
    from mtalign.report.terminal import article_rows, contents
    from mtalign.review import reviewed
    from mtalign.store import Run

    records = reviewed(Run(run))
    console = Console(width=width, highlight=False)
    if article is None:
        console.print(contents(line(record) for record in records))
        return
    found = next((record for record in records if record.id == article), None)
    if found is None:
        raise UsageError(f"{run} has no article {article!r}; mtalign show {run} lists them")
    view = article_view(found)
    labels = label_hues(entity.label for lang in found.documents() for entity in found.entities(lang))
    console.print(article_rows(view, labels, console.width))
