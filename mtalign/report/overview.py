"""The numbers at the head of the page: one small tally per article, added up over all of them. Pure.

Tallies are plain counters, so that a run of any size is counted in one pass, and an article that changed
is counted anew without the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from msgspec import Struct, field

from mtalign.record import Issue, Origin, Record, Severity, pair_key
from mtalign.report.article import LOST_KIND, LOW_CONFIDENCE, Tongue, article_anchor, tongue
from mtalign.review import METHOD

K = TypeVar("K")

BINS = 20
"""Bins of the confidence histogram; a multiple of 4, so that `LOW_CONFIDENCE` falls between two of them."""

LONGEST_RATIO = 3.0
"""The length ratio (target characters to source characters) at which the last bin begins to take all."""

RATIO_BINS = 20

BEAD_CLASSES = ("even", "joined", "null")
"""One sentence for one; several together; one that has no counterpart."""

_WORST_FIRST: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}

Counts = dict[str, int]


class LanguageTally(Struct):
    """What one language adds to the overview; histograms as counts by bin."""

    articles: int = 0
    sentences: int = 0
    entities: int = 0
    kept: int = 0
    lost: int = 0
    low: int = 0
    reviewed: int = 0
    kept_bins: list[int] = field(default_factory=lambda: [0] * BINS)
    lost_bins: list[int] = field(default_factory=lambda: [0] * BINS)
    ratio_bins: list[int] = field(default_factory=lambda: [0] * RATIO_BINS)

    def add(self, other: LanguageTally, times: int) -> None:
        """Add the counts of another tally so many times."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, list):
                setattr(self, name, [a + times * b for a, b in zip(mine, theirs, strict=True)])
            else:
                setattr(self, name, mine + times * theirs)


class Tally(Struct):
    """Everything that the overview counts, of one article or of many.

    `issues` counts by kind, severity and language, `issue_articles` articles by kind and severity,
    `beads` by pair and kind, `seconds` by stage. `sentences` are those of the sources, `targets` those of
    the targets.
    """

    articles: int = 0
    rows: int = 0
    sentences: int = 0
    targets: int = 0
    languages: dict[str, LanguageTally] = field(default_factory=dict)
    issues: dict[tuple[str, Severity, str], int] = field(default_factory=dict)
    issue_articles: dict[tuple[str, Severity], int] = field(default_factory=dict)
    reasons: Counts = field(default_factory=dict)
    beads: dict[tuple[str, str], int] = field(default_factory=dict)
    origins: dict[tuple[str, Origin], int] = field(default_factory=dict)
    labels: Counts = field(default_factory=dict)
    signatures: Counts = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, other: Tally, times: int = 1) -> None:
        """Add the counts of another tally; -1 times takes back what was added before."""
        self.articles += times * other.articles
        self.rows += times * other.rows
        self.sentences += times * other.sentences
        self.targets += times * other.targets
        for lang, counts in other.languages.items():
            self.languages.setdefault(lang, LanguageTally()).add(counts, times)
        _add(self.issues, other.issues, times)
        _add(self.issue_articles, other.issue_articles, times)
        _add(self.reasons, other.reasons, times)
        _add(self.beads, other.beads, times)
        _add(self.origins, other.origins, times)
        _add(self.labels, other.labels, times)
        _add(self.signatures, other.signatures, times)
        for stage, seconds in other.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + times * seconds


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
    reviewed: int

    @property
    def projected(self) -> int:
        """How many source entities were to be carried over."""
        return self.kept + self.lost

    @property
    def mentions(self) -> int:
        """How many entities there were to begin with, as a source and as a target."""
        return self.entities + self.projected


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
class Ratios:
    """Rows of one language by length ratio: target to source characters, `RATIO_BINS` equal bins from 0."""

    tongue: Tongue
    bins: list[int]

    @property
    def middle(self) -> tuple[float, float]:
        """The bin that the median row falls into, from and to."""
        half = (sum(self.bins) + 1) // 2
        seen = 0
        for number, count in enumerate(self.bins):
            seen += count
            if seen >= half:
                return number * LONGEST_RATIO / RATIO_BINS, (number + 1) * LONGEST_RATIO / RATIO_BINS
        return 0.0, 0.0


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
class StageTime:
    """The seconds that one stage took over all articles, and the source sentences it got through in one."""

    stage: str
    seconds: float
    per_second: float


class ArticleLine(Struct, frozen=True):
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

    articles: int
    rows: int
    languages: list[LanguageCount]
    histograms: list[Histogram]
    ratios: list[Ratios]
    issues: list[IssueCount]
    reasons: list[tuple[str, int]]
    bead_kinds: list[str]
    beads: list[tuple[str, list[int]]]
    origins: list[OriginCount]
    labels: list[tuple[str, int]]
    signatures: list[tuple[str, int]]
    stages: list[StageTime]

    @property
    def demo(self) -> list[OriginCount]:
        """The translations that are not meant for use."""
        return [each for each in self.origins if each.origin.demo]

    @property
    def projected(self) -> int:
        """How many entities were to be carried over, into all languages together."""
        return sum(each.projected for each in self.languages)

    @property
    def kept(self) -> int:
        """How many of them were."""
        return sum(each.kept for each in self.languages)

    @property
    def lost(self) -> int:
        """How many of them were not."""
        return sum(each.lost for each in self.languages)

    @property
    def low(self) -> int:
        """How many of the kept ones have a low confidence."""
        return sum(each.low for each in self.languages)

    @property
    def issue_total(self) -> int:
        """How many issues there are beside lost entities, which are counted above."""
        return sum(each.count for each in self.issues if each.kind != LOST_KIND)

    @property
    def issue_kinds(self) -> list[str]:
        """The kinds of issues, each once."""
        return list(dict.fromkeys(each.kind for each in self.issues))


