"""`mtalign memory stats | export | import | prune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtalign.cli.common import JsonOption, MemoryOption, memory_path, print_json, table

if TYPE_CHECKING:
    from mtalign.translate.memory import Memory

Source = Annotated[str, typer.Option("--from", help="The language that the sentences were translated from.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        help="See, fill and empty the translation memory.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("stats", epilog="Example: mtalign memory stats --json")(stats)
    group.command("export", epilog="Example: mtalign memory export all.tmx")(export)
    group.command("import", epilog="Example: mtalign memory import reviewed.tmx")(import_)
    group.command("prune", epilog="Example: mtalign memory prune --older-than 90")(prune)
    app.add_typer(group, name="memory")


def stats(memory: MemoryOption = None, as_json: JsonOption = False) -> None:
    """Show how many translations there are, by languages and by who made them (whole with --json)."""
    with _opened(memory) as opened:
        groups = opened.groups()
        size = opened.path.stat().st_size
    if as_json:
        print_json({"path": str(opened.path), "bytes": size, "groups": [vars(each) for each in groups]})
        return
    typer.echo(f"{opened.path}: {sum(each.entries for each in groups)} translations, {size:,} bytes")
    if groups:
        table(
            "",
            ["from", "to", "translations", "newest", "number", "made by"],
            [
                [
                    each.source_lang,
                    each.target_lang,
                    each.entries,
                    each.newest,
                    "" if each.number is None else str(each.number),
                    _made_by(each.signature) if each.signature else "people",
                ]
                for each in groups
            ],
        )


def _made_by(signature: str) -> str:
    """Return the parts of a signature that a person tells translators apart by: library, model, format."""
    parts = signature.split("|")
    named = [each for each in parts[1:] if each.startswith(("model:", "compute:", "dtype:", "beams:"))]
    return " ".join([parts[0], *named])


def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write, .tmx or .tsv.")],
    source: Source = "en",
    human: Annotated[bool, typer.Option("--human", help="Only what people made.")] = False,
    memory: MemoryOption = None,
) -> None:
    """Write the translations as TMX or TSV."""
    from mtalign.languages import language
    from mtalign.translate.exchange import export_file

    with _opened(memory) as opened:
        count = export_file(opened, out, language(source).code, human_only=human)
    typer.echo(f"{out}: {count} translations")


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .tmx or .tsv file of reviewed translations.")
    ],
    source: Source = "en",
    memory: MemoryOption = None,
) -> None:
    """Load translations that people made or reviewed: they are used instead of what any engine makes."""
    from mtalign.languages import language
    from mtalign.translate.exchange import import_file

    with _opened(memory, new=True) as opened:
        found = import_file(opened, file, language(source).code)
    typer.echo(f"{file}: {found.entries} translations imported, {len(found.rejected)} units left out")
    for reason in found.rejected:
        typer.echo(f"left out: {reason}", err=True)
    raise typer.Exit(1 if found.rejected else 0)


def prune(
    older_than: Annotated[
        int | None, typer.Option("--older-than", min=0, help="Days since the translation was made.")
    ] = None,
    number: Annotated[
        int | None, typer.Option("--number", help="Only those of one translator: its number in the stats.")
    ] = None,
    memory: MemoryOption = None,
) -> None:
    """Delete translations that machines made. What people made stays."""
    from mtalign.errors import UsageError

    if older_than is None and number is None:
        raise UsageError("say what to delete: --older-than DAYS, --number N of mtalign memory stats, or both")
    with _opened(memory) as opened:
        deleted = opened.prune(number=number, older_than_days=older_than)
    typer.echo(f"{opened.path}: {deleted} translations deleted")


def _opened(path: Path | None, *, new: bool = False) -> Memory:
    from mtalign.errors import StoreError
    from mtalign.translate.memory import Memory

    path = path or memory_path()
    if not new and not path.exists():
        raise StoreError(f"there is no memory at {path}: a run makes one, and so does mtalign memory import")
    return Memory(path)
