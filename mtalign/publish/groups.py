"""Groups of near-duplicate articles, so that a reprint of a training article is not in the test split.

MinHash (Broder 1997) over shingles of characters, and banding to find candidates (Leskovec, Rajaraman and
Ullman, Mining of Massive Datasets, chapter 3). Compared are the texts that people wrote: sources and human
translations, each with those of its own language. A rewrite in other words is not found, nor is a
translation of an article whose original is not among the texts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtalign.record import Record

SHINGLE = 8
SIMILAR = 0.5
_HASHES = 128
_ROWS = 4  # hashes in a band: 32 bands of 4 bring pairs from a similarity of about .4 together
_BASE = 0x9E3779B97F4A7C15
_SEED = 20_261_123


class Groups:
    """A growing set of articles and, at any time, the group of each: half a kilobyte a text is held."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._signatures: dict[str, list[tuple[int, NDArray[np.uint32]]]] = defaultdict(list)

    def add(self, record: Record) -> None:
        """Take in the texts of one article."""
        number = len(self._ids)
        self._ids.append(record.id)
        for lang, document in record.documents().items():
            if lang == record.source.lang or record.origins[lang].kind == "human":
                signature = minhash(document.text)
                if signature is not None:
                    self._signatures[lang].append((number, signature))

    def groups(self) -> dict[str, str]:
        """Return the group of every article that has near-duplicates: the smallest id among them."""
        parents = list(range(len(self._ids)))
        for left, right in self._pairs():
            a, b = _root(parents, left), _root(parents, right)
            if a != b:
                first, second = sorted((a, b), key=lambda number: self._ids[number])
                parents[second] = first
        roots = [_root(parents, number) for number in range(len(parents))]
        sizes = Counter(roots)
        return {name: self._ids[root] for name, root in zip(self._ids, roots, strict=True) if sizes[root] > 1}

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Yield pairs of near-duplicates that link each group together."""
        import numpy as np

        for texts in self._signatures.values():
            owners = [number for number, _ in texts]
            table = np.stack([signature for _, signature in texts])
            for start in range(0, _HASHES, _ROWS):
                band = np.ascontiguousarray(table[:, start : start + _ROWS])
                _, buckets = np.unique(band, axis=0, return_inverse=True)
                order = np.argsort(buckets, kind="stable")
                first = 0
                for place in range(1, len(order)):
                    here = order[place]
                    if buckets[here] != buckets[order[first]]:
                        first = place
                        continue
                    # Each with the first and with its neighbour: a bucket of a thousand copies costs a
                    # thousand comparisons, not a million.
                    for there in {int(order[first]), int(order[place - 1])}:
                        if (table[here] == table[there]).mean() >= SIMILAR:
                            yield owners[here], owners[there]


def minhash(text: str) -> NDArray[np.uint32] | None:
    """Return the signature of a text, or None where it has no letters or digits.

    Two signatures agree in a share of places that estimates the Jaccard similarity of the texts' shingles:
    all runs of eight letters or digits, case folded, everything else left out.
    """
    import numpy as np

    letters = [ord(char) for char in text.casefold() if char.isalnum()]
    if not letters:
        return None
    codes = np.array(letters, np.uint64)
    width = max(1, len(codes) - SHINGLE + 1)
    shingles = np.zeros(width, np.uint64)
    for place in range(min(SHINGLE, len(codes))):
        shingles = shingles * np.uint64(_BASE) + codes[place : place + width]
    shingles = np.unique(shingles)
    factors, terms = _permutations()
    lowest = np.full(_HASHES, np.iinfo(np.uint64).max, np.uint64)
    for block in np.array_split(shingles, len(shingles) // 4096 + 1):
        lowest = np.minimum(lowest, (block[:, None] * factors + terms).min(axis=0))
    # The low bits of a product modulo 2**64 are poor, the high ones are good.
    signature: NDArray[np.uint32] = (lowest >> np.uint64(32)).astype(np.uint32)
    return signature


def _permutations() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    import numpy as np

    random = np.random.Generator(np.random.PCG64(_SEED))
    drawn = random.integers(0, 2**64, (2, _HASHES), dtype=np.uint64)
    return drawn[0] | np.uint64(1), drawn[1]


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number
