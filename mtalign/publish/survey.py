"""What a set of records holds, counted in one pass: the first of the two passes of publishing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations

from mtalign.record import Origin, Record


@dataclass
class Survey:
    """Counts over records, made by `survey`; read-only afterwards.

    `languages` stand in the order in which they were first met. `licences` counts the works that state
    each, `None` those that state none: articles, translations, and the models that made translations. A
    supplied translation without a licence of its own is taken to be under its article's.
    """

    articles: int = 0
    languages: list[str] = field(default_factory=list)
    source_languages: Counter[str] = field(default_factory=Counter)
    sentences: Counter[str] = field(default_factory=Counter)
    tuples: int = 0
    beads: int = 0
    null_beads: int = 0
    entities: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    issues: Counter[str] = field(default_factory=Counter)
    origins: Counter[tuple[str, Origin]] = field(default_factory=Counter)
    licences: Counter[str | None] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    signatures: Counter[str] = field(default_factory=Counter)

    @property
    def demo(self) -> bool:
        """Whether a translation comes from an engine that is not meant for use."""
        return any(each.demo for _, origin in self.origins for each in (origin, *origin.others))

    @property
    def machine(self) -> bool:
        """Whether a translation comes from a machine."""
        return any(origin.kind == "machine" for _, origin in self.origins)

    def pairs(self) -> list[tuple[str, str]]:
        """Return every pair of languages, each in the order of `languages`."""
        return list(combinations(self.languages, 2))


def survey(records: Iterable[Record]) -> Survey:
    """Count what the records hold. One record is in memory at a time."""
    found = Survey()
    for record in records:
        _count(record, found)
    return found


def _count(record: Record, found: Survey) -> None:
    found.articles += 1
    found.source_languages[record.source.lang] += 1
    found.signatures[record.signature] += 1
    found.licences[record.source.license] += 1
    if record.source.source:
        found.sources[record.source.source] += 1
    for lang, document in record.documents().items():
        if lang not in found.languages:
            found.languages.append(lang)
        found.sentences[lang] += len(document.sentences)
    for lang, origin in record.origins.items():
        found.origins[lang, origin] += 1
        stated = {record.targets[lang].license} - {None}
        # A person's translation is under its article's licence unless it states one; a model must state one.
        stated |= {
            each.license for each in (origin, *origin.others) if each.license or each.kind == "machine"
        }
        found.licences.update(stated)
    found.tuples += len(record.tuples)
    for beads in record.beads.values():
        found.beads += len(beads)
        found.null_beads += sum(not (bead.left and bead.right) for bead in beads)
    found.entities += len(record.source.entities)
    for lang, projections in record.projections.items():
        for each in projections:
            (found.kept if each.entity else found.lost)[lang] += 1
            if each.reason:
                found.reasons[each.reason] += 1
    found.issues.update(issue.kind for issue in record.issues)
