"""`mtalign run` and `mtalign status`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtalign import __version__
from mtalign.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    MemoryOption,
    NoMemoryOption,
    chosen_memory,
    languages,
    print_json,
    progress_bar,
    read_config,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtalign.config import Config
    from mtalign.formats.articles import Found
    from mtalign.load import UsedModel
    from mtalign.record import Rejected


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("run", epilog=_RUN_EXAMPLES)(run)
    app.command("status", epilog="Example: mtalign status RUN --json")(status)


_RUN_EXAMPLES = (
    "Examples: mtalign run news.jsonl --to ko,uk,ru -o RUN | "
    "mtalign run article.txt --to ko -c starter -o RUN --entities spacy | "
    "mtalign run folder/ --to uk,ru -o RUN --dry-run | "
    "mtalign run rows.parquet --columns text=body,translations.ko=korean --to ko,uk -o RUN"
)


def run(
    articles: Annotated[
        list[str],
        typer.Argument(
            help="Files (text, JSONL, Parquet, HTML, brat, IOB2, Label Studio, DocBin, TMX, TSV, XLIFF 2), "
            "folders of them, dataset folders, hub:OWNER/NAME, or - for standard input."
        ),
    ],
    to: Annotated[str, typer.Option("--to", help="Target languages, for example ko,uk,ru.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The run directory.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    source: Annotated[str, typer.Option("--from", help="Language of articles that do not say.")] = "en",
    format: Annotated[
        str | None, typer.Option("--format", help="The format of the files, where their endings do not say.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", help="Which column is which field: text=body,id=url,translations.ko=kor"),
    ] = None,
    entities: Annotated[
        str | None,
        typer.Option("--entities", help="none, or spacy: annotate articles that have no entities."),
    ] = None,
    memory: MemoryOption = None,
    no_memory: NoMemoryOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and stop.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Translate, align, project and check articles into a run directory. Start it again to resume."""
    from mtalign.errors import UsageError
    from mtalign.formats.articles import find_inputs, read_articles
    from mtalign.load import Models
    from mtalign.run import run_batch
    from mtalign.store import Run, Writer, is_run

    targets = languages(to)
    if source in targets:
        raise UsageError(f"{source!r} is the language of the articles, so it cannot be a target")
    settings = _with_entities(read_config(config), entities)
    files = find_inputs(articles, format)
    mapped = dict(settings.columns) if columns is None else _columns(columns)
    inputs = list(read_articles(files, languages(source)[0], format, mapped))
    models = Models(settings, chosen_memory(memory, no_memory))
    # Everything that can stop the run as a whole is found out here, before anything is written.
    used = models.find(_to_translate(inputs, targets))
    if dry_run:
        _show_plan(inputs, targets, used, as_json)
        return
    if out is None:
        raise UsageError("say where the results go: -o RUN")
    manifest = {
        "mtalign": __version__,
        "targets": targets,
        "config": settings.model_dump(mode="json"),
        "models": [vars(each) for each in used],
        "inputs": files,
    }
    done = Run(out).done() if is_run(out) else {}
    with Writer(out, manifest) as writer, progress_bar(len(inputs), "articles") as progress:
        writer.forget_rejects(files)
        report = run_batch(inputs, targets, models, writer, done=done, progress=progress)
    if as_json:
        print_json({"run": str(out), **vars(report), "not_read": _left_out(inputs)})
    else:
        for what, count in _left_out(inputs).items():
            typer.echo(f"not read, since an article cannot hold it: {count} {what}")
        _summarise(out, report.done, report.skipped, report.rejected, used)
    raise typer.Exit(report.exit_code)


def _with_entities(config: Config, entities: str | None) -> Config:
    from mtalign.config import Config
    from mtalign.errors import UsageError

    if entities is None:
        return config
    if entities not in {"none", "spacy"}:
        raise UsageError(f"--entities {entities!r}: known are none and spacy")
    return Config.model_validate({**config.model_dump(), "entities": entities})


def _columns(option: str) -> dict[str, str]:
    from mtalign.errors import UsageError

    pairs = [each.partition("=") for each in option.split(",")]
    if not all(field.strip() and column.strip() for field, _, column in pairs):
        raise UsageError(f"--columns {option!r}: expected FIELD=COLUMN,…, for example text=body,id=url")
    return {field.strip(): column.strip() for field, _, column in pairs}


