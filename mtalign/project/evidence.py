"""Other evidence for a span than the ranker's: a named-entity tagger of the target, and a translation engine.

Each kind looks at the likeliest spans of an entity only and says how much their log odds gain; a kind that
has nothing to say gains nothing, so that the ranker's answer stands. None is used unless it is asked for.
The engine is asked in two ways: how likely it finds each span as the translation of the name (García-Ferrero
et al. 2023, T-Projection), and what it makes of the name when this is marked in its sentence (Chen et al.
2023, EasyProject), where the marks survive the translation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mtalign.document import Document, Span
from mtalign.errors import InputError
from mtalign.project.rank import Ranked
from mtalign.project.sound import romanise

Gains = list[list[float]]

# What a mention is marked with; a sentence that has one of them already is not marked.
OPENING, CLOSING = "[", "]"
# Spans beyond so many are not scored by an engine.
_SCORED = 4
# A span this unlike what the marked translation says gains nothing.
LEAST_LIKENESS = 0.5


@dataclass(frozen=True)
class EvidenceOptions:
    """What else is asked, and how much it counts: the most that the log odds of a span gain.

    `ner` is natasha (Russian), or a token-classification model: hub:OWNER/NAME@REVISION or a folder.
    `score` and `markers` ask the engine that translates into the language; 0 switches them off.
    """

    ner: str | None = None
    ner_weight: float = 1.0
    score: float = 0.0
    markers: float = 0.0


class Evidence(Protocol):
    """Something that knows more about the spans of one document."""

    def gains(self, source: Document, target: Document, ranked: Sequence[Ranked]) -> Gains:
        """Return what the log odds of each span of each ranking gain."""
        ...


class Scoring(Protocol):
    """The part of a translation engine that scores given translations."""

    def score(
        self, sources: Sequence[str], translations: Sequence[str], source: str, target: str
    ) -> list[list[float]]:
        """Return the log-probability of every token of each translation."""
        ...


Translate = Callable[[Sequence[str], str, str], Sequence[str]]


@dataclass(frozen=True)
class TaggedNames:
    """A tagger of the target language: a span gains if the tagger finds exactly that name there.

    `annotate` returns a document with the entities it finds in it.
    """

    annotate: Callable[[Document], Document]
    weight: float = 1.0

    def gains(self, source: Document, target: Document, ranked: Sequence[Ranked]) -> Gains:  # noqa: ARG002
        """Return `weight` for names that the tagger finds, 0 for all others."""
        bare = Document(target.id, target.lang, target.text, target.sentences)
        names = {each.span for each in self.annotate(bare).entities}
        return [[self.weight * (span in names) for span in each.spans] for each in ranked]


@dataclass(frozen=True)
class EngineScores:
    """An engine's own opinion: how likely a span is as the translation of the name, by its mean token.

    A mention as sure as `below` is not asked about.
    """

    engine: Scoring
    weight: float = 1.0
    below: float = 0.9

    def gains(self, source: Document, target: Document, ranked: Sequence[Ranked]) -> Gains:
        """Return, for the ranker's likeliest spans, `weight` for the one the engine finds likeliest.

        The others gain less by how far they are behind it; nothing from one nat a token on.
        """
        asked = [
            (row, number, each.entity.said(), span.of(target.text))
            for row, each in enumerate(ranked)
            if len(each.spans) > 1 and each.confidence() < self.below
            for number, span in enumerate(each.spans[:_SCORED])
        ]
        found = [[0.0] * len(each.spans) for each in ranked]
        if not asked:
            return found
        try:
            scores = self.engine.score(
                [said for _, _, said, _ in asked], [there for *_, there in asked], source.lang, target.lang
            )
        except InputError:
            return found  # a name longer than the engine reads
        means = [sum(each) / max(len(each), 1) for each in scores]
        best: dict[int, float] = {}
        for (row, *_), mean in zip(asked, means, strict=True):
            best[row] = max(mean, best.get(row, mean))
        for (row, number, *_), mean in zip(asked, means, strict=True):
            found[row][number] = self.weight * max(0.0, 1 - (best[row] - mean))
        return found


@dataclass(frozen=True)
class MarkedTranslations:
    """What the engine makes of a mention that is marked in its sentence.

    `translate` returns one translation a sentence. A translation counts only if it holds exactly one pair of
    marks with something between them.
    """

    translate: Translate
    weight: float = 1.0
    below: float = 0.9

    def gains(self, source: Document, target: Document, ranked: Sequence[Ranked]) -> Gains:
        """Return `weight` times how like the marked words a span sounds; 0 where it is as sure as `below`."""
        found = [[0.0] * len(each.spans) for each in ranked]
        marked = [
            (row, sentence)
            for row, each in enumerate(ranked)
            if len(each.spans) > 1 and each.confidence() < self.below
            for sentence in [mark(source, each.entity.span)]
            if sentence is not None
        ]
        texts = [sentence for _, sentence in marked]
        made = self.translate(texts, source.lang, target.lang) if texts else []
        for (row, _), translation in zip(marked, made, strict=True):
            if said := marked_words(translation):
                for number, span in enumerate(ranked[row].spans):
                    like = likeness(said, span.of(target.text))
                    found[row][number] = self.weight * like if like >= LEAST_LIKENESS else 0.0
        return found


def mark(document: Document, span: Span) -> str | None:
    """Return the sentence of a mention with marks around it; None if it has such marks already."""
    for sentence in document.sentences:
        if sentence.span.contains(span):
            text = sentence.span.of(document.text)
            if OPENING in text or CLOSING in text:
                return None
            at = span.shift(-sentence.span.start)
            return f"{text[: at.start]}{OPENING}{at.of(text)}{CLOSING}{text[at.end :]}"
    return None


def likeness(said: str, there: str) -> float:
    """Return how like two names of any scripts sound, 0 to 1."""
    from rapidfuzz import fuzz

    return fuzz.ratio(romanise(said), romanise(there)) / 100


_MARKED = re.compile(r"[^\[\]]*\[([^\[\]]*)\][^\[\]]*")


def marked_words(translation: str) -> str | None:
    """Return what stands between the marks of a translation; None unless exactly one pair survived."""
    found = _MARKED.fullmatch(translation)
    return (found[1].strip() or None) if found else None


def weigh(
    ranked: Sequence[Ranked], source: Document, target: Document, evidence: Sequence[Evidence]
) -> list[Ranked]:
    """Return the rankings of one document after all evidence has been heard."""
    total = [[0.0] * len(each.spans) for each in ranked]
    for each in evidence:
        for own, more in zip(total, each.gains(source, target, ranked), strict=True):
            own[:] = [a + b for a, b in zip(own, more, strict=True)]
    return [each.reweighed(gains) if any(gains) else each for each, gains in zip(ranked, total, strict=True)]
