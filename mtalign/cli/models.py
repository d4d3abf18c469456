"""`mtalign models list | fetch | show`: the weights that need no hub, and where weights lie."""

from __future__ import annotations

from typing import Annotated

import typer

from mtalign.cli.common import JsonOption, print_json, table


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    models = typer.Typer(help="See and fetch model weights.", no_args_is_help=True, rich_markup_mode=None)
    models.command("list", epilog="Example: mtalign models list")(models_list)
    models.command("fetch", epilog="Example: mtalign models fetch starter:e5-small")(models_fetch)
    models.command("show", epilog="Example: mtalign models show starter:gemma-3-270m")(models_show)
    app.add_typer(models, name="models")


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
    """Show where a model lies, its licence, and the checksums of what it is built from.

    One of the hub that is not here is not fetched: shown is what the hub says of it.
    """
    from mtalign.errors import ModelUnavailable
    from mtalign.models import Absent, look_up
    from mtalign.starter import STARTERS

    found = look_up(name)
    if isinstance(found, Absent):
        if found.problem:
            raise ModelUnavailable(found.problem)
        shown: dict[str, object] = {"name": name, "license": found.license, "revision": found.revision}
        shown["to_fetch"] = found.bytes
    else:
        shown = {**vars(found), "path": str(found.path)}
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
