"""The numbers at the head of the page, counted over all records. Pure: no markup, no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mtalign.record import Origin, Record, Severity
from mtalign.report.article import LOW_CONFIDENCE, Tongue, article_anchor, tongue

BINS = 20
"""Bins of the confidence histogram; a multiple of 4, so that `LOW_CONFIDENCE` falls between two of them."""

_WORST_FIRST: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class LanguageCount:
    """One language over all articles. As a source it has `entities`, as a target some are kept, some lost."""

    tongue: Tongue
    articles: int
    sentences: int
    entities: int
    kept: int
    lost: int
    low: int

    @property
    def projected(self) -> int:
        """How many source entities were to be carried over."""
        return self.kept + self.lost


@dataclass(frozen=True)
class Histogram:
    """Projections of one language by confidence: counts in `BINS` equal bins from 0 to 1."""

    tongue: Tongue
    kept: list[int]
    lost: list[int]

    @property
    def columns(self) -> list[tuple[int, int]]:
        """Kept and lost, bin by bin."""
        return list(zip(self.kept, self.lost, strict=True))

    @property
    def tallest(self) -> int:
        """The height of the highest column."""
        return max(kept + lost for kept, lost in self.columns)


@dataclass(frozen=True)
class IssueCount:
    """How often one kind of issue was found, in how many articles, and by language."""

    kind: str
    severity: Severity
    count: int
    articles: int
    languages: list[tuple[Tongue, int]]


@dataclass(frozen=True)
class OriginCount:
    """One way in which translations into one language came about."""

    tongue: Tongue
    origin: Origin
    articles: int


@dataclass(frozen=True)
class ArticleLine:
    """One article in the table of contents."""

    anchor: str
    id: str
    title: str
    lang: str
    sentences: int
    entities: int
    lost: int
    issues: int


@dataclass(frozen=True)
class Overview:
    """All numbers of the page's head. `beads` holds, per pair, a count for each of `bead_kinds`."""

    languages: list[LanguageCount]
    histograms: list[Histogram]
    issues: list[IssueCount]
    reasons: list[tuple[str, int]]
    bead_kinds: list[str]
    beads: list[tuple[str, list[int]]]
    origins: list[OriginCount]
    articles: list[ArticleLine]
    labels: list[tuple[str, int]]
    signatures: list[tuple[str, int]]

    @property
    def demo(self) -> list[OriginCount]:
        """The translations that are not meant for use."""
        return [each for each in self.origins if each.origin.demo]


def overview(records: Iterable[Record]) -> Overview:
    """Count over all records. Languages, pairs and origins stand in the order of their first appearance."""
    seen = list(records)
    langs = list(dict.fromkeys(lang for record in seen for lang in record.documents()))
    pairs = list(dict.fromkeys(pair for record in seen for pair in record.beads))
    beads = {pair: Counter(b.kind for r in seen for b in r.beads.get(pair, ())) for pair in pairs}
    kinds = Counter(kind for counts in beads.values() for kind in counts.elements())
    bead_kinds = [kind for kind, _ in kinds.most_common()]
    return Overview(
        languages=[_language(lang, seen) for lang in langs],
        histograms=[
            _histogram(lang, seen) for lang in langs if any(record.projections.get(lang) for record in seen)
        ],
        issues=_issues(seen),
        reasons=Counter(
            each.reason or ""
            for record in seen
            for projections in record.projections.values()
            for each in projections
            if each.entity is None
        ).most_common(),
        bead_kinds=bead_kinds,
        beads=[(pair, [counts[kind] for kind in bead_kinds]) for pair, counts in beads.items()],
        origins=_origins(seen),
        articles=[_line(record) for record in seen],
        labels=Counter(
            entity.label for record in seen for lang in record.documents() for entity in record.entities(lang)
        ).most_common(),
        signatures=Counter(record.signature for record in seen).most_common(),
    )


def _language(lang: str, records: list[Record]) -> LanguageCount:
    documents = [record.documents()[lang] for record in records if lang in record.documents()]
    projections = [each for record in records for each in record.projections.get(lang, ())]
    kept = [each for each in projections if each.entity is not None]
    return LanguageCount(
        tongue=tongue(lang),
        articles=len(documents),
        sentences=sum(len(document.sentences) for document in documents),
        entities=sum(len(record.source.entities) for record in records if record.source.lang == lang),
        kept=len(kept),
        lost=len(projections) - len(kept),
        low=sum(each.confidence < LOW_CONFIDENCE for each in kept),
    )


def _histogram(lang: str, records: list[Record]) -> Histogram:
    kept, lost = [0] * BINS, [0] * BINS
    for record in records:
        for each in record.projections.get(lang, ()):
            counts = lost if each.entity is None else kept
            counts[min(BINS - 1, int(each.confidence * BINS))] += 1
    return Histogram(tongue(lang), kept, lost)


def _issues(records: list[Record]) -> list[IssueCount]:
    counts: dict[tuple[str, Severity], Counter[str]] = {}
    articles: Counter[tuple[str, Severity]] = Counter()
    for record in records:
        for issue in record.issues:
            counts.setdefault((issue.kind, issue.severity), Counter())[issue.lang] += 1
        articles.update({(issue.kind, issue.severity) for issue in record.issues})
    found = [
        IssueCount(
            kind=kind,
            severity=severity,
            count=by_lang.total(),
            articles=articles[kind, severity],
            languages=[(tongue(lang), count) for lang, count in by_lang.most_common()],
        )
        for (kind, severity), by_lang in counts.items()
    ]
    return sorted(found, key=lambda each: (_WORST_FIRST[each.severity], -each.count, each.kind))


def _origins(records: list[Record]) -> list[OriginCount]:
    # An Origin is a frozen Struct and hashable: equal ones are one line.
    counts = Counter((lang, origin) for record in records for lang, origin in record.origins.items())
    return [OriginCount(tongue(lang), origin, count) for (lang, origin), count in counts.items()]


def _line(record: Record) -> ArticleLine:
    return ArticleLine(
        anchor=article_anchor(record.id),
        id=record.id,
        title=record.source.title or "",
        lang=record.source.lang,
        sentences=len(record.source.sentences),
        entities=len(record.source.entities),
        lost=sum(each.entity is None for found in record.projections.values() for each in found),
        issues=len(record.issues),
    )
