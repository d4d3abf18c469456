"""What a set of records holds, counted in one pass, before the first row is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations

from mtalign.languages import LANGUAGES
from mtalign.record import Origin, Record


@dataclass
class Survey:
    """Counts over records; `add` each, then read.

    `licences` counts the works that state each, `None` those that state none: articles, translations, and
    the models that made translations. A supplied translation without a licence of its own is taken to be
    under its article's. `confidences` counts the kept mentions of translations by tenths: 0 is [0, 0.1), 9
    is [0.9, 1].
    """

    articles: int = 0
    source_languages: Counter[str] = field(default_factory=Counter)
    sentences: Counter[str] = field(default_factory=Counter)
    tuples: int = 0
    beads: int = 0
    null_beads: int = 0
    entities: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    confidences: Counter[int] = field(default_factory=Counter)
    labels: set[str] = field(default_factory=set)
    issues: Counter[str] = field(default_factory=Counter)
    origins: Counter[tuple[str, Origin]] = field(default_factory=Counter)
    licences: Counter[str | None] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    signatures: Counter[str] = field(default_factory=Counter)

    @property
    def demo(self) -> bool:
        """Whether a translation comes from an engine that is not meant for use."""
        return any(origin.any_demo for _, origin in self.origins)

    @property
    def machine(self) -> bool:
        """Whether a translation comes from a machine."""
        return any(origin.kind == "machine" for _, origin in self.origins)

    @property
    def languages(self) -> list[str]:
        """All languages, in the order of the table of languages, whatever the order of the records."""
        table = list(LANGUAGES)
        return sorted(
            self.sentences, key=lambda lang: (table.index(lang) if lang in LANGUAGES else len(table), lang)
        )

    def pairs(self) -> list[tuple[str, str]]:
        """Return every pair of languages, each in the order of `languages`."""
        return list(combinations(self.languages, 2))

    def add(self, record: Record) -> None:
        """Count what one record holds."""
        self.articles += 1
        self.source_languages[record.source.lang] += 1
        self.signatures[record.signature] += 1
        self.licences[record.source.license] += 1
        if record.source.source:
            self.sources[record.source.source] += 1
        for lang, document in record.documents().items():
            self.sentences[lang] += len(document.sentences)
        for lang, origin in record.origins.items():
            self.origins[lang, origin] += 1
            stated = {record.targets[lang].license} - {None}
            # A person may leave it to the article to state a licence; a model must state one.
            stated |= {
                each.license for each in (origin, *origin.others) if each.license or each.kind == "machine"
            }
            self.licences.update(stated)
        self._add_alignment(record)
        self._add_mentions(record)
        self.issues.update(issue.kind for issue in record.issues)

    def _add_alignment(self, record: Record) -> None:
        self.tuples += len(record.tuples)
        for beads in record.beads.values():
            self.beads += len(beads)
            self.null_beads += sum(not (bead.left and bead.right) for bead in beads)

    def _add_mentions(self, record: Record) -> None:
        self.entities += len(record.source.entities)
        self.labels.update(each.label for each in record.source.entities)
        for lang, projections in record.projections.items():
            for each in projections:
                if each.entity is None:
                    self.lost[lang] += 1
                    self.reasons[each.reason or ""] += 1
                else:
                    self.kept[lang] += 1
                    self.labels.add(each.entity.label)
                    self.confidences[min(9, int(each.confidence * 10))] += 1
