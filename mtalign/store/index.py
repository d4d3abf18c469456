"""Which articles a run directory has, by id, in memory that hardly grows: some 150 bytes an article."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mtalign.store.files import JOURNAL, shard_file, shard_numbers
from mtalign.store.journal import read_journal


@dataclass(frozen=True)
class Place:
    """Where the journal speaks of a record: shard, byte of the line, number of the entry in it."""

    shard: int
    commit: int
    entry: int


class Index:
    """The newest record of every article. Ids are held as 64 bits of a hash, keys as the number they are."""

    def __init__(self, run: Path) -> None:
        self._slots: dict[int, int] = {}
        self._keys = array("Q")
        self._starts = array("L")
        self._shards = array("L")
        self._commits = array("Q")
        self._entries = array("L")
        for shard in shard_numbers(run, JOURNAL):
            for at, commit in read_journal(shard_file(run, JOURNAL, shard)):
                for number, entry in enumerate(commit.entries):
                    self._put(entry.id, int(entry.key, 16), commit.start, Place(shard, at, number))

    def _put(self, article: str, key: int, start: int, place: Place) -> None:
        slot = self._slots.setdefault(id_hash(article), len(self._keys))
        if slot == len(self._keys):
            self._keys.append(key)
            self._starts.append(start)
            self._shards.append(place.shard)
            self._commits.append(place.commit)
            self._entries.append(place.entry)
        elif start >= self._starts[slot]:
            self._keys[slot] = key
            self._starts[slot] = start
            self._shards[slot] = place.shard
            self._commits[slot] = place.commit
            self._entries[slot] = place.entry

    def __len__(self) -> int:
        return len(self._keys)

    def places(self) -> Iterator[Place]:
        """Yield the place of every article, in the order of shards and of first writing inside a shard."""
        for shard, commit, entry in zip(self._shards, self._commits, self._entries, strict=True):
            yield Place(shard, commit, entry)

    def place(self, article: str) -> Place | None:
        """Return where the newest record of an article is, if there is one."""
        slot = self._slots.get(id_hash(article))
        if slot is None:
            return None
        return Place(self._shards[slot], self._commits[slot], self._entries[slot])

    def has(self, article: str, key: str) -> bool:
        """Say whether the newest record of an article was made from this content in this way."""
        slot = self._slots.get(id_hash(article))
        return slot is not None and self._keys[slot] == int(key, 16)


def id_hash(article: str) -> int:
    """Return 64 bits that stand for an id: two of a million ids share them once in 40 million runs."""
    return int.from_bytes(
        hashlib.blake2b(article.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
    )
