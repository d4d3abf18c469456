"""Many articles into a run directory: what is left to do, in blocks, and the work on one block.

Inputs are cut into blocks by their order alone; block n is written to shard n. One process plans: it reads
the inputs as a stream, leaves out what is done, and holds no article longer than its block. Workers do the
blocks, in this process or others (`mtalign.runners`). The articles of a block are worked on in groups, and
a group's records are written together, so that a run that was killed goes on with the groups that an
undisturbed run would have made.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from mtalign.document import Article
from mtalign.errors import MtalignError
from mtalign.formats.articles import Found
from mtalign.record import Rejected
from mtalign.run import Begun, begin_articles, content_hash, finish_articles, missing
from mtalign.store import (
    REJECTS,
    Index,
    Made,
    Place,
    Refused,
    Run,
    Shard,
    Share,
    id_hash,
    read_refused,
    resume_key,
    shard_numbers,
    write_refused,
    writing,
)

if TYPE_CHECKING:
    from mtalign.config import Config
    from mtalign.load import Models

_log = logging.getLogger(__name__)

# A block ends after so many inputs, or so many characters of source text.
BLOCK_INPUTS = 256
BLOCK_CHARACTERS = 4_000_000

# Characters of source text that are translated together: some 500 sentences.
TOGETHER = 60_000


@dataclass(frozen=True)
class Job:
    """What every worker of a run must know.

    `start` is the number of this start of mtalign, `memory` the file that remembers translations, `home` the
    language that articles are expected in, `together` how many characters are translated in one call.
    """

    run: Path
    start: int
    targets: tuple[str, ...]
    config: Config
    memory: Path | None = None
    home: str = "en"
    together: int = TOGETHER


@dataclass(frozen=True)
class Selection:
    """Which of the inputs are worked on; the others are left as they are.

    `only` holds ids and patterns of ids, `limit` is the largest number of articles to work on.
    """

    only: tuple[str, ...] = ()
    limit: int | None = None
    retry_rejected: bool = False
    share: Share = field(default_factory=Share)

    def wants(self, article: str) -> bool:
        """Say whether an article is among those chosen by id."""
        return not self.only or any(article == each or fnmatchcase(article, each) for each in self.only)

    @property
    def whole(self) -> bool:
        """Whether every article of the share is worked on."""
        return not self.only and self.limit is None


class Item(Struct, frozen=True, omit_defaults=True, tag="item"):
    """An article to work on, where it was read, and where its earlier record is if it has one."""

    article: Article
    key: str
    path: str
    line: int | None = None
    known: Place | None = None

    def refused(self, error: Exception) -> Refused:
        """Return the reject of this article, which is kept until the article or the configuration changes."""
        reason = str(error) if isinstance(error, MtalignError) else f"internal error: {error!r}"
        return Refused(reason, self.path, self.line, self.article.source.id, self.key)


@dataclass(frozen=True)
class Block:
    """What is left to do for one shard: articles and rejects in the order of the inputs.

    `others` are rejects of inputs that this run does not read; they stay. `alone` asks for groups of one
    article, after a group has brought a worker down.
    """

    number: int
    entries: tuple[Item | Refused, ...]
    others: tuple[Refused, ...] = ()
    alone: bool = False

    @property
    def items(self) -> list[Item]:
        """The articles to work on."""
        return [each for each in self.entries if isinstance(each, Item)]

    def rejects(self, failures: dict[str, Refused]) -> list[Refused]:
        """Return the rejects of the shard, with those of articles that failed in their places."""
        own = [
            failures.get(each.article.source.id) if isinstance(each, Item) else each for each in self.entries
        ]
        return [*self.others, *(each for each in own if each)]

    def after(self, progress: Progress) -> Block:
        """Return what is left to do: articles that were done are out, those refused are rejects."""
        refused = {each.id: each for each in progress.refused}
        left = (
            refused.get(each.article.source.id, each) if isinstance(each, Item) else each
            for each in self.entries
            if not isinstance(each, Item) or each.article.source.id not in progress.done
        )
        return replace(self, entries=tuple(left))


@dataclass(frozen=True)
class Progress:
    """What a worker says after each group: the articles done and refused, and what that took."""

    block: int
    done: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    sentences: int = 0
    timings: dict[str, float] = field(default_factory=dict)


@dataclass
class Report:
    """What a run did; knows the exit code.

    `skipped` counts articles that were done before, `rejected` also rejects of earlier starts that stand.
    """

    done: int = 0
    skipped: int = 0
    rejected: int = 0
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 if every article has a record, 1 if some were rejected, 130 if the run was interrupted."""
        return 130 if self.interrupted else 1 if self.rejected else 0


Tell = Callable[[Progress], None]
Stop = Callable[[], bool]


