"""Term accuracy: how many mentions of glossary terms are translated as the glossary says.

A mention counts as found if the translation holds the term, inflected or not, once for each mention of it.
A right pronoun or synonym in its place counts as missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from mtalign.evaluate.counts import signature
from mtalign.evaluate.rows import Row, read_rows
from mtalign.record import Record, pair_key
from mtalign.translate.terms import Term, Terms, find_term, read_glossary


class TermRow(Struct, frozen=True):
    """A text and its translations by language, in the shape that `mtalign translate` writes."""

    id: str | int
    source: str
    translations: dict[str, str]


@dataclass
class TermCounts:
    """The mentions of terms in one target language, and those found; `missed` counts by wanted term."""

    mentions: int = 0
    found: int = 0
    missed: Counter[str] = field(default_factory=Counter)

    @property
    def accuracy(self) -> float | None:
        """The share of the mentions that were found; None if there were none."""
        return self.found / self.mentions if self.mentions else None


@dataclass(frozen=True)
class TermScores:
    """Term accuracy by target language, and how it was counted."""

    languages: dict[str, TermCounts]
    signature: str

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "languages": {
                lang: {
                    "mentions": counts.mentions,
                    "found": counts.found,
                    "accuracy": counts.accuracy,
                    "missed": dict(counts.missed.most_common()),
                }
                for lang, counts in self.languages.items()
            },
            "signature": self.signature,
        }


def evaluate_terms_files(glossary: Path, pred: Path) -> TermScores:
    """Score the translations in a JSONL file against a glossary.

    Raises:
        ConfigError: the glossary cannot be read.
        UsageError: the file of translations cannot be read or is empty.
        InputError: a line of it is unusable.
    """
    return evaluate_terms(read_glossary(glossary), read_rows(pred, TermRow))


def evaluate_terms(glossary: Sequence[Term], rows: Iterable[Row[TermRow]]) -> TermScores:
    """Count the mentions of glossary terms in each row, and those that its translations hold."""
    terms = Terms(tuple(glossary))
    languages: dict[str, TermCounts] = {}
    for row in rows:
        for lang, translation in row.value.translations.items():
            counts = languages.setdefault(lang, TermCounts())
            wanted = Counter(mention.wanted for mention in terms.mentions(row.value.source, lang))
            for term, times in wanted.items():
                found = min(times, len(find_term(translation, term, lang)))
                counts.mentions += times
                counts.found += found
                if found < times:
                    counts.missed[term] += times - found
    return TermScores(
        dict(sorted(languages.items())), signature(level="mention", match="inflected", terms=terms.signature)
    )


def term_rows(record: Record) -> Iterator[dict[str, object]]:
    """Yield a row for each bead of a record in each target language."""
    source = record.source.sentence_texts()
    for lang, document in record.targets.items():
        target = document.sentence_texts()
        for number, bead in enumerate(record.beads[pair_key(record.source.lang, lang)]):
            yield {
                "id": f"{record.id}/{number}",
                "source": " ".join(source[i] for i in bead.left),
                "translations": {lang: " ".join(target[i] for i in bead.right)},
            }
