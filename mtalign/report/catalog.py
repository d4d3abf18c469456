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
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE article (
    id TEXT PRIMARY KEY, page INTEGER NOT NULL, reviews TEXT NOT NULL,
    line BLOB NOT NULL, tally BLOB NOT NULL, find BLOB NOT NULL, record BLOB NOT NULL
);
CREATE INDEX article_page ON article (page);
"""
_BATCH = 50
_line_decoder = msgspec.msgpack.Decoder(ArticleLine)
_tally_decoder = msgspec.msgpack.Decoder(Tally)
_encode = msgspec.msgpack.Encoder().encode


class Catalog:
    """The articles of a run by page. `fill` reads the run; everything else may be called meanwhile."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._source = Source(run)
        folder = run.path if os.access(run.path, os.W_OK) else Path(tempfile.mkdtemp(prefix="mtalign-"))
        self._path = folder / CATALOG
        self._lock = threading.Lock()
        self._total: Tally | None = None
        self.complete = False
        self._prepare()

    def fill(self) -> None:
        """Read the whole run, unless it was read before and has not changed; then only new reviews."""
        if self._about("complete"):
            self._follow_reviews()
        else:
            paginator = Paginator()
            batch: list[tuple[object, ...]] = []
            for record in self._run.records():
                batch.append(self._row(record, paginator.place(len(record.tuples))))
                # The first articles are there at once, the others in larger steps.
                if len(batch) == _BATCH or paginator.page == 1:
                    self._insert(batch)
                    batch = []
            self._insert(batch)
            with self._open() as connection:
                connection.execute("INSERT INTO about VALUES ('complete', 'yes')")
        self._total = None
        self.complete = True

    def total(self) -> Tally:
        """Return the numbers of all articles read so far."""
        with self._lock:
            if self._total is None or not self.complete:
                total = Tally()
                with self._open() as connection:
                    for (blob,) in connection.execute("SELECT tally FROM article ORDER BY rowid"):
                        total.add(_tally_decoder.decode(blob))
                self._total = total
            return self._total

    def lines(self) -> list[tuple[ArticleLine, int]]:
        """Return the articles read so far with their pages, in the order of the run."""
        with self._open() as connection:
            rows = connection.execute("SELECT line, page FROM article ORDER BY rowid")
            return [(_line_decoder.decode(blob), page) for blob, page in rows]

    def pages(self) -> int:
        """Return how many pages there are so far."""
        with self._open() as connection:
            (last,) = connection.execute("SELECT coalesce(max(page), 0) FROM article").fetchone()
            return int(last)

    def shown(self, page: int) -> list[Shown]:
        """Return the articles of a page; none where there is no such page."""
        with self._open() as connection:
            rows = connection.execute("SELECT record FROM article WHERE page = ? ORDER BY rowid", (page,))
            return [self._source.shown(_unpacked(blob)) for (blob,) in rows]

    def find(self, page: int) -> str:
        """Return the script that hands the articles of a page to the search of the index."""
        with self._open() as connection:
            rows = connection.execute("SELECT find FROM article WHERE page = ? ORDER BY rowid", (page,))
            return find_script(page, (zlib.decompress(blob).decode() for (blob,) in rows))

    def reviewed(self, reviews: Iterable[Review]) -> None:
        """Take in reviews that have just been added to the run."""
        for each in reviews:
            self._source.reviews.setdefault(each.article, []).append(each)
        self._follow_reviews()

    def _follow_reviews(self) -> None:
        """Make the rows anew whose reviews are not those that were in them."""
        with self._lock, self._open() as connection:
            known = dict(connection.execute("SELECT id, reviews FROM article"))
            for article, before in known.items():
                if before == self._digest(article):
                    continue
                row = connection.execute(
                    "SELECT page, record FROM article WHERE id = ?", (article,)
                ).fetchone()
                _, _, *values, _ = self._row(_unpacked(row[1]), row[0])
                connection.execute(
                    "UPDATE article SET reviews = ?, line = ?, tally = ?, find = ? WHERE id = ?",
                    (*values, article),
                )
                self._total = None

    def _row(self, record: Record, page: int) -> tuple[object, ...]:
        shown = self._source.shown(record)
        entry = find_json(find_entry(shown.view(), page_name(page)))
        return (
            record.id,
            page,
            self._digest(record.id),
            _encode(line(shown.record)),
            _encode(tally(shown.record)),
            zlib.compress(entry.encode(), 1),
            zlib.compress(encode_json(record), 1),
        )

    def _digest(self, article: str) -> str:
        reviews: Sequence[Review] = self._source.reviews.get(article, ())
        return hashlib.sha256(encode_json(reviews)).hexdigest()[:16] if reviews else ""

    def _insert(self, rows: list[tuple[object, ...]]) -> None:
        with self._open() as connection:
            connection.executemany("INSERT INTO article VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _prepare(self) -> None:
        """Start anew unless the file was made, completely, from the run as it is."""
        key = self._key()
        try:
            if self._path.exists() and self._about("key") == key and self._about("complete"):
                return
            for each in self._path.parent.glob(f"{CATALOG}*"):
                each.unlink()
            with self._open() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_SCHEMA)
                connection.execute("INSERT INTO about VALUES ('key', ?)", (key,))
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._path} cannot be written: {error}; is another report being served from there?"
            ) from error

    def _key(self) -> str:
        """Return what changes when the records do, or the version that reads them."""
        files = sorted(
            (each.relative_to(self._run.path).as_posix(), each.stat().st_size, each.stat().st_mtime_ns)
            for each in self._run.path.rglob("*")
            if each.is_file() and not each.name.startswith(CATALOG) and each.name not in (REVIEWS, LINKS)
            and "lock" not in each.name
        )  # fmt: skip
        return hashlib.sha256(repr((__version__, files)).encode()).hexdigest()

    def _about(self, key: str) -> str | None:
        try:
            with self._open() as connection:
                row = connection.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()
        except sqlite3.DatabaseError:
            # Another version's file, or none of ours: it is made anew.
            return None
        return str(row[0]) if row else None

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