class Runner(Protocol):
    """Does blocks of a job, in whatever order and place; returns early, between two groups, when told to."""

    def __call__(self, job: Job, blocks: Iterator[Block], tell: Tell, stop: Stop) -> None:
        """Work through the blocks.

        Args:
            job: what the workers must know.
            blocks: what is to do; made while they are taken.
            tell: called in this process after every group.
            stop: asked between groups; true ends the work.
        """
        ...


def run_batch(
    inputs: Iterable[Found | Rejected],
    files: Sequence[str],
    job: Job,
    models: Models,
    runner: Runner,
    *,
    selection: Selection | None = None,
    tell: Tell = lambda _: None,
    stop: Stop = lambda: False,
) -> Report:
    """Bring a claimed run directory up to date with its inputs; one bad article never stops the rest.

    Args:
        inputs: articles with their places, and what could not be read.
        files: where the inputs come from; earlier rejects of other files stay.
        job: targets, configuration, run directory.
        models: the models of the same configuration, for their signature.
        runner: does the blocks.
        selection: which articles to work on; all by default.
        tell: called after every group of articles, and for rejects met while reading.
        stop: asked between groups; true ends the run, which can be resumed.
    """
    report = Report()

    def count(progress: Progress) -> None:
        report.done += len(progress.done)
        report.rejected += len(progress.refused)
        tell(progress)

    selection = selection or Selection()
    planner = _Planner(job, models, selection, frozenset(files), report, tell)
    runner(job, planner.blocks(inputs, stop), count, stop)
    if stop():
        report.interrupted = True
    elif selection.whole:
        planner.forget_rejects_of_missing_blocks()
    return report


@dataclass
class _Planner:
    """Finds out what is left to do, one block after the other."""

    job: Job
    models: Models
    selection: Selection
    files: frozenset[str]
    report: Report
    tell: Tell
    _seen: set[int] = field(default_factory=set)
    _visited: set[int] = field(default_factory=set)
    _taken: int = 0

    def __post_init__(self) -> None:
        run = self.job.run
        self._index = Index(run)
        refused = (each for number in shard_numbers(run, REJECTS) for each in read_refused(run, number))
        self._failures = {each.id: each for each in refused if each.key and each.id}

    def blocks(self, inputs: Iterable[Found | Rejected], stop: Stop) -> Iterator[Block]:
        """Yield the blocks that need work; what needs none is brought up to date here."""
        for number, inside in enumerate(_cut(inputs)):
            if stop():
                return
            if not self.selection.share.has(number):
                self._seen.update(
                    id_hash(each.article.source.id) for each in inside if isinstance(each, Found)
                )
                continue
            self._visited.add(number)
            old = read_refused(self.job.run, number)
            by_place = {(each.path, each.line): each for each in old}
            decided = [self._decide(each, by_place.get((each.path, each.line))) for each in inside]
            block = Block(
                number,
                tuple(each for each in decided if each is not None),
                tuple(each for each in old if each.path not in self.files),
            )
            if refused := tuple(each for each in block.entries if isinstance(each, Refused)):
                self.report.rejected += len(refused)
                self.tell(Progress(number, refused=refused))
            if block.items:
                yield block
            else:
                with writing(self.job.run):
                    write_refused(self.job.run, number, block.rejects({}))

    def forget_rejects_of_missing_blocks(self) -> None:
        """Drop the rejects of blocks that the inputs no longer fill."""
        for number in shard_numbers(self.job.run, REJECTS):
            if self.selection.share.has(number) and number not in self._visited:
                kept = [each for each in read_refused(self.job.run, number) if each.path not in self.files]
                with writing(self.job.run):
                    write_refused(self.job.run, number, kept)

    def _decide(self, found: Found | Rejected, old: Refused | None) -> Item | Refused | None:
        """Return what is to do about an input; None if nothing. `old` is the reject that stands for it."""
        if isinstance(found, Rejected):
            return Refused(found.reason, found.path, found.line, found.id)
        name = found.article.source.id
        if (hashed := id_hash(name)) in self._seen:
            reason = f"article id {name!r} is used twice; the first one counts"
            return Refused(reason, found.path, found.line, name)
        self._seen.add(hashed)
        if not self.selection.wants(name):
            return old
        try:
            content = content_hash(found.article)
        except ValueError as error:
            return Refused(
                f"article {name!r} cannot be written as JSON: {error}", found.path, found.line, name
            )
        key = resume_key(content, self.models.signature(missing(found.article, self.job.targets)))
        return self._unless_settled(
            Item(found.article, key, found.path, found.line, self._index.place(name)), old
        )

    def _unless_settled(self, item: Item, old: Refused | None) -> Item | Refused | None:
        """Return the item if it is to be worked on, the reject that stands, or None."""
        name = item.article.source.id
        if self._index.has(name, item.key):
            self.report.skipped += 1
            return None
        failed = self._failures.get(name)
        if failed and failed.key == item.key and not self.selection.retry_rejected:
            return Refused(failed.reason, item.path, item.line, name, item.key)
        if self.selection.limit is not None and self._taken >= self.selection.limit:
            return old
        self._taken += 1
        return item


