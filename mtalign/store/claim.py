"""Who is writing a run directory: claims on shares of its shards; how a dead owner is told from a slow one.

Every process that writes leaves a file with its host, process id and share, and touches it four times a
minute. On the same host an owner is dead when no process has its id and start time; on another host, when
its file was not touched for `_SILENCE` seconds by the clock of the file system that both of them see.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from math import gcd
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mtalign.errors import StoreError, UsageError
from mtalign.store.files import CLAIMS, write_atomically, writing
from mtalign.store.run import MANIFEST, SCHEMA, check_schema, is_run, read_manifest

_BEAT = 15.0
_SILENCE = 300.0


@dataclass(frozen=True)
class Share:
    """Part `index` (from 1) of `count` equal parts of the shards."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Share:
        """Read `2/8`.

        Raises:
            UsageError: it is something else.
        """
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise UsageError(f"--shard {text!r}: give the part and how many there are, for example 2/8")
        return cls(int(found[1]), int(found[2]))

    def has(self, shard: int) -> bool:
        """Say whether a shard is in this part."""
        return shard % self.count == self.index - 1

    def overlaps(self, other: Share) -> bool:
        """Say whether any shard is in both parts (they may be of different wholes)."""
        return (self.index - other.index) % gcd(self.count, other.count) == 0


@dataclass(frozen=True)
class Owner:
    """A process that writes a run directory; `born` tells it from a later one with the same id."""

    host: str
    pid: int
    born: str
    share: Share

    def describe(self) -> str:
        """Return who this is, for a person."""
        part = "" if self.share.count == 1 else f", part {self.share.index}/{self.share.count}"
        return f"process {self.pid} on {self.host}{part}"


@contextmanager
def claim(path: Path, manifest: dict[str, Any], share: Share = Share()) -> Iterator[int]:
    """Hold a share of a run directory, which is made where there is none; yield the number of this start.

    Args:
        path: the run directory.
        manifest: what makes the records, written at once. While others write other shares, its
            configuration, targets and inputs must be theirs.
        share: which shards will be written.

    Raises:
        StoreError: the folder holds something else or cannot be written, or a live process has a share
            that overlaps this one.
    """
    if path.is_dir() and not is_run(path) and any(path.iterdir()):
        raise StoreError(f"{path} is not empty and is not a run directory; choose another folder with -o")
    if is_run(path):
        check_schema(path, read_manifest(path))
    own = path / CLAIMS / f"{_host()}-{os.getpid()}.json"
    with writing(path):
        own.parent.mkdir(parents=True, exist_ok=True)
        with _guard(path):
            start = _enter(path, own, manifest, share)
    stop = threading.Event()
    beat = threading.Thread(target=_keep_touching, args=(own, stop), daemon=True)
    beat.start()
    try:
        yield start
    finally:
        stop.set()
        beat.join()
        with suppress(OSError):
            own.unlink()


def owners(path: Path) -> list[Owner]:
    """Return the live processes that write a run directory."""
    return [owner for file in sorted((path / CLAIMS).glob("*.json")) if (owner := _live_owner(file, None))]


def _enter(path: Path, own: Path, manifest: dict[str, Any], share: Share) -> int:
    """Write the claim and the manifest; nobody else does so meanwhile."""
    old = read_manifest(path) if is_run(path) else {}
    mine = Owner(_host(), os.getpid(), _born(os.getpid()), share)
    write_atomically(own, json.dumps(asdict(mine)))
    for file in sorted(own.parent.glob("*.json")):
        if file == own:
            continue
        other = _live_owner(file, own.stat().st_mtime)
        if other is None:
            file.unlink(missing_ok=True)
        elif other.share.overlaps(share):
            own.unlink()
            raise StoreError(
                f"another mtalign is writing to {path}: {other.describe()}; wait for it, choose another "
                f"folder with -o, or give each its part with --shard; if that process is gone, remove {file}"
            )
        elif differing := [
            key for key in ("config", "targets", "inputs") if old.get(key) != manifest.get(key)
        ]:
            own.unlink()
            raise StoreError(
                f"{path} is being written by {other.describe()} with another {' and '.join(differing)}; all "
                "parts of a run need the same"
            )
    start = int(old.get("starts", 0)) + 1
    content = {"schema": SCHEMA, **manifest, "starts": start}
    write_atomically(path / MANIFEST, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return start


@contextmanager
def _guard(path: Path) -> Iterator[None]:
    """Keep others from claiming meanwhile; this takes milliseconds, so a minute's wait means trouble."""
    try:
        with FileLock(path / CLAIMS / "guard.lock", timeout=60):
            yield
    except Timeout as error:
        raise StoreError(f"{path / CLAIMS / 'guard.lock'} is held by another process; start again") from error


def _live_owner(file: Path, now: float | None) -> Owner | None:
    """Return the owner in a claim file if it lives; `now` is the file system's time, None to trust ours."""
    try:
        row = json.loads(file.read_text(encoding="utf-8"))
        owner = Owner(row["host"], row["pid"], row["born"], Share(**row["share"]))
        touched = file.stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if owner.host == _host():
        return owner if _born(owner.pid) == owner.born else None
    if now is None:
        import time

        now = time.time()
    return owner if now - touched < _SILENCE else None


def _keep_touching(file: Path, stop: threading.Event) -> None:
    while not stop.wait(_BEAT):
        with suppress(OSError):
            os.utime(file)


def _host() -> str:
    return re.sub(r"[^\w.-]", "_", socket.gethostname()) or "unknown"


def _born(pid: int) -> str:
    """Return what tells a process from a later one with its id, "" for none of that id."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
        state, started = fields[0], fields[19]
        return "" if state == "Z" else started
    except OSError:
        pass
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "alive"
