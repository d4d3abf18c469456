"""What a served report knows of a run: its articles by page, ready to be shown and searched.

    RUN/report.sqlite    derived from the records and reviews; may be deleted, is made anew when they change

The records are gone through once, in the background: what has been read can be shown before the rest is.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mtalign import __version__
from mtalign.errors import StoreError
from mtalign.record import Record, decode_record, encode_json
from mtalign.report.find import find_entry
from mtalign.report.links import LINKS
from mtalign.report.overview import ArticleLine, Tally, line, tally
from mtalign.report.page import Shown, find_json, find_script, page_name
from mtalign.report.source import Source
from mtalign.report.write import Paginator
from mtalign.review import REVIEWS, Review
from mtalign.store import Run

CATALOG = "report.sqlite"

_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE article (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, page INTEGER NOT NULL, reviews TEXT NOT NULL,
    line BLOB NOT NULL, tally BLOB NOT NULL
);
CREATE TABLE content (
    number INTEGER PRIMARY KEY, page INTEGER NOT NULL, find BLOB NOT NULL, record BLOB NOT NULL
);
CREATE INDEX content_page ON content (page);
"""
_BATCH = 50
_line_decoder = msgspec.msgpack.Decoder(ArticleLine)
_tally_decoder = msgspec.msgpack.Decoder(Tally)
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True)
class _Entry:
    """What is kept of one article. `reviews` is a digest of those that are in it; `record` has none in it."""

    number: int
    id: str
    page: int
    reviews: str
    line: ArticleLine
    tally: Tally
    find: str
    record: bytes


