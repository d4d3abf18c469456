"""`mtalign review`: take in what was reviewed, and say what still holds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtalign.cli.common import JsonOption, RunArgument, print_json, table

if TYPE_CHECKING:
    from mtalign.questions import Question
    from mtalign.record import Rejected
    from mtalign.review import Review
    from mtalign.store import Run


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        "review",
        epilog="Examples: mtalign review RUN --list | mtalign review RUN --ask --lang ko | "
        "mtalign review RUN --apply reviews.jsonl",
    )(review)


def review(
    run: RunArgument,
    apply: Annotated[
        Path | None, typer.Option("--apply", help="Reviews as the report's page downloads them.")
    ] = None,
    as_list: Annotated[
        bool, typer.Option("--list", help="Print what needs a person, one mention a line, as JSON.")
    ] = False,
    ask: Annotated[
        bool, typer.Option("--ask", help="Go through what needs a person, here: accept, move edges, reject.")
    ] = False,
    lang: Annotated[str | None, typer.Option("--lang", help="Only mentions in this language.")] = None,
    accept: Annotated[
        float | None,
        typer.Option("--accept", min=0, max=1, help="Sure enough from here (default: as configured)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Review the mentions of a run: list what needs a person, ask here, or take in reviews from a file.

    Without an option: which of all reviews hold (the rest saw a text that has changed), and what waits.
    """
    from mtalign.review import add_reviews, read_file, read_reviews, settle, standing
    from mtalign.store import Run

    opened = Run(run)
    if as_list or ask:
        asked = _questions(opened, lang, accept)
        if as_list:
            _list(asked)
        else:
            _ask(run, list(asked))
        return
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
        waits = sum(1 for _ in _questions(opened, lang, accept))
        typer.echo(f"{waits} mentions wait for a person: --list prints them, --ask goes through them")
        _show("stale: what they saw is no longer there", stale)
        _show("of articles that the run does not have", foreign)
        for each in unreadable:
            typer.echo(f"not read: {each.path}:{each.line}: {each.reason}", err=True)
    if unreadable:
        raise typer.Exit(1)


def _questions(run: Run, lang: str | None, accept: float | None) -> Iterator[Question]:
    from mtalign.questions import questions
    from mtalign.review import reviewed

    least = _accept(run) if accept is None else accept
    for record in reviewed(run):
        yield from (each for each in questions(record, least) if lang in {None, each.lang})


def _accept(run: Run) -> float:
    """Return the threshold that the run was made with."""
    from mtalign.project.rank import ProjectOptions

    configured = run.manifest.get("config", {}).get("project", {})
    return float(configured.get("accept", ProjectOptions().accept))


def _list(waiting: Iterable[Question]) -> None:
    from mtalign.record import encode_json

    for each in waiting:
        sys.stdout.buffer.write(encode_json(each) + b"\n")


def _ask(run: Path, waiting: list[Question]) -> None:
    from mtalign.cli.dialogue import ask
    from mtalign.review import add_reviews

    answered = ask(
        waiting,
        lambda review: add_reviews(run, [review]),
        getuser(),
        lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    typer.echo(f"{answered} of {len(waiting)} answered")


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
