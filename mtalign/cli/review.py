"""`mtalign review`: take in what was reviewed, and say what still holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtalign.cli.common import JsonOption, RunArgument, print_json, table

if TYPE_CHECKING:
    from mtalign.record import Rejected
    from mtalign.review import Review


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("review", epilog="Example: mtalign review RUN --apply reviews.jsonl")(review)


def review(
    run: RunArgument,
    apply: Annotated[
        Path | None, typer.Option("--apply", help="Reviews as the report's page downloads them.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add reviews to a run, and show which of all its reviews hold: the rest saw a text that has changed."""
    from mtalign.review import add_reviews, read_file, read_reviews, settle, standing
    from mtalign.store import Run

    opened = Run(run)
    unreadable: list[Rejected] = []
    new = 0
    if apply is not None:
        given = read_file(apply)
        unreadable += given.rejects
        new = add_reviews(run, given.reviews)
    known = read_reviews(run)
    unreadable += known.rejects
    waiting = known.by_article()
    applied: list[Review] = []
    stale: list[Review] = []
    for record in opened.records():
        if given_for := waiting.pop(record.id, None):
            outcome = settle(record, given_for)
            applied += outcome.applied
            stale += outcome.stale
    foreign = [each for others in waiting.values() for each in standing(others)]
    if as_json:
        print_json(
            {
                "new": new,
                "applied": len(applied),
                "stale": [_plain(each) for each in stale],
                "without_article": [_plain(each) for each in foreign],
                "unreadable": [_plain(each) for each in unreadable],
            }
        )
    else:
        typer.echo(f"{new} new, {len(applied)} applied, {len(stale)} stale, {len(foreign)} of other articles")
        _show("stale: what they saw is no longer there", stale)
        _show("of articles that the run does not have", foreign)
        for each in unreadable:
            typer.echo(f"not read: {each.path}:{each.line}: {each.reason}", err=True)
    if unreadable:
        raise typer.Exit(1)


def _show(title: str, reviews: list[Review]) -> None:
    if reviews:
        rows = [
            [
                each.article,
                each.lang,
                each.verdict,
                each.entity or ",".join(map(str, each.sentences)),
                each.seen[:60],
            ]
            for each in reviews
        ]
        table(title, ["article", "language", "verdict", "about", "saw"], rows)


def _plain(value: object) -> Any:
    import msgspec

    return msgspec.to_builtins(value)
