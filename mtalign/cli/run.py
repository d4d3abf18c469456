"""`mtalign run`, and `mtalign status` beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
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
    Offsets,
    chosen_memory,
    languages,
    print_json,
    progress_bar,
    read_config,
)
from mtalign.cli.plan import Inputs, identity, read_inputs, show_plan, without_hash
from mtalign.cli.status import status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mtalign.batch import Report, Runner
    from mtalign.config import Config
    from mtalign.load import Models, UsedModel
    from mtalign.observe import Observer


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("run", epilog=_RUN_EXAMPLES)(run)
    app.command("status", epilog="Example: mtalign status RUN --watch 10")(status)


_RUN_EXAMPLES = (
    "Examples: mtalign run news.jsonl --to ko,uk,ru -o RUN | "
    "mtalign run article.txt --to ko -c starter -o RUN --entities spacy | "
    "mtalign run folder/ --to uk,ru -o RUN --dry-run | "
    "mtalign run folder/ --to uk,ru -o /shared/RUN --shard 2/8 | "
    "mtalign run rows.parquet --columns text=body,translations.ko=korean --to ko,uk -o RUN"
)


def run(
    articles: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files (text, JSONL, Parquet, HTML, brat, IOB2, Label Studio, DocBin, TMX, TSV, XLIFF 2), "
            "folders of them, dataset folders, hub:OWNER/NAME, or - for standard input."
        ),
    ] = None,
    to: Annotated[str, typer.Option("--to", help="Target languages, for example ko,uk,ru.")] = "",
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
    offsets: Annotated[
        Offsets,
        typer.Option("--offsets", help="How rows and brat files count places: utf16 is JavaScript's way."),
    ] = Offsets.CODE_POINTS,
    entities: Annotated[
        str | None,
        typer.Option(
            "--entities",
            help="Annotate articles that have no entities: none, spacy, or a token-classification model "
            "(hub:OWNER/NAME@REVISION, or a folder).",
        ),
    ] = None,
    memory: MemoryOption = None,
    no_memory: NoMemoryOption = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Ids, or patterns such as news-*, with commas; the other articles wait."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="Work on so many articles at most.")
    ] = None,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Try again the articles that failed at an earlier start.")
    ] = False,
    shard: Annotated[
        str,
        typer.Option("--shard", help="This machine's part of the work, for example 2/8: the second of 8."),
    ] = "1/1",
    runner: Annotated[str, typer.Option("--runner", help="local, or ray: a Ray cluster.")] = "local",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes, each with its own models (default: what fits)."),
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option("--ray-address", help="Of a Ray cluster (default: one on this machine).")
    ] = None,
    ray_gpus: Annotated[float, typer.Option("--ray-gpus", min=0, help="GPUs for each Ray worker.")] = 0.0,
    together: Annotated[
        int | None,
        typer.Option(
            "--together", min=1, help="Characters of text translated together; 1: each article for itself."
        ),
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", help="Keep a file in Prometheus' text format up to date.")
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Write where time went: RUN/profile.svg.")
    ] = False,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring the run directory of an older mtalign up to date first.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and stop.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Translate, align, project and check articles into a run directory. Start it again to resume.

    An interrupt lets the articles under work be finished, a second one stops at once.
    """
    from mtalign.batch import TOGETHER, Job, Selection, run_batch
    from mtalign.errors import UsageError
    from mtalign.formats.articles import find_inputs, read_articles
    from mtalign.load import Models
    from mtalign.observe import Observer
    from mtalign.plan import look_ahead
    from mtalign.store import Share, claim

    if migrate:
        _migrate(out)
        if not articles:
            return
    if not articles:
        raise UsageError("name the articles: files, folders, or - for standard input")
    targets = languages(to)
    if source in targets:
        raise UsageError(f"{source!r} is the language of the articles, so it cannot be a target")
    settings = _with_entities(read_config(config), entities)
    selection = Selection(
        tuple(part.strip() for each in only or () for part in each.split(",") if part.strip()),
        limit,
        retry_rejected,
        Share.parse(shard),
    )
    home = languages(source)[0]
    files = find_inputs(articles, format)
    mapped = dict(settings.columns) if columns is None else _columns(columns)
    remembered = chosen_memory(memory, no_memory)
    models = Models(settings, remembered)
    # Everything that can stop the run as a whole is found out here, before anything is written.
    read = partial(read_articles, files, home, format, mapped, utf16=offsets is Offsets.UTF16)
    plan = read_inputs(files, read(), targets)
    if dry_run:
        show_plan(plan, models.survey(plan.translated), look_ahead(read(), targets, models, out), as_json)
        return
    used = models.find(plan.translated)
    if out is None:
        raise UsageError("say where the results go: -o RUN")
    work = _runner(runner, workers, ray_address, ray_gpus, models)
    out = out.absolute()
    manifest = _manifest(targets, settings, used, plan)
    with claim(out, manifest, selection.share) as start, _signals() as stop:
        job = Job(out, start, tuple(targets), settings, remembered, home, together or TOGETHER)
        total = plan.articles + len(plan.unreadable)
        ahead = total if start == 1 and selection.whole and selection.share.count == 1 else None
        with (
            progress_bar(ahead, "articles") as show,
            Observer(out, start, total, metrics, show) as observer,
        ):
            observer.event("start", mtalign=__version__, share=shard, runner=runner, inputs=files)
            report = run_batch(
                read(), files, job, models, work,
                selection=selection, tell=observer.tell, stop=stop,
            )  # fmt: skip
            changed = [file for file, before in plan.files.items() if identity(file) != without_hash(before)]
            observer.event("end", **vars(report), changed=changed)
        if profile:
            _write_profile(out, observer)
    if as_json:
        facts = {**vars(report), "changed_inputs": changed, "not_read": plan.left_out}
        print_json({"run": str(out), **facts})
    else:
        _summarise(out, report, used, changed, plan.left_out)
    raise typer.Exit(report.exit_code or (1 if changed else 0))


@contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """Yield a question: were we asked to stop? The first signal only answers it, the second stops at once."""
    import signal

    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked:
            typer.echo("stopped; what was finished is kept, the same command goes on from there", err=True)
            raise KeyboardInterrupt
        asked = True
        typer.echo("stopping after the articles under work; once more to stop at once", err=True)

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _runner(name: str, workers: int | None, address: str | None, gpus: float, models: Models) -> Runner:
    from mtalign.errors import UsageError
    from mtalign.runners.local import InProcess, Processes, default_workers

    if name == "ray":
        from mtalign.runners.ray import RayCluster

        return RayCluster(workers or default_workers(), address, gpus)
    if name != "local":
        raise UsageError(f"--runner {name!r}: known are local and ray")
    count = workers or default_workers()
    return InProcess(models) if count == 1 else Processes(count)


def _migrate(out: Path | None) -> None:
    from mtalign.errors import UsageError
    from mtalign.store import migrate

    if out is None:
        raise UsageError("say which run directory to bring up to date: -o RUN")
    typer.echo(f"{out}: {migrate(out)} articles brought up to date")


def _manifest(
    targets: Sequence[str], settings: Config, used: Sequence[UsedModel], plan: Inputs
) -> dict[str, Any]:
    return {
        "mtalign": __version__,
        "targets": targets,
        "config": settings.model_dump(mode="json"),
        "models": [vars(each) for each in used],
        "inputs": plan.files,
        "articles": plan.articles,
    }


def _write_profile(out: Path, observer: Observer) -> None:
    from mtalign.observe import profile_svg
    from mtalign.store import write_atomically, writing

    with writing(out):
        write_atomically(out / "profile.svg", profile_svg(observer.timings, observer.elapsed, out.name))


def _with_entities(config: Config, entities: str | None) -> Config:
    from pydantic import ValidationError

    from mtalign.config import Config
    from mtalign.errors import UsageError

    if entities is None:
        return config
    try:
        return Config.model_validate({**config.model_dump(), "entities": entities})
    except ValidationError as error:
        raise UsageError(f"--entities: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def _columns(option: str) -> dict[str, str]:
    from mtalign.errors import UsageError

    pairs = [each.partition("=") for each in option.split(",")]
    if not all(field.strip() and column.strip() for field, _, column in pairs):
        raise UsageError(f"--columns {option!r}: expected FIELD=COLUMN,…, for example text=body,id=url")
    return {field.strip(): column.strip() for field, _, column in pairs}


def _summarise(
    out: Path,
    report: Report,
    used: Sequence[UsedModel],
    changed: Sequence[str],
    left_out: Mapping[str, int],
) -> None:
    for what, count in left_out.items():
        typer.echo(f"not read, since an article cannot hold it: {count} {what}")
    typer.echo(
        f"{out}: {report.done} articles done, {report.skipped} done before, {report.rejected} rejected"
    )
    if report.interrupted:
        typer.echo("interrupted; what was finished is kept, the same command goes on from there", err=True)
    if report.rejected:
        typer.echo(f"the rejects and their reasons: {out / 'rejects'}, or mtalign status {out}")
    for file in changed:
        typer.echo(f"{file} was changed while it was read; start again to do what is new in it", err=True)
    for model in used:
        if model.demo:
            typer.echo(
                f"{model.role}: {model.name} makes translations of demo quality, not fit for use; "
                "configs/ko-uk-ru.yaml has real ones"
            )
