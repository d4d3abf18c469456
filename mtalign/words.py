"""Word links from contextual vectors: which unit of one text says what which unit of the other says.

The method is that of SimAlign and awesome-align (Jalili Sabet et al. 2020; Dou and Neubig 2021): cosine
of token vectors from the middle layers of a multilingual encoder, softmax in both directions. Added
are: several layers at once, each language centred on its own mean, and, if asked for, a bonus for words
that sound alike once romanised and for those that a corpus links (`mtalign.hmm`). The last layer, which
serves sentence vectors, is bad at this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from mtalign.alignment import WordLink
from mtalign.units import UnitText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtalign.encode import TokenVectors


# How far to the right an English function word looks for a word to share links with, and which words do.
_REACH = 3
_FUNCTION_WORDS = frozenset(
    """a an the of to by not is are was were be been being has have had do does did will would at in on for
    with from as that it its there""".split()  # noqa: SIM905
)


class Statistics(Protocol):
    """What is known of a language pair from a corpus."""

    def link(self, source: Sequence[str], target: Sequence[str]) -> NDArray[np.float32]:
        """Return how surely two words are each other's, 0 to 1: source x target."""
        ...


class TokenEncoder(Protocol):
    """What word linking needs of an encoder: vectors and offsets of tokens in given layers."""

    def token_vectors(self, texts: Sequence[str], layers: Sequence[int]) -> list[TokenVectors]:
        """Return the tokens of every text, in order."""
        ...


@dataclass(frozen=True)
class LinkOptions:
    """How links are made.

    `layers` are the encoder layers whose cosines are averaged; `sound` is the weight of the romanised
    likeness of two words, `statistics` that of links from a corpus, where one is given; `temperature`
    sharpens the two softmaxes; links under `least` count as none.
    """

    layers: tuple[int, ...] = (5, 6, 7)
    sound: float = 0.0
    statistics: float = 0.15
    temperature: float = 0.05
    least: float = 0.03


@dataclass(frozen=True)
class Comparison:
    """What is known about the units of two texts.

    `links` (left x right) says how surely two units are each other's; `similarity` is their cosine and
    `sound` the likeness of their romanised forms; `left` and `right` are the unit vectors.
    """

    links: NDArray[np.float32]
    similarity: NDArray[np.float32]
    sound: NDArray[np.float32]
    left: NDArray[np.float32]
    right: NDArray[np.float32]

    @cached_property
    def gram(self) -> NDArray[np.float32]:
        """Right x right: the cosines among the units of the right text."""
        import numpy as np

        return np.asarray(self.right @ self.right.T, np.float32)


class Linker:
    """Links the units of text pairs, many pairs at a time.

    Args:
        encoder: makes the vectors.
        options: how links are made.
        statistics: links from corpora, by the languages of the left and the right text.
    """

    def __init__(
        self,
        encoder: TokenEncoder,
        options: LinkOptions | None = None,
        statistics: Mapping[tuple[str, str], Statistics] | None = None,
    ) -> None:
        self._encoder = encoder
        self._options = options or LinkOptions()
        self._statistics = statistics or {}

    def link(self, pairs: Sequence[tuple[UnitText, UnitText]]) -> list[NDArray[np.float32]]:
        """Return a matrix per pair, left units x right units: 0 (no link) to 1 (each is the other's only).

        The pairs of one call should belong together (an article): each language is centred on the mean
        of all its units in the call.
        """
        return [each.links for each in self.compare(pairs)]

    def compare(self, pairs: Sequence[tuple[UnitText, UnitText]]) -> list[Comparison]:
        """Return, per pair, the links and what they were made from; centred as in `link`."""
        unique = list(dict.fromkeys(side for pair in pairs for side in pair))
        vectors = dict(zip(unique, self._vectors(unique), strict=True))
        return [self._compared(left, right, vectors[left], vectors[right]) for left, right in pairs]

    def _vectors(self, texts: Sequence[UnitText]) -> list[NDArray[np.float32]]:
        """Return units x (layers * dim) for each text; the dot product of two is their mean cosine."""
        import numpy as np

        tokens = self._encoder.token_vectors([each.text for each in texts], self._options.layers)
        pooled = [_pool(text, found) for text, found in zip(texts, tokens, strict=True)]
        by_language: dict[str, list[int]] = defaultdict(list)
        for number, text in enumerate(texts):
            by_language[text.lang].append(number)
        for numbers in by_language.values():
            together = np.concatenate([pooled[number] for number in numbers], axis=1)
            # Fewer units than this say more about their topic than about their language.
            mean = together.mean(axis=1, keepdims=True) if together.shape[1] >= 8 else 0.0
            for number in numbers:
                pooled[number] = pooled[number] - mean
        return [_flatten(each) for each in pooled]

    def _compared(
        self, left: UnitText, right: UnitText, ours: NDArray[np.float32], theirs: NDArray[np.float32]
    ) -> Comparison:
        import numpy as np

        similarity = ours @ theirs.T
        if not left.units or not right.units:
            return Comparison(similarity, similarity, similarity, ours, theirs)
        sound = sound_likeness(left.words(), right.words())
        evidence = similarity + self._options.sound * sound
        if known := self._statistics.get((left.lang, right.lang)):
            evidence = evidence + self._options.statistics * known.link(left.words(), right.words())
        exponents = evidence / self._options.temperature
        links = np.sqrt(_softmax(exponents, 1) * _softmax(exponents, 0))
        links = np.where(links >= self._options.least, links, 0).astype(np.float32)
        return Comparison(links, similarity, sound, ours, theirs)


