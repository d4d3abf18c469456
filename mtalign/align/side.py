"""One side of an alignment: its sentences, vectors for every run of up to three of them, and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtalign.encode import TokenVectors

# The layer whose token vectors find translations of words: about two thirds of the way up in multilingual
# encoders; the last layers serve whole sentences and blur words (Jalili Sabet et al. 2020).
TOKEN_LAYER = 8

# Token vectors are kept for texts up to this many sentences: beyond it they would fill the memory.
_LARGEST_WITH_TOKENS = 400


class SentenceEncoder(Protocol):
    """What alignment needs of an encoder."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of the texts, in order: texts x dim, L2-normalised."""
        ...

    def token_vectors(self, texts: Sequence[str], layers: Sequence[int]) -> list[TokenVectors]:
        """Return the tokens of every text, in order, with their vectors in the given layers."""
        ...


@dataclass(frozen=True)
class Tokens:
    """The tokens of all sentences, one after the other.

    `vectors` is tokens x dim, centred on the side's own mean, of unit length; sentence i holds the tokens
    from `starts[i]` up to `starts[i + 1]`.
    """

    vectors: NDArray[np.float32]
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """The sentences of one language, ready to be aligned with any other.

    `vectors[k - 1, i]` is the vector of the k sentences that begin at i; where fewer than k are left it
    is zero. Every vector has the side's own mean subtracted and unit length. `sizes[i]` is the length
    of sentence i in UTF-8 bytes. `tokens` are left out of long texts.
    """

    vectors: NDArray[np.float32]
    sizes: NDArray[np.float64]
    tokens: Tokens | None = None

    def __len__(self) -> int:
        return len(self.sizes)


def prepare(sentences: Sequence[str], encoder: SentenceEncoder, overlaps: int = 3) -> Side:
    """Embed sentences, overlaps (runs of 2 … `overlaps` sentences, as text) and tokens of one language.

    Overlaps as in Vecalign (Thompson and Koehn 2019). The mean is subtracted because sentence vectors
    of one encoder and language share a large common part that hides the differences between sentences.
    """
    import numpy as np

    texts: list[str] = []
    places: list[tuple[int, int]] = []
    for size in range(1, overlaps + 1):
        for start in range(len(sentences) - size + 1):
            texts.append(" ".join(sentences[start : start + size]))
            places.append((size - 1, start))
    raw = encoder.encode(texts)
    vectors = np.zeros((overlaps, len(sentences), raw.shape[1]), np.float32)
    if places:
        layers, starts = zip(*places, strict=True)
        # A side of one sentence has no mean but itself: subtracting that would leave nothing.
        centred = raw - raw[: len(sentences)].mean(0) if len(sentences) > 1 else raw
        vectors[list(layers), list(starts)] = _unit(centred)
    sizes = np.array([len(sentence.encode()) for sentence in sentences], np.float64)
    tokens = None
    if 0 < len(sentences) <= _LARGEST_WITH_TOKENS:
        tokens = _tokens(encoder.token_vectors(sentences, [TOKEN_LAYER]))
    return Side(vectors, sizes, tokens)


def _tokens(found: Sequence[TokenVectors]) -> Tokens | None:
    """Put the tokens of the sentences in one row. None if a sentence has no token."""
    import numpy as np

    counts = [len(each.offsets) for each in found]
    if not all(counts):
        return None
    vectors = _unit(np.concatenate([each.vectors[0] for each in found]))
    return Tokens(_unit(vectors - vectors.mean(0)), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
