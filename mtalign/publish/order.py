"""Records by id, however they were written: the same run gives the same files, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from mtalign.record import Record, decode_record, encode_json

HELD_BYTES = 1 << 26


class Sorted:
    """The records in the order of their ids, by an external merge sort; iterate as often as you like.

    All records are read at once. About `held` bytes of them stay in memory; what is more lies in files in
    `folder`, which must exist for as long as this is read.
    """

    def __init__(self, records: Iterable[Record], folder: Path, held: int = HELD_BYTES) -> None:
        self._parts: list[Path] = []
        self._last: list[tuple[str, bytes]] = []
        size = 0
        for record in records:
            line = encode_json(record)
            self._last.append((record.id, line))
            size += len(line)
            if size > held:
                self._parts.append(folder / f"part-{len(self._parts)}.jsonl")
                with self._parts[-1].open("wb") as stream:
                    stream.writelines(line + b"\n" for _, line in sorted(self._last))
                self._last, size = [], 0
        self._last.sort()

    def __iter__(self) -> Iterator[Record]:
        with ExitStack() as stack:
            parts = [map(decode_record, stack.enter_context(part.open("rb"))) for part in self._parts]
            last = (decode_record(line) for _, line in self._last)
            yield from heapq.merge(*parts, last, key=lambda record: record.id)
