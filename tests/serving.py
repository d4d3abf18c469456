"""A run's report, served in a thread for as long as a test wants it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from mtalign.report.serve import ReportServer
from mtalign.store import Run


@contextmanager
def serving(run: Run) -> Iterator[ReportServer]:
    with ReportServer(run, "Summit") as server:
        server.wait()
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
