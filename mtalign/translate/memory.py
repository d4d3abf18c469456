"""The translation memory: what was translated once, under everything that could change it, and by people.

    machine    outcomes by signature of the translator, languages, sentence and context; a rerun reads them
    human      translations that people made, by languages and sentence; they win over every engine

One SQLite file in WAL mode: many processes read and write it at once, on one machine (not on a network
drive). A lookup costs microseconds; entries are added in one transaction per call.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
from filelock import FileLock
from msgspec import Struct

from mtalign.errors import StoreError
from mtalign.record import Issue, Origin

_VERSION = 1
_APPLICATION = 0x6D74616C  # "mtal": tells a memory from any other SQLite file
_BUSY_SECONDS = 60
_KEYS_PER_QUERY = 500
_ROWS_PER_TRANSACTION = 2000

_SCHEMA = f"""
CREATE TABLE signatures (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE machine (
    key BLOB PRIMARY KEY, signature INTEGER NOT NULL REFERENCES signatures, source_lang TEXT NOT NULL,
    target_lang TEXT NOT NULL, source TEXT NOT NULL, text TEXT NOT NULL, rest BLOB, added TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE human (
    key BLOB PRIMARY KEY, source_lang TEXT NOT NULL, target_lang TEXT NOT NULL, source TEXT NOT NULL,
    text TEXT NOT NULL, origin TEXT NOT NULL, added TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What became of one source sentence.

    `issues` stand at no sentence yet: the same sentence may come at many places. `score` is the mean
    log-probability per token that the engine gave, the least of the parts of a sentence that was cut.
    `origin` is set where it was not the translator's own engine.
    """

    text: str
    issues: tuple[Issue, ...] = ()
    score: float | None = None
    origin: Origin | None = None


class _Rest(Struct, frozen=True, omit_defaults=True, array_like=True):
    """The part of an outcome that is stored as one value."""

    issues: tuple[Issue, ...] = ()
    score: float | None = None
    origin: Origin | None = None


_rest_decoder = msgspec.json.Decoder(_Rest)


@dataclass(frozen=True)
class Sentence:
    """What is looked up: a source sentence on one line, and the context that it is translated in."""

    text: str
    context: str = ""


@dataclass(frozen=True)
class Entry:
    """A translation as it is exported and imported. `signature` is None for one that a person made."""

    source_lang: str
    target_lang: str
    source: str
    text: str
    signature: str | None = None


@dataclass(frozen=True)
class Group:
    """Entries of one kind: made by one translator (`signature`, with its number in the file) or by people."""

    source_lang: str
    target_lang: str
    number: int | None
    signature: str | None
    entries: int
    newest: str


class Memory:
    """A translation memory, open for reading and writing; use as a context manager or `close` it."""

    def __init__(self, path: Path) -> None:
        """Open the memory at `path`, or make a new one there.

        Raises:
            StoreError: the file cannot be made or opened, is damaged, is no memory, or is of another version.
        """
        self.path = path
        with self._wrapped():
            path.parent.mkdir(parents=True, exist_ok=True)
            # A process may use it from several threads: SQLite serialises the calls itself.
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                # SQLite does not wait while another process turns a new file into one in WAL mode.
                with FileLock(f"{path}.lock"):
                    self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        if not self._is_memory():
            self._connection.execute("PRAGMA journal_mode = WAL")
            with self._transaction():
                for statement in _SCHEMA.split(";\n"):
                    self._connection.execute(statement)
        # A power cut may lose the last entries, never damage the file; they are translated again.
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def _is_memory(self) -> bool:
        """Say whether the tables are there; False only for a file with nothing in it."""
        if not self._connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            return False
        if self._pragma("application_id") != _APPLICATION:
            raise StoreError(
                f"{self.path} is a database, but no translation memory; name another file with --memory"
            )
        if (version := self._pragma("user_version")) != _VERSION:
            raise StoreError(
                f"the translation memory {self.path} has version {version}, this mtalign reads {_VERSION}; "
                "export it with the mtalign that wrote it, and import it into a new one"
            )
        return True

    def _pragma(self, name: str) -> int:
        value: int = self._connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def find(
        self, sentences: Sequence[Sentence], source_lang: str, target_lang: str, signature: str
    ) -> dict[Sentence, Outcome]:
        """Return what is known of the sentences: what people made of them, else what this translator did."""
        found: dict[Sentence, Outcome] = {}
        by_key = {_machine_key(each, source_lang, target_lang, signature): each for each in sentences}
        with self._wrapped():
            for key, text, rest in self._select("key, text, rest", "machine", list(by_key)):
                parts = _rest_decoder.decode(rest) if rest else _Rest()
                found[by_key[key]] = Outcome(text, parts.issues, parts.score, parts.origin)
        texts = dict.fromkeys(each.text for each in sentences)
        text_of = {_human_key(text, source_lang, target_lang): text for text in texts}
        made = {
            text_of[key]: _made_by_people(text, origin, target_lang)
            for key, text, origin in self._select("key, text, origin", "human", list(text_of))
        }
        if made:
            found |= {each: made[each.text] for each in sentences if each.text in made}
        return found

    def add(
        self,
        outcomes: Iterable[tuple[Sentence, Outcome]],
        source_lang: str,
        target_lang: str,
        signature: str,
    ) -> None:
        """Store what a translator made. What is there already stays: the first to come is what all read."""
        rows = [
            (
                _machine_key(sentence, source_lang, target_lang, signature),
                source_lang,
                target_lang,
                sentence.text,
                outcome.text,
                _rest(outcome),
            )
            for sentence, outcome in outcomes
        ]
        if not rows:
            return
        with self._transaction():
            self._connection.execute("INSERT OR IGNORE INTO signatures (text) VALUES (?)", (signature,))
            (number,) = self._connection.execute(
                "SELECT id FROM signatures WHERE text = ?", (signature,)
            ).fetchone()
            self._connection.executemany(
                "INSERT OR IGNORE INTO machine "
                "(signature, key, source_lang, target_lang, source, text, rest, added) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, datetime('now'))",
                ((number, *row) for row in rows),
            )

    def add_human(self, entries: Iterable[Entry], origin: str) -> int:
        """Store translations that people made, and return how many; a later one of a sentence replaces it.

        `origin` says where they come from, such as the name of the file.
        """
        rows = (
            (
                _human_key(each.source, each.source_lang, each.target_lang),
                each.source_lang,
                each.target_lang,
                each.source,
                each.text,
                origin,
            )
            for each in entries
        )
        count = 0
        while chunk := list(islice(rows, _ROWS_PER_TRANSACTION)):
            with self._transaction():
                self._connection.executemany(
                    "INSERT OR REPLACE INTO human "
                    "(key, source_lang, target_lang, source, text, origin, added) "
                    "VALUES (?, ?, ?, ?, ?, ?, datetime('now'))",
                    chunk,
                )
            count += len(chunk)
        return count

    def entries(self, *, human_only: bool = False) -> Iterator[Entry]:
        """Yield every entry, those of people first, by languages and source."""
        kinds = ["SELECT source_lang, target_lang, source, text, NULL FROM human"]
        if not human_only:
            kinds.append(
                "SELECT source_lang, target_lang, source, machine.text, signatures.text "
                "FROM machine JOIN signatures ON signatures.id = signature"
            )
        with self._wrapped():
            for kind in kinds:
                for row in self._connection.execute(f"{kind} ORDER BY 1, 2, 3, 5"):
                    yield Entry(*row)

    def groups(self) -> list[Group]:
        """Return how many entries there are, by languages and by who made them."""
        with self._wrapped():
            rows = self._connection.execute(
                "SELECT source_lang, target_lang, NULL, NULL, count(*), max(added) FROM human GROUP BY 1, 2 "
                "UNION ALL SELECT source_lang, target_lang, signature, signatures.text, count(*), max(added) "
                "FROM machine JOIN signatures ON signatures.id = signature GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
            ).fetchall()
        return [Group(*row) for row in rows]

    def prune(self, *, number: int | None = None, older_than_days: int | None = None) -> int:
        """Delete entries that machines made, and return how many: of one translator, or older, or both.

        What people made stays.
        """
        conditions = ["TRUE"]
        values: list[object] = []
        if number is not None:
            conditions.append("signature = ?")
            values.append(number)
        if older_than_days is not None:
            conditions.append("added < datetime('now', ?)")
            values.append(f"-{older_than_days} days")
        with self._transaction():
            where = " AND ".join(conditions)
            query = f"DELETE FROM machine WHERE {where}"  # noqa: S608 (made of the lines above)
            deleted = self._connection.execute(query, values).rowcount
            self._connection.execute("DELETE FROM signatures WHERE id NOT IN (SELECT signature FROM machine)")
        with self._wrapped():
            self._connection.execute("VACUUM")
        return deleted

    def _select(self, columns: str, table: str, keys: list[bytes]) -> Iterator[tuple[bytes, str, str]]:
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            chunk = keys[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(chunk))
            with self._wrapped():
                query = f"SELECT {columns} FROM {table} WHERE key IN ({marks})"  # noqa: S608 (no input in it)
                rows = self._connection.execute(query, chunk).fetchall()
            yield from rows

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._wrapped():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _wrapped(self) -> Iterator[None]:
        """Turn errors of SQLite and of the file system into ones that say what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"the translation memory {self.path} cannot be used: {error}; name another file with "
                "--memory, or go on without it (--no-memory)"
            ) from error
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            raise StoreError(
                f"the translation memory {self.path} is damaged ({error}); move it away, with the "
                "files beside it that end in -wal and -shm: a new one is made; or go on without (--no-memory)"
            ) from error
        except OSError as error:
            raise StoreError(
                f"the translation memory {self.path} cannot be made: {error.strerror}; name another file "
                "with --memory, or go on without it (--no-memory)"
            ) from error


def _made_by_people(text: str, origin: str, target_lang: str) -> Outcome:
    issue = Issue("from-memory", "info", target_lang, f"a person's translation, from {origin}")
    return Outcome(text, (issue,), origin=Origin("human"))


def _rest(outcome: Outcome) -> bytes | None:
    rest = _Rest(outcome.issues, outcome.score, outcome.origin)
    return None if rest == _Rest() else msgspec.json.encode(rest)


def _machine_key(sentence: Sentence, source_lang: str, target_lang: str, signature: str) -> bytes:
    return _digest(signature, source_lang, target_lang, sentence.text, sentence.context)


def _human_key(text: str, source_lang: str, target_lang: str) -> bytes:
    return _digest(source_lang, target_lang, text)


def _digest(*parts: str) -> bytes:
    """Return sixteen bytes that stand for the parts; none of them can hold the separator unnoticed."""
    lengths = ",".join(str(len(part)) for part in parts)
    return hashlib.blake2b("\0".join([lengths, *parts]).encode(), digest_size=16).digest()
