"""Scores of entity projection: is the span of each mention exactly right, nearly right, or lost?

Corresponding mentions are compared, joined by row, target language and the id of the source mention:
labels are the source's, and a mention that the gold does not judge is left aside and counted as
`unjudged`. Exact: the same span, or one that the gold lists in `alt`. Relaxed: the spans share at least
half of what they cover together (IoU >= .5, in code points). Annotations made independently in two
languages, with no ids that link them, are not handled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct, field

from mtalign.document import Span
from mtalign.errors import InputError
from mtalign.evaluate.counts import BOOTSTRAP, Counts, Interval, f1_interval, signature, total
from mtalign.evaluate.coverage import Answer, CoveragePoint, precision_at_coverage
from mtalign.evaluate.rows import Row, match, read_rows

RELAXED_IOU = 0.5


class SpanRow(Struct, frozen=True):
    """The span of one source mention in the target text; `alt` are further spans that are as good."""

    source: str
    start: int
    end: int
    label: str = ""
    alt: tuple[tuple[int, int], ...] = ()
    confidence: float | None = None

    def spans(self) -> list[Span]:
        """Return the span and its alternatives."""
        return [Span(self.start, self.end), *(Span(start, end) for start, end in self.alt)]


class LostRow(Struct, frozen=True):
    """A source mention without a counterpart."""

    source: str
    reason: str = ""


class EntityRow(Struct, frozen=True):
    """The mentions of one text in one target language, in the shape that `mtalign project` writes."""

    id: str
    tgt_lang: str | None = None
    tgt: str | None = None
    entities: list[SpanRow] = field(default_factory=list)
    lost: list[LostRow] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id and the target language."""
        return self.id, (self.tgt_lang,) if self.tgt_lang is not None else None


@dataclass(frozen=True)
class SpanScores:
    """Exact and relaxed counts; `mentions` have a counterpart in the gold, `lost` of them got no span."""

    exact: Counts
    relaxed: Counts
    lost: int

    @property
    def mentions(self) -> int:
        """How many mentions have a counterpart in the gold."""
        return self.exact.gold

    @property
    def lost_rate(self) -> float:
        """The share of them that got no span."""
        return self.lost / self.mentions if self.mentions else 0.0

    def __add__(self, other: SpanScores) -> SpanScores:
        return SpanScores(self.exact + other.exact, self.relaxed + other.relaxed, self.lost + other.lost)

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "exact": self.exact.as_dict(),
            "relaxed": self.relaxed.as_dict(),
            "mentions": self.mentions,
            "lost": self.lost,
            "lost_rate": self.lost_rate,
        }


@dataclass(frozen=True)
class EntityScores:
    """Scores over all rows, by label of the gold and by target language, with the recipe.

    `language_intervals` are those of exact F1. `coverage` says how precise (exact spans) the surest spans
    are; it is empty unless every predicted span has a confidence.
    """

    rows: int
    overall: SpanScores
    exact_interval: Interval
    relaxed_interval: Interval
    by_label: dict[str, SpanScores]
    by_language: dict[str, SpanScores]
    language_intervals: dict[str, Interval]
    coverage: list[CoveragePoint]
    unjudged: int
    signature: str

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "rows": self.rows,
            **self.overall.as_dict(),
            "exact_interval": self.exact_interval.as_dict(),
            "relaxed_interval": self.relaxed_interval.as_dict(),
            "by_label": {label: scores.as_dict() for label, scores in self.by_label.items()},
            "by_language": {
                lang: {
                    **scores.as_dict(),
                    "exact_interval": self.language_intervals[lang].as_dict(),
                }
                for lang, scores in self.by_language.items()
            },
            "precision_at_coverage": [each.as_dict() for each in self.coverage],
            "unjudged": self.unjudged,
            "signature": self.signature,
        }


def evaluate_entities_files(gold: Path, pred: Path) -> EntityScores:
    """Score the projections in one JSONL file against those in another; see `evaluate_entities`.

    Raises:
        UsageError: a file cannot be read or is empty.
        InputError: a line is unusable, or a gold row has no prediction.
    """
    return evaluate_entities(read_rows(gold, EntityRow), read_rows(pred, EntityRow))


