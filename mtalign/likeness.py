"""How near a translation is to its source, told by an encoder without any scale of its own.

By sentences it is the cosine of their vectors, placed between what unrelated sentences have (0) and what
translations have (1), both measured on examples; that costs a pass through the encoder. By tokens, every
token is matched with the nearest one of the other side by the embeddings alone: that is BERTScore (Zhang et
al. 2020) without contextual vectors, and costs a hundredth. What is much nearer by its tokens than unrelated
sentences are needs no encoder, and nearly every good translation is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mtalign.encode import unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtalign.encode import SentenceEncoder

    Floats = NDArray[np.float32]

# In this share of comparisons an example's translation must be nearer than another example's. Otherwise the
# embeddings of the encoder say too little, and every pair is compared by its sentence vectors.
_TOLD_APART = 0.9
# A translation so many standard deviations nearer than unrelated sentences is cleared by its tokens. A limit
# above `_TELLING` asks for more than they can tell.
CLEARED = 2.0
_TELLING = 0.5
# Longer texts are not compared token by token: the table would take too much memory.
_MOST_TOKENS = 2048
# The vocabularies of encoders are ordered by frequency. Up to about this rank stand marks and function words.
_COMMON = 100


@dataclass(frozen=True)
class _Tokens:
    """The tokens of a text: unit vectors (tokens x dim), and what each counts."""

    vectors: Floats
    weights: Floats


@dataclass(frozen=True)
class _TokenMatch:
    """What it takes to match tokens between two languages.

    `centres` are the mean embeddings of source and target language. `tokens` and `sentences` are mean and
    deviation in unrelated sentences: of the cosines between their tokens, and of their nearness by these.
    `tells` is whether the examples are told apart.
    """

    centres: tuple[Floats, Floats]
    tokens: tuple[float, float]
    sentences: tuple[float, float] = (0.0, 1.0)
    tells: bool = False


class Likeness:
    """Compares translations with their sources.

    Args:
        encoder: makes sentence vectors and has embeddings of tokens.
        examples: sentences by language, each a translation of the others; only languages that all examples
            have are compared.
    """

    def __init__(self, encoder: SentenceEncoder, examples: Sequence[Mapping[str, str]]) -> None:
        self._encoder = encoder
        self._examples = examples
        self._scales: dict[tuple[str, str], tuple[float, float]] = {}
        self._matches: dict[tuple[str, str], _TokenMatch] = {}

    def covers(self, source: str, target: str) -> bool:
        """Say whether the examples have both languages."""
        return bool(self._examples) and all(source in each and target in each for each in self._examples)

    def by_sentences(self, pairs: Sequence[tuple[str, str]], source: str, target: str) -> list[float]:
        """Return the likeness of each pair by the cosine of its sentence vectors."""
        if not pairs:
            return []
        if (source, target) not in self._scales:
            left, right = (self._encoder.encode(self._texts(lang)) for lang in (source, target))
            related, others = _split(left @ right.T)
            self._scales[source, target] = float(others.mean()), float(related.mean())
        unrelated, translated = self._scales[source, target]
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        vectors = dict(zip(texts, self._encoder.encode(texts), strict=True))
        return [
            (float(vectors[left] @ vectors[right]) - unrelated) / (translated - unrelated)
            for left, right in pairs
        ]

    def by_tokens(self, pairs: Sequence[tuple[str, str]], source: str, target: str) -> list[float]:
        """Return how much nearer the tokens of each pair are than those of unrelated sentences.

        In standard deviations; -inf where it cannot be told.
        """
        if not pairs:
            return []
        match = self._match(source, target)
        if not match.tells:
            return [-math.inf] * len(pairs)
        sides = []
        for texts, centre in zip(zip(*pairs, strict=True), match.centres, strict=True):
            different = list(dict.fromkeys(texts))
            embedded = self._encoder.token_embeddings(different)
            sides.append(
                {text: _tokens(*each, centre) for text, each in zip(different, embedded, strict=True)}
            )
        found = []
        for left, right in ((sides[0][source], sides[1][target]) for source, target in pairs):
            told = 0 < len(left.weights) <= _MOST_TOKENS and 0 < len(right.weights) <= _MOST_TOKENS
            found.append(_standard(_nearness(left, right, match), match.sentences) if told else -math.inf)
        return found

    def below(
        self, limit: float, pairs: Sequence[tuple[str, str]], source: str, target: str
    ) -> dict[int, float]:
        """Return the likeness by sentences of the pairs under the limit, but of those that tokens clear.

        The keys are the numbers of the pairs.
        """
        doubtful = list(range(len(pairs)))
        if limit <= _TELLING:
            doubtful = [
                number for number, each in enumerate(self.by_tokens(pairs, source, target)) if each < CLEARED
            ]
        found = self.by_sentences([pairs[number] for number in doubtful], source, target)
        return {number: each for number, each in zip(doubtful, found, strict=True) if each < limit}

    def _texts(self, lang: str) -> list[str]:
        return [each[lang] for each in self._examples]

    def _match(self, source: str, target: str) -> _TokenMatch:
        import numpy as np

        if (source, target) not in self._matches:
            embeddings = [self._encoder.token_embeddings(self._texts(lang)) for lang in (source, target)]
            left, right = (np.concatenate([unit(vectors) for _, vectors in each]) for each in embeddings)
            centres = left.mean(axis=0), right.mean(axis=0)
            sides = [
                [_tokens(*one, centre) for one in each]
                for each, centre in zip(embeddings, centres, strict=True)
            ]
            cosines = np.concatenate(
                [
                    (a.vectors @ b.vectors.T).ravel()
                    for i, a in enumerate(sides[0])
                    for k, b in enumerate(sides[1])
                    if i != k
                ]
            )
            match = _TokenMatch(centres, (float(cosines.mean()), float(cosines.std())))
            nearness = np.array([[_nearness(a, b, match) for b in sides[1]] for a in sides[0]])
            related, others = _split(nearness)
            self._matches[source, target] = replace(
                match,
                sentences=(float(others.mean()), float(others.std())),
                tells=bool((related[:, None] > others).mean() >= _TOLD_APART),
            )
        return self._matches[source, target]


def _tokens(ids: NDArray[np.int64], vectors: Floats, centre: Floats) -> _Tokens:
    import numpy as np

    return _Tokens(unit(unit(vectors) - centre), np.log1p((ids + 1) / _COMMON, dtype=np.float32))


def _nearness(left: _Tokens, right: _Tokens, match: _TokenMatch) -> float:
    """Return how near the nearest tokens are, in standard deviations above what chance would bring.

    Of n draws from a normal distribution the largest is expected at about sqrt(2 ln n): a long sentence has
    something near to everything.
    """
    import numpy as np

    cosines = left.vectors @ right.vectors.T
    sides = ((cosines.max(axis=1), left, right), (cosines.max(axis=0), right, left))
    return float(
        np.mean(
            [
                np.average(_standard(nearest, match.tokens), weights=own.weights)
                - math.sqrt(2 * math.log(len(other.weights) + 1))
                for nearest, own, other in sides
            ]
        )
    )


def _split(values: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the values of the translations and of all others in a table of examples x examples."""
    import numpy as np

    return values.diagonal(), values[~np.eye(len(values), dtype=bool)]


def _standard(value: Any, usual: tuple[float, float]) -> Any:
    mean, deviation = usual
    return (value - mean) / deviation
