"""The table of an index on disk. All that is known about LanceDB is here.

    INDEX/index.json        what the index is, and which version of the table counts
    INDEX/passages.lance    the table; every change to it is a further version of it

The version in `index.json` is the one that readers open, and the file is replaced in one move. So a reader
never sees an update half done, one that is reading is not disturbed by an update, and what a build that
was broken off has left behind does not count.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from mtalign.errors import MissingExtra, UsageError
from mtalign.record import encode_json
from mtalign.search.common import Language
from mtalign.search.filters import one_of
from mtalign.search.names import romanise
from mtalign.search.passages import Mention, Passage
from mtalign.store import write_atomically

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

FORMAT = "mtalign-index"
VERSION = 3
HEADER = "index.json"

DType = Literal["float16", "float32"]

_TABLE = "passages"
_FOLDER = f"{_TABLE}.lance"
_LOCK = "lock"
_TEXT_INDEX = "romanised_ngrams"
_VECTOR_FIELDS = ("id", "lang", "_rowid", "vector")
_FIELDS = ("id", "article", "lang", "sentence", "tuple_number", "text", "date", "mentions")

# Versions that a reader may still have open are kept this long.
_KEPT = timedelta(days=1)

# The approximate index: passages of one partition, the share of the partitions that a query looks into, and
# how many candidates at least are compared exactly (docs/benchmarks-search.md). More rounds of clustering,
# over more passages, take minutes and were not needed.
_PARTITION = 800
_PROBED = 0.25
_CANDIDATES = 50
_ROUNDS = 10
_SAMPLED = 64


class Header(Struct, frozen=True):
    """What an index says about itself. Vectors of another encoder are never compared with it."""

    format: str
    version: int
    encoder: str
    dim: int
    dtype: DType
    passages: int
    articles: int
    exact: bool
    table: int
    languages: dict[str, Language]
    mtalign: str


@dataclass(frozen=True)
class Vectors:
    """The vectors of passages, with what says which passage each is.

    `rows` are LanceDB's own numbers, ascending; `values` are float32, passages x dim.
    """

    ids: list[str]
    langs: NDArray[np.str_]
    rows: NDArray[np.uint64]
    values: NDArray[np.float32]


def read_header(path: Path) -> Header:
    """Read what an index says about itself.

    Raises:
        UsageError: there is no index, or one that this version cannot read.
    """
    try:
        content = (path / HEADER).read_bytes()
    except OSError as error:
        raise UsageError(f"no search index in {path} ({error.strerror}); build one first") from error
    try:
        kind = msgspec.json.decode(content, type=_Kind)
        if (kind.format, kind.version) == (FORMAT, VERSION):
            return msgspec.json.decode(content, type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path / HEADER} is damaged ({error}); remove the folder and build it again"
        ) from error
    raise UsageError(
        f"{path} is {kind.format} version {kind.version}, this mtalign reads {FORMAT} version "
        f"{VERSION}; build the index again in another folder"
    )


def write_header(path: Path, header: Header) -> None:
    """Make this version of the table the one that counts."""
    try:
        write_atomically(path / HEADER, encode_json(header).decode() + "\n")
    except OSError as error:
        raise UsageError(f"cannot write {path / HEADER}: {error.strerror}") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the folder of an index for writing; what a failed first build has made is removed again.

    Raises:
        UsageError: the folder holds something else, cannot be written, or another process is writing.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; name a folder for the index")
    if path.is_dir() and (
        others := sorted({each.name for each in path.iterdir()} - {HEADER, _FOLDER, _LOCK})
    ):
        raise UsageError(f"{path} holds {others[0]}, which is no part of an index; choose another folder")
    existed = path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with FileLock(path / _LOCK, timeout=0):
            try:
                yield
            except BaseException:
                if not (path / HEADER).exists():
                    shutil.rmtree(path / _FOLDER, ignore_errors=True)
                    (path / _LOCK).unlink(missing_ok=True)
                    if not existed:
                        path.rmdir()
                raise
    except Timeout as error:
        raise UsageError(f"another mtalign is writing to {path}; try again when it has ended") from error
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


class Table:
    """The passages with their vectors, at one version for readers, at the newest for the writer."""

    def __init__(self, path: Path, table: Any) -> None:
        self._path = path
        self._table = table

    @classmethod
    def create(cls, path: Path, dim: int, dtype: DType) -> Table:
        """Begin an empty table, as a further version of one that is there."""
        with _wrapped(path):
            schema = _schema(dim, dtype)
            return cls(path, _connect(path).create_table(_TABLE, schema=schema, mode="overwrite"))

    @classmethod
    def open(cls, path: Path, version: int, *, write: bool = False) -> Table:
        """Open the table at a version; for writing, whatever came after it is undone."""
        with _wrapped(path):
            table = _connect(path).open_table(_TABLE)
            newest = table.version
            table.checkout(version)
            if write and newest != version:
                table.restore()
            elif write:
                table.checkout_latest()
            return cls(path, table)

    @property
    def version(self) -> int:
        """The version that is open."""
        return int(self._table.version)

    def count(self) -> int:
        """Return the number of passages."""
        with _wrapped(self._path):
            return int(self._table.count_rows())

    def digests(self) -> dict[str, str]:
        """Return the digest of every article."""
        with _wrapped(self._path):
            found = self._table.search().select(["article", "digest"]).to_arrow()
            return dict(zip(found["article"].to_pylist(), found["digest"].to_pylist(), strict=True))

    def add(
        self, passages: Sequence[Passage], digests: Sequence[str], vectors: NDArray[np.float32], dtype: DType
    ) -> None:
        """Append passages with the digests of their articles and their vectors."""
        import pyarrow as pa

        dim = vectors.shape[1]
        flat = pa.array(vectors.astype(dtype).ravel())
        rows = [
            {
                **{name: getattr(each, name) for name in _FIELDS},
                "mentions": [msgspec.structs.asdict(mention) for mention in each.mentions],
                "passage_group": each.group,
                "labels": sorted({mention.label for mention in each.mentions}),
                "entities": each.entities,
                "romanised": f" {romanise(each.text)} ",
                "digest": digest,
            }
            for each, digest in zip(passages, digests, strict=True)
        ]
        schema = _schema(dim, dtype)
        columns = pa.Table.from_pylist(rows, schema=schema.remove(schema.get_field_index("vector")))
        with _wrapped(self._path):
            self._table.add(
                columns.append_column("vector", pa.FixedSizeListArray.from_arrays(flat, dim)).cast(schema)
            )

    def drop(self, articles: Iterable[str]) -> None:
        """Delete all passages of some articles."""
        if gone := list(articles):
            with _wrapped(self._path):
                self._table.delete(one_of("article", gone))

    def index(self, *, approximate: bool) -> None:
        """Bring the indexes up to date: text, ids, filters, and where asked for vectors."""
        from lancedb.index import FTS, Bitmap, BTree, IvfSq, LabelList

        with _wrapped(self._path):
            known = {each.name for each in self._table.list_indices()}
            if "id_idx" in known:
                self._table.optimize(cleanup_older_than=_KEPT)
            else:
                ngrams = FTS(
                    base_tokenizer="ngram",
                    ngram_min_length=3,
                    ngram_max_length=3,
                    stem=False,
                    remove_stop_words=False,
                    ascii_folding=False,
                    max_token_length=None,
                )
                self._table.create_index("romanised", config=ngrams, name=_TEXT_INDEX)
                for column in ("id", "passage_group", "article"):
                    self._table.create_index(column, config=BTree(), name=f"{column}_idx")
                self._table.create_index("lang", config=Bitmap(), name="lang_idx")
                for column in ("labels", "entities"):
                    self._table.create_index(column, config=LabelList(), name=f"{column}_idx")
            if approximate and "vector_idx" not in known:
                partitions = max(1, self._table.count_rows() // _PARTITION)
                config = IvfSq(
                    distance_type="dot",
                    num_partitions=partitions,
                    max_iterations=_ROUNDS,
                    sample_rate=_SAMPLED,
                )
                self._table.create_index("vector", config=config, name="vector_idx")

    def near(self, vector: NDArray[np.float32], where: str | None, answers: int) -> Vectors:
        """Return candidates for a number of answers: passages near a vector, by the approximate index."""
        with _wrapped(self._path):
            partitions = max(1, self._table.count_rows() // _PARTITION)
            query = self._table.search(vector, vector_column_name="vector").distance_type("dot")
            query = query.nprobes(max(1, round(partitions * _PROBED)))
            if where is not None:
                query = query.where(where, prefilter=True)
            return _vectors(
                query.select([*_VECTOR_FIELDS, "_distance"]).limit(max(_CANDIDATES, 2 * answers)).to_arrow()
            )

    def lexical(self, trigrams: Sequence[str], where: str | None, limit: int) -> list[tuple[str, float, str]]:
        """Return id, BM25 score and romanised text of passages that have any of the trigrams, best first."""
        from lancedb.query import MatchQuery

        with _wrapped(self._path):
            # No passage has the mark between them, so what reaches over it finds nothing.
            query = self._table.search(MatchQuery("|".join(trigrams), "romanised"), query_type="fts")
            if where is not None:
                query = query.where(where, prefilter=True)
            found = query.select(["id", "_score", "romanised"]).limit(limit).to_arrow()
            columns = (found[name].to_pylist() for name in ("id", "_score", "romanised"))
            return list(zip(*columns, strict=True))

    def romanised(self, limit: int) -> list[str]:
        """Return the romanised texts of the first passages."""
        with _wrapped(self._path):
            found: list[str] = (
                self._table.search().select(["romanised"]).limit(limit).to_arrow()["romanised"].to_pylist()
            )
            return found

    def rows(self, where: str) -> NDArray[np.uint64]:
        """Return the rows of the passages that a condition holds for."""
        import numpy as np

        with _wrapped(self._path):
            found = self._table.search().where(where).select(["_rowid"]).to_arrow()
            return np.asarray(found["_rowid"].to_numpy(), np.uint64)

    def passages(self, where: str | None = None) -> list[Passage]:
        """Return the passages that a condition holds for, or all."""
        with _wrapped(self._path):
            query = self._table.search() if where is None else self._table.search().where(where)
            found = query.select(list(_FIELDS)).to_arrow().to_pylist()
            return [msgspec.convert(each, Passage) for each in found]

    def mentions(self) -> Iterator[tuple[str, str, str, Mention]]:
        """Yield article, language and passage id of every mention, and the mention."""
        with _wrapped(self._path):
            columns = ["id", "article", "lang", "mentions"]
            found = self._table.search().where("array_length(labels) > 0").select(columns).to_arrow()
            for row in found.to_pylist():
                for each in row["mentions"]:
                    yield row["article"], row["lang"], row["id"], msgspec.convert(each, Mention)

    def languages(self) -> dict[str, Language]:
        """Return, by language, the number of passages and the mean of their vectors."""
        import numpy as np

        counts: Counter[str] = Counter()
        sums: dict[str, NDArray[np.float64]] = {}
        for batch in self.batches(["lang", "vector"]):
            values = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
            values = values.reshape(len(batch), -1).astype(np.float64)
            langs = np.asarray(batch.column("lang").to_pylist())
            for lang in np.unique(langs).tolist():
                own = values[langs == lang]
                counts[lang] += len(own)
                sums[lang] = sums.get(lang, 0.0) + own.sum(axis=0)
        return {
            lang: Language(counts[lang], tuple(np.round(sums[lang] / counts[lang], 6).tolist()))
            for lang in sorted(counts)
        }

    def vectors(self) -> Vectors:
        """Return the vectors of all passages."""
        with _wrapped(self._path):
            return _vectors(self._table.search().select(list(_VECTOR_FIELDS)).to_arrow())

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield all passages as Arrow batches of the given columns."""
        with _wrapped(self._path):
            yield from self._table.search().select(list(columns)).to_batches()


