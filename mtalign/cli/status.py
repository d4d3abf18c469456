"""`mtalign status`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from mtalign.cli.common import JsonOption, print_json, table

_SHOWN_REJECTS = 20


def status(
    run: Annotated[Path, typer.Argument(help="The run directory.")],
    watch: Annotated[
        float | None,
        typer.Option(
            "--watch", min=0.2, help="Show it again every so many seconds while somebody is writing."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a run directory holds, what is left to do, and how long that will take."""
    import click

    while True:
        found = look(run)
        if as_json:
            print_json(asdict(found))
        else:
            if watch:
                click.clear()
            _show(found)
        if watch is None or not found.writers:
            return
        time.sleep(watch)


@dataclass
class Status:
    """A run directory at a glance. Counts are of the newest record of every article.

    `rate` is articles per hour of the last start with any, `remaining` what its inputs hold beyond articles
    and rejects, `eta_hours` how long that takes at this rate; None where it is not known. `demo` names the
    models whose translations are not meant for use.
    """

    articles: int = 0
    sentences: int = 0
    rejected: int = 0
    remaining: int | None = None
    rate: float | None = None
    eta_hours: float | None = None
    writers: list[str] = field(default_factory=list)
    engines: dict[str, dict[str, int]] = field(default_factory=dict)
    demo: list[str] = field(default_factory=list)
    issues: dict[str, int] = field(default_factory=dict)
    entities_kept: dict[str, int] = field(default_factory=dict)
    entities_lost: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    rejects: list[dict[str, Any]] = field(default_factory=list)


def look(path: Path) -> Status:
    """Return the state of a run directory, from its journals and rejects; records are not read.

    Raises:
        StoreError: it is not a run directory, or is damaged.
    """
    import msgspec

    from mtalign.store import Run, owners

    run = Run(path)
    found = Status(writers=[owner.describe() for owner in owners(path)])
    issues: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for _, entry in run.entries():
        tally = entry.tally
        found.articles += 1
        found.sentences += tally.sentences
        issues.update(tally.issues)
        kept.update(tally.kept)
        lost.update(tally.lost)
        seconds.update(entry.timings)
        for lang, engine in tally.engines.items():
            counts = found.engines.setdefault(lang, {})
            counts[engine] = counts.get(engine, 0) + 1
    found.demo = sorted({each["name"] for each in run.manifest.get("models", []) if each.get("demo")})
    rejects = run.rejects()
    found.rejected = len(rejects)
    found.rejects = [msgspec.to_builtins(each) for each in rejects]
    found.reasons = dict(Counter(_kind(each.reason) for each in rejects).most_common())
    found.issues = dict(issues.most_common())
    found.entities_kept, found.entities_lost = dict(kept), dict(lost.most_common())
    found.seconds = {stage: round(each, 3) for stage, each in seconds.most_common()}
    _estimate(found, run)
    return found


def _estimate(found: Status, run: Any) -> None:
    done: Counter[int] = Counter()
    elapsed: dict[int, float] = {}
    for _, _, commit in run.commits():
        done[commit.start] += len(commit.entries)
        elapsed[commit.start] = max(commit.elapsed, elapsed.get(commit.start, 0.0))
    last = max(elapsed, default=0)
    if elapsed.get(last):
        found.rate = round(3600 * done[last] / elapsed[last], 1)
    if (total := run.manifest.get("articles")) is not None:
        found.remaining = max(0, total - found.articles - sum("id" in each for each in found.rejects))
        if found.rate:
            found.eta_hours = round(found.remaining / found.rate, 2)


def _kind(reason: str) -> str:
    """Return a reason without what differs from article to article: quoted words and numbers."""
    import re

    return re.sub(r"\d+", "N", re.sub(r"'[^']*'|\"[^\"]*\"", "…", reason))[:120]


def _show(found: Status) -> None:
    typer.echo(f"{found.articles} articles, {found.sentences} sentences, {found.rejected} rejected")
    if found.remaining is not None:
        ahead = f"{found.remaining} to do"
        if found.rate is not None:
            ahead += f"; {found.rate:g} articles an hour at the last start"
        if found.remaining and found.eta_hours is not None:
            ahead += f", so {found.eta_hours:g} hours more"
        typer.echo(ahead)
    for writer in found.writers:
        typer.echo(f"being written by {writer}")
    rows = [
        [lang, engine, count, "demo only" if engine in found.demo else ""]
        for lang, engines in found.engines.items()
        for engine, count in sorted(engines.items(), key=lambda each: -each[1])
    ]
    if rows:
        table("translated by", ["language", "engine", "articles", "quality"], rows)
    counted: list[tuple[str, Mapping[str, float]]] = [
        ("entities kept", found.entities_kept),
        ("entities lost", found.entities_lost),
        ("issues", found.issues),
        ("seconds of work", found.seconds),
        ("rejects", found.reasons),
    ]
    for title, counts in counted:
        if counts:
            table(title, ["what", "count"], [[name, count] for name, count in counts.items()])
    for each in found.rejects[:_SHOWN_REJECTS]:
        place = f"{each['path']}:{each['line']}" if each.get("line") else each["path"]
        typer.echo(f"rejected {place}: {each['reason']}")
    if len(found.rejects) > _SHOWN_REJECTS:
        typer.echo(f"and {len(found.rejects) - _SHOWN_REJECTS} more; --json shows all")
