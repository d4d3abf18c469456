"""Sentences as tokens, and mentions as runs of tokens: what IOB2 and DocBin are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mtalign.document import Document, Entity, Span
from mtalign.formats.features import disjoint
from mtalign.units import unit_text

INSIDE_WORD = "mentions that begin or end inside a word"
ACROSS = "mentions across sentences"
COVERED = "mentions under a longer one"


@dataclass(frozen=True)
class Tokens:
    """A document's tokens by sentence, as places in its text. Tokens leave out white space only."""

    sentences: list[list[Span]]

    def flat(self) -> list[Span]:
        """Return all tokens, in order."""
        return [token for sentence in self.sentences for token in sentence]


def tokens_of(document: Document) -> Tokens:
    """Split every sentence into words, in Korean into morphemes: 김민수 in 김민수는 is no word of its own."""
    return Tokens(
        [
            [
                unit.span.shift(each.span.start)
                for unit in unit_text(each.span.of(document.text), document.lang).units
            ]
            for each in document.sentences
        ]
    )


def on_tokens(entities: Sequence[Entity], tokens: Tokens, losses: Counter[str]) -> list[Entity]:
    """Return the mentions that begin and end with a token of one sentence; the others are counted."""
    kept = []
    starts = {span.start: number for number, own in enumerate(tokens.sentences) for span in own}
    ends = {span.end: number for number, own in enumerate(tokens.sentences) for span in own}
    for entity in entities:
        first, last = starts.get(entity.span.start), ends.get(entity.span.end)
        if first is None or last is None:
            losses[INSIDE_WORD] += 1
        elif first != last:
            losses[ACROSS] += 1
        else:
            kept.append(entity)
    return kept


def without_overlaps(entities: Sequence[Entity], losses: Counter[str]) -> list[Entity]:
    """Return mentions of which no two overlap, the longer ones; the others are counted."""
    kept = disjoint(tuple(entities))
    losses[COVERED] += len(entities) - len(kept)
    return kept
