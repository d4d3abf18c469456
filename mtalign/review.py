"""What people said about a run: reviews beside its records, applied whenever the records are read.

    RUN/reviews.jsonl    one review a line, append-only; the records themselves are never changed

A review names its article, language and source entity or sentences, and carries the text that it saw, so
that it survives a rerun: where the text is still the same it wins over the machine, where it has changed
the review is stale and is reported, not applied. Reviews that move text from one sentence to another, or
that change beads or labels, are not handled.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct
from msgspec.structs import replace

from mtalign.alignment import check_run
from mtalign.document import Document, Entity, Sentence, Span, paragraph_spans
from mtalign.errors import InvalidRecord, StoreError
from mtalign.record import Issue, Projection, Record, Rejected, encode_json, pair_key
from mtalign.store import Run

REVIEWS = "reviews.jsonl"
METHOD = "review"
REJECTED = "rejected-in-review"
TEXT_CORRECTED = "text-corrected-in-review"
BAD_TRANSLATION = "bad-translation"
COMMENT = "review-comment"

Verdict = Literal["accept", "move", "reject", "bad", "correct", "comment", "withdraw"]

_LOCK = "reviews.lock"
_LOCK_SECONDS = 10
_LOST_KIND = "lost-entity"
_PLACED = ("accept", "move")


class Review(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one person decided about one mention, or about a translated passage.

    `sentences` are consecutive indices in the target language, `seen` is the text from the first to the
    last of them, and `start` and `end` are code points from its beginning. With `entity`:

    - `accept` and `move`: the entity is at `start` … `end`;
    - `reject`: it is not there; without a place, that the translation leaves it out is right.

    Without: `bad` (the translation is), `correct` (it should read `text`; one sentence). `comment` goes
    with both. `withdraw` takes back every earlier review of the same entity or passage.
    """

    article: str
    lang: str
    verdict: Verdict
    sentences: tuple[int, ...]
    seen: str
    entity: str | None = None
    start: int | None = None
    end: int | None = None
    text: str | None = None
    comment: str = ""
    by: str = ""
    at: str = ""

    def __post_init__(self) -> None:
        check_run(self.sentences)
        if not self.sentences and self.seen:
            raise InvalidRecord(f"{self._name()}: it saw text, but names no sentence")
        if (self.start is None) != (self.end is None):
            raise InvalidRecord(f"{self._name()}: start and end go together")
        if self.place is not None and (len(self.place) == 0 or self.place.end > len(self.seen)):
            raise InvalidRecord(
                f"{self._name()}: [{self.start}, {self.end}) is empty or ends after the text that was seen"
            )
        if self.verdict in (*_PLACED, "reject") and self.entity is None:
            raise InvalidRecord(f"{self._name()}: it needs the id of a source entity")
        if self.verdict in _PLACED and self.place is None:
            raise InvalidRecord(f"{self._name()}: it needs start and end")
        if self.verdict in ("bad", "correct") and (self.entity is not None or not self.sentences):
            raise InvalidRecord(f"{self._name()}: it is about sentences, and not about an entity")
        if self.verdict == "correct":
            self._check_correction()
        if self.verdict == "comment" and not self.comment.strip():
            raise InvalidRecord(f"{self._name()}: the comment is empty")

    def _check_correction(self) -> None:
        if len(self.sentences) != 1 or self.text is None:
            raise InvalidRecord(f"{self._name()}: a correction needs one sentence and its new text")
        try:
            self.text.encode()
        except UnicodeEncodeError as error:
            raise InvalidRecord(f"{self._name()}: the new text is not valid Unicode") from error
        if self.text != self.text.strip() or len(paragraph_spans(self.text)) != 1:
            raise InvalidRecord(
                f"{self._name()}: the new text is blank, has white space around it, or has a blank line in it"
            )

    def _name(self) -> str:
        return f"review {self.verdict!r} of {self.article!r}, {self.lang}, {self.entity or self.sentences}"

    @property
    def place(self) -> Span | None:
        """The place inside `seen`, if the review names one."""
        return None if self.start is None or self.end is None else Span(self.start, self.end)

    @property
    def subject(self) -> tuple[str, str, str | tuple[int, ...]]:
        """What the review is about: article, language, and entity or sentences."""
        return self.article, self.lang, self.entity if self.entity is not None else self.sentences

    @property
    def slot(self) -> tuple[object, ...]:
        """Of reviews with the same slot the last one counts."""
        question = {"comment": "comment", "bad": "text", "correct": "text"}.get(self.verdict, "entity")
        return *self.subject, self.seen, question


@dataclass(frozen=True)
class Outcome:
    """A record with its reviews in it, those that were applied, and those whose text or span has changed."""

    record: Record
    applied: list[Review]
    stale: list[Review]


