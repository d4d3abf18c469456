"""What is made out of a run directory: `mtalign search`; and `mtalign models`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtalign.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    RunArgument,
    print_json,
    read_config,
    run_records,
    table,
)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    search = typer.Typer(help="Search a run across languages.", no_args_is_help=True, rich_markup_mode=None)
    search.command("build", epilog="Example: mtalign search build RUN -o INDEX -c starter")(search_build)
    search.command("query", epilog='Example: mtalign search query "power grid" --index INDEX --lang ko')(
        search_query
    )
    app.add_typer(search, name="search")
    models = typer.Typer(help="See and fetch model weights.", no_args_is_help=True, rich_markup_mode=None)
    models.command("list", epilog="Example: mtalign models list")(models_list)
    models.command("fetch", epilog="Example: mtalign models fetch starter:e5-small")(models_fetch)
    models.command("show", epilog="Example: mtalign models show starter:gemma-3-270m")(models_show)
    app.add_typer(models, name="models")


def search_build(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The index (default: RUN/index).")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a search index of every sentence of the run, in every language."""
    from mtalign.load import Models
    from mtalign.search.build import build

    built = build(run_records(run)(), Models(read_config(config)).encoder, out or run / "index")
    if as_json:
        print_json({**vars(built), "path": str(built.path)})
    else:
        typer.echo(f"{built.path}: {built.passages} sentences")


def search_query(
    text: Annotated[str, typer.Argument(help="Words or a sentence, in any language.")],
    index: Annotated[Path, typer.Option("--index", "-i", help="The index that search build made.")],
    lang: Annotated[str | None, typer.Option("--lang", help="Only sentences in this language.")] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Only sentences with an entity like this.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many answers.")] = 5,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Find the sentences nearest in meaning, with their translations."""
    from mtalign.load import Models
    from mtalign.search.query import Index

    hits = Index.open(index).query(text, Models(read_config(config)).encoder, lang=lang, label=label, k=k)
    if as_json:
        print_json([hit.as_dict() for hit in hits])
        return
    for number, hit in enumerate(hits, 1):
        typer.echo(f"{number}. {hit.score:.3f}  [{hit.passage.lang}] {hit.passage.text}   ({hit.passage.id})")
        for code, others in hit.counterparts.items():
            typer.echo(f"          [{code}] {' '.join(each.text for each in others)}")


def models_list(as_json: JsonOption = False) -> None:
    """List the models that need no hub, and whether they are built."""
    from mtalign.models import is_built, starter_folder
    from mtalign.starter import STARTERS

    rows = [
        {
            "name": each.name,
            "upstream": each.upstream,
            "license": each.license,
            "demo": each.demo,
            "built": is_built(each),
            "path": str(starter_folder(each)),
        }
        for each in STARTERS.values()
    ]
    if as_json:
        print_json(rows)
        return
    table("", list(rows[0]), [[str(cell) for cell in row.values()] for row in rows])
    typer.echo("models of the hub are named hub:OWNER/NAME@REVISION, local ones by their folder")


def models_fetch(
    names: Annotated[list[str], typer.Argument(help="starter:NAME or hub:OWNER/NAME@REVISION.")],
) -> None:
    """Fetch or build models now, so that a later run starts at once and needs no network."""
    from mtalign.models import resolve

    for name in names:
        typer.echo(f"{name}: {resolve(name).path}")


def models_show(
    name: Annotated[str, typer.Argument(help="starter:NAME, hub:OWNER/NAME@REVISION or a folder.")],
    as_json: JsonOption = False,
) -> None:
    """Show where a model lies, its licence, and the checksums of what it is built from."""
    from mtalign.models import resolve
    from mtalign.starter import STARTERS

    files = resolve(name)
    shown: dict[str, object] = {**vars(files), "path": str(files.path)}
    if starter := STARTERS.get(name):
        shown["upstream"] = starter.upstream
        shown["inputs"] = {f"{each.package}/{each.path}": each.sha256 for each in starter.inputs}
    if as_json:
        print_json(shown)
        return
    for key, value in shown.items():
        if isinstance(value, dict):
            for file, digest in value.items():
                typer.echo(f"{'sha256':12} {digest}  {file}")
        else:
            typer.echo(f"{key:12} {value}")
