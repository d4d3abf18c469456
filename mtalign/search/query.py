"""Asking a search index: exact nearest sentences in any language, each with its translations.

Every query reads all vectors (memory-mapped, block by block): meant for up to some 100,000 sentences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mtalign.errors import UsageError
from mtalign.search.build import PASSAGES, VECTORS, Encoder, Header, Passage, encode_checked, read_header

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 16384


@dataclass(frozen=True)
class Hit:
    """A passage found, its cosine to the query (-1 to 1), and what says the same in other languages."""

    score: float
    passage: Passage
    counterparts: dict[str, tuple[Passage, ...]]

    def as_dict(self) -> dict[str, object]:
        """Return the hit, ready for JSON."""
        plain: dict[str, object] = msgspec.to_builtins(self)
        return plain


class Index:
    """An index on disk, opened for queries. Passages are held in memory, vectors are mapped."""

    def __init__(self, header: Header, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        import numpy as np

        self.header = header
        self._langs = np.array([each.lang for each in passages])
        self._passages = passages
        self._vectors = vectors
        self._by_tuple: dict[tuple[str, int], list[Passage]] = defaultdict(list)
        for each in passages:
            self._by_tuple[each.article, each.tuple_number].append(each)

    @classmethod
    def open(cls, path: Path) -> Index:
        """Open the index in a folder.

        Raises:
            UsageError: there is no index, it is damaged, or another version wrote it.
        """
        import numpy as np

        header = read_header(path)
        try:
            lines = (path / PASSAGES).read_bytes().splitlines()
            passages = [_passage.decode(line) for line in lines]
            vectors = np.lib.format.open_memmap(path / VECTORS, mode="r")
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise UsageError(f"the index in {path} is damaged ({error}); build it again") from error
        if len(passages) != header.passages or vectors.shape != (header.passages, header.dim):
            raise UsageError(
                f"the index in {path} is damaged: {len(passages)} passages and vectors of shape "
                f"{vectors.shape} where {header.passages} x {header.dim} were written; build it again"
            )
        return cls(header, passages, vectors)

    def __len__(self) -> int:
        return len(self._passages)

    def query(
        self,
        text: str,
        encoder: Encoder,
        *,
        lang: str | None = None,
        label: str | None = None,
        k: int = 10,
    ) -> list[Hit]:
        """Return the `k` passages nearest to a text in any language, best first; ties in index order.

        Args:
            text: the query.
            encoder: the one that the index was built with.
            lang: only passages in this language.
            label: only passages that mention an entity with this label.
            k: how many at most.

        Raises:
            UsageError: the encoder is another one, the query is blank, or the index has no such language.
        """
        import numpy as np

        if encoder.signature != self.header.encoder:
            raise UsageError(
                f"the index was built with {self.header.encoder!r}, this encoder is {encoder.signature!r}: "
                "their vectors cannot be compared; query with the same encoder or build the index again"
            )
        if not text.strip():
            raise UsageError("the query is blank; give some words to search for")
        if k < 1:
            raise UsageError(f"k is {k}; ask for at least one answer")
        chosen = self._select(lang, label)
        scores = self._scores(encode_checked(encoder, [text])[0])[chosen]
        best = np.lexsort((chosen, -scores))[:k]
        return [self._hit(int(chosen[n]), float(scores[n])) for n in best]

    def _select(self, lang: str | None, label: str | None) -> NDArray[np.intp]:
        """Return the positions of the passages that pass the filters."""
        import numpy as np

        if lang is not None and lang not in self._langs:
            known = ", ".join(sorted(set(self._langs.tolist())))
            raise UsageError(f"the index has no sentences in {lang!r}, only in {known}")
        passing = np.ones(len(self), bool) if lang is None else self._langs == lang
        if label is not None:
            passing &= [any(each.label == label for each in p.mentions) for p in self._passages]
        return np.flatnonzero(passing)

    def _scores(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        import numpy as np

        blocks = range(0, len(self._vectors), _BLOCK)
        return np.concatenate([self._vectors[at : at + _BLOCK] @ vector for at in blocks])

    def _hit(self, number: int, score: float) -> Hit:
        passage = self._passages[number]
        counterparts: dict[str, list[Passage]] = defaultdict(list)
        for each in self._by_tuple[passage.article, passage.tuple_number]:
            if each.lang != passage.lang:
                counterparts[each.lang].append(each)
        return Hit(score, passage, {lang: tuple(found) for lang, found in counterparts.items()})


_passage = msgspec.json.Decoder(Passage)