@dataclass(frozen=True)
class ReviewFile:
    """The reviews of a run in the order in which they were given, and the lines that could not be read."""

    reviews: list[Review]
    rejects: list[Rejected]

    def by_article(self) -> dict[str, list[Review]]:
        """Return the reviews by article id."""
        found: dict[str, list[Review]] = defaultdict(list)
        for each in self.reviews:
            found[each.article].append(each)
        return dict(found)


def apply(record: Record, reviews: Iterable[Review]) -> Record:
    """Return the record as reviewed. Stale reviews, and those of other articles, change nothing."""
    return settle(record, reviews).record


def settle(record: Record, reviews: Iterable[Review]) -> Outcome:
    """Apply reviews to a record, and say which of them still hold.

    A review of a mention is applied to the text that it saw, before or after a correction of that text,
    whatever the order in the file.
    """
    waiting = standing(each for each in reviews if each.article == record.id)
    applied: list[Review] = []
    changed = True
    while changed:
        changed = False
        # Corrections last: what was said about the text before one must not go stale because of it.
        for review in sorted(waiting, key=lambda each: each.verdict == "correct"):
            made = _applied(record, review)
            if made is None:
                continue
            record, changed = made, True
            applied.append(review)
            waiting.remove(review)
            if review.verdict == "correct":
                break
    return Outcome(record, applied, waiting)


def standing(reviews: Iterable[Review]) -> list[Review]:
    """Return the reviews that neither a later one of the same slot nor a withdrawal has replaced."""
    kept: dict[tuple[object, ...], Review] = {}
    for each in reviews:
        if each.verdict == "withdraw":
            kept = {slot: other for slot, other in kept.items() if other.subject != each.subject}
        else:
            # Dropped first, so that it also moves behind what was said in between.
            kept.pop(each.slot, None)
            kept[each.slot] = each
    return list(kept.values())


def reviewed(run: Run) -> Iterator[Record]:
    """Yield the newest record of every article as reviewed: what everything made out of a run reads."""
    by_article = read_reviews(run.path).by_article()
    for record in run.records():
        yield apply(record, by_article[record.id]) if record.id in by_article else record


def read_reviews(run: Path) -> ReviewFile:
    """Read the reviews of a run directory; it has none where there is no file.

    Raises:
        StoreError: the file cannot be read.
    """
    return read_file(run / REVIEWS) if (run / REVIEWS).exists() else ReviewFile([], [])


def read_file(path: Path) -> ReviewFile:
    """Read a file of reviews; a line that is none becomes a reject with its number and reason.

    Raises:
        StoreError: the file cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise StoreError(f"the reviews {path} cannot be read: {error.strerror or error}") from error
    reviews: list[Review] = []
    rejects: list[Rejected] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            reviews.append(decode_review(line))
        except InvalidRecord as error:
            rejects.append(Rejected(str(error), str(path), number))
    return ReviewFile(reviews, rejects)


def decode_review(line: bytes | str) -> Review:
    """Read one review from JSON.

    Raises:
        InvalidRecord: the line is not JSON, has another shape, or contradicts itself.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRecord(f"not a review: {error}") from error


def add_reviews(run: Path, reviews: Sequence[Review]) -> int:
    """Append reviews to a run directory and return how many are new; what is there already is left out.

    When this returns, they are on the disk. Several processes may append at once.

    Raises:
        StoreError: the file cannot be written.
    """
    path = run / REVIEWS
    try:
        with FileLock(run / _LOCK, timeout=_LOCK_SECONDS):
            known = set(read_reviews(run).reviews)
            new = [each for each in dict.fromkeys(reviews) if each not in known]
            if not new:
                return 0
            with path.open("ab") as stream:
                # A crash may have left half a line: it stays a line of its own, and is reported as a reject.
                lead = b"\n" if _is_torn(path) else b""
                stream.write(lead + b"".join(encode_json(each) + b"\n" for each in new))
                stream.flush()
                os.fsync(stream.fileno())
    except Timeout as error:
        raise StoreError(f"another mtalign is writing to {path}; try again when it has ended") from error
    except OSError as error:
        raise StoreError(f"the reviews {path} cannot be written: {error.strerror or error}") from error
    return len(new)


def _is_torn(path: Path) -> bool:
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return False
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"


_decoder = msgspec.json.Decoder(Review)


# --- One review, one record ---


def _applied(record: Record, review: Review) -> Record | None:
    """Return the record with one review in it, or None if the review is not about what the record holds."""
    target = record.targets.get(review.lang)
    if target is None or _passage(target, review.sentences) != review.seen:
        return None
    if review.entity is not None:
        return _about_entity(record, target, review, review.entity)
    if review.verdict == "correct" and review.text is not None:
        return _corrected(record, target, review.sentences[0], review.text)
    if review.verdict == "bad":
        evidence = review.comment or "marked as bad in review"
        return _with_issue(record, Issue(BAD_TRANSLATION, "error", review.lang, evidence, review.sentences))
    return _with_issue(record, Issue(COMMENT, "info", review.lang, review.comment, review.sentences))


