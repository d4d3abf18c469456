"""A folder that appears whole or not at all: built beside its place, then moved into it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtalign.errors import UsageError


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder to build in; when the block ends well, it replaces whatever stands at `out`.

    When the block raises, `out` stays as it was. Whether something at `out` may be replaced is the
    caller's question, to be asked before. Two processes that build the same folder at once do not mix;
    the last one to end wins.

    Raises:
        UsageError: the folder cannot be written.
    """
    out = out.absolute()
    building = out.with_name(f".{out.name}.{os.getpid()}.building")
    replaced = out.with_name(f".{out.name}.{os.getpid()}.replaced")
    try:
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        yield building
        if out.exists():
            out.rename(replaced)
        building.rename(out)
    except OSError as error:
        if replaced.exists() and not out.exists():
            replaced.rename(out)
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
