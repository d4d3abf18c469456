"""Blocks on a Ray cluster, through Ray Data: actors hold the models and write the same shards.

The driver plans as always and puts every block that needs work into `RUN/work/`; the data set is the list
of these files, and a row that comes back says what was done. The run directory must be on a folder that all
nodes see under the same path.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mtalign.batch import Block, Job, Progress, Stop, Tell, Worker, written
from mtalign.errors import MissingExtra, MtalignError, UsageError
from mtalign.record import encode_json
from mtalign.store import writing

_WORK = "work"
_STOP = "stop"


@dataclass(frozen=True)
class RayCluster:
    """Does the blocks with actors of a Ray cluster.

    `address` is that of the cluster, None to start one on this machine; `count` is the number of actors, and
    each is given `gpus` accelerators (a part of one is allowed).
    """

    count: int
    address: str | None = None
    gpus: float = 0.0

    def __call__(self, job: Job, blocks: Iterator[Block], tell: Tell, stop: Stop) -> None:
        """Work through the blocks.

        Raises:
            MissingExtra: Ray is not installed.
            UsageError: the cluster cannot be reached, or an actor could do nothing for any article.
        """
        ray = _ray()
        work = job.run / _WORK
        with writing(job.run):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            files = [_spooled(work, block) for block in blocks]
        try:
            if files and not stop():
                self._map(ray, job, files, tell, stop)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _map(self, ray: Any, job: Job, files: list[str], tell: Tell, stop: Stop) -> None:
        import logging

        ours = not ray.is_initialized()
        try:
            if ours:
                ray.init(
                    address=self.address,
                    num_cpus=None if self.address else self.count + 1,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            ray.data.DataContext.get_current().enable_progress_bars = False
            done = ray.data.from_items([{"file": file} for file in files], override_num_blocks=len(files))
            done = done.map_batches(
                BlockActor,
                fn_constructor_args=(job,),
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=min(self.count, len(files))),
                num_cpus=1,
                num_gpus=self.gpus,
            )
            for row in done.iter_rows():
                if row["error"]:
                    raise UsageError(row["error"])
                for progress in _progress_decoder.decode(row["progress"]):
                    tell(progress)
                if stop():
                    (job.run / _WORK / _STOP).touch()
        except (ray.exceptions.RayError, ConnectionError, RuntimeError) as error:
            raise UsageError(
                f"the Ray cluster failed: {error}; what was finished is kept, start again to go on"
            ) from error
        finally:
            if ours:
                ray.shutdown()


class BlockActor:
    """Does one block after the other with models of its own; lives on a node of the cluster."""

    def __init__(self, job: Job) -> None:
        from mtalign.load import Models

        self._job = job
        self._worker = Worker(job, Models(job.config, job.memory))

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Work on the blocks in the files of a batch; an error is a value, so that Ray does not try again."""
        said: list[Progress] = []
        error = ""
        stop = self._job.run / _WORK / _STOP
        try:
            for file in batch["file"]:
                block = _block_decoder.decode(Path(str(file)).read_bytes())
                # What an actor that died told went with it.
                if (untold := written(self._job, block)).done:
                    said.append(untold)
                self._worker.work(block, said.append, stop.exists)
        except MtalignError as failure:
            error = str(failure)
        return {"progress": [encode_json(said)], "error": [error]}


_block_decoder = msgspec.json.Decoder(Block)
_progress_decoder = msgspec.json.Decoder(list[Progress])


def _spooled(work: Path, block: Block) -> str:
    file = work / f"{block.number:05d}.json"
    file.write_bytes(encode_json(block))
    return str(file.absolute())


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtra('--runner ray needs Ray: pip install "mtalign[ray]"') from error
    return ray