def _passage(target: Document, sentences: tuple[int, ...]) -> str | None:
    if not sentences:
        return ""
    if sentences[-1] >= len(target.sentences):
        return None
    return target.cover(sentences).of(target.text)


def _about_entity(record: Record, target: Document, review: Review, entity: str) -> Record | None:
    projections = record.projections[review.lang]
    before = next((each for each in projections if each.source == entity), None)
    if before is None:
        return None
    if review.verdict == "comment":
        return _with_issue(
            record, Issue(COMMENT, "info", review.lang, review.comment, review.sentences, entity)
        )
    place = review.place
    if place is not None and review.sentences:
        place = place.shift(target.cover(review.sentences).start)
    if review.verdict == "reject":
        # Another span than the rejected one is a new proposal of the machine, which nobody has judged yet.
        if (before.entity.span if before.entity else None) != place:
            return None
        after = Projection(entity, 1.0, METHOD, reason=REJECTED)
    else:
        if place is None:
            return None
        after = Projection(entity, 1.0, METHOD, entity=_placed(record, entity, target, place, before))
    changed = tuple(after if each.source == entity else each for each in projections)
    record = replace(record, projections={**record.projections, review.lang: changed})
    return _without_issues(
        record, lambda issue: issue.kind == _LOST_KIND and (issue.lang, issue.entity) == (review.lang, entity)
    )


def _placed(record: Record, entity: str, target: Document, place: Span, before: Projection) -> Entity:
    known = before.entity or next(each for each in record.source.entities if each.id == entity)
    return Entity(known.id, place, place.of(target.text), known.label, known.attributes)


def _corrected(record: Record, target: Document, index: int, text: str) -> Record:
    """Replace the text of one sentence; what stands behind it moves, what the edit touches is lost."""
    old = target.sentences[index].span
    change = len(text) - len(old)
    blocks = [
        (Span(old.start + block.a, old.start + block.a + block.size), block.b - block.a)
        for block in SequenceMatcher(None, old.of(target.text), text, autojunk=False).get_matching_blocks()
    ]

    def moved(span: Span) -> Span | None:
        if span.end <= old.start:
            return span
        if span.start >= old.end:
            return span.shift(change)
        return next((span.shift(by) for block, by in blocks if block.contains(span)), None)

    new_text = target.text[: old.start] + text + target.text[old.end :]
    sentences = tuple(
        Sentence(Span(old.start, old.start + len(text)), each.paragraph)
        if number == index
        else Sentence(each.span.shift(change), each.paragraph)
        if number > index
        else each
        for number, each in enumerate(target.sentences)
    )
    entities = tuple(
        each.shift(span.start - each.span.start)
        for each in target.entities
        if (span := moved(each.span)) is not None
    )
    there = {each.id for each in entities}
    relations = tuple(each for each in target.relations if {each.head, each.tail} <= there)
    corrected = replace(target, text=new_text, sentences=sentences, entities=entities, relations=relations)
    projections = tuple(_follow(each, moved) for each in record.projections[target.lang])
    record = replace(
        record,
        targets={**record.targets, target.lang: corrected},
        projections={**record.projections, target.lang: projections},
        quality=_without_estimate(record, target.lang, index),
    )
    # What the machine found in the sentence was about the text that is gone.
    return _without_issues(
        record,
        lambda issue: issue.lang == target.lang and index in issue.sentences and issue.kind != COMMENT,
    )


def _without_estimate(record: Record, lang: str, index: int) -> dict[str, tuple[float | None, ...]]:
    """Return the estimates without that of the bead of a corrected sentence: it was about another text."""
    if lang not in record.quality:
        return record.quality
    beads = record.beads[pair_key(record.source.lang, lang)]
    kept = tuple(
        None if index in bead.right else each for bead, each in zip(beads, record.quality[lang], strict=True)
    )
    return {**record.quality, lang: kept}


def _follow(projection: Projection, moved: Callable[[Span], Span | None]) -> Projection:
    if projection.entity is None:
        return projection
    span = moved(projection.entity.span)
    if span is None:
        return Projection(projection.source, 1.0, METHOD, reason=TEXT_CORRECTED)
    return replace(projection, entity=projection.entity.shift(span.start - projection.entity.span.start))


def _with_issue(record: Record, issue: Issue) -> Record:
    return replace(record, issues=(*record.issues, issue))


def _without_issues(record: Record, gone: Callable[[Issue], bool]) -> Record:
    return replace(record, issues=tuple(each for each in record.issues if not gone(each)))
