"""A run directory, for reading. Records are streamed; only their places are held."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec.structs import replace

from mtalign.errors import InvalidRecord, StoreError
from mtalign.record import Record, Rejected, decode_record
from mtalign.store.files import JOURNAL, RECORDS, REJECTS, shard_file, shard_numbers
from mtalign.store.index import Index, Place
from mtalign.store.journal import Commit, Entry, decode_commit, read_journal

MANIFEST = "manifest.json"
SCHEMA = 2

_reject_decoder = msgspec.json.Decoder(Rejected)


def is_run(path: Path) -> bool:
    """Say whether there is a run directory at `path`."""
    return (path / MANIFEST).is_file()


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a run directory, of whatever version.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    if not is_run(path):
        raise StoreError(f"{path} is not a run directory (it has no {MANIFEST}); mtalign run -o makes one")
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict):
        raise StoreError(f"{path / MANIFEST} is not the manifest of a run directory")
    return manifest


def check_schema(path: Path, manifest: dict[str, Any]) -> None:
    """Raise StoreError unless this mtalign reads and writes the version of the run directory."""
    schema = manifest.get("schema", 1)
    if schema == 1:
        raise StoreError(
            f"{path} was written by an older mtalign; bring it up to date with: "
            f"mtalign run --migrate -o {path}"
        )
    if schema != SCHEMA:
        raise StoreError(
            f"{path} has version {schema}, this mtalign reads {SCHEMA}; use the mtalign that wrote it"
        )


class Run:
    """A run directory, for reading, also while it is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = read_manifest(path)
        check_schema(path, self.manifest)

    def records(self) -> Iterator[Record]:
        """Yield the newest record of every article, in the order in which articles were first written.

        The order is that of the shards, and within a shard that of first writing.

        Raises:
            StoreError: a record is not what the journal says; the message names file and place.
        """
        with _Reader(self.path) as reader:
            for place in Index(self.path).places():
                yield reader.record(place)[0]

    def record(self, place: Place) -> tuple[Record, Entry]:
        """Return one record and what the journal says about it."""
        with _Reader(self.path) as reader:
            return reader.record(place)

    def rejects(self) -> list[Rejected]:
        """Return the inputs that could not be used."""
        return [
            _reject_decoder.decode(line)
            for number in shard_numbers(self.path, REJECTS)
            for line in shard_file(self.path, REJECTS, number).read_bytes().splitlines()
        ]

    def commits(self) -> Iterator[tuple[int, int, Commit]]:
        """Yield every commit with its shard and the place of its line, in the order of the shards."""
        for shard in shard_numbers(self.path, JOURNAL):
            for at, commit in read_journal(shard_file(self.path, JOURNAL, shard)):
                yield shard, at, commit

    def entries(self) -> Iterator[tuple[Commit, Entry]]:
        """Yield the newest entry of every article, without reading any record."""
        newest = set(Index(self.path).places())
        for shard, at, commit in self.commits():
            for number, entry in enumerate(commit.entries):
                if Place(shard, at, number) in newest:
                    yield commit, entry


class _Reader:
    """Reads records by place, with the last shard and the last journal line kept at hand."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._shard: int | None = None
        self._files: dict[str, BinaryIO] = {}
        self._at = -1
        self._entries: list[tuple[int, Entry]] = []

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for stream in self._files.values():
            stream.close()
        self._files = {}

    def record(self, place: Place) -> tuple[Record, Entry]:
        if place.shard != self._shard:
            self._close()
            self._shard, self._at = place.shard, -1
            for room in (JOURNAL, RECORDS):
                self._files[room] = self._open(room)
        if place.commit != self._at:
            self._files[JOURNAL].seek(place.commit)
            commit = decode_commit(self._files[JOURNAL].readline())
            if commit is None:
                raise StoreError(
                    f"{self._files[JOURNAL].name}, byte {place.commit}: changed while it was read"
                )
            self._at, self._entries = place.commit, list(commit.places())
        at, entry = self._entries[place.entry]
        records = self._files[RECORDS]
        records.seek(at)
        line = records.read(entry.size)
        if zlib.crc32(line) != entry.crc:
            raise StoreError(
                f"{records.name}, byte {at}: the record of article {entry.id!r} is damaged (its "
                f"checksum is not that of the journal); move this file and journal/{Path(records.name).name} "
                "away, and start again: their articles are then done again"
            )
        try:
            return replace(decode_record(line), timings=entry.timings), entry
        except InvalidRecord as error:
            raise StoreError(f"{records.name}, byte {at}: {error}") from error

    def _open(self, room: str) -> BinaryIO:
        assert self._shard is not None  # noqa: S101  (set by the only caller)
        path = shard_file(self._run, room, self._shard)
        try:
            return path.open("rb")
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}") from error