class Behind:
    """A thread that does what is left of one group of articles while the next one is translated.

    It is never given a second group before it is done with the first: memory holds two groups at most. Use as
    a context manager: leaving it waits for the group under work. Where somebody wants to stop at once, it is
    `abandoned`: then it ends with the article under work, and nothing of the group is written.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._under_work: Future[None] | None = None
        self.abandoned = False

    def __enter__(self) -> Behind:
        self.abandoned = False
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.abandoned = kind is not None and not issubclass(kind, Exception)
        try:
            self.wait()
        except Exception:
            if kind is None:
                raise  # else the first error is the one to tell of

    def do(self, work: Callable[[], None]) -> None:
        """Wait for the group before, then begin this one; an error of the one before is raised here."""
        self.wait()
        self._under_work = self._pool.submit(work)

    def wait(self) -> None:
        """Wait for what is under work, and raise its error if it has one."""
        if work := self._under_work:
            wait([work])
            self._under_work = None
            work.result()


class Worker:
    """Works on blocks with models of its own: translates a group while it finishes the one before."""

    def __init__(self, job: Job, models: Models) -> None:
        self._job = job
        self._models = models
        self._behind = Behind()
        self._begun = time.monotonic()

    def work(self, block: Block, tell: Tell, stop: Stop) -> None:
        """Do what is left of a block; what an earlier attempt at it has written is not done again.

        `tell` is called in another thread, and never after this returns.

        Raises:
            UsageError: nothing can be done for any article: the disk is full, a model cannot be loaded.
        """
        failures: dict[str, Refused] = {}
        with Shard(self._job.run, block.number, self._job.start) as shard, self._behind as behind:

            def finish(group: Sequence[Item], begun: Begun) -> None:
                progress = self._finish(shard, group, begun, block.number)
                if progress is None:
                    return
                if progress.refused:
                    failures.update({each.id: each for each in progress.refused if each.id})
                    shard.write_rejects(block.rejects(failures))
                tell(progress)

            left = [each for each in block.items if not shard.has(each.article.source.id, each.key)]
            for group in _groups(left, 0 if block.alone else self._job.together):
                if stop():
                    return
                behind.do(partial(finish, group, self._begin(group)))
                # If the next article kills this process, this one is not to blame. Engines serve one thread.
                if block.alone or self._models.evidence_asks_models:
                    behind.wait()
            behind.wait()
            shard.write_rejects(block.rejects(failures))

    def _begin(self, group: Sequence[Item]) -> Begun:
        return begin_articles(
            [item.article for item in group],
            self._job.targets,
            self._models,
            [self._known(item) for item in group],
            self._job.home,
        )

    def _finish(self, shard: Shard, group: Sequence[Item], begun: Begun, number: int) -> Progress | None:
        """Do what is left of a translated group, write it and say so; None where it was abandoned."""
        results = []
        for result in finish_articles(begun, self._job.targets, self._models):
            if self._behind.abandoned:
                return None
            results.append(result)
        made = [each for each in results if isinstance(each, Made)]
        shard.commit(made, time.monotonic() - self._begun)
        timings: Counter[str] = Counter()
        for each in made:
            timings.update(each.record.timings)
        return Progress(
            number,
            tuple(each.record.id for each in made),
            tuple(
                item.refused(each)
                for item, each in zip(group, results, strict=True)
                if isinstance(each, Exception)
            ),
            sum(len(each.record.source.sentences) for each in made),
            dict(timings),
        )

    def _known(self, item: Item) -> Made | None:
        if item.known is None:
            return None
        record, entry = Run(self._job.run).record(item.known)
        return Made(record, entry.translation_issues)


def written(job: Job, block: Block) -> Progress:
    """Return what an earlier attempt at a block has written and, since it was cut off, may not have told."""
    with Shard(job.run, block.number, job.start) as shard:
        done = [each for each in block.items if shard.has(each.article.source.id, each.key)]
    return Progress(block.number, tuple(each.article.source.id for each in done))


def _cut(inputs: Iterable[Found | Rejected]) -> Iterator[list[Found | Rejected]]:
    """Cut inputs into blocks, by their order and size alone."""
    block: list[Found | Rejected] = []
    characters = 0
    for each in inputs:
        block.append(each)
        characters += len(each.article.source.text) if isinstance(each, Found) else 0
        if len(block) >= BLOCK_INPUTS or characters >= BLOCK_CHARACTERS:
            yield block
            block, characters = [], 0
    if block:
        yield block


def _groups(items: Sequence[Item], together: int) -> Iterator[list[Item]]:
    """Cut items into groups, each ending with the article that brings it to `together` characters."""
    group: list[Item] = []
    characters = 0
    for item in items:
        group.append(item)
        characters += len(item.article.source.text)
        if characters >= together:
            yield group
            group, characters = [], 0
    if group:
        yield group
