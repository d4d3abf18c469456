"""Rows into Parquet files: typed, in shards of bounded size, a bounded number of rows in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mtalign.publish.filters import Flagged
from mtalign.publish.rows import Config, RowDict, places
from mtalign.record import Record

if TYPE_CHECKING:
    from datasets import Features
    from pyarrow.parquet import ParquetWriter

SHARD_BYTES = 1 << 28
_ROWS_PER_GROUP = 1000

Rows = dict[str, dict[str, int]]


def data_file(config: str, split: str, shard: int = 0, shards: int = 1) -> str:
    """Return the path of a table's shard inside the dataset."""
    return f"{config}/{split}-{shard:05}-of-{shards:05}.parquet"


def write_tables(
    records: Iterable[Record],
    configs: list[Config],
    folder: Path,
    *,
    splits: Iterable[str],
    split_of: Callable[[Record], str],
    flagged: Callable[[Record], Flagged],
    shard_bytes: int = SHARD_BYTES,
) -> tuple[Rows, dict[str, int]]:
    """Write every config; a config or split without rows is not written.

    A row with a flagged sentence is left out. Rows are written in the order of the records.

    Returns:
        The rows written by config and split, and the rows left out by config.
    """
    names = list(splits)
    dropped = {config.name: 0 for config in configs}
    with ExitStack() as stack:
        tables = {
            (config.name, split): _Table(folder / config.name, split, features, stack, shard_bytes)
            for config in configs
            for features in [config.features()]
            for split in names
        }
        for record in records:
            split, away = split_of(record), flagged(record)
            for config in configs:
                for row in config.rows(record):
                    if away and any(index in away.get(lang, ()) for lang, index in places(row)):
                        dropped[config.name] += 1
                    else:
                        tables[config.name, split].add(row)
        for table in tables.values():
            table.flush()
    for table in tables.values():
        table.name_shards()
    written = {config.name: {split: tables[config.name, split].rows for split in names} for config in configs}
    return {name: kept for name, found in written.items() if (kept := _without_empty(found))}, dropped


class _Table:
    """One split of one config, opened at its first row, written in groups of a fixed number of rows."""

    def __init__(
        self, folder: Path, split: str, features: Features, stack: ExitStack, shard_bytes: int
    ) -> None:
        self._folder = folder
        self._split = split
        self._features = features
        self._stack = stack
        self._shard_bytes = shard_bytes
        self._writer: ParquetWriter | None = None
        self._shards: list[Path] = []
        self._waiting: list[RowDict] = []
        self.rows = 0

    def add(self, row: RowDict) -> None:
        self._waiting.append(row)
        self.rows += 1
        if len(self._waiting) == _ROWS_PER_GROUP:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        import pyarrow
        from pyarrow.parquet import ParquetWriter

        schema = self._features.arrow_schema
        if self._writer is None:
            self._folder.mkdir(exist_ok=True)
            self._shards.append(self._folder / f"{self._split}-{len(self._shards):05}.parquet")
            writer = ParquetWriter(self._shards[-1], schema, compression="zstd")
            self._writer = self._stack.enter_context(writer)
        self._writer.write_table(pyarrow.Table.from_pylist(self._waiting, schema=schema))
        self._waiting.clear()
        if self._shards[-1].stat().st_size > self._shard_bytes:
            self._writer.close()
            self._writer = None

    def name_shards(self) -> None:
        """Give the shards the names that say how many there are, once that is known."""
        for number, path in enumerate(self._shards):
            path.rename(
                self._folder.parent / data_file(self._folder.name, self._split, number, len(self._shards))
            )


def _without_empty(counts: Mapping[str, int]) -> dict[str, int]:
    return {split: rows for split, rows in counts.items() if rows}
