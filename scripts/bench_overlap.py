"""What it brings that a group is finished while the next one is translated. Figures of docs/scaling.md.

    python scripts/bench_overlap.py [--articles 60] [--sentences 10] [--encoder starter:e5-small]
                                    [--only server]

The same articles go through one worker twice with each engine: as mtalign does it, and with every group
finished before the next one is begun. The engines are a server on the loopback interface that takes its
time without taking a processor, as one with a GPU does, and CTranslate2 on the cores of this machine, with a
Marian of the size of OPUS-MT (random weights).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"TOKENIZERS_PARALLELISM": "false"}
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import bench_translate
import toys
from loopback import chat_server

from mtalign import batch
from mtalign.batch import Job, Progress, run_batch
from mtalign.config import Config
from mtalign.formats.articles import find_inputs, read_articles
from mtalign.load import Models
from mtalign.runners.local import InProcess
from mtalign.store import claim

_NEWS = Path(__file__).resolve().parents[1] / "tests" / "data" / "news.jsonl"
TOGETHER = 3_000


class OneAfterTheOther(batch.Behind):
    """Finishes a group before the next one is begun."""

    def do(self, work: Callable[[], None]) -> None:
        """Do it, and wait for its end."""
        super().do(work)
        self.wait()


def measure(
    models: Models, inputs: Path, run: Path, behind: type[batch.Behind]
) -> tuple[float, Counter[str], bytes]:
    """Return the seconds of a run, those of its stages, and the bytes of its records."""
    timings: Counter[str] = Counter()

    def tell(progress: Progress) -> None:
        timings.update(progress.timings)

    usual, batch.Behind = batch.Behind, behind
    try:
        files = find_inputs([str(inputs)])
        with claim(run, {}) as start:
            job = Job(run, start, ("ru",), models.config, together=TOGETHER)
            before = time.monotonic()
            report = run_batch(read_articles(files, "en"), files, job, models, InProcess(models), tell=tell)
            took = time.monotonic() - before
    finally:
        batch.Behind = usual
    assert report.exit_code == 0, report
    records = b"".join(each.read_bytes() for each in sorted((run / "records").iterdir()))
    return took, timings, records


def compare(name: str, translator: dict[str, Any], encoder: str, inputs: Path, folder: Path) -> None:
    """Print a row for one engine."""
    config = Config.model_validate(
        {
            "encoder": {"model": encoder, "prefix": "query: "},
            "translate": {"default": {**translator, "ladder": []}},
        }
    )
    models = Models(config)
    few = toys.write_articles(folder / "few.jsonl", [{"id": "few", "text": "A word was said. Another too."}])
    measure(models, few, folder / f"warm {name}", batch.Behind)
    serial, _, expected = measure(models, inputs, folder / f"serial {name}", OneAfterTheOther)
    took, timings, records = measure(models, inputs, folder / f"behind {name}", batch.Behind)
    translating = timings["translate ru"]
    other = sum(timings.values()) - translating
    same = "the same" if records == expected else "OTHER"
    seconds = f"{translating:.1f} | {other:.1f} | {serial:.1f} | {took:.1f}"
    print(f"| {name} | {seconds} | {1 - took / serial:.0%} | {same} |", flush=True)


def main() -> None:
    """Print a row for each engine."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--articles", type=int, default=60)
    parser.add_argument("--sentences", type=int, default=10)
    parser.add_argument("--encoder", default="starter:e5-small")
    parser.add_argument("--seconds", type=float, default=0.25, help="of the server for an answer")
    parser.add_argument("--only", choices=("server", "ctranslate2"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = toys.write_articles(
            folder / "in.jsonl", toys.articles(options.articles, sentences=options.sentences)
        )
        print("| engine | translating s | others s | in turn s | overlapped s | less | bytes |")
        print("|---|---|---|---|---|---|---|")
        if options.only != "ctranslate2":
            with chat_server(options.seconds) as served:
                rate = served["concurrency"] / options.seconds
                engine = {"engine": "openai", "model": "bench", "options": served}
                compare(f"server, {rate:g} sentences/s", engine, options.encoder, inputs, folder)
        if options.only == "server":
            return
        bench_translate.make_model(folder / "marian", _NEWS)
        for workers in (1, len(os.sched_getaffinity(0))):
            local = {
                "engine": "ctranslate2",
                "model": str(folder / "marian"),
                "options": {"workers": workers, "max_ratio": 0.5},
            }
            compare(f"CTranslate2 int8, workers {workers}", local, options.encoder, inputs, folder)


if __name__ == "__main__":
    main()
