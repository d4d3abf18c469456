"""One shard of a run directory, open for writing by one process."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mtalign.errors import StoreError
from mtalign.record import Record, Rejected, encode_json
from mtalign.store.files import (
    JOURNAL,
    RECORDS,
    REJECTS,
    TORN,
    append,
    set_tail_aside,
    shard_file,
    sync_folder,
    write_atomically,
    writing,
)
from mtalign.store.journal import Commit, encode_commit, entry_of, read_commits


class Refused(Rejected, frozen=True, omit_defaults=True, tag="reject"):
    """A reject as it is kept; with a `key` where the article was readable and could not be worked on.

    The key is that of `resume_key`: the article is not tried again until it, or what works on it, changes.
    """

    key: str = ""


@dataclass(frozen=True)
class Made:
    """A new record, with its timings; its first `translation_issues` issues are the translator's."""

    record: Record
    translation_issues: int = 0


_refused_decoder = msgspec.json.Decoder(Refused)


class Shard:
    """A shard that is appended to; use as a context manager.

    Entering sets aside what a crash left unfinished, and holds the shard against every other process of
    this machine (and of others, where the file system passes locks on).
    """

    def __init__(self, run: Path, number: int, start: int) -> None:
        self.number = number
        self._run = run
        self._start = start
        self._end = 0
        self._keys: dict[str, str] = {}

    def __enter__(self) -> Shard:
        with writing(self._run):
            for room in (RECORDS, JOURNAL):
                (self._run / room).mkdir(exist_ok=True)
            self._journal = self._open(JOURNAL)
            try:
                _hold(self._journal)
                self._records = self._open(RECORDS)
                self._recover()
            except BaseException:
                self._journal.close()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        # What could not be flushed was reported when it was written.
        for stream in (self._records, self._journal):
            with suppress(OSError):
                stream.close()

    def has(self, article: str, key: str) -> bool:
        """Say whether this shard's last record of an article is the one wanted."""
        return self._keys.get(article) == key

    def commit(self, made: Sequence[Made], elapsed: float = 0.0) -> None:
        """Append records; when this returns, they are on the disk and count, all of them.

        Raises:
            StoreError: the disk is full or gone. None of the records counts then.
        """
        if not made:
            return
        lines = [encode_json(replace(each.record, timings={})) + b"\n" for each in made]
        entries = tuple(
            entry_of(each.record, line, each.record.timings, each.translation_issues)
            for each, line in zip(made, lines, strict=True)
        )
        commit = Commit(self._start, self._end, entries, round(elapsed, 3))
        with writing(self._run):
            append(self._records, b"".join(lines))
            append(self._journal, encode_commit(commit))
        self._end = commit.end
        self._keys |= {entry.id: entry.key for entry in entries}

    def rejects(self) -> list[Refused]:
        """Return the rejects that this shard keeps."""
        return read_refused(self._run, self.number)

    def write_rejects(self, rejects: Iterable[Refused]) -> None:
        """Replace the rejects of this shard."""
        with writing(self._run):
            write_refused(self._run, self.number, rejects)

    def _open(self, room: str) -> FileIO:
        path = shard_file(self._run, room, self.number)
        fresh = not path.exists()
        stream = FileIO(path, "a+b")
        if fresh:
            sync_folder(path.parent)
        return stream

    def _recover(self) -> None:
        journal = shard_file(self._run, JOURNAL, self.number)
        records = shard_file(self._run, RECORDS, self.number)
        torn = shard_file(self._run, TORN, self.number)
        whole = 0
        with journal.open("rb") as stream:
            for _, end, commit in read_commits(stream, journal):
                whole = end
                self._end = commit.end
                self._keys |= {entry.id: entry.key for entry in commit.entries}
        if (size := records.stat().st_size) < self._end:
            raise StoreError(
                f"{records} ends at byte {size}, but the journal knows of records up to {self._end}; move "
                f"this file and {journal} away, and start again: their articles are then done again"
            )
        set_tail_aside(self._journal, whole, torn)
        set_tail_aside(self._records, self._end, torn)


def read_refused(run: Path, number: int) -> list[Refused]:
    """Return the rejects of a shard."""
    try:
        data = shard_file(run, REJECTS, number).read_bytes()
    except FileNotFoundError:
        return []
    return [_refused_decoder.decode(line) for line in data.splitlines()]


def write_refused(run: Path, number: int, rejects: Iterable[Refused]) -> None:
    """Replace the rejects of a shard; none leaves no file."""
    path = shard_file(run, REJECTS, number)
    content = "".join(encode_json(each).decode() + "\n" for each in rejects)
    if not content:
        path.unlink(missing_ok=True)
    elif not path.exists() or path.read_text(encoding="utf-8") != content:
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, content)


def _hold(stream: FileIO) -> None:
    """Lock an open file until it is closed, where the system and the file system know how to."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            raise StoreError(
                f"another process is writing {stream.name}; wait for it, or choose another folder with -o"
            ) from error
        if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
