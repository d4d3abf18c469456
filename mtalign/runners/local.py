"""Blocks in this process, or in several on this machine.

Every worker process talks to its parent over a pipe of its own: no lock is shared, so that a worker that is
killed holds up nobody. Its block is done again by another one, from the last group that it finished.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from mtalign.batch import Block, Job, Progress, Stop, Tell, Worker, written
from mtalign.errors import MtalignError, UsageError

if TYPE_CHECKING:
    from mtalign.load import Models

# What a worker with a usual translation model needs.
_CORES = 8
_GIGABYTES = 12

# A block that has brought down this many workers is done article by article, to find the one at fault.
_ATTEMPTS = 2
# Workers that die one after the other before anything is finished say that it is not an article's fault.
_DEATHS = 5


@dataclass(frozen=True)
class InProcess:
    """Does the blocks one after the other, with the models given."""

    models: Models

    def __call__(self, job: Job, blocks: Iterator[Block], tell: Tell, stop: Stop) -> None:
        """Work through the blocks."""
        worker = Worker(job, self.models)
        for block in blocks:
            worker.work(block, tell, stop)
            if stop():
                return


@dataclass(frozen=True)
class Processes:
    """Does the blocks in several processes, each with its own models."""

    count: int

    def __call__(self, job: Job, blocks: Iterator[Block], tell: Tell, stop: Stop) -> None:
        """Work through the blocks.

        Raises:
            UsageError: a worker could do nothing for any article, or workers die before they do anything.
        """
        pool = _Pool(job, self.count)
        try:
            pool.work(blocks, tell, stop)
        finally:
            pool.close()


def default_workers() -> int:
    """Return how many processes this machine has room for: one for every 8 cores and 12 GB of free memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores // _CORES, int(_free_memory() // (_GIGABYTES << 30))))


def _free_memory() -> float:
    """Return the bytes that this process may still use: of the machine, or of its control group."""
    found = [float("inf")]
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii").strip()
        if limit != "max":
            found.append(int(limit) - int(used))
    except (OSError, ValueError):
        pass
    return min(found)


@dataclass
class _Hand:
    """A worker process, the pipe to it, and the block that it has."""

    process: BaseProcess
    pipe: Connection
    block: Block | None = None


class _Pool:
    """Worker processes, and the blocks that they have or have lost."""

    def __init__(self, job: Job, count: int) -> None:
        self._job = job
        self._context = multiprocessing.get_context("spawn")
        self._threads = max(1, (os.cpu_count() or 1) // count)
        self._hands = [self._hire() for _ in range(count)]
        self._lost: list[Block] = []
        self._attempts: Counter[int] = Counter()
        self._deaths = 0

    def work(self, blocks: Iterator[Block], tell: Tell, stop: Stop) -> None:
        """Keep every worker busy until no block is left, or until told to stop."""
        stopping = False
        while True:
            if not stopping and stop():
                stopping = True
                for hand in self._hands:
                    _say(hand, None)
            if not stopping:
                for hand in self._hands:
                    if hand.block is None and (block := self._next(blocks)):
                        hand.block = block
                        _say(hand, block)
            busy = [hand for hand in self._hands if hand.block is not None]
            if not busy:
                return
            for pipe in wait([hand.pipe for hand in busy], timeout=0.5):
                self._hear(next(hand for hand in busy if hand.pipe is pipe), tell, stopping)

    def close(self) -> None:
        """End the workers; those that are at work are not waited for."""
        for hand in self._hands:
            hand.pipe.close()
            if hand.block is not None:
                hand.process.kill()
        for hand in self._hands:
            hand.process.join()

    def _next(self, blocks: Iterator[Block]) -> Block | None:
        return self._lost.pop() if self._lost else next(blocks, None)

    def _hear(self, hand: _Hand, tell: Tell, stopping: bool) -> None:
        """Take one message: progress, an error that ends the run, or None for a block that is finished."""
        try:
            message = hand.pipe.recv()
        except (EOFError, OSError):
            self._bury(hand, tell, stopping)
            return
        if isinstance(message, Progress):
            self._deaths = 0
            self._settle(hand, message, tell)
        elif isinstance(message, Exception):
            raise message
        else:
            hand.block = None

    def _settle(self, hand: _Hand, progress: Progress, tell: Tell) -> None:
        if hand.block is not None:
            hand.block = hand.block.after(progress)
        tell(progress)

    def _bury(self, hand: _Hand, tell: Tell, stopping: bool) -> None:
        """Put a new worker in the place of a dead one, and what is left of its block among what is to do."""
        hand.pipe.close()
        hand.process.join()
        if hand.block is None:
            return
        died = f"its worker process died (exit code {hand.process.exitcode})"
        self._attempts[hand.block.number] += 1
        if (untold := written(self._job, hand.block)).done:
            self._settle(hand, untold, tell)
        self._deaths += 1
        if self._deaths >= _DEATHS:
            raise UsageError(
                f"{_DEATHS} worker processes died one after the other before they finished anything: {died}; "
                "is there memory enough? Try fewer --workers"
            )
        if hand.block.alone and hand.block.items:
            culprit = hand.block.items[0].refused(UsageError(died))
            self._settle(hand, Progress(hand.block.number, refused=(culprit,)), tell)
        left, hand.block = hand.block, None
        if not stopping:
            self._lost.append(replace(left, alone=self._attempts[left.number] >= _ATTEMPTS))
            self._hands[self._hands.index(hand)] = self._hire()

    def _hire(self) -> _Hand:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(self._job, theirs, os.getpid(), self._threads), daemon=True
        )
        process.start()
        theirs.close()
        return _Hand(process, ours)


def _say(hand: _Hand, message: Block | None) -> None:
    """Send a block, or None to ask for an end; that a worker is gone is noticed when it is listened to."""
    with suppress(OSError):
        hand.pipe.send(message)


def _serve(job: Job, pipe: Connection, parent: int, threads: int) -> None:
    """Do blocks until the pipe is closed. Runs in a process of its own."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # the parent decides when to stop
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)))
    from mtalign.load import Models

    worker = Worker(job, Models(job.config, job.memory))
    try:
        while (block := pipe.recv()) is not None:
            try:
                worker.work(block, pipe.send, pipe.poll)
            except MtalignError as error:
                pipe.send(UsageError(str(error)))
                return
            pipe.send(None)
    except (EOFError, OSError):
        return  # the parent is gone


def _follow(parent: int) -> None:
    """End this process when its parent is gone, so that nobody writes a run that somebody else resumes."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
