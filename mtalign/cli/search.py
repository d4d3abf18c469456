"""`mtalign search build | query | entity | export`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtalign.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, read_config, run_records

if TYPE_CHECKING:
    from mtalign.search.query import Hit

IndexOption = Annotated[Path, typer.Option("--index", "-i", help="The index that search build made.")]


class Mode(str, Enum):
    """How passages are compared with the query."""

    dense = "dense"
    lexical = "lexical"
    hybrid = "hybrid"


class Precision(str, Enum):
    """How vectors are kept."""

    float16 = "float16"
    float32 = "float32"


class Target(str, Enum):
    """What an index is exported for."""

    faiss = "faiss"
    parquet = "parquet"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(help="Search a run across languages.", no_args_is_help=True, rich_markup_mode=None)
    group.command("build", epilog="Example: mtalign search build RUN -o INDEX -c starter")(build)
    group.command("query", epilog='Example: mtalign search query "power grid" --index INDEX --lang ko')(query)
    group.command("entity", epilog='Example: mtalign search entity "Київ" --index INDEX')(entity)
    group.command("export", epilog="Example: mtalign search export INDEX --to faiss -o FOLDER")(export)
    app.add_typer(group, name="search")


def build(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="The run directory, or JSONL rows of n languages by mtalign align."
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The index (default: RUN/index).")] = None,
    vectors: Annotated[Precision, typer.Option("--vectors", help="float16 halves the index.")] = (
        Precision.float16
    ),
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a search index of every sentence in every language, or bring one up to date.

    Only articles that are new or have changed are encoded; those no longer there are dropped.
    """
    from mtalign.errors import UsageError
    from mtalign.load import Models
    from mtalign.search import build as make
    from mtalign.search import of_records, of_rows

    if source.is_dir():
        articles, place = of_records(run_records(source)()), out or source / "index"
    elif out is None:
        raise UsageError("name the folder of the index with -o")
    else:
        articles, place = of_rows(source), out
    built = make(articles, Models(read_config(config)).encoder, place, dtype=vectors.value)
    if as_json:
        print_json({**vars(built), "path": str(built.path)})
        return
    typer.echo(
        f"{built.path}: {built.passages} sentences; articles: {built.added} added, "
        f"{built.replaced} replaced, {built.dropped} dropped, {built.unchanged} unchanged"
    )


def query(
    text: Annotated[str, typer.Argument(help="Words or a sentence, in any language.")],
    index: IndexOption,
    lang: Annotated[
        list[str] | None, typer.Option("--lang", help="Only sentences in this language (or these).")
    ] = None,
    entity: Annotated[
        list[str] | None,
        typer.Option("--entity", help="Only sentences that mention it: a name in any script, or an id."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Only sentences with an entity like this.")
    ] = None,
    article: Annotated[list[str] | None, typer.Option("--article", help="Only this article.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Not before this day, YYYY-MM-DD.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Not after this day.")] = None,
    mode: Annotated[
        Mode, typer.Option("--mode", help="By meaning (dense), by letters (lexical), or by both.")
    ] = Mode.hybrid,
    k: Annotated[int, typer.Option("-k", help="How many answers.")] = 5,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Find sentences in every language, with their translations.

    --label and --entity may be repeated: every one of them must be mentioned.
    """
    from mtalign.load import Models
    from mtalign.search import Filters, Index

    filters = Filters(
        langs=tuple(lang or ()),
        articles=tuple(article or ()),
        labels=tuple(label or ()),
        entities=tuple(entity or ()),
        since=since,
        until=until,
    )
    encoder = None if mode is Mode.lexical else Models(read_config(config)).encoder
    hits = Index.open(index, encoder).query(text, mode=mode.value, filters=filters, k=k)
    if as_json:
        print_json([hit.as_dict() for hit in hits])
        return
    for number, hit in enumerate(hits, 1):
        _show(number, hit)
    if not hits:
        typer.echo("nothing found")


def entity(
    name: Annotated[str, typer.Argument(help="A name, in any language and script.")],
    index: IndexOption,
    k: Annotated[int, typer.Option("-k", help="How many entities.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Find what is called like this, and its mentions in every language."""
    from mtalign.search import Index

    hits = Index.open(index).entities(name, k=k)
    if as_json:
        print_json([hit.as_dict() for hit in hits])
        return
    for hit in hits:
        typer.echo(f"{hit.likeness:.2f}  {hit.label}  ({hit.id})")
        for lang, mentions in hit.mentions.items():
            for each in mentions:
                typer.echo(f"      [{lang}] {each.text}   ({each.passage})")
    if not hits:
        typer.echo("nothing found")


def export(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="The index that search build made.")],
    to: Annotated[Target, typer.Option("--to", help="A flat FAISS index, or one Parquet file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder.")],
) -> None:
    """Write passages and vectors for other tools."""
    from mtalign.search import export as write

    for path in write(index, out, to.value):
        typer.echo(str(path))


def _show(number: int, hit: Hit) -> None:
    typer.echo(f"{number}. {hit.score:.3f}  [{hit.passage.lang}] {hit.passage.text}   ({hit.passage.id})")
    for code, others in hit.counterparts.items():
        typer.echo(f"          [{code}] {' '.join(each.text for each in others)}")
