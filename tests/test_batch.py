"""Many articles into a run directory: resuming, selecting, failing, stopping; with tiny real models."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import toys

from mtalign import batch
from mtalign.batch import Block, Job, Progress, Report, Runner, Selection, Stop, Tell, run_batch
from mtalign.config import Config, EngineConfig, load
from mtalign.document import Document
from mtalign.errors import UsageError
from mtalign.formats.articles import find_inputs, read_articles
from mtalign.load import Models
from mtalign.record import Record, Rejected
from mtalign.runners import local
from mtalign.runners.local import InProcess, Processes
from mtalign.store import Run, Share, claim

ROWS = toys.articles(12)
_REAL_SERVE = local._serve


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return load(toys.config(tmp_path_factory.mktemp("toys")))


@pytest.fixture(scope="module")
def models(config: Config) -> Models:
    return Models(config)


@dataclass
class Batch:
    """A folder with inputs and a run directory, and the models that work on it."""

    folder: Path
    models: Models
    targets: tuple[str, ...] = ("ru",)
    together: int = 300

    @property
    def run(self) -> Run:
        return Run(self.folder / "run")

    def records(self) -> dict[str, Record]:
        return {record.id: record for record in self.run.records()}

    def bytes(self) -> dict[str, bytes]:
        """Return the files of records, by name."""
        return {each.name: each.read_bytes() for each in sorted((self.run.path / "records").iterdir())}

    def start(
        self,
        rows: Sequence[Any],
        selection: Selection | None = None,
        *,
        runner: Runner | None = None,
        stop: Stop = lambda: False,
        tell: Tell = lambda _: None,
        inputs: str = "in.jsonl",
    ) -> Report:
        """Bring the run up to date with `rows`, as the command does; a row may be a line of text."""
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (self.folder / inputs).write_text("".join(line + "\n" for line in lines))
        files = find_inputs([str(self.folder / inputs)])
        selection = selection or Selection()
        with claim(self.folder / "run", {"targets": list(self.targets)}, selection.share) as start:
            job = Job(self.run.path, start, self.targets, self.models.config, together=self.together)
            return run_batch(
                read_articles(files, "en"),
                files,
                job,
                self.models,
                runner or InProcess(self.models),
                selection=selection,
                stop=stop,
                tell=tell,
            )


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "BLOCK_INPUTS", 5)


@pytest.fixture
def work(tmp_path: Path, models: Models) -> Batch:
    return Batch(tmp_path, models)


def counts(report: Report) -> tuple[int, int, int]:
    return report.done, report.skipped, report.rejected


def test_blocks_are_shards_and_records_stand_in_the_order_of_the_inputs(work: Batch) -> None:
    report = work.start(ROWS)
    assert (counts(report), report.exit_code) == ((12, 0, 0), 0)
    assert list(work.bytes()) == ["00000.jsonl", "00001.jsonl", "00002.jsonl"]
    assert [record.id for record in work.run.records()] == [row["id"] for row in ROWS]
    assert all(record.timings["translate ru"] > 0 for record in work.run.records())


def test_a_second_start_writes_nothing(work: Batch, config: Config) -> None:
    work.start(ROWS)
    before = {each: each.stat().st_mtime_ns for each in work.run.path.rglob("*/0*.jsonl")}
    untouched = Models(config)
    work.models = untouched
    assert counts(work.start(ROWS)) == (0, 12, 0)
    assert {each: each.stat().st_mtime_ns for each in work.run.path.rglob("*/0*.jsonl")} == before
    assert "encoder" not in vars(untouched), "no weights are needed"


def test_only_a_changed_article_is_done_again(work: Batch) -> None:
    work.start(ROWS)
    changed = [*ROWS[:7], {**ROWS[7], "text": "Something else was said.", "entities": []}, *ROWS[8:]]
    assert counts(work.start(changed)) == (1, 11, 0)
    assert list(work.records()) == [row["id"] for row in ROWS]
    assert work.records()["article-00007"].source.text == "Something else was said."


def test_an_article_inserted_before_the_others_moves_none_of_them(work: Batch) -> None:
    work.start(ROWS)
    assert counts(work.start([{"id": "new", "text": "Breaking news."}, *ROWS])) == (1, 12, 0)
    assert len(work.records()) == 13
    assert counts(work.start([{"id": "new", "text": "Breaking news."}, *ROWS])) == (0, 13, 0)


def test_a_changed_article_that_has_moved_to_another_block_counts_once(work: Batch) -> None:
    work.start(ROWS)
    moved = [*ROWS[1:], {**ROWS[0], "text": "It changed.", "entities": []}]
    assert counts(work.start(moved)) == (1, 11, 0)
    assert counts(work.start(moved)) == (0, 12, 0)
    assert list(work.records()) == [row["id"] for row in ROWS]
    assert work.records()["article-00000"].source.text == "It changed."


def test_the_same_inputs_give_the_same_bytes_however_often_they_are_cut_off(
    work: Batch, tmp_path: Path, models: Models
) -> None:
    work.start(ROWS)
    cut = Batch(tmp_path / "cut", models)
    cut.folder.mkdir()
    starts = 0
    while True:
        said: list[Progress] = []
        starts += 1
        report = cut.start(ROWS, tell=said.append, stop=lambda said=said: bool(said))  # type: ignore[misc]
        if not report.interrupted:
            break
        assert report.exit_code == 130
    assert starts > 5
    assert cut.bytes() == work.bytes()


def changed_config(models: Models, **parts: dict[str, Any]) -> Models:
    row = models.config.model_dump()
    for name, changes in parts.items():
        row[name] = {**row[name], **changes}
    return Models(Config.model_validate(row))


@pytest.mark.parametrize(
    ("change", "redone"),
    [
        # The checks also choose among the hypotheses of the translator.
        ({"check": {"repeats": 9}}, {"translate ru", "check"}),
        ({"project": {"keep": 0.9}}, {"project", "check"}),
        ({"words": {"temperature": 0.2}}, {"project", "quality", "check"}),
        ({"quality": {"least": 0.5}}, {"quality", "check"}),
        ({"encoder": {"batch_tokens": 64}}, {"translate ru", "project", "quality", "check"}),
        (
            {"translate": {"ru": {"model": "", "options": {"max_ratio": 0.9}}}},
            {"translate ru", "project", "quality", "check"},
        ),
    ],
    ids=lambda each: str(sorted(each)),
)
def test_a_changed_option_redoes_its_stage_and_what_stands_on_it(
    work: Batch, tmp_path: Path, change: dict[str, Any], redone: set[str]
) -> None:
    default = work.models.config.translate["default"].model_dump()
    if "translate" in change:
        change = {"translate": {"ru": {**default, "options": {**default["options"], "max_ratio": 0.9}}}}
    work.start(ROWS[:6])
    work.models = changed_config(work.models, **change)
    done: list[Progress] = []
    assert counts(work.start(ROWS[:6], tell=done.append)) == (6, 0, 0)
    # Segmenting and aligning are always timed; what is taken over there takes no time.
    assert {stage for each in done for stage in each.timings} - {"segment", "align"} == redone

    fresh = Batch(tmp_path / "fresh", work.models)
    fresh.folder.mkdir()
    fresh.start(ROWS[:6])
    for record, anew in zip(work.run.records(), fresh.run.records(), strict=True):
        assert msgspec.structs.replace(record, timings={}) == msgspec.structs.replace(anew, timings={})


def test_a_new_language_leaves_the_others_as_they_are(work: Batch) -> None:
    work.start(ROWS[:4])
    work.targets = ("uk", "ru")
    done: list[Progress] = []
    assert counts(work.start(ROWS[:4], tell=done.append)) == (4, 0, 0)
    assert "translate uk" in done[0].timings
    assert "translate ru" not in done[0].timings
    assert all(list(record.targets) == ["uk", "ru"] for record in work.run.records())


def test_one_bad_article_never_stops_the_rest(work: Batch) -> None:
    bad = {**ROWS[2], "entities": [{"id": "e", "start": 3, "end": 9999, "label": "LOC"}]}
    rows = [*ROWS[:2], bad, "{not json", {**ROWS[0], "text": "The same id again."}, *ROWS[3:6]]
    report = work.start(rows)
    assert (counts(report), report.exit_code) == ((5, 0, 3), 1)
    reasons = {each.line: each.reason for each in work.run.rejects()}
    assert "not inside the text" in reasons[3]
    assert "not an article row" in reasons[4]
    assert "used twice" in reasons[5]
    assert counts(work.start(rows)) == (0, 5, 3)
    assert counts(work.start(ROWS[:6])) == (1, 5, 0)
    assert work.run.rejects() == []


class FaultyEngine:
    """A real engine that breaks when it meets a word, as one does that runs out of memory."""

    def __init__(self, engine: Any, word: str, error: BaseException) -> None:
        self._engine = engine
        self._word = word
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def translate(self, sentences: Sequence[str], *args: Any, **options: Any) -> Any:
        if any(self._word in sentence for sentence in sentences):
            raise self._error
        return self._engine.translate(sentences, *args, **options)


class FaultyModels(Models):
    """Models with a faulty engine."""

    def __init__(self, config: Config, word: str, error: BaseException) -> None:
        super().__init__(config)
        self._fault = (word, error)

    def _engine(self, chosen: EngineConfig) -> Any:
        return FaultyEngine(super()._engine(chosen), *self._fault)


POISON = {**ROWS[3], "text": "The poisoned well is deep.", "entities": []}


@pytest.mark.parametrize(
    "error",
    [RuntimeError("CUDA out of memory"), MemoryError(), TimeoutError("no answer"), ValueError("?")],
    ids=repr,
)
def test_an_article_that_breaks_the_engine_costs_only_itself(
    work: Batch, config: Config, error: Exception
) -> None:
    rows = [*ROWS[:3], POISON, *ROWS[4:8]]
    healthy, work.models, work.together = work.models, FaultyModels(config, "poisoned", error), 60_000
    assert counts(work.start(rows)) == (7, 0, 1)
    (reject,) = work.run.rejects()
    assert reject == Rejected(f"internal error: {error!r}", reject.path, 4, "article-00003")
    assert list(work.records()) == [row["id"] for row in rows if row is not POISON]

    work.models = healthy
    assert counts(work.start(rows)) == (0, 7, 1), "a reject stands until it is asked to be tried again"
    assert counts(work.start(rows, Selection(retry_rejected=True))) == (1, 7, 0)
    assert work.run.rejects() == []


def test_a_rejected_article_that_was_changed_is_tried_again(work: Batch, config: Config) -> None:
    work.models = FaultyModels(config, "poisoned", RuntimeError("x"))
    work.start([*ROWS[:3], POISON])
    assert counts(work.start([*ROWS[:3], ROWS[3]])) == (1, 3, 0)
    assert work.run.rejects() == []


def test_an_interrupt_in_the_engine_leaves_a_run_that_goes_on(work: Batch, config: Config) -> None:
    healthy, work.models = work.models, FaultyModels(config, "poisoned", KeyboardInterrupt())
    rows = [*ROWS[:8], {**POISON, "id": "article-00008"}, *ROWS[9:]]
    with pytest.raises(KeyboardInterrupt):
        work.start(rows)
    before = len(work.records())
    work.models = healthy
    assert counts(work.start(rows)) == (12 - before, before, 0)


class WatchedModels(Models):
    """Models whose engine tells before it translates."""

    def __init__(self, config: Config, before: Callable[[], None]) -> None:
        super().__init__(config)
        self._before = before

    def _engine(self, chosen: EngineConfig) -> Any:
        return WatchedEngine(super()._engine(chosen), self._before)


class WatchedEngine:
    """A real engine that tells before it translates."""

    def __init__(self, engine: Any, before: Callable[[], None]) -> None:
        self._engine = engine
        self._before = before
        self._busy = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def translate(self, *args: Any, **options: Any) -> Any:
        assert self._busy.acquire(blocking=False), "an engine serves one thread"
        try:
            self._before()
            return self._engine.translate(*args, **options)
        finally:
            self._busy.release()


def test_a_group_is_finished_while_the_next_one_is_translated(
    work: Batch, config: Config, expected: dict[str, bytes]
) -> None:
    told: list[Progress] = []
    first_is_told = threading.Event()
    ahead: list[int] = []

    def before() -> None:
        ahead.append(len(ahead) - len(told))
        if len(ahead) == 2:
            assert first_is_told.wait(60), "the first group waits for the second to be translated"

    def tell(progress: Progress) -> None:
        told.append(progress)
        first_is_told.set()

    work.models = WatchedModels(config, before)
    assert counts(work.start(ROWS, tell=tell)) == (12, 0, 0)
    assert max(ahead) == 1, "no more than one group waits to be finished"
    assert work.bytes() == expected


def test_an_engine_that_projection_asks_too_is_never_asked_twice_at_once(work: Batch, config: Config) -> None:
    row = {**config.model_dump(), "evidence": {"markers": 1.0}}
    work.models = WatchedModels(Config.model_validate(row), lambda: None)
    assert counts(work.start(ROWS[:5])) == (5, 0, 0)


def test_an_article_in_a_language_that_the_translator_does_not_know_costs_only_itself(work: Batch) -> None:
    rows = [*ROWS[:2], {"id": "odd", "text": "Hello there.", "lang": "be"}, ROWS[2]]
    work.targets = ("ko",)
    report = work.start(rows)
    known = {record.id for record in work.run.records()}
    assert {"article-00000", "article-00001", "article-00002"} <= known
    assert report.done + report.rejected == 4


def test_only_takes_ids_and_patterns(work: Batch) -> None:
    assert counts(work.start(ROWS, Selection(only=("article-00001", "*-0001?")))) == (3, 0, 0)
    assert set(work.records()) == {"article-00001", "article-00010", "article-00011"}
    assert counts(work.start(ROWS)) == (9, 3, 0)


def test_a_limit_is_of_articles_worked_on(work: Batch) -> None:
    assert counts(work.start(ROWS, Selection(limit=4))) == (4, 0, 0)
    assert counts(work.start(ROWS, Selection(limit=4))) == (4, 4, 0)
    assert list(work.records()) == [row["id"] for row in ROWS[:8]]


def test_rejects_of_articles_not_asked_for_stay(work: Batch, config: Config) -> None:
    work.models = FaultyModels(config, "poisoned", RuntimeError("x"))
    rows = [*ROWS[:3], POISON, "{bad"]
    work.start(rows)
    before = work.run.rejects()
    assert counts(work.start(rows, Selection(only=(ROWS[0]["id"],), retry_rejected=True)))[0] == 0
    assert work.run.rejects() == before


def test_rejects_of_other_inputs_stay_and_those_of_inputs_that_shrank_go(work: Batch) -> None:
    work.start(["{bad"], inputs="other.jsonl")
    work.start([*ROWS[:6], "{worse"])
    assert {Path(each.path).name for each in work.run.rejects()} == {"other.jsonl", "in.jsonl"}
    work.start(ROWS[:3])
    assert {Path(each.path).name for each in work.run.rejects()} == {"other.jsonl"}


def test_the_parts_of_a_run_are_the_whole(work: Batch, tmp_path: Path, models: Models) -> None:
    whole = Batch(tmp_path / "whole", models)
    whole.folder.mkdir()
    rows = [*ROWS[:4], "{bad", *ROWS[4:], ROWS[0]]
    whole.start(rows)
    reports = [work.start(rows, Selection(share=Share(part, 2))) for part in (2, 1)]
    assert sum(report.done for report in reports) == 12
    assert sum(report.rejected for report in reports) == 2
    assert work.bytes() == whole.bytes()
    plain = [[(each.reason, each.line) for each in one.run.rejects()] for one in (work, whole)]
    assert plain[0] == plain[1]


@pytest.fixture
def expected(tmp_path: Path, models: Models) -> dict[str, bytes]:
    serial = Batch(tmp_path / "serial", models)
    serial.folder.mkdir()
    serial.start(ROWS)
    return serial.bytes()


def test_processes_make_the_same_bytes_and_a_dead_worker_costs_nothing(
    work: Batch, expected: dict[str, bytes]
) -> None:
    killed: list[int] = []

    def kill_one(_: Progress) -> None:
        if not killed:
            victim = multiprocessing.active_children()[0]
            killed.append(victim.pid or 0)
            victim.kill()

    report = work.start(ROWS, runner=Processes(2), tell=kill_one)
    assert killed
    assert counts(report) == (12, 0, 0)
    assert work.bytes() == expected


def deadly_serve(*args: Any) -> None:
    """Serve as a worker does, but die as one does when the system runs out of memory on an article."""
    from mtalign import run as stages

    segment = stages.segment

    def deadly(document: Document) -> Document:
        if "poisoned" in document.text:
            os.kill(os.getpid(), signal.SIGKILL)
        return segment(document)

    stages.segment = deadly  # type: ignore[attr-defined]
    _REAL_SERVE(*args)


def test_an_article_that_kills_its_worker_is_found_and_refused(
    work: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_serve", deadly_serve)
    rows = [*ROWS[:3], POISON, *ROWS[4:6]]
    work.together = 60_000
    report = work.start(rows, runner=Processes(1))
    assert counts(report) == (5, 0, 1)
    (reject,) = work.run.rejects()
    assert (reject.id, reject.reason) == ("article-00003", "its worker process died (exit code -9)")


def always_die(*_: Any) -> None:
    """Die before anything is done."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_do_nothing_but_die_end_the_run(work: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_serve", always_die)
    with pytest.raises(UsageError, match="died one after the other"):
        work.start(ROWS, runner=Processes(2))


