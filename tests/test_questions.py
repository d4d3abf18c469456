"""`mtalign review`: what waits for a person, the terminal dialogue, and what becomes of its answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from summit import summit, written
from typer.testing import CliRunner

from mtalign.cli import app
from mtalign.document import Span
from mtalign.questions import Question, questions
from mtalign.record import Projection, Record
from mtalign.review import read_reviews, reviewed
from mtalign.store import Run

RECORD = summit()


def unsure(entity: str, confidence: float, record: Record = RECORD) -> Record:
    """Return the record with one Korean mention less sure."""
    changed = tuple(
        replace(each, confidence=confidence) if each.source == entity else each
        for each in record.projections["ko"]
    )
    return replace(record, projections={**record.projections, "ko": changed})


def lose(entity: str, record: Record) -> Record:
    changed = tuple(
        Projection(entity, 0.1, "ranker", reason="below-threshold") if each.source == entity else each
        for each in record.projections["ko"]
    )
    return replace(record, projections={**record.projections, "ko": changed})


# One unsure mention, one lost one whose name stands there, and whatever the article has lost anyway.
DOUBTFUL = lose("E2", unsure("E1", 0.4))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    written(tmp_path / "run", DOUBTFUL)
    return tmp_path / "run"


def asked(run: Path, *options: str, answers: str = "") -> str:
    result = CliRunner().invoke(app, ["review", str(run), *options], input=answers)
    assert result.exit_code == 0, result.output
    return result.output


def korean(run: Path, entity: str) -> Projection:
    (record,) = reviewed(Run(run))
    return next(each for each in record.projections["ko"] if each.source == entity)


def test_the_list_holds_what_is_unsure_or_lost_with_its_place() -> None:
    found = {each.entity: each for each in questions(DOUBTFUL, 0.75) if each.lang == "ko"}
    one, other = found["E1"], found["E2"]
    assert one.place is not None
    assert one.place.of(one.seen) == "서울"
    assert one.source[one.source_start : one.source_end] == one.said == "Seoul"
    assert (other.place, other.reason) == (None, "below-threshold")
    assert "키이우" in other.seen
    surest = {each.entity for each in questions(DOUBTFUL, 0.3)}
    assert "E1" not in surest
    assert "E2" in surest


def test_the_list_is_json_lines(run: Path) -> None:
    rows = [json.loads(line) for line in asked(run, "--list", "--lang", "ko").splitlines()]
    assert {"E1", "E2"} <= {row["entity"] for row in rows}
    assert all(row["lang"] == "ko" for row in rows)
    assert f"{len(rows)} mentions wait" in asked(run, "--lang", "ko")


def test_answers_are_kept_at_once_and_not_asked_again(run: Path) -> None:
    before = len(asked(run, "--list", "--lang", "ko").splitlines())
    shown = asked(run, "--ask", "--lang", "ko", answers="a\nm\n키이우\nq\n")
    assert "[서울]" in shown
    assert "[Seoul]" in shown
    assert f"2 of {before} answered" in shown
    assert [each.verdict for each in read_reviews(run).reviews] == ["accept", "move"]
    for entity, text in (("E1", "서울"), ("E2", "키이우")):
        made = korean(run, entity)
        assert made.entity is not None
        assert (made.entity.text, made.method) == (text, "review")
    assert len(asked(run, "--list", "--lang", "ko").splitlines()) == before - 2


def test_a_span_is_rejected_and_a_slip_is_asked_again(run: Path) -> None:
    shown = asked(run, "--ask", "--lang", "ko", answers="x\nm\nnowhere\nr\nq\n")
    assert "that does not stand there" in shown
    assert korean(run, "E1").reason == "rejected-in-review"


def test_words_that_stand_there_twice_are_chosen_by_number(run: Path) -> None:
    (record,) = Run(run).records()
    seen = record.targets["ko"].sentence_texts()[0]
    letter = next(char for char in seen if seen.count(char) > 1 and not char.isspace())
    asked(run, "--ask", "--lang", "ko", answers=f"m\n{letter}\n2\nq\n")
    made = korean(run, "E1")
    assert made.entity is not None
    assert made.entity.span.start == seen.index(letter, seen.index(letter) + 1)


def test_the_end_of_the_input_ends_the_dialogue(run: Path) -> None:
    assert "0 of" in asked(run, "--ask", answers="")
    assert read_reviews(run).reviews == []


def test_a_mention_with_nothing_opposite_can_only_be_left_out() -> None:
    question = Question(
        "a", "ko", "e", "", "x", "x", 0, 1, (), "", None, None, 0.0, "no-counterpart-sentence"
    )
    assert question.place is None
    assert question.answered("reject", None).sentences == ()
    assert replace(question, start=0, end=1, seen="x", sentences=(0,)).place == Span(0, 1)