def tally(record: Record) -> Tally:
    """Count one article."""
    documents = record.documents()
    projections = [each for found in record.projections.values() for each in found]
    by_kind = Counter(_kind(issue) for issue in record.issues)
    return Tally(
        articles=1,
        rows=len(record.tuples),
        sentences=len(record.source.sentences),
        targets=sum(len(each.sentences) for each in record.targets.values()),
        languages={lang: _language_tally(record, lang) for lang in documents},
        issues=dict(Counter((*_kind(issue), issue.lang) for issue in record.issues)),
        issue_articles=dict.fromkeys(by_kind, 1),
        reasons=dict(Counter(each.reason or "" for each in projections if each.entity is None)),
        beads=dict(Counter((pair, bead.kind) for pair, beads in record.beads.items() for bead in beads)),
        origins=dict.fromkeys(record.origins.items(), 1),
        labels=dict(Counter(entity.label for lang in documents for entity in record.entities(lang))),
        signatures={record.signature: 1},
        seconds=dict(record.timings),
    )


def overview(total: Tally) -> Overview:
    """Arrange a tally for the page. Languages, pairs and origins stand in the order of first appearance."""
    kinds: Counter[str] = Counter()
    for (_, kind), count in total.beads.items():
        kinds[kind] += count
    bead_kinds = sorted(kinds, key=lambda kind: (BEAD_CLASSES.index(bead_class(kind)), -kinds[kind]))
    pairs = dict.fromkeys(pair for pair, _ in total.beads)
    tongues = {lang: tongue(lang) for lang in total.languages}
    return Overview(
        articles=total.articles,
        rows=total.rows,
        languages=[_language(tongues[lang], each) for lang, each in total.languages.items()],
        histograms=[
            Histogram(tongues[lang], each.kept_bins, each.lost_bins)
            for lang, each in total.languages.items()
            if each.kept + each.lost
        ],
        ratios=[
            Ratios(tongues[lang], each.ratio_bins)
            for lang, each in total.languages.items()
            if any(each.ratio_bins)
        ],
        issues=_issues(total),
        reasons=Counter(total.reasons).most_common(),
        bead_kinds=bead_kinds,
        beads=[(pair, [total.beads.get((pair, kind), 0) for kind in bead_kinds]) for pair in pairs],
        origins=[OriginCount(tongue(lang), origin, n) for (lang, origin), n in total.origins.items()],
        labels=Counter(total.labels).most_common(),
        signatures=Counter(total.signatures).most_common(),
        stages=_stages(total),
    )


def bead_class(kind: str) -> str:
    """Return what a kind of bead, such as `2-1`, stands for; one of `BEAD_CLASSES`."""
    if kind == "1-1":
        return "even"
    return "null" if "0" in kind.split("-") else "joined"


def line(record: Record) -> ArticleLine:
    """Return an article's line in the table of contents."""
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


def _add(mine: dict[K, int], theirs: dict[K, int], times: int) -> None:
    for key, count in theirs.items():
        mine[key] = mine.get(key, 0) + times * count
        if not mine[key]:
            del mine[key]


def _kind(issue: Issue) -> tuple[str, Severity]:
    return issue.kind, issue.severity


def _language_tally(record: Record, lang: str) -> LanguageTally:
    projections = record.projections.get(lang, ())
    made = LanguageTally(
        articles=1,
        sentences=len(record.documents()[lang].sentences),
        entities=len(record.source.entities) if lang == record.source.lang else 0,
        kept=sum(each.entity is not None for each in projections),
        lost=sum(each.entity is None for each in projections),
        low=sum(each.entity is not None and each.confidence < LOW_CONFIDENCE for each in projections),
        reviewed=sum(each.method == METHOD for each in projections),
    )
    for each in projections:
        bins = made.lost_bins if each.entity is None else made.kept_bins
        bins[min(BINS - 1, int(each.confidence * BINS))] += 1
    if lang != record.source.lang:
        for ratio in _length_ratios(record, lang):
            made.ratio_bins[min(RATIO_BINS - 1, int(ratio * RATIO_BINS / LONGEST_RATIO))] += 1
    return made


def _length_ratios(record: Record, lang: str) -> Iterable[float]:
    """Yield target characters to source characters for every bead that has both."""
    source, target = record.source, record.targets[lang]
    for bead in record.beads[pair_key(source.lang, lang)]:
        if bead.left and bead.right:
            yield sum(len(target.sentences[i].span) for i in bead.right) / sum(
                len(source.sentences[i].span) for i in bead.left
            )


def _language(name: Tongue, counts: LanguageTally) -> LanguageCount:
    return LanguageCount(
        tongue=name,
        articles=counts.articles,
        sentences=counts.sentences,
        entities=counts.entities,
        kept=counts.kept,
        lost=counts.lost,
        low=counts.low,
        reviewed=counts.reviewed,
    )


def _issues(total: Tally) -> list[IssueCount]:
    by_kind: dict[tuple[str, Severity], Counter[str]] = {}
    for (kind, severity, lang), count in total.issues.items():
        by_kind.setdefault((kind, severity), Counter())[lang] += count
    found = [
        IssueCount(
            kind=kind,
            severity=severity,
            count=counts.total(),
            articles=total.issue_articles[kind, severity],
            languages=[(tongue(lang), count) for lang, count in counts.most_common()],
        )
        for (kind, severity), counts in by_kind.items()
    ]
    return sorted(found, key=lambda each: (_WORST_FIRST[each.severity], -each.count, each.kind))


def _stages(total: Tally) -> list[StageTime]:
    return [
        StageTime(stage, seconds, total.sentences / seconds)
        for stage, seconds in sorted(total.seconds.items(), key=lambda pair: -pair[1])
        if seconds > 0
    ]
