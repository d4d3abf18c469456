"""The run directory: a manifest, an append-only file of records, an append-only file of rejects.

    RUN/manifest.json    what made it: version, configuration, signature, models, targets
    RUN/records.jsonl    one record a line; of two with the same id the later one counts
    RUN/rejects.jsonl    inputs that could not be used, with file, line and reason
    RUN/torn.jsonl       half-written lines set aside after a crash, for a person to look at

One process writes at a time. A line is written whole and synced before the next article is begun, so a
crash costs at most the line being written, and that article is done again.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from mtalign.errors import InvalidRecord, StoreError
from mtalign.record import Record, Rejected, decode_record, encode_json

MANIFEST = "manifest.json"
RECORDS = "records.jsonl"
REJECTS = "rejects.jsonl"
TORN = "torn.jsonl"
_LOCK = "lock"


class _Key(Struct):
    """The part of a record line that says whether its article is done: read without the rest."""

    id: str
    signature: str
    content: str = ""


_key_decoder = msgspec.json.Decoder(_Key)
_reject_decoder = msgspec.json.Decoder(Rejected)


def is_run(path: Path) -> bool:
    """Say whether there is a run directory at `path`."""
    return (path / MANIFEST).is_file()


class Run:
    """A run directory, for reading. Records are streamed; only their ids and places are held."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not is_run(path):
            raise StoreError(
                f"{path} is not a run directory (it has no {MANIFEST}); mtalign run -o makes one"
            )
        self.manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))

    def records(self) -> Iterator[Record]:
        """Yield the newest record of every article, in the order in which articles were first written."""
        places = {key.id: place for place, key in _scan(self.path / RECORDS)}
        if not places:
            return
        with (self.path / RECORDS).open("rb") as stream:
            for place in places.values():
                stream.seek(place)
                try:
                    yield decode_record(stream.readline())
                except InvalidRecord as error:
                    raise StoreError(f"{self.path / RECORDS}, byte {place}: {error}") from error

    def rejects(self) -> list[Rejected]:
        """Return the inputs that could not be used."""
        path = self.path / REJECTS
        if not path.exists():
            return []
        return [_reject_decoder.decode(line) for line in path.read_bytes().splitlines() if line.strip()]

    def done(self) -> dict[str, tuple[str, str]]:
        """Return content hash and signature of every article that has a record."""
        return {key.id: (key.content, key.signature) for _, key in _scan(self.path / RECORDS)}


class Writer:
    """A run directory, open for writing; use as a context manager. Creates it where there is none."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self._manifest = manifest
        self._lock = FileLock(path / _LOCK, timeout=0)

    def __enter__(self) -> Writer:
        try:
            _refuse_foreign_folder(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            _set_torn_line_aside(self.path)
            write_atomically(
                self.path / MANIFEST, json.dumps(self._manifest, indent=1, ensure_ascii=False) + "\n"
            )
            self._records = (self.path / RECORDS).open("ab")
            self._rejects = (self.path / REJECTS).open("ab")
        except Timeout as error:
            raise StoreError(
                f"another mtalign is writing to {self.path}; wait for it, or choose another folder with -o"
            ) from error
        except OSError as error:
            raise StoreError(f"the run directory {self.path} cannot be written: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._records.close()
        self._rejects.close()
        self._lock.release()

    def add(self, record: Record) -> None:
        """Append one record; when this returns, it is on the disk."""
        self._append(self._records, record)

    def reject(self, rejected: Rejected) -> None:
        """Append one reject."""
        self._append(self._rejects, rejected)

    def forget_rejects(self, files: Iterable[str]) -> None:
        """Drop earlier rejects of the files that are about to be read again."""
        again = set(files)
        kept = [each for each in Run(self.path).rejects() if each.path not in again]
        self._rejects.close()
        write_atomically(self.path / REJECTS, "".join(encode_json(each).decode() + "\n" for each in kept))
        self._rejects = (self.path / REJECTS).open("ab")

    def _append(self, stream: BinaryIO, value: object) -> None:
        try:
            stream.write(encode_json(value) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written: {error}; what was finished is kept, start again to resume"
            ) from error


def write_atomically(path: Path, content: str) -> None:
    """Replace a file in one move, so that nobody ever reads half of it."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as stream:
        scratch = Path(stream.name)
        try:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            scratch.chmod(0o644)
            scratch.replace(path)
        except BaseException:
            scratch.unlink()
            raise


def _scan(path: Path) -> Iterator[tuple[int, _Key]]:
    """Yield the byte offset and key of every whole line."""
    if not path.exists():
        return
    place = 0
    with path.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                try:
                    yield place, _key_decoder.decode(line)
                except msgspec.MsgspecError as error:
                    raise StoreError(f"{path}, byte {place}: this line is not a record ({error})") from error
            place += len(line)


def _refuse_foreign_folder(path: Path) -> None:
    if path.is_dir() and not is_run(path) and any(path.iterdir()):
        raise StoreError(f"{path} is not empty and is not a run directory; choose another folder with -o")


def _set_torn_line_aside(path: Path) -> None:
    for name in (RECORDS, REJECTS):
        file = path / name
        if not file.exists():
            continue
        with file.open("r+b") as stream:
            whole = _end_of_last_line(stream)
            stream.seek(whole)
            if rest := stream.read():
                with (path / TORN).open("ab") as torn:
                    torn.write(rest + b"\n")
                stream.truncate(whole)


def _end_of_last_line(stream: BinaryIO) -> int:
    """Return the offset behind the last line feed, reading from the end of the file."""
    end = stream.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - (1 << 16))
        stream.seek(start)
        if (at := stream.read(end - start).rfind(b"\n")) >= 0:
            return start + at + 1
        end = start
    return 0
