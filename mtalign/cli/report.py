"""`mtalign report | show`: a run as a page, as files or served on this machine, and in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtalign.cli.common import DEFAULT_CONFIG, ConfigOption, RunArgument, progress_bar, read_config

if TYPE_CHECKING:
    from mtalign.store import Run


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("report", epilog="Examples: mtalign report RUN -o report.html | mtalign report RUN --serve")(
        report
    )
    app.command("show", epilog="Examples: mtalign show RUN | mtalign show RUN summit")(show)


def report(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The HTML file.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="The page's title.")] = None,
    links: Annotated[
        bool, typer.Option("--links", help="Link words first, with the encoder of the configuration.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on this machine; reviews go into the run.")
    ] = False,
    port: Annotated[int, typer.Option("--port", help="With --serve: the port, 0 for a free one.")] = 0,
) -> None:
    """Write a page to look at the run and to review it: all languages side by side, entities, issues.

    A large run becomes an index and a folder of pages beside it.
    """
    from mtalign.errors import UsageError
    from mtalign.store import Run

    if (out is None) != serve:
        raise UsageError("say where the page goes with -o FILE, or show it with --serve")
    opened = Run(run)
    name = title or run.resolve().name
    if links:
        _link(opened, config)
    if out is None:
        _serve(opened, name, port)
        return
    from mtalign.report.source import Source
    from mtalign.report.write import write_report

    made = write_report(Source(opened), opened.rejects(), out, name)
    folder = f", with {made.pages} pages in {made.folder}" if made.folder else ""
    typer.echo(f"{made.path}{folder}")


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


def _link(run: Run, config: str) -> None:
    from mtalign.load import Models
    from mtalign.report.links import make_links
    from mtalign.review import reviewed

    models = Models(read_config(config))
    models.find([])
    with progress_bar(None, "articles") as progress:
        made = make_links(
            run.path, reviewed(run), lambda pairs: models.linker.link(pairs) if pairs else [], progress
        )
    typer.echo(f"words linked in {made} articles")


def _serve(run: Run, title: str, port: int) -> None:
    from mtalign.report.serve import serve

    serve(run, title, port, announce=lambda address: typer.echo(f"{address}\nCtrl-C ends it"))
