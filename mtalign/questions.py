"""What a person should look at in a run: mentions of which the machine is not sure, and lost ones.

A question becomes a review by its answer. What was reviewed already is not asked again, as long as the
review holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mtalign.document import Document, Span
from mtalign.record import Projection, Record, pair_key
from mtalign.review import METHOD, Review


class Question(Struct, frozen=True):
    """One mention in one language.

    `source` is the text of its bead on the source side, with the mention at `source_start` … `source_end`.
    `seen` is the target text from the first to the last of `sentences`, where the machine's span is at
    `start` … `end`: None for a lost mention, which has a `reason`. Without `sentences`, nothing is opposite.
    """

    article: str
    lang: str
    entity: str
    label: str
    said: str
    source: str
    source_start: int
    source_end: int
    sentences: tuple[int, ...]
    seen: str
    start: int | None
    end: int | None
    confidence: float
    reason: str | None

    @property
    def place(self) -> Span | None:
        """The machine's span inside `seen`."""
        return None if self.start is None or self.end is None else Span(self.start, self.end)

    def answered(self, verdict: str, place: Span | None, by: str = "", at: str = "") -> Review:
        """Return the review that says so: `accept` or `move` with a place, or `reject`.

        Raises:
            InvalidRecord: the verdict and the place do not go together.
        """
        return Review(
            self.article,
            self.lang,
            verdict,  # type: ignore[arg-type]
            self.sentences,
            self.seen,
            entity=self.entity,
            start=place.start if place else None,
            end=place.end if place else None,
            by=by,
            at=at,
        )


def questions(record: Record, accept: float) -> Iterator[Question]:
    """Yield a question for each mention that was lost, or is less sure than `accept`; reviewed ones aside.

    Args:
        record: as reviewed.
        accept: confidences from here on need nobody.
    """
    for lang, projections in record.projections.items():
        for each in projections:
            if each.method != METHOD and (each.entity is None or each.confidence < accept):
                yield _question(record, lang, each)


def _question(record: Record, lang: str, projection: Projection) -> Question:
    mention = next(each for each in record.source.entities if each.id == projection.source)
    ours, beside = _bead(record, lang, mention.span)
    left = record.source.cover(ours)
    target, found = record.targets[lang], projection.entity
    sentences = _sentences(target, found.span) if found else beside
    seen = target.cover(sentences) if sentences else Span(0, 0)
    at = found.span.shift(-seen.start) if found else None
    return Question(
        record.id,
        lang,
        mention.id,
        mention.label,
        mention.said(),
        left.of(record.source.text),
        mention.span.start - left.start,
        mention.span.end - left.start,
        sentences,
        seen.of(target.text),
        at.start if at else None,
        at.end if at else None,
        projection.confidence,
        projection.reason,
    )


def _sentences(document: Document, span: Span) -> tuple[int, ...]:
    return tuple(n for n, each in enumerate(document.sentences) if each.span.overlaps(span))


def _bead(record: Record, lang: str, span: Span) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the source sentences around a mention, and the target sentences of their beads."""
    ours = set(_sentences(record.source, span))
    beads = [
        each for each in record.beads[pair_key(record.source.lang, lang)] if not ours.isdisjoint(each.left)
    ]
    left = [*ours, *(n for each in beads for n in each.left)]
    right = [n for each in beads for n in each.right]
    whole = tuple(range(min(right), max(right) + 1)) if right else ()
    return tuple(range(min(left), max(left) + 1)), whole
