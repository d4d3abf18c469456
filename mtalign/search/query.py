"""Asking a search index: by meaning, by letters, or by both; and for names.

*Dense* compares the vector of the query with those of the passages, without what the vectors of a language
have in common: exactly up to 100,000 passages, and among the candidates of an approximate index above.
*Lexical* is BM25 over the trigrams of the romanised text, so that 서울 finds 서울은 and Seoul, and Київ finds
Києві: endings and scripts cost a few trigrams, not the hit. Of a long query only the rarest are looked up.
*Hybrid* fuses the two by reciprocal ranks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from mtalign.errors import UsageError
from mtalign.search.build import Encoder, checked
from mtalign.search.common import basis, take_off
from mtalign.search.filters import Filters, condition, one_of
from mtalign.search.fuse import fuse
from mtalign.search.names import Names, romanise
from mtalign.search.passages import Passage
from mtalign.search.store import Header, Table, Vectors, read_header
from mtalign.search.trigrams import frequencies, rarest, shares

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Mode = Literal["dense", "lexical", "hybrid"]
MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")
NO_FILTERS = Filters()

MAX_QUERY = 20_000

# How many of each list are fused.
_DEPTH = 100

# A lexical rank counts as much as the passage has of the query's trigrams, and not at all below this share:
# what a sentence shares with others by chance would push its translations down (docs/benchmarks-search.md).
_TRUSTED = 0.65

# How much less like its name than the best an entity may be that a filter lets through.
_AS_LIKE = 0.1

# A lexical query takes time in proportion to the passages that have its trigrams: the rarest are asked for,
# up to this many passages. How rare they are is told by the first passages of the index.
_READ = 10_000
_SAMPLE = 20_000


@dataclass(frozen=True)
class Hit:
    """A passage found, with what stands around it and what says the same in other languages.

    `score` is the cosine (dense), BM25 (lexical) or the sum of reciprocal ranks (hybrid): comparable
    within one answer only. `before` and `after` are the neighbouring sentences, empty at the ends.
    """

    score: float
    passage: Passage
    before: str
    after: str
    counterparts: dict[str, tuple[Passage, ...]]

    def as_dict(self) -> dict[str, object]:
        """Return the hit, ready for JSON."""
        plain: dict[str, object] = msgspec.to_builtins(self)
        return plain


@dataclass(frozen=True)
class Found:
    """A mention: its text, and the passage that it stands in."""

    text: str
    passage: str


@dataclass(frozen=True)
class EntityHit:
    """An entity with its linked mentions by language; `likeness` is that of the mention nearest the query."""

    id: str
    label: str
    likeness: float
    mentions: dict[str, tuple[Found, ...]]

    def as_dict(self) -> dict[str, object]:
        """Return the hit, ready for JSON."""
        plain: dict[str, object] = msgspec.to_builtins(self)
        return plain


class KnownQueries:
    """An encoder that has encoded some queries beforehand, to ask many of them and time the rest."""

    def __init__(self, encoder: Encoder, texts: Sequence[str]) -> None:
        self.signature = encoder.signature
        self._encoder = encoder
        self._vectors = dict(zip(texts, encoder.encode_queries(texts), strict=True))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per passage."""
        return self._encoder.encode(texts)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per query, each of which must be known."""
        import numpy as np

        return np.stack([self._vectors[text] for text in texts])


class Index:
    """An index on disk, opened for queries at the version that it has now: later updates are not seen.

    For exact search the vectors are read into memory on the first dense query (150 MB for 100,000 x 384).
    """

    def __init__(self, header: Header, table: Table, encoder: Encoder | None = None) -> None:
        self.header = header
        self._table = table
        self._encoder = encoder

    @classmethod
    def open(cls, path: Path, encoder: Encoder | None = None) -> Index:
        """Open the index in a folder.

        Args:
            path: the folder.
            encoder: the one that the index was built with; lexical and entity search need none.

        Raises:
            UsageError: there is no index, it is damaged, another version wrote it, or the encoder is
                another one.
            MissingExtra: LanceDB is not installed.
        """
        header = read_header(path)
        if encoder is not None and encoder.signature != header.encoder:
            raise UsageError(
                f"the index was built with {header.encoder!r}, this encoder is {encoder.signature!r}: "
                "their vectors cannot be compared; query with the same encoder or build the index again"
            )
        table = Table.open(path, header.table)
        if (count := table.count()) != header.passages:
            raise UsageError(
                f"the index in {path} is damaged: {count} passages where {header.passages} were written; "
                "remove the folder and build it again"
            )
        return cls(header, table, encoder)

    def __len__(self) -> int:
        return self.header.passages

    def query(
        self, text: str, *, mode: Mode = "hybrid", filters: Filters = NO_FILTERS, k: int = 10
    ) -> list[Hit]:
        """Return the `k` best passages in any language, best first.

        Args:
            text: the query.
            mode: by meaning, by letters, or both.
            filters: what to narrow the search down to.
            k: how many at most.

        Raises:
            UsageError: the query is blank or too long, the mode needs an encoder and there is none, or the
                index has no such language.
        """
        ranked = self.rank(text, mode=mode, filters=filters, k=k)
        return self._hits(ranked) if ranked else []

    def rank(
        self, text: str, *, mode: Mode = "hybrid", filters: Filters = NO_FILTERS, k: int = 10
    ) -> list[tuple[str, float]]:
        """Return ids and scores of what `query` finds, without reading the passages."""
        if not text.strip():
            raise UsageError("the query is blank; give some words to search for")
        if len(text) > MAX_QUERY:
            raise UsageError(f"the query has {len(text)} characters, more than {MAX_QUERY}; use a part of it")
        if k < 1:
            raise UsageError(f"k is {k}; ask for at least one answer")
        self._check_languages(filters)
        if mode == "dense":
            return self._dense(text, filters, k)
        plain = romanise(text)
        if mode == "lexical":
            return [(name, score) for name, score, _ in self._lexical(plain, filters, k)]
        depth = max(k, _DEPTH)
        lexical = self._lexical(plain, filters, depth)
        weights = {
            name: share if share >= _TRUSTED else 0.0
            for (name, _, _), share in zip(
                lexical, shares(plain, [passage for _, _, passage in lexical]), strict=True
            )
        }
        dense = [name for name, _ in self._dense(text, filters, depth)]
        return list(fuse([(dense, {}), (list(weights), weights)]).items())[:k]

    def entities(self, name: str, *, k: int = 10) -> list[EntityHit]:
        """Return the entities mentioned by a name like this one, in any script, with all linked mentions.

        Raises:
            UsageError: the name is blank.
        """
        if not name.strip():
            raise UsageError("the name is blank; give a name to search for")
        return [
            EntityHit(
                entity,
                self._catalogue.labels[entity],
                likeness,
                {lang: tuple(found) for lang, found in self._catalogue.mentions[entity].items()},
            )
            for entity, likeness in list(self._like(name).items())[:k]
        ]

    def passages(self) -> list[Passage]:
        """Return all passages, in the order of the index."""
        return self._table.passages()

    @property
    def languages(self) -> list[str]:
        """The languages in the index."""
        return list(self.header.languages)

    @cached_property
    def _common(self) -> NDArray[np.float32]:
        return basis(self.header.languages)

    @cached_property
    def _vectors(self) -> Vectors:
        found = self._table.vectors()
        take_off(found.values, self._common)
        return found

    @cached_property
    def _frequencies(self) -> NDArray[np.int64]:
        return frequencies(self._table.romanised(_SAMPLE))

    @cached_property
    def _catalogue(self) -> _Catalogue:
        return _Catalogue(self._table)

    def _check_languages(self, filters: Filters) -> None:
        if missing := [each for each in filters.langs if each not in self.languages]:
            raise UsageError(
                f"the index has no sentences in {missing[0]!r}, only in {', '.join(self.languages)}"
            )

    def _condition(self, filters: Filters) -> str | None:
        return condition(filters, [self._meant(each) for each in filters.entities])

    def _meant(self, name: str) -> list[str]:
        """Return the ids of the entities that are most like a name; what is somewhat like it is not meant."""
        found = self._like(name)
        best = max(found.values(), default=0.0)
        return [entity for entity, likeness in found.items() if likeness >= best - _AS_LIKE]

    def _like(self, name: str) -> dict[str, float]:
        """Return the ids of the entities with a mention like `name`, or the one with this very id."""
        if name in self._catalogue.mentions:
            return {name: 1.0}
        found: dict[str, float] = {}
        for mention, likeness in self._catalogue.names.like(name).items():
            for entity in self._catalogue.named[mention]:
                found.setdefault(entity, likeness)
        return found

    def _dense(self, text: str, filters: Filters, k: int) -> list[tuple[str, float]]:
        import numpy as np

        if self._encoder is None:
            raise UsageError("search by meaning needs the encoder that the index was built with")
        vector = checked(self._encoder, self._encoder.encode_queries([text])).copy()
        take_off(vector, self._common)
        if self.header.exact:
            there = self._vectors
            chosen = self._chosen(there, filters)
        else:
            there = self._table.near(vector[0], self._condition(filters), k)
            take_off(there.values, self._common)
            chosen = np.arange(len(there.ids))
        scores = (there.values @ vector[0])[chosen]
        if len(chosen) > k:
            # Only the best are sorted; ties at the edge are settled by the order of the index.
            best = scores >= np.partition(scores, -k)[-k]
            chosen, scores = chosen[best], scores[best]
        order = np.argsort(-scores, kind="stable")[:k]
        return [(there.ids[chosen[n]], float(scores[n])) for n in order.tolist()]

    def _chosen(self, there: Vectors, filters: Filters) -> NDArray[np.int64]:
        """Return the places of the passages that the filters let through, in the order of the index."""
        import numpy as np

        if filters == Filters(langs=filters.langs):
            if not filters.langs:
                return np.arange(len(there.ids))
            return np.flatnonzero(np.isin(there.langs, filters.langs))
        rows = self._table.rows(self._condition(filters) or "true")
        return np.sort(np.searchsorted(there.rows, rows))

    def _lexical(self, plain: str, filters: Filters, k: int) -> list[tuple[str, float, str]]:
        budget = _READ * min(1, _SAMPLE / self.header.passages)
        asked = rarest(plain, self._frequencies, budget) if plain else []
        return self._table.lexical(asked, self._condition(filters), k) if asked else []

    def _hits(self, ranked: Sequence[tuple[str, float]]) -> list[Hit]:
        passages = {
            each.id: each for each in self._table.passages(one_of("id", [name for name, _ in ranked]))
        }
        neighbours = [_beside(each, step) for each in passages.values() for step in (-1, 1)]
        groups = [each.group for each in passages.values()]
        others = self._table.passages(f"{one_of('id', neighbours)} OR {one_of('passage_group', groups)}")
        text_of = {each.id: each.text for each in others}
        by_group: dict[str, dict[str, list[Passage]]] = defaultdict(lambda: defaultdict(list))
        for each in sorted(others, key=lambda each: (each.lang, each.sentence)):
            by_group[each.group][each.lang].append(each)
        return [
            Hit(
                score,
                passage := passages[name],
                text_of.get(_beside(passage, -1), ""),
                text_of.get(_beside(passage, 1), ""),
                {
                    lang: tuple(found)
                    for lang, found in by_group[passage.group].items()
                    if lang != passage.lang
                },
            )
            for name, score in ranked
        ]


class _Catalogue:
    """All mentions: by entity and language, and by their text."""

    def __init__(self, table: Table) -> None:
        self.mentions: dict[str, dict[str, list[Found]]] = defaultdict(lambda: defaultdict(list))
        self.labels: dict[str, str] = {}
        self.named: dict[str, dict[str, None]] = defaultdict(dict)
        for article, lang, passage, mention in table.mentions():
            entity = f"{article}:{mention.id}"
            self.mentions[entity][lang].append(Found(mention.text, passage))
            self.labels[entity] = mention.label
            self.named[mention.text][entity] = None
        self.names = Names(list(self.named))


def _beside(passage: Passage, step: int) -> str:
    return f"{passage.article}:{passage.lang}:{passage.sentence + step}"