class Catalog:
    """The articles of a run by page. `fill` reads the run; everything else may be called meanwhile."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._source = Source(run)
        folder = run.path if os.access(run.path, os.W_OK) else Path(tempfile.mkdtemp(prefix="mtalign-"))
        self._path = folder / CATALOG
        self._lock = threading.Lock()
        self._total = Tally()
        self.complete = False
        self._prepare()

    def fill(self) -> None:
        """Read the whole run, unless it was read before and has not changed; then only new reviews."""
        if self._is_complete():
            self._follow_reviews()
        else:
            paginator = Paginator()
            batch: list[_Entry] = []
            for number, record in enumerate(self._run.records()):
                batch.append(self._entry(number, record, paginator.place(len(record.tuples))))
                # The first articles are there at once, the others in larger steps.
                if len(batch) == _BATCH or paginator.page == 1:
                    self._insert(batch)
                    batch = []
            self._insert(batch)
            with self._lock, self._open() as connection:
                self._keep(connection, "total", _encode(self._total))
                self._keep(connection, "complete", b"yes")
        self.complete = True

    def total(self) -> Tally:
        """Return the numbers of all articles read so far."""
        with self._lock:
            return _tally_decoder.decode(_encode(self._total))

    def lines(self) -> list[tuple[ArticleLine, int]]:
        """Return the articles read so far with their pages, in the order of the run."""
        with self._open() as connection:
            rows = connection.execute("SELECT line, page FROM article ORDER BY number")
            return [(_line_decoder.decode(blob), page) for blob, page in rows]

    def pages(self) -> int:
        """Return how many pages there are so far."""
        with self._open() as connection:
            (last,) = connection.execute("SELECT coalesce(max(page), 0) FROM content").fetchone()
            return int(last)

    def shown(self, page: int) -> list[Shown]:
        """Return the articles of a page; none where there is no such page."""
        with self._open() as connection:
            rows = connection.execute("SELECT record FROM content WHERE page = ? ORDER BY number", (page,))
            return [self._source.shown(_unpacked(blob)) for (blob,) in rows]

    def find(self, page: int) -> str:
        """Return the script that hands the articles of a page to the search of the index."""
        with self._open() as connection:
            rows = connection.execute("SELECT find FROM content WHERE page = ? ORDER BY number", (page,))
            return find_script(page, (zlib.decompress(blob).decode() for (blob,) in rows))

    def reviewed(self, reviews: Iterable[Review]) -> None:
        """Take in reviews that have just been added to the run."""
        for each in reviews:
            self._source.reviews.setdefault(each.article, []).append(each)
        self._follow_reviews()

    def _follow_reviews(self) -> None:
        """Make the entries anew whose reviews are not those that were in them."""
        with self._lock, self._open() as connection:
            rows = connection.execute("SELECT number, id, page, reviews, tally FROM article").fetchall()
            changed = [row for row in rows if row[3] != self._digest(row[1])]
            for number, _, page, _, before in changed:
                (blob,) = connection.execute(
                    "SELECT record FROM content WHERE number = ?", (number,)
                ).fetchone()
                entry = self._entry(number, _unpacked(blob), page)
                self._total.add(_tally_decoder.decode(before), -1)
                self._total.add(entry.tally)
                self._write(connection, [entry])
            if changed:
                self._keep(connection, "total", _encode(self._total))

    def _entry(self, number: int, record: Record, page: int) -> _Entry:
        shown = self._source.shown(record)
        return _Entry(
            number=number,
            id=record.id,
            page=page,
            reviews=self._digest(record.id),
            line=line(shown.record),
            tally=tally(shown.record),
            find=find_json(find_entry(shown.view(), page_name(page))),
            record=encode_json(record),
        )

    def _digest(self, article: str) -> str:
        reviews: Sequence[Review] = self._source.reviews.get(article, ())
        return hashlib.sha256(encode_json(reviews)).hexdigest()[:16] if reviews else ""

    def _insert(self, entries: Sequence[_Entry]) -> None:
        with self._lock, self._open() as connection:
            self._write(connection, entries)
            for each in entries:
                self._total.add(each.tally)

    def _write(self, connection: sqlite3.Connection, entries: Sequence[_Entry]) -> None:
        connection.executemany(
            "INSERT OR REPLACE INTO article VALUES (?, ?, ?, ?, ?, ?)",
            [(e.number, e.id, e.page, e.reviews, _encode(e.line), _encode(e.tally)) for e in entries],
        )
        connection.executemany(
            "INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?)",
            [
                (e.number, e.page, zlib.compress(e.find.encode(), 1), zlib.compress(e.record, 1))
                for e in entries
            ],
        )

    def _keep(self, connection: sqlite3.Connection, key: str, value: bytes) -> None:
        connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (key, value))

    def _is_complete(self) -> bool:
        return self._about("complete") is not None

    def _prepare(self) -> None:
        """Start anew unless the file was made, completely, from the run as it is."""
        key = self._key()
        try:
            if self._path.exists() and self._about("key") == key and self._is_complete():
                self._total = _tally_decoder.decode(self._about("total") or b"")
                return
            for each in self._path.parent.glob(f"{CATALOG}*"):
                each.unlink()
            with self._open() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_SCHEMA)
                self._keep(connection, "key", key)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._path} cannot be written: {error}; is another report being served from there?"
            ) from error

    def _key(self) -> bytes:
        """Return what changes when the records do, or the version that reads them."""
        files = sorted(
            (each.relative_to(self._run.path).as_posix(), each.stat().st_size, each.stat().st_mtime_ns)
            for each in self._run.path.rglob("*")
            if each.is_file() and not each.name.startswith(CATALOG) and each.name not in (REVIEWS, LINKS)
            and "lock" not in each.name
        )  # fmt: skip
        return hashlib.sha256(repr((__version__, _SCHEMA, files)).encode()).digest()

    def _about(self, key: str) -> bytes | None:
        try:
            with self._open() as connection:
                row = connection.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()
        except sqlite3.DatabaseError:
            # Another version's file, or none of ours: it is made anew.
            return None
        return bytes(row[0]) if row else None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=30)
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def _unpacked(blob: bytes) -> Record:
    return decode_record(zlib.decompress(blob))
