"""What is left out of a dataset on request, and how much each wish removed.

Articles keep their texts whole, since offsets count into them. A mention that is filtered out becomes a
lost one with the filter as its reason, so that nobody takes its absence for a statement about the text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

import msgspec

from mtalign.document import Document, Span
from mtalign.record import Projection, Record
from mtalign.review import METHOD

FILTERED = "filtered: "
Removed = Counter[tuple[str, str]]
Flagged = dict[str, frozenset[int]]


@dataclass(frozen=True)
class Filters:
    """What to leave out.

    Attributes:
        min_confidence: mentions in translations with less confidence (0 to 1).
        drop_flagged: sentences with an issue that is a warning or an error, their counterparts, and the
            mentions in them.
        reviewed_only: articles without a mention that a person reviewed, and mentions that nobody did.
    """

    min_confidence: float = 0.0
    drop_flagged: bool = False
    reviewed_only: bool = False


def apply(record: Record, filters: Filters, removed: Removed) -> Record | None:
    """Return the record without what the filters leave out, or None where that is all of it.

    What was removed is added to `removed` by filter and kind. Sentences are not taken out here, since a
    record holds its texts whole: see `flagged`.
    """
    if filters.reviewed_only and not any(
        each.method == METHOD for found in record.projections.values() for each in found
    ):
        removed["reviewed-only", "articles"] += 1
        return None
    away = flagged(record) if filters.drop_flagged else {}
    projections = {
        lang: tuple(
            _filtered(
                each, _reason(each, record.targets[lang], away.get(lang, frozenset()), filters), removed
            )
            for each in found
        )
        for lang, found in record.projections.items()
    }
    removed["drop-flagged", "sentences"] += sum(map(len, away.values()))
    return msgspec.structs.replace(record, projections=projections)


def flagged(record: Record) -> Flagged:
    """Return the sentences with a warning or an error, by language; a mere remark (`info`) flags nothing."""
    found: dict[str, set[int]] = {}
    for issue in record.issues:
        if issue.severity != "info":
            found.setdefault(issue.lang, set()).update(issue.sentences)
    return {lang: frozenset(sentences) for lang, sentences in found.items() if sentences}


def sentence_at(document: Document, span: Span) -> int | None:
    """Return the sentence in which a span begins, or None before the first one."""
    starts = [each.span.start for each in document.sentences]
    place = bisect_right(starts, span.start) - 1
    return place if place >= 0 else None


def _reason(
    projection: Projection, document: Document, away: frozenset[int], filters: Filters
) -> tuple[str, str] | None:
    """Return which filter takes a mention out, and the words for it."""
    if projection.entity is None:
        return None
    if filters.reviewed_only and projection.method != METHOD:
        return "reviewed-only", "nobody reviewed it"
    if projection.confidence < filters.min_confidence:
        return "min-confidence", f"confidence below {filters.min_confidence:g}"
    number = sentence_at(document, projection.entity.span)
    if number is not None and number in away:
        return "drop-flagged", "its sentence is flagged"
    return None


def _filtered(projection: Projection, reason: tuple[str, str] | None, removed: Removed) -> Projection:
    if reason is None:
        return projection
    name, words = reason
    removed[name, "mentions"] += 1
    return msgspec.structs.replace(projection, entity=None, reason=FILTERED + words)