def sound_likeness(left: Sequence[str], right: Sequence[str]) -> NDArray[np.float32]:
    """Return how alike words are once romanised, 0 to 1; words under four Latin letters count as 0."""
    import numpy as np
    from anyascii import anyascii
    from rapidfuzz import fuzz, process

    ours, theirs = ([anyascii(word).lower() for word in words] for words in (left, right))
    ratio = process.cdist(ours, theirs, scorer=fuzz.ratio, dtype=np.float32) / 100
    long_enough = np.array([len(word) >= 4 for word in ours])[:, None] & np.array(
        [len(word) >= 4 for word in theirs]
    )
    return np.asarray(np.where(long_enough, ratio, 0), np.float32)


def links_of(
    matrix: NDArray[np.float32], source: UnitText | None = None, least: float = 0.2
) -> list[WordLink]:
    """Return the links of a matrix that reach `least`, by left unit and then right unit.

    With `source`, English function words that link to nothing take the links of the next word, within
    three, that links to something: the annotators of parallel corpora tie "the" and "has" to the noun and
    the verb where the other language has no word for them. `least` and the list of words were chosen on
    XL-WA en-ru (Martelli et al. 2023), development part.
    """
    import numpy as np

    found = {(int(i), int(j)): float(matrix[i, j]) for i, j in np.argwhere(matrix >= least)}
    if source is not None and source.lang == "en":
        found |= _function_links(found, source.words())
    return [WordLink(i, j, round(score, 4)) for (i, j), score in sorted(found.items())]


def _function_links(
    found: dict[tuple[int, int], float], words: Sequence[str]
) -> dict[tuple[int, int], float]:
    by_word: dict[int, dict[int, float]] = defaultdict(dict)
    for (i, j), score in found.items():
        by_word[i][j] = score
    return {
        (i, j): score
        for i, word in enumerate(words)
        if i not in by_word and word.lower() in _FUNCTION_WORDS
        for other in [next((k for k in range(i + 1, i + 1 + _REACH) if k in by_word), None)]
        if other is not None
        for j, score in by_word[other].items()
    }


def _pool(text: UnitText, tokens: TokenVectors) -> NDArray[np.float32]:
    """Average token vectors into unit vectors, by shared characters: layers x units x dim."""
    import numpy as np

    starts = np.array([unit.span.start for unit in text.units], np.int64)[:, None]
    ends = np.array([unit.span.end for unit in text.units], np.int64)[:, None]
    shared = np.minimum(ends, tokens.offsets[:, 1]) - np.maximum(starts, tokens.offsets[:, 0])
    weights = np.maximum(shared, 0).astype(np.float32)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1)
    return np.asarray(weights @ tokens.vectors, np.float32)


def _flatten(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    layers, count, dim = vectors.shape
    scaled = vectors / np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-12) / np.sqrt(layers)
    return np.asarray(scaled.transpose(1, 0, 2).reshape(count, layers * dim), np.float32)


def _softmax(exponents: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    import numpy as np

    raised = np.exp(exponents - exponents.max(axis=axis, keepdims=True))
    return np.asarray(raised / raised.sum(axis=axis, keepdims=True))
