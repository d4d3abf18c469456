"""Writing a run directory from one process: for tools and tests that bring their own records."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mtalign.record import Record, Rejected
from mtalign.store.claim import claim
from mtalign.store.shard import Made, Refused, Shard


class Writer:
    """A run directory of one shard, open for writing; a context manager that makes it where there is none."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self._manifest = manifest
        self._stack = ExitStack()

    def __enter__(self) -> Writer:
        with ExitStack() as stack:
            start = stack.enter_context(claim(self.path, self._manifest))
            self._shard = stack.enter_context(Shard(self.path, 0, start))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, *records: Record) -> None:
        """Append records; when this returns, they are on the disk."""
        self._shard.commit([Made(record) for record in records])

    def reject(self, rejected: Rejected) -> None:
        """Add one reject."""
        one = Refused(rejected.reason, rejected.path, rejected.line, rejected.id)
        self._shard.write_rejects([*self._shard.rejects(), one])
