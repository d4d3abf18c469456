"""One side of an alignment: its sentences, and vectors for every run of up to three of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SentenceEncoder(Protocol):
    """What alignment needs of an encoder: one L2-normalised vector per text, texts x dim."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of the texts, in order."""
        ...


@dataclass(frozen=True)
class Side:
    """The sentences of one language, ready to be aligned with any other.

    `vectors[k - 1, i]` is the vector of the k sentences that begin at i; where fewer than k are left it
    is zero. Every vector has the side's own mean subtracted and unit length. `sizes[i]` is the length
    of sentence i in UTF-8 bytes.
    """

    vectors: NDArray[np.float32]
    sizes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.sizes)


def prepare(sentences: Sequence[str], encoder: SentenceEncoder, overlaps: int = 3) -> Side:
    """Embed sentences and overlaps (runs of 2 … `overlaps` sentences, as text) of one language.

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
        vectors[list(layers), list(starts)] = centred / np.maximum(
            np.linalg.norm(centred, axis=1, keepdims=True), 1e-12
        )
    sizes = np.array([len(sentence.encode()) for sentence in sentences], np.float64)
    return Side(vectors, sizes)
