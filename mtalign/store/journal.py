"""The journal of a shard: one line for every group of records that was finished together.

A record counts once the journal says so. A line is `CHECKSUM JSON`; it is written after the records that
it names are on the disk, so that a crash between the two leaves records that nobody counts. Such records
and half-written lines are set aside when the shard is next opened for writing.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from mtalign.errors import StoreError
from mtalign.record import Record, encode_json


class Tally(Struct, frozen=True, omit_defaults=True):
    """What a status wants to know about a record without reading it.

    `engines` says per language what translated, `issues` counts by kind; `kept` and `lost` count entities by
    language, and by language and reason.
    """

    sentences: int = 0
    engines: dict[str, str] = {}
    issues: dict[str, int] = {}
    kept: dict[str, int] = {}
    lost: dict[str, int] = {}


class Entry(Struct, frozen=True, omit_defaults=True):
    """A record that counts.

    `key` stands for the article's content and the signature (see `resume_key`), `size` and `crc` for the
    bytes of the line with its line feed. `timings` are seconds per stage: they are kept out of the record,
    so that the same work gives the same bytes. The first `translation_issues` of the record's issues are
    the translator's, the others those of the checks.
    """

    id: str
    key: str
    size: int
    crc: int
    timings: dict[str, float] = {}
    translation_issues: int = 0
    tally: Tally = Tally()


class Commit(Struct, frozen=True, omit_defaults=True):
    """Records that were finished together.

    `start` is the number of the start of mtalign that made them, which orders commits where clocks could
    not; `at` is the place of the first record in the file; `elapsed` is the time since that start, in
    seconds by a clock that never goes back.
    """

    start: int
    at: int
    entries: tuple[Entry, ...]
    elapsed: float = 0.0

    @property
    def end(self) -> int:
        """The place behind the last record."""
        return self.at + sum(entry.size for entry in self.entries)

    def places(self) -> Iterator[tuple[int, Entry]]:
        """Yield every entry with the place of its record."""
        yield from zip(
            accumulate((entry.size for entry in self.entries), initial=self.at), self.entries, strict=False
        )


_decoder = msgspec.json.Decoder(Commit)
_CHECKSUM = 8


def resume_key(content: str, signature: str) -> str:
    """Return what must be the same for an article not to be done again: its content and what works on it."""
    return hashlib.blake2b(f"{content}\n{signature}".encode(), digest_size=8).hexdigest()


def entry_of(record: Record, line: bytes, timings: dict[str, float], translation_issues: int) -> Entry:
    """Return what the journal says about a record that is written as `line`."""
    issues: dict[str, int] = {}
    kept: dict[str, int] = {}
    lost: dict[str, int] = {}
    for issue in record.issues:
        issues[issue.kind] = issues.get(issue.kind, 0) + 1
    for lang, projections in record.projections.items():
        for each in projections:
            counts, name = (kept, lang) if each.entity is not None else (lost, f"{lang}: {each.reason}")
            counts[name] = counts.get(name, 0) + 1
    engines = {
        lang: origin.kind if origin.kind == "human" else (origin.model or origin.engine or origin.kind)
        for lang, origin in record.origins.items()
    }
    return Entry(
        record.id,
        resume_key(record.content, record.signature),
        len(line),
        zlib.crc32(line),
        timings,
        translation_issues,
        Tally(len(record.source.sentences), engines, issues, kept, lost),
    )


def encode_commit(commit: Commit) -> bytes:
    """Return the journal line of a commit."""
    data = encode_json(commit)
    return b"%08x %s\n" % (zlib.crc32(data), data)


def decode_commit(line: bytes) -> Commit | None:
    """Return the commit of a journal line, or None where the line is not whole."""
    data = line[_CHECKSUM + 1 : -1]
    if not line.endswith(b"\n") or line[:_CHECKSUM] != b"%08x" % zlib.crc32(data):
        return None
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError:
        return None


def read_journal(path: Path) -> Iterator[tuple[int, Commit]]:
    """Yield every commit with the place of its line; a last line that is not whole is left out.

    Raises:
        StoreError: a line before the last is damaged.
    """
    try:
        with path.open("rb") as stream:
            yield from ((at, commit) for at, _, commit in read_commits(stream, path))
    except FileNotFoundError:
        return


def read_commits(stream: BinaryIO, path: Path) -> Iterator[tuple[int, int, Commit]]:
    """Yield the commits of an open journal as `read_journal` does, with where their lines begin and end."""
    place = 0
    damaged: int | None = None
    for line in stream:
        if damaged is not None:
            raise StoreError(
                f"{path}, byte {damaged}: this line is damaged; move this file and "
                f"records/{path.name} away, and start again: their articles are then done again"
            )
        commit = decode_commit(line)
        if commit is None:
            damaged = place
        else:
            yield place, place + len(line), commit
        place += len(line)