def _vectors(found: pa.Table) -> Vectors:
    import numpy as np

    parts = [chunk.flatten().to_numpy() for chunk in found["vector"].chunks]
    names: list[str] = found["id"].to_pylist()
    values = np.concatenate([np.empty(0, np.float32), *parts]).astype(np.float32, copy=False)
    return Vectors(
        names,
        np.asarray(found["lang"].to_pylist(), np.str_),
        found["_rowid"].to_numpy(),
        values.reshape(len(names), -1) if names else values.reshape(0, 1),
    )


class _Kind(Struct):
    format: str
    version: int


def _connect(path: Path) -> Any:
    # It warns on standard error of things that are as they should be, such as a table that is new.
    os.environ.setdefault("LANCEDB_LOG", "error")
    try:
        import lancedb
    except ImportError as error:
        raise MissingExtra(
            f'search needs LanceDB ({error}); install it with: pip install "mtalign[search]"'
        ) from error
    return lancedb.connect(str(path))


@contextmanager
def _wrapped(path: Path) -> Iterator[None]:
    """Turn what LanceDB raises into an error that names the index."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, msgspec.MsgspecError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise UsageError(
            f"the index in {path} is damaged or cannot be used ({reason}); "
            "if it was complete before, remove the folder and build it again"
        ) from error


def _schema(dim: int, dtype: DType) -> pa.Schema:
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    mention = pa.struct([("id", text), ("label", text), ("text", text)])
    number = pa.float16() if dtype == "float16" else pa.float32()
    return pa.schema(
        [
            ("id", text),
            ("article", text),
            ("lang", text),
            ("sentence", pa.int32()),
            ("tuple_number", pa.int32()),
            ("text", text),
            ("date", text),
            ("mentions", pa.list_(mention)),
            ("passage_group", text),
            ("labels", texts),
            ("entities", texts),
            ("romanised", text),
            ("digest", text),
            ("vector", pa.list_(number, dim)),
        ]
    )
