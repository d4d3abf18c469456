"""Files that survive a crash: replaced in one move, or appended to and cut back to what is whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from mtalign.errors import StoreError

RECORDS = "records"
JOURNAL = "journal"
REJECTS = "rejects"
TORN = "torn"
LOGS = "logs"
CLAIMS = "claims"


def shard_file(run: Path, room: str, number: int) -> Path:
    """Return the file of one shard in one of the rooms of a run directory."""
    return run / room / f"{number:05d}.jsonl"


def shard_numbers(run: Path, room: str) -> list[int]:
    """Return the numbers of the shards that have a file in a room, in order."""
    return sorted(int(each.stem) for each in (run / room).glob("*.jsonl") if each.stem.isdigit())


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
            with suppress(OSError):
                scratch.unlink()
            raise
    sync_folder(path.parent)


def append(stream: FileIO, data: bytes) -> None:
    """Append to an unbuffered file; when this returns, it is on the disk."""
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) :]
    os.fsync(stream.fileno())


def sync_folder(path: Path) -> None:
    """Put the names in a folder on the disk, where the system can."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def set_tail_aside(stream: FileIO, whole: int, torn: Path) -> None:
    """Cut an open file back to `whole` bytes; what stood after them goes to the end of `torn`."""
    stream.seek(whole)
    if rest := stream.read():
        torn.parent.mkdir(exist_ok=True)
        with torn.open("ab", buffering=0) as aside:
            append(aside, rest if rest.endswith(b"\n") else rest + b"\n")
        stream.truncate(whole)
        os.fsync(stream.fileno())
    stream.seek(0, os.SEEK_END)


@contextmanager
def writing(run: Path) -> Iterator[None]:
    """Turn what the system says about a write into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{run} cannot be written: {error.strerror or error}; what was finished is kept: mend that, and "
            "start the same command again to go on from there"
        ) from error