def _left_out(inputs: Sequence[Found | Rejected]) -> dict[str, int]:
    """Count what the files say and an article cannot hold, over all of them."""
    from mtalign.formats.articles import Found

    total: Counter[str] = Counter()
    for each in inputs:
        if isinstance(each, Found):
            total.update(each.left_out)
    return dict(total)


def _to_translate(inputs: Sequence[Found | Rejected], targets: Sequence[str]) -> list[str]:
    """Return the languages that at least one article brings no translation in."""
    from mtalign.formats.articles import Found
    from mtalign.run import missing

    found = [each.article for each in inputs if isinstance(each, Found)]
    return [lang for lang in targets if any(lang in missing(article, targets) for article in found)]


def _show_plan(
    inputs: Sequence[Found | Rejected], targets: Sequence[str], used: Sequence[UsedModel], as_json: bool
) -> None:
    from mtalign.formats.articles import Found
    from mtalign.run import missing

    found = [each.article for each in inputs if isinstance(each, Found)]
    plan: dict[str, Any] = {
        "articles": len(found),
        "unreadable": [vars_of(each) for each in inputs if not isinstance(each, Found)],
        "not_read": _left_out(inputs),
        "characters": sum(len(article.source.text) for article in found),
        "to_translate": {lang: sum(lang in missing(each, targets) for each in found) for lang in targets},
        "models": [vars(each) for each in used],
    }
    if as_json:
        print_json(plan)
        return
    typer.echo(
        f"{plan['articles']} articles, {plan['characters']} characters; {len(plan['unreadable'])} unreadable"
    )
    for lang, count in plan["to_translate"].items():
        typer.echo(f"  {lang}: {count} to translate, {len(found) - count} bring a human translation")
    table(
        "models",
        ["role", "model", "licence", "quality"],
        [
            [each.role, each.name, each.license or "unknown", "demo only" if each.demo else ""]
            for each in used
        ],
    )


def vars_of(rejected: Rejected) -> dict[str, Any]:
    """Return a reject as plain values."""
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(rejected)
    return plain


def _summarise(out: Path, done: int, skipped: int, rejected: int, used: Sequence[UsedModel]) -> None:
    typer.echo(f"{out}: {done} articles done, {skipped} done before, {rejected} rejected")
    if rejected:
        typer.echo(f"the rejects and their reasons: {out / 'rejects.jsonl'}")
    for model in used:
        if model.demo:
            typer.echo(
                f"{model.role}: {model.name} makes translations of demo quality, not fit for use; "
                "configs/ko-uk-ru.yaml has real ones"
            )


def status(
    run: Annotated[Path, typer.Argument(help="The run directory.")], as_json: JsonOption = False
) -> None:
    """Show what a run directory holds: articles, rejects by reason, issues, lost entities."""
    from mtalign.store import Run

    opened = Run(run)
    articles = 0
    issues: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for record in opened.records():
        articles += 1
        issues.update(each.kind for each in record.issues)
        for lang, projections in record.projections.items():
            kept[lang] += sum(each.entity is not None for each in projections)
            lost.update(f"{lang}: {each.reason}" for each in projections if each.reason)
    rejects = opened.rejects()
    summary = {
        "articles": articles,
        "rejected": len(rejects),
        "entities_kept": dict(kept),
        "entities_lost": dict(lost),
        "issues": dict(issues),
        "rejects": [vars_of(each) for each in rejects],
    }
    if as_json:
        print_json(summary)
        return
    typer.echo(f"{articles} articles, {len(rejects)} rejected")
    counted: list[tuple[str, Counter[str]]] = [
        ("entities kept", kept),
        ("entities lost", lost),
        ("issues", issues),
    ]
    for title, counts in counted:
        if counts:
            table(title, ["what", "count"], [[name, count] for name, count in counts.most_common()])
    for each in rejects:
        place = f"{each.path}:{each.line}" if each.line else each.path
        typer.echo(f"rejected {place}: {each.reason}")
