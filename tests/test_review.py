"""Reviews: what was said about a text holds as long as the text does, and wins over the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from summit import summit, written
from typer.testing import CliRunner

from mtalign.cli import app
from mtalign.document import Span
from mtalign.errors import InvalidRecord
from mtalign.record import Issue, Projection, Record, decode_record, encode_json
from mtalign.review import (
    REVIEWS,
    Review,
    add_reviews,
    apply,
    decode_review,
    read_reviews,
    reviewed,
    settle,
)
from mtalign.store import Run, Writer

SUMMIT = summit()
KO = SUMMIT.targets["ko"]


def seen(index: int, record: Record = SUMMIT, lang: str = "ko") -> str:
    return record.targets[lang].sentence_texts()[index]


def about(entity: str, verdict: str, text: str | None, index: int = 0, **more: object) -> Review:
    """Return a review of an entity in a Korean sentence, placed where `text` stands in it."""
    start = seen(index).index(text) if text else None
    end = None if text is None or start is None else start + len(text)
    given = {"start": start, "end": end, **more}
    return Review("summit", "ko", verdict, (index,), seen(index), entity=entity, **given)  # type: ignore[arg-type]


def sentence(verdict: str, index: int, **more: str) -> Review:
    return Review("summit", "ko", verdict, (index,), seen(index), **more)  # type: ignore[arg-type]


def found(record: Record, entity: str) -> Projection:
    return next(each for each in record.projections["ko"] if each.source == entity)


def moved_to(record: Record, entity: str, text: str, index: int = 0) -> Record:
    """Return the record as if the machine had put an entity elsewhere."""
    target = record.targets["ko"]
    start = target.sentences[index].span.start + seen(index, record).index(text)
    span = Span(start, start + len(text))
    changed = tuple(
        replace(each, confidence=0.4, entity=replace(each.entity, span=span, text=span.of(target.text)))
        if each.source == entity and each.entity
        else each
        for each in record.projections["ko"]
    )
    return replace(record, projections={**record.projections, "ko": changed})


def test_an_accepted_span_is_sure_and_survives_a_rerun_that_moves_it() -> None:
    review = about("E1", "accept", "서울")
    for record in (SUMMIT, moved_to(SUMMIT, "E1", "전력망")):
        made = found(apply(record, [review]), "E1")
        assert made.entity is not None
        assert (made.entity.text, made.confidence, made.method) == ("서울", 1.0, "review")


def test_edges_move_and_a_lost_entity_is_found_again() -> None:
    lost = next(each.source for each in SUMMIT.projections["ko"] if each.entity is None)
    issue = Issue("lost-entity", "warning", "ko", "no-counterpart", entity=lost)
    record = apply(
        replace(SUMMIT, issues=(issue,)), [about("E1", "move", "서울·키이우"), about(lost, "move", "합의")]
    )
    assert [each.entity.text for e in ("E1", lost) if (each := found(record, e)).entity] == [
        "서울·키이우",
        "합의",
    ]
    assert found(record, lost).entity.label == next(e.label for e in SUMMIT.source.entities if e.id == lost)  # type: ignore[union-attr]
    assert record.issues == ()


def test_a_rejected_span_is_lost_but_another_proposal_is_not() -> None:
    review = about("E1", "reject", "서울")
    made = found(apply(SUMMIT, [review]), "E1")
    assert (made.entity, made.reason, made.method) == (None, "rejected-in-review", "review")
    other = moved_to(SUMMIT, "E1", "전력망")
    assert settle(other, [review]).stale == [review]
    assert apply(other, [review]) == other


def test_a_review_of_a_text_that_changed_is_stale() -> None:
    reviews = [about("E1", "accept", "서울"), about("E2", "accept", "키이우"), sentence("bad", 1)]
    corrected = apply(SUMMIT, [sentence("correct", 0, text="서울, 키이우, 브뤼셀이 합의했다")])
    outcome = settle(corrected, reviews)
    assert outcome.stale == reviews[:2]
    assert outcome.applied == reviews[2:]


def test_a_correction_moves_what_follows_and_loses_what_it_touches() -> None:
    text = "서울과 키예프·브뤼셀, 전력망 긴급 복구 계획에 합의"
    record = apply(SUMMIT, [sentence("correct", 0, text=text)])
    new = record.targets["ko"]
    assert new.sentence_texts() == [text, *KO.sentence_texts()[1:]]
    assert new.text.replace(text, seen(0)) == KO.text
    assert record.beads == SUMMIT.beads
    for before, after in zip(SUMMIT.projections["ko"], record.projections["ko"], strict=True):
        if before.source == "E2":
            assert after.reason == "text-corrected-in-review"
        else:
            assert (after.entity and after.entity.text) == (before.entity and before.entity.text)
    # Everything that a record checks about itself still holds after a trip through its file.
    assert decode_record(encode_json(record)) == record


@given(st.integers(0, len(KO.sentences) - 1), st.text(min_size=1, max_size=60))
def test_any_correction_leaves_a_record_that_holds(index: int, text: str) -> None:
    try:
        review = sentence("correct", index, text=text)
    except InvalidRecord:
        return
    record = apply(SUMMIT, [review])
    assert decode_record(encode_json(record)) == record
    assert record.targets["ko"].sentence_texts()[index] == text
    assert [p.reason for p in record.projections["uk"]] == [p.reason for p in SUMMIT.projections["uk"]]


def test_what_was_said_before_a_correction_of_the_text_still_counts() -> None:
    text = seen(0).replace("합의", "합의했다")
    reviews = [sentence("correct", 0, text=text), about("E1", "accept", "서울")]
    for order in (reviews, reviews[::-1]):
        outcome = settle(SUMMIT, order)
        assert outcome.stale == []
        assert seen(0, outcome.record) == text
        assert found(outcome.record, "E1").method == "review"


def test_the_last_word_counts_and_may_be_taken_back() -> None:
    first, last = about("E1", "reject", "서울"), about("E1", "move", "서울·")
    assert found(apply(SUMMIT, [first, last]), "E1").entity.text == "서울·"  # type: ignore[union-attr]
    withdrawn = about("E1", "withdraw", None)
    assert apply(SUMMIT, [first, last, withdrawn]) == SUMMIT
    assert found(apply(SUMMIT, [last, withdrawn, first]), "E1").reason == "rejected-in-review"


def test_marks_and_comments_become_issues_with_their_evidence() -> None:
    record = apply(
        SUMMIT,
        [
            sentence("bad", 1, comment="the date is wrong"),
            about("E1", "comment", "서울", comment="city or state?"),
            replace(sentence("bad", 2), article="another"),
        ],
    )
    assert record.issues == (
        Issue("bad-translation", "error", "ko", "the date is wrong", (1,)),
        Issue("review-comment", "info", "ko", "city or state?", (0,), "E1"),
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"start": 3, "end": 3}, "empty"),
        ({"start": 0, "end": 999}, "ends after"),
        ({"start": None}, "go together"),
        ({"entity": None}, "id of a source entity"),
        ({"verdict": "correct", "entity": None, "text": "a\n\nb"}, "blank line"),
        ({"verdict": "correct", "entity": None, "text": " a"}, "white space"),
        ({"verdict": "correct", "entity": None}, "new text"),
        ({"verdict": "bad"}, "not about an entity"),
        ({"verdict": "comment", "comment": " "}, "empty"),
        ({"verdict": "praise"}, "Invalid enum value"),
        ({"sentences": [0, 2]}, "consecutive"),
        ({"colour": "red"}, "unknown field"),
    ],
)
def test_a_review_that_contradicts_itself_is_refused(change: dict[str, object], complaint: str) -> None:
    line = json.loads(encode_json(about("E1", "accept", "서울"))) | change
    with pytest.raises(InvalidRecord, match=complaint):
        decode_review(json.dumps(line))


def test_reviews_are_appended_once_and_a_torn_line_stands_in_nobodys_way(tmp_path: Path) -> None:
    run = written(tmp_path / "run", SUMMIT)
    one, two = about("E1", "accept", "서울"), sentence("bad", 1)
    assert add_reviews(run.path, [one, one]) == 1
    with (run.path / REVIEWS).open("ab") as stream:
        stream.write(b'{"article": "sum')
    assert add_reviews(run.path, [one, two]) == 1
    read = read_reviews(run.path)
    assert read.reviews == [one, two]
    assert [each.line for each in read.rejects] == [2]
    (record,) = reviewed(run)
    assert found(record, "E1").method == "review"


def test_reviews_survive_that_the_run_is_made_again(tmp_path: Path) -> None:
    run = written(tmp_path / "run", SUMMIT)
    add_reviews(run.path, [about("E1", "accept", "서울"), about("E2", "reject", "키이우")])
    with Writer(run.path, run.manifest) as writer:
        writer.add(replace(moved_to(SUMMIT, "E1", "전력망"), signature="newer"))
    (record,) = reviewed(Run(run.path))
    assert record.signature == "newer"
    assert found(record, "E1").entity.text == "서울"  # type: ignore[union-attr]
    assert found(record, "E2").reason == "rejected-in-review"


def test_the_command_takes_reviews_in_and_tells_which_hold(tmp_path: Path) -> None:
    run = written(tmp_path / "run", SUMMIT)
    stale = replace(about("E2", "accept", "키이우"), seen="another text")
    foreign = replace(sentence("bad", 1), article="another")
    file = tmp_path / "reviews.jsonl"
    lines = [encode_json(each) for each in (about("E1", "accept", "서울"), stale, foreign)]
    file.write_bytes(b"\n".join([*lines, b"no review", b""]))
    result = CliRunner().invoke(app, ["review", str(run.path), "--apply", str(file), "--json"])
    told = json.loads(result.output)
    assert result.exit_code == 1
    assert (told["new"], told["applied"]) == (3, 1)
    assert [each["entity"] for each in told["stale"]] == ["E2"]
    assert [each["article"] for each in told["without_article"]] == ["another"]
    assert told["unreadable"][0]["line"] == 4
    again = CliRunner().invoke(app, ["review", str(run.path)])
    assert again.exit_code == 0
    assert "0 new, 1 applied, 1 stale, 1 of other articles" in again.output


def test_what_is_made_of_a_run_reads_it_as_reviewed(tmp_path: Path) -> None:
    run = written(tmp_path / "run", SUMMIT)
    text = seen(0).replace("합의", "합의했다")
    add_reviews(run.path, [sentence("correct", 0, text=text), about("E1", "reject", "서울")])
    published = CliRunner().invoke(app, ["publish", str(run.path), "-o", str(tmp_path / "set"), "--json"])
    assert published.exit_code == 0, published.output
    page = tmp_path / "page.html"
    assert CliRunner().invoke(app, ["report", str(run.path), "-o", str(page)]).exit_code == 0
    assert text.split("·")[-1] in page.read_text("utf-8").replace("</mark>", "")
    assert "rejected in review" in page.read_text("utf-8")
