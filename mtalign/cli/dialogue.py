"""The terminal dialogue of `mtalign review --ask`: one mention at a time, each answer kept at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from mtalign.document import Span

if TYPE_CHECKING:
    from mtalign.questions import Question
    from mtalign.review import Review

_HELP = "a accept, m move the edges, r not there, s skip, q quit"
_LOST_HELP = "m it is there, r right, it is not there, s skip, q quit"
# A text may hold escape sequences that would take over the terminal.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def ask(
    waiting: Sequence[Question], keep: Callable[[Review], object], by: str, now: Callable[[], str]
) -> int:
    """Go through the questions, and return how many were answered; the end of the input ends it.

    Args:
        waiting: the questions.
        keep: takes each answer as it is given.
        by: who answers.
        now: returns the time of an answer.
    """
    answered = 0
    for number, question in enumerate(waiting, 1):
        _show(question, f"{number}/{len(waiting)}")
        try:
            review = _answer(question, by, now)
        except (EOFError, typer.Abort, KeyboardInterrupt):
            break
        if review is not None:
            keep(review)
            answered += 1
    return answered


def _answer(question: Question, by: str, now: Callable[[], str]) -> Review | None:
    """Ask until there is an answer; None skips the question.

    Raises:
        EOFError: nothing more is to be asked.
    """
    place = question.place
    while True:
        said = typer.prompt(
            _HELP if place else _LOST_HELP, prompt_suffix=": ", default="s", show_default=False
        )
        match said.strip().lower():
            case "a" if place:
                return question.answered("accept", place, by, now())
            case "r":
                return question.answered("reject", place, by, now())
            case "m" if question.seen:
                moved = _moved(question)
                if moved:
                    return question.answered("move", moved, by, now())
            case "s":
                return None
            case "q":
                raise EOFError


def _moved(question: Question) -> Span | None:
    """Ask for the words that say it; None if there are none such."""
    said = typer.prompt("the words that say it, as they stand there", default="", show_default=False).strip()
    places = [Span(m.start(), m.end()) for m in re.finditer(re.escape(said), question.seen)] if said else []
    if not places:
        typer.echo("that does not stand there")
        return None
    if len(places) == 1:
        return places[0]
    for number, each in enumerate(places, 1):
        typer.echo(f"  {number}  {_marked(question.seen, each)}")
    chosen = typer.prompt("which one", type=int)
    return places[chosen - 1] if 1 <= chosen <= len(places) else None


def _show(question: Question, number: str) -> None:
    state = f"lost: {question.reason}" if question.place is None else f"confidence {question.confidence:.2f}"
    label = f" {question.label}" if question.label else ""
    typer.echo()
    typer.echo(_clean(f"{number}  {question.article}, {question.lang}: {question.entity}{label}, {state}"))
    typer.echo(f"  {_marked(question.source, Span(question.source_start, question.source_end))}")
    typer.echo(f"  {_marked(question.seen, question.place) if question.seen else '(no sentence opposite)'}")


def _marked(text: str, span: Span | None) -> str:
    if span is None:
        return _clean(text)
    before, inside, after = text[: span.start], span.of(text), text[span.end :]
    return f"{_clean(before)}[{_clean(inside)}]{_clean(after)}"


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text)
