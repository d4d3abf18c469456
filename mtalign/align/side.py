"""One side of an alignment: its sentences, the vectors of runs of them, and their tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mtalign.encode import unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtalign.encode import TokenVectors

Run = tuple[int, int]  # how many sentences, and the first of them

# The layer whose token vectors find translations of words: two thirds of the way up in multilingual
# encoders; the last layers serve whole sentences and blur words (Jalili Sabet et al. 2020).
_TOKEN_DEPTH = 2 / 3

_CHUNK = 1024  # sentences whose tokens are held in full precision


class SentenceEncoder(Protocol):
    """What alignment needs of an encoder. `depth` is its number of layers."""

    @property
    def depth(self) -> int:
        """The number of layers above the embeddings; 0 for static vectors."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of the texts, in order: texts x dim, L2-normalised."""
        ...

    def token_vectors(self, texts: Sequence[str], layers: Sequence[int]) -> list[TokenVectors]:
        """Return the tokens of every text, in order, with their vectors in the given layers."""
        ...


@dataclass(frozen=True)
class Tokens:
    """The tokens of all sentences, one after the other.

    `vectors` is tokens x dim, centred on the side's own mean, of unit length, in half precision;
    sentence i holds the tokens from `starts[i]` up to `starts[i + 1]`, one at least.
    """

    vectors: NDArray[np.float16]
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class _Embedder:
    """Embeds runs of the side's sentences as text, each once."""

    sentences: Sequence[str]
    encoder: SentenceEncoder
    mean: NDArray[np.float32]
    known: dict[Run, NDArray[np.float32]] = field(default_factory=dict)

    def __call__(self, wanted: Iterable[Run]) -> Mapping[Run, NDArray[np.float32]]:
        wanted = list(wanted)
        new = [run for run in wanted if run not in self.known]
        if new:
            texts = [" ".join(self.sentences[first : first + length]) for length, first in new]
            self.known.update(zip(new, unit(self.encoder.encode(texts) - self.mean), strict=True))
        return {run: self.known[run] for run in wanted}


@dataclass(frozen=True)
class Side:
    """The sentences of one language, ready to be aligned with any other.

    `vectors` is sentences x dim, centred on the side's own mean, of unit length. `sizes[i]` is the
    length of sentence i in UTF-8 bytes. `embed` returns the vectors of runs of sentences read as one
    text, centred likewise; without it, runs have only the mean of their sentences.
    """

    vectors: NDArray[np.float32]
    sizes: NDArray[np.float64]
    tokens: Tokens | None = None
    embed: Callable[[Iterable[Run]], Mapping[Run, NDArray[np.float32]]] | None = None

    def __len__(self) -> int:
        return len(self.sizes)


def prepare(sentences: Sequence[str], encoder: SentenceEncoder) -> Side:
    """Embed the sentences of one language, and their tokens; longer runs are embedded when needed.

    The mean is subtracted because sentence vectors of one encoder and language share a large common
    part that hides the differences between sentences.
    """
    import numpy as np

    sizes = np.array([len(sentence.encode()) for sentence in sentences], np.float64)
    if not sentences:
        return Side(np.zeros((0, 1), np.float32), sizes)
    raw = encoder.encode(sentences)
    # A side of one sentence has no mean but itself: subtracting that would leave nothing.
    mean = raw.mean(0) if len(sentences) > 1 else np.zeros_like(raw[0])
    return Side(unit(raw - mean), sizes, _tokens(sentences, encoder), _Embedder(sentences, encoder, mean))


def _tokens(sentences: Sequence[str], encoder: SentenceEncoder) -> Tokens:
    """Put the tokens of the sentences in one row; a sentence without any gets one that matches nothing."""
    import numpy as np

    layer = round(_TOKEN_DEPTH * encoder.depth)
    counts: list[int] = []
    parts: list[NDArray[np.float16]] = []
    # Half precision, some sentences at a time: the tokens of a long text are its largest array by far.
    for first in range(0, len(sentences), _CHUNK):
        found = encoder.token_vectors(sentences[first : first + _CHUNK], [layer])
        counts += [max(1, len(each.offsets)) for each in found]
        blank = np.zeros((1, found[0].vectors.shape[-1]), np.float32)
        rows = [unit(each.vectors[0]) if len(each.offsets) else blank for each in found]
        parts.append(np.concatenate(rows).astype(np.float16))
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / sum(counts)
    for number, part in enumerate(parts):
        centred = unit(part.astype(np.float32) - np.asarray(mean, np.float32))
        parts[number] = np.where(part.any(axis=1, keepdims=True), centred, 0).astype(np.float16)
    return Tokens(np.concatenate(parts), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
