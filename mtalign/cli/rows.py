"""Streams of rows: where they are read and written, and where rejects go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import typer

if TYPE_CHECKING:
    from mtalign.record import Rejected

STDIO = "-"


@contextmanager
def opened(name: str, standard: BinaryIO, mode: str) -> Iterator[BinaryIO]:
    """Yield the named file, or a standard stream for -."""
    from mtalign.errors import UsageError

    if name == STDIO:
        yield standard
        return
    try:
        # Not in a `with`: only opening is tried here, the caller's errors are not this file's.
        stream = Path(name).open(mode)  # noqa: SIM115
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from error
    with stream:
        yield cast("BinaryIO", stream)


def check_distinct(source: str, out: str) -> None:
    """Raise UsageError where writing the rows would destroy those that are still to be read."""
    from mtalign.errors import UsageError

    if out != STDIO and Path(out).resolve() == Path(source).resolve():
        raise UsageError(f"{out} is read and written at once; give the result another name")


def write_rows(
    results: Iterable[dict[str, Any] | Rejected],
    out: str,
    encode: Callable[[dict[str, Any]], bytes] | None = None,
) -> int:
    """Write every result as it comes, and return the number of rejects.

    Rejects go to OUT.rejects.jsonl, or to standard error for -.
    """
    from mtalign.record import Rejected, encode_json

    rejected = 0
    with ExitStack() as files:
        sink = files.enter_context(opened(out, sys.stdout.buffer, "wb"))
        rejects: Callable[[bytes], object] = sys.stderr.buffer.write
        if out != STDIO:
            rejects = files.enter_context(Path(f"{out}.rejects.jsonl").open("wb")).write
        for result in results:
            if isinstance(result, Rejected):
                rejected += 1
                rejects(encode_json(result) + b"\n")
                # Pharaoh lines have no id: line n must stay the answer to row n.
                sink.write(encode({}) + b"\n" if encode else b"")
            else:
                sink.write((encode or encode_json)(result) + b"\n")
                sink.flush()
    if out != STDIO and not rejected:
        Path(f"{out}.rejects.jsonl").unlink()
    if rejected:
        place = f", see {out}.rejects.jsonl" if out != STDIO else ""
        typer.echo(f"{rejected} rows rejected{place}", err=True)
    return rejected
