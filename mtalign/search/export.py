"""An index in the form that other tools read: Parquet, or a flat index of FAISS.

Parquet holds every column, vectors as they are kept. A FAISS folder holds `index.faiss` (`IndexFlatIP`:
float32, inner products) and `passages.jsonl`, whose n-th line (from 0) is vector n. What the vectors of a
language have in common is taken off there as in a search, so a query's own vector finds what search finds.
The file is written without FAISS: its format is a header and the numbers (`faiss/impl/index_write.cpp`).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from mtalign.errors import UsageError
from mtalign.folder import new_folder
from mtalign.record import encode_json
from mtalign.search.common import basis, take_off
from mtalign.search.passages import Passage
from mtalign.search.store import Table, read_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from mtalign.search.store import Header

Format = Literal["faiss", "parquet"]

FAISS = "index.faiss"
PASSAGES = "passages.jsonl"
PARQUET = "passages.parquet"

_COLUMNS = ("id", "article", "lang", "sentence", "tuple_number", "text", "date", "mentions", "vector")
_INNER_PRODUCT = 0


def export(index: Path, out: Path, to: Format) -> list[Path]:
    """Write an index into the new or empty folder `out` and return the files.

    Raises:
        UsageError: there is no index, or `out` cannot be written or is not empty.
    """
    header = read_header(index)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there and not an empty folder; choose another one")
    table = Table.open(index, header.table)
    write: Callable[[Table, Header, Path], None] = {"faiss": _faiss, "parquet": _parquet}[to]
    with new_folder(out) as folder:
        write(table, header, folder)
        names = sorted(each.name for each in folder.iterdir())
    return [out / name for name in names]


def _parquet(table: Table, _: Header, folder: Path) -> None:
    import pyarrow.parquet as pq

    writer = None
    for batch in table.batches(_COLUMNS):
        writer = writer or pq.ParquetWriter(folder / PARQUET, batch.schema)
        writer.write_batch(batch)
    if writer is not None:
        writer.close()


def _faiss(table: Table, header: Header, folder: Path) -> None:
    import numpy as np

    directions = basis(header.languages)
    with (folder / FAISS).open("wb") as vectors, (folder / PASSAGES).open("wb") as lines:
        unused = 1 << 20
        # dimension, vectors, two numbers that nothing reads, trained, metric
        head = struct.pack("<iqqq?i", header.dim, header.passages, unused, unused, True, _INNER_PRODUCT)
        vectors.write(b"IxFI" + head + struct.pack("<Q", header.passages * header.dim))
        for batch in table.batches(_COLUMNS):
            numbers = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
            values = numbers.astype(np.float32).reshape(-1, header.dim)
            take_off(values, directions)
            vectors.write(values.astype(np.dtype("<f4")).tobytes())
            for row in batch.drop_columns(["vector"]).to_pylist():
                lines.write(encode_json(msgspec.convert(row, Passage)) + b"\n")
