"""Building a search index, and bringing one up to date.

An article is known by its id and a digest of its passages. What is new is encoded and added, what has
changed is replaced, what is no longer there is dropped, and nothing else is touched. Another encoder, or
another precision of the vectors, means that all is encoded anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mtalign import __version__
from mtalign.errors import UsageError
from mtalign.search.passages import Passage, digest
from mtalign.search.store import FORMAT, HEADER, VERSION, DType, Header, Table, read_header, write_header
from mtalign.search.store import writing as _writing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Up to this many passages every vector is compared; beyond, there is an approximate index.
EXACT_UP_TO = 100_000

# What the sentences around a sentence weigh in its vector.
NEIGHBOURS = 0.2

_BATCH = 512
_NORM_TOLERANCE = 1e-2


class Encoder(Protocol):
    """What search needs of an encoder: unit vectors, and a name that changes when they do."""

    @property
    def signature(self) -> str:
        """Model, revision and settings in one line."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 per passage: float32, texts x dim."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 per query, to be compared with those of passages."""
        ...


@dataclass(frozen=True)
class Built:
    """What the index holds now, and how many articles were added, replaced, dropped and left as they were."""

    path: Path
    passages: int
    dim: int
    exact: bool
    added: int
    replaced: int
    dropped: int
    unchanged: int


def build(
    articles: Iterable[Sequence[Passage]],
    encoder: Encoder,
    out: Path,
    *,
    dtype: DType = "float16",
    exact_up_to: int = EXACT_UP_TO,
) -> Built:
    """Make the index in the folder `out` hold exactly these articles.

    Some hundreds of passages are in memory at a time. Readers see the index as it was until the last moment;
    when this raises, it stays as it was.

    Args:
        articles: the passages of each article: `of_records(…)` or `of_rows(…)`.
        encoder: makes the vectors.
        out: the folder of the index.
        dtype: the precision in which vectors are kept; float16 halves the index.
        exact_up_to: beyond this many passages there is an approximate index of the vectors.

    Raises:
        UsageError: there is no sentence to index; an article comes twice; `out` holds something else or
            cannot be written; the encoder's vectors are not of length 1.
        MissingExtra: LanceDB is not installed.
    """
    with _writing(out):
        before = read_header(out) if (out / HEADER).exists() else None
        if before and (before.encoder, before.dtype) == (encoder.signature, dtype):
            table = Table.open(out, before.table, write=True)
            update = _Update(table, before.dim, encoder, dtype, table.digests())
        else:
            dim = int(encoder.encode(["size"]).shape[1])
            update = _Update(Table.create(out, dim, dtype), dim, encoder, dtype, {})
        for article in articles:
            update.take(article)
        update.finish()
        count = update.table.count()
        if not count:
            raise UsageError("no sentences to index: the run has no records, or their texts are empty")
        exact = count <= exact_up_to
        if before is None or update.touched or before.table != update.table.version:
            update.table.index(approximate=not exact)
            header = Header(
                format=FORMAT,
                version=VERSION,
                encoder=encoder.signature,
                dim=update.dim,
                dtype=dtype,
                passages=count,
                articles=len(update.seen),
                exact=exact,
                table=update.table.version,
                languages=update.table.languages(),
                mtalign=__version__,
            )
            write_header(out, header)
        return Built(
            out,
            count,
            update.dim,
            exact,
            added=update.added,
            replaced=update.replaced,
            dropped=update.dropped,
            unchanged=len(update.seen) - update.added - update.replaced,
        )


@dataclass
class _Update:
    """A table on its way from the articles that it holds to those that it should hold."""

    table: Table
    dim: int
    encoder: Encoder
    dtype: DType
    known: dict[str, str]
    seen: set[str] = field(default_factory=set)
    added: int = 0
    replaced: int = 0
    dropped: int = 0
    _waiting: list[Passage] = field(default_factory=list)
    _digests: list[str] = field(default_factory=list)
    _stale: list[str] = field(default_factory=list)

    @property
    def touched(self) -> bool:
        return bool(self.added or self.replaced or self.dropped)

    def take(self, article: Sequence[Passage]) -> None:
        if not article:
            return
        name, new = article[0].article, digest(article)
        if name in self.seen:
            raise UsageError(f"article {name!r} comes twice; ids of articles must be unique in an index")
        self.seen.add(name)
        old = self.known.get(name)
        if old == new:
            return
        if old is None:
            self.added += 1
        else:
            self.replaced += 1
            self._stale.append(name)
        self._waiting += article
        self._digests += [new] * len(article)
        if len(self._waiting) >= _BATCH:
            self._write()

    def finish(self) -> None:
        self._write()
        gone = [name for name in self.known if name not in self.seen]
        self.table.drop(gone)
        self.dropped = len(gone)

    def _write(self) -> None:
        if self._waiting:
            vectors = checked(self.encoder, self.encoder.encode([each.text for each in self._waiting]))
            self.table.drop(self._stale)
            self.table.add(self._waiting, self._digests, with_neighbours(self._waiting, vectors), self.dtype)
        self._waiting, self._digests, self._stale = [], [], []


def with_neighbours(
    passages: Sequence[Passage], vectors: NDArray[np.float32], weight: float = NEIGHBOURS
) -> NDArray[np.float32]:
    """Return the vector of each sentence, drawn a little towards the sentences before and after it.

    A sentence says what it says, and says it in a place: that finds more of the sentences that a translator
    has split or merged, and costs no encoding (docs/benchmarks-search.md). `passages` are in reading order.
    """
    import numpy as np

    around = np.zeros_like(vectors)
    near = [
        n
        for n, (one, other) in enumerate(pairwise(passages))
        if (one.article, one.lang, one.sentence + 1) == (other.article, other.lang, other.sentence)
    ]
    before = np.asarray(near, np.int64)
    around[before + 1] += vectors[before]
    around[before] += vectors[before + 1]
    around /= np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-12)
    mixed = vectors + weight * around
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    return mixed


def checked(encoder: Encoder, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an encoder's vectors as they are, if each has length 1, so that products are cosines.

    Raises:
        UsageError: they have not.
    """
    import numpy as np

    if vectors.ndim != 2 or bool(np.any(~(np.abs(np.linalg.norm(vectors, axis=1) - 1) <= _NORM_TOLERANCE))):
        raise UsageError(
            f"encoder {encoder.signature!r} gave vectors of shape {vectors.shape} that are not of length 1; "
            "search needs one normalised vector per text"
        )
    return vectors
