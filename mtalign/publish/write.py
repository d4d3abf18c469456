"""Publishing: records into a folder of Parquet files with a card, which `datasets.load_dataset` reads.

The same records in the same order give the same bytes. Pushing to a hub is not here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mtalign.errors import UsageError
from mtalign.folder import new_folder
from mtalign.publish.card import TAG, card
from mtalign.publish.licence import Licence, strictest
from mtalign.publish.rows import Config, RowDict, configs
from mtalign.publish.survey import survey
from mtalign.record import Record

if TYPE_CHECKING:
    from datasets import Features
    from pyarrow.parquet import ParquetWriter

CARD = "README.md"
EVERYTHING_IN_TRAIN: Mapping[str, float] = {"train": 1.0}
_ROWS_PER_GROUP = 1000


@dataclass(frozen=True)
class Published:
    """What was written: rows by config and split. A config or split without rows is not written."""

    path: Path
    articles: int
    rows: dict[str, dict[str, int]]
    licence: str
    demo: bool


def publish(
    records: Callable[[], Iterable[Record]],
    out: Path,
    *,
    name: str,
    splits: Mapping[str, float] = EVERYTHING_IN_TRAIN,
    licence: str | None = None,
    allow_demo: bool = False,
) -> Published:
    """Write a dataset into the folder `out`; an earlier dataset of mtalign there is replaced in one move.

    `records` is called twice, and a bounded number of rows is in memory. An article is in one split only,
    chosen by a hash of its id; `splits` maps names to shares, which need not add up to 1. `licence`
    overrides the strictest one among articles, translations and models.

    Raises:
        UsageError: there is nothing to publish; a translation is of demo quality and `allow_demo` is not
            given; `out` holds something else or cannot be written; the shares are not positive.
    """
    _check_splits(splits)
    _check_replaceable(out)
    found = survey(records())
    if not found.articles:
        raise UsageError(f"no records, so there is nothing to publish into {out}")
    if found.demo and not allow_demo:
        made = (each for _, origin in found.origins for each in (origin, *origin.others))
        engines = sorted({each.model or each.engine or "?" for each in made if each.demo})
        raise UsageError(
            f"the translations by {', '.join(engines)} are of demo quality and are not meant for use; "
            "translate with another configuration, or publish them as a demo with --allow-demo"
        )
    chosen = strictest(found.licences) if licence is None else Licence(licence)
    with new_folder(out) as folder:
        rows = _write_tables(records(), configs(found.languages, found.pairs()), splits, folder)
        text = card(found, name=name, rows=rows, licence=chosen)
        (folder / CARD).write_text(text, encoding="utf-8", newline="\n")
    return Published(out, found.articles, rows, chosen.name, found.demo)


def split_of(article: str, splits: Mapping[str, float]) -> str:
    """Return the split of an article: the same for the same id and shares, on every machine."""
    digest = hashlib.sha256(article.encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64 * sum(splits.values())
    for split, share in splits.items():
        place -= share
        if place < 0:
            return split
    return next(reversed(dict(splits)))


def data_file(config: str, split: str) -> str:
    """Return the path of a table inside the dataset."""
    return f"{config}/{split}-00000-of-00001.parquet"


class _Table:
    """One Parquet file, opened at its first row, written in groups of a fixed number of rows."""

    def __init__(self, path: Path, features: Features, stack: ExitStack) -> None:
        self._path = path
        self._features = features
        self._stack = stack
        self._writer: ParquetWriter | None = None
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
            self._path.parent.mkdir(exist_ok=True)
            self._writer = self._stack.enter_context(ParquetWriter(self._path, schema, compression="zstd"))
        self._writer.write_table(pyarrow.Table.from_pylist(self._waiting, schema=schema))
        self._waiting.clear()


def _write_tables(
    records: Iterable[Record], tables: list[Config], splits: Mapping[str, float], folder: Path
) -> dict[str, dict[str, int]]:
    """Write every config and return its rows by split, leaving out what has none."""
    with ExitStack() as stack:
        open_tables = {
            (config.name, split): _Table(folder / data_file(config.name, split), features, stack)
            for config in tables
            for features in [config.features()]
            for split in splits
        }
        for record in records:
            split = split_of(record.id, splits)
            for config in tables:
                for row in config.rows(record):
                    open_tables[config.name, split].add(row)
        for table in open_tables.values():
            table.flush()
    written = {
        config.name: {split: open_tables[config.name, split].rows for split in splits} for config in tables
    }
    return {
        name: kept
        for name, by_split in written.items()
        if (kept := {split: rows for split, rows in by_split.items() if rows})
    }


def _check_splits(splits: Mapping[str, float]) -> None:
    if not splits or any(share <= 0 for share in splits.values()):
        raise UsageError(f"splits {dict(splits)}: name at least one, each with a share above 0")
    if bad := [split for split in splits if not split.isidentifier()]:
        raise UsageError(f"split {bad[0]!r}: a name is made of letters, digits and underscores")


def _check_replaceable(out: Path) -> None:
    """Refuse to replace anything but an empty folder or a dataset that mtalign wrote."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder for the dataset")
    files = [path.relative_to(out) for path in _files(out)]
    if not files:
        return
    others = [path for path in files if path.suffix != ".parquet" and str(path) != CARD]
    readme = out / CARD
    ours = readme.is_file() and f"- {TAG}\n" in readme.read_text(encoding="utf-8", errors="replace")
    if others or not ours:
        raise UsageError(
            f"{out} holds {others[0] if others else files[0]}, which is no dataset of mtalign's; "
            "choose another folder or empty this one"
        )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if not path.is_dir())