def evaluate_entities(gold: Sequence[Row[EntityRow]], pred: Sequence[Row[EntityRow]]) -> EntityScores:
    """Score projected spans against gold ones (definitions: the head of this module).

    Precision is over the predicted spans that the gold judges, a span for a mention that the gold calls
    lost being wrong. Recall is over the mentions that have a counterpart. The interval resamples ids.

    Raises:
        InputError: a gold row has no prediction, a source id stands twice in a row, or the target texts
            differ, so that offsets cannot be compared.
    """
    none = SpanScores(Counts(0, 0, 0, 0), Counts(0, 0, 0, 0), 0)
    by_id: dict[str, SpanScores] = defaultdict(lambda: none)
    by_label: dict[str, SpanScores] = defaultdict(lambda: none)
    by_language: dict[str, dict[str, SpanScores]] = defaultdict(lambda: defaultdict(lambda: none))
    numbers: dict[str, int] = {}
    answers: list[Answer] = []
    sure = True
    unjudged = 0
    pairs = match(gold, pred)
    for gold_row, pred_row in pairs:
        mine, theirs = gold_row.value, pred_row.value
        if mine.tgt is not None and theirs.tgt is not None and mine.tgt != theirs.tgt:
            raise InputError(
                f"{pred_row.where}: the target text of {mine.id!r} is not that of {gold_row.where}, so "
                "offsets cannot be compared; project onto the gold's own text"
            )
        wanted, found = _by_source(gold_row), _by_source(pred_row)
        unjudged += sum(each is not None for source, each in found.items() if source not in wanted)
        by_id.setdefault(mine.id, none)
        lang = mine.tgt_lang or theirs.tgt_lang or "all"
        number = numbers.setdefault(mine.id, len(numbers))
        for source, span in wanted.items():
            answer = found.get(source)
            scores = score_span(span, answer)
            by_id[mine.id] += scores
            by_language[lang][mine.id] += scores
            if answer is not None:
                sure = sure and answer.confidence is not None
                answers.append(Answer(number, answer.confidence or 0.0, scores.exact.right == 1))
            if span is not None and span.label:
                by_label[span.label] += scores
    documents = list(by_id.values())
    exact, relaxed = [each.exact for each in documents], [each.relaxed for each in documents]
    return EntityScores(
        len(pairs),
        SpanScores(total(exact), total(relaxed), sum(each.lost for each in documents)),
        f1_interval(exact),
        f1_interval(relaxed),
        dict(sorted(by_label.items())),
        {lang: sum(own.values(), none) for lang, own in by_language.items()},
        {lang: f1_interval([each.exact for each in own.values()]) for lang, own in by_language.items()},
        precision_at_coverage(answers, [each.mentions for each in documents]) if sure else [],
        unjudged,
        signature(
            spans=f"exact+iou{RELAXED_IOU}",
            units="codepoints",
            mentions="corresponding",
            average="micro",
            ci=BOOTSTRAP,
        ),
    )


def score_span(gold: SpanRow | None, pred: SpanRow | None) -> SpanScores:
    """Score one mention; `None` says that it has no span in the target."""
    return SpanScores(
        _count(gold, pred, lambda a, b: a == b),
        _count(gold, pred, lambda a, b: iou(a, b) >= RELAXED_IOU),
        int(gold is not None and pred is None),
    )


def iou(a: Span, b: Span) -> float:
    """Return what two spans share over what they cover together (0 to 1)."""
    shared = max(0, min(a.end, b.end) - max(a.start, b.start))
    covered = len(a) + len(b) - shared
    return shared / covered if covered else 1.0


def _count(gold: SpanRow | None, pred: SpanRow | None, same: Callable[[Span, Span], bool]) -> Counts:
    right = 0
    if gold is not None and pred is not None:
        right = int(any(same(span, Span(pred.start, pred.end)) for span in gold.spans()))
    return Counts(right, int(pred is not None), right, int(gold is not None))


def _by_source(row: Row[EntityRow]) -> dict[str, SpanRow | None]:
    found: dict[str, SpanRow | None] = {}
    for source, span in [
        *((each.source, each) for each in row.value.entities),
        *((each.source, None) for each in row.value.lost),
    ]:
        if source in found:
            raise InputError(f"{row.where}: source mention {source!r} stands twice in {row.value.id!r}")
        found[source] = span
    return found
