"""The `embeddings` config: one vector per sentence and language, in half precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from mtalign.publish.rows import Config, RowDict
from mtalign.record import Record

if TYPE_CHECKING:
    import numpy as np
    from datasets import Features
    from numpy.typing import NDArray

EMBEDDINGS = "embeddings"


class Encoder(Protocol):
    """What makes the vectors."""

    signature: str

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one L2-normalised vector per text."""
        ...


def config(encoder: Encoder) -> Config:
    """Return the config; the encoder is asked once for the size of its vectors."""
    dim = encoder.encode(["size"]).shape[1]
    return Config(
        EMBEDDINGS,
        f"one row per sentence and language: a vector of {dim} numbers by `{encoder.signature}`",
        partial(rows, encoder=encoder),
        partial(features, dim),
    )


def rows(record: Record, encoder: Encoder) -> Iterator[RowDict]:
    """Yield the sentences of an article in every language with their vectors."""
    import numpy as np

    for lang, document in record.documents().items():
        if not document.sentences:
            continue
        vectors = encoder.encode(document.sentence_texts()).astype(np.float16)
        for number, vector in enumerate(vectors):
            yield {
                "id": f"{record.id}:{lang}:{number}",
                "article": record.id,
                "language": lang,
                "sentence": number,
                "embedding": vector,
            }


def features(dim: int) -> Features:
    """Return the features of `rows`."""
    from datasets import Features, List, Value

    text = Value("string")
    return Features(
        {
            "id": text,
            "article": text,
            "language": text,
            "sentence": Value("int32"),
            "embedding": List(Value("float16"), length=dim),
        }
    )