def test_a_model_that_a_worker_cannot_load_ends_the_run(work: Batch, tmp_path: Path) -> None:
    row = work.models.config.model_dump()
    row["encoder"]["model"] = str(tmp_path / "gone")
    gone = Config.model_validate(row)

    def run(job: Job, blocks: Iterator[Block], tell: Tell, stop: Stop) -> None:
        Processes(1)(replace(job, config=gone), blocks, tell, stop)

    with pytest.raises(UsageError, match="gone"):
        work.start(ROWS, runner=run)
    assert counts(work.start(ROWS)) == (12, 0, 0)


def test_processes_stop_between_groups_when_told_to(work: Batch, expected: dict[str, bytes]) -> None:
    said: list[Progress] = []
    report = work.start(ROWS, runner=Processes(2), tell=said.append, stop=lambda: bool(said))
    assert report.exit_code == 130
    assert 0 < report.done < 12
    assert counts(work.start(ROWS)) == (12 - report.done, report.done, 0)
    assert work.bytes() == expected


def test_each_article_for_itself_gives_what_it_gives_together(
    work: Batch, tmp_path: Path, models: Models
) -> None:
    together = Batch(tmp_path / "together", models, together=60_000)
    together.folder.mkdir()
    together.start(ROWS)
    work.together = 1
    work.start(ROWS)
    assert work.bytes() == together.bytes()


