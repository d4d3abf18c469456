"""Choosing among the hypotheses of a sentence by what can be seen without a reference.

Cosine alone prefers an untranslated copy of the source, so it is weighed against the script of the
target language, the length and repetition. Whether the choice is any good is not judged here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from mtalign.languages import HAN, HANGUL, language, script_share
from mtalign.translate.engine import Hypothesis

if TYPE_CHECKING:
    import numpy as np

# Characters that scripts need for the same content, relative to alphabets.
_DENSITY = {HANGUL: 0.5, HAN: 0.35}
# A translation may be this much longer or shorter than expected (as a factor) before it counts against it.
_TOLERANCE = 1.3


class Encoder(Protocol):
    """Gives sentences of any language comparable vectors."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, shape `[len(texts), d]`, float32."""
        ...


@dataclass(frozen=True)
class RankWeights:
    """What counts how much. Every feature but the engine's score lies between 0 and 1.

    Attributes:
        cosine: likeness to the source, by the encoder.
        script: share of the letters that are in the target's script.
        length: how far the length is from the usual one; counts against it.
        repetition: share of words that come again; counts against it.
        engine: the engine's mean log-probability per token.
    """

    cosine: float = 1.0
    script: float = 0.2
    length: float = 0.05
    repetition: float = 0.2
    engine: float = 0.02


def rank(
    sentences: Sequence[str],
    hypotheses: Sequence[Sequence[Hypothesis]],
    source: str,
    target: str,
    *,
    encoder: Encoder,
    weights: RankWeights = RankWeights(),
) -> list[list[Hypothesis]]:
    """Put the hypotheses of every sentence in order, best first; equal ones keep the engine's order.

    The value of a hypothesis is a weighted sum of cosine, script share, length, repetition and the
    engine's own score. One that is empty or was cut at the length limit comes after all others.

    Args:
        sentences: the source sentences.
        hypotheses: the hypotheses of each.
        source: language code of the sentences.
        target: language code of the hypotheses.
        encoder: gives sentence vectors.
        weights: what counts how much.
    """
    choices = [(s, group) for s, group in zip(sentences, hypotheses, strict=True) if len(group) > 1]
    if not choices:
        return [list(group) for group in hypotheses]
    texts = list(dict.fromkeys(text for s, group in choices for text in (s, *(each.text for each in group))))
    vectors = dict(zip(texts, encoder.encode(texts), strict=True))

    def worth(sentence: str, each: Hypothesis) -> tuple[bool, float]:
        usable = each.complete and bool(each.text.strip())
        excess = max(0.0, repetition(each.text) - repetition(sentence))
        value = (
            weights.cosine * float(vectors[sentence] @ vectors[each.text])
            + weights.script * script_share(each.text, language(target).script)
            - weights.length * length_surprise(sentence, each.text, source, target)
            - weights.repetition * excess
            + weights.engine * each.score
        )
        return usable, value

    return [
        sorted(group, key=partial(worth, sentence), reverse=True) if len(group) > 1 else list(group)
        for sentence, group in zip(sentences, hypotheses, strict=True)
    ]


def length_surprise(sentence: str, translation: str, source: str, target: str) -> float:
    """Return how far the length is from what the scripts lead to expect, from 0 (as expected) to 1.

    The measure is the logarithm of the ratio, beyond a tolerance of a factor 1.3 either way.
    """
    density = _DENSITY.get(language(target).script, 1.0) / _DENSITY.get(language(source).script, 1.0)
    ratio = max(1, len(translation)) / max(1.0, len(sentence) * density)
    return min(1.0, max(0.0, abs(math.log(ratio)) - math.log(_TOLERANCE)))


def repetition(text: str, order: int = 4) -> float:
    """Return the share of the text's character n-grams that have occurred before in it (0 to 1).

    Characters and not words, so that loops show in languages that write without spaces too. Natural
    sentences are a little above 0.
    """
    grams = [text[i : i + order] for i in range(len(text) - order + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