@pytest.mark.ray
def test_a_ray_cluster_makes_the_same_bytes(work: Batch, expected: dict[str, bytes]) -> None:
    pytest.importorskip("ray")
    from mtalign.runners.ray import RayCluster

    rows = [*ROWS]
    report = work.start(rows, runner=RayCluster(2))
    assert counts(report) == (12, 0, 0)
    assert work.bytes() == expected
    assert not (work.run.path / "work").exists()
    assert counts(work.start(rows, runner=RayCluster(2))) == (0, 12, 0)


@pytest.mark.ray
def test_an_actor_that_is_killed_costs_nothing(
    work: Batch, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    from mtalign.runners import ray as runner

    died = work.folder / "died"

    class Mortal(runner.BlockActor):
        """Kills its process after the first group that any actor writes."""

        def __init__(self, job: Job) -> None:
            super().__init__(job)
            do = self._worker.work

            def work(block: Block, tell: Tell, stop: Stop) -> None:
                def told(progress: Progress) -> None:
                    tell(progress)
                    with contextlib.suppress(FileExistsError):
                        died.touch(exist_ok=False)
                        os.kill(os.getpid(), signal.SIGKILL)

                do(block, told, stop)

            self._worker.work = work  # type: ignore[method-assign]

    monkeypatch.setattr(runner, "BlockActor", Mortal)
    told: list[str] = []
    report = work.start(ROWS, runner=runner.RayCluster(2), tell=lambda each: told.extend(each.done))
    assert died.exists()
    assert counts(report) == (12, 0, 0)
    assert sorted(told) == [row["id"] for row in ROWS]
    assert work.bytes() == expected
