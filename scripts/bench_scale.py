"""Measure what a run costs as it grows: memory, time, and a second start. Figures of docs/reliability.md.

    python scripts/bench_scale.py [--sizes 100,1000,10000]

Short articles without entities and the tiny checkpoints of the tests, so that what grows with the number of
articles is not hidden behind a model. Every run and every second start is a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import toys

# Not ru_maxrss, which a process inherits from the one that started it.
_RUN = (
    "import sys; from mtalign.cli import main\n"
    "try: main()\n"
    "finally:\n"
    "    peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
    "    print(peak.split()[1], file=sys.stderr)"
)


@dataclass(frozen=True)
class Cost:
    """What one process cost: wall and processor seconds, and its largest size in MB."""

    wall: float
    cpu: float
    peak: float


def measure(arguments: list[str]) -> Cost:
    """Run a command to its end."""
    before, cpu_before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = cpu.ru_utime + cpu.ru_stime - cpu_before.ru_utime - cpu_before.ru_stime
    return Cost(time.monotonic() - before, used, int(done.stderr.split()[-1]) / 1024)


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="100,1000,10000")
    sizes = [int(each) for each in parser.parse_args().sizes.split(",")]
    rows = [{**row, "entities": []} for row in toys.articles(max(sizes), sentences=1)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = toys.config(folder)
        print("| articles | run s | CPU s | CPU ms each | peak MB | again s | again CPU s | again peak MB |")
        print("|---|---|---|---|---|---|---|---|")

        def arguments(size: int, run: str) -> list[str]:
            inputs = toys.write_articles(folder / "in.jsonl", rows[:size])
            options = ["--to", "ru", "-c", str(config), "-o", str(folder / run), "--no-memory"]
            return ["run", str(inputs), *options]

        # What starting and loading cost whatever the number; the first of the two also fills caches.
        base = [measure(arguments(1, run)) for run in ("warm", "base")][1]
        for size in sizes:
            command = arguments(size, f"run-{size}")
            first, again = measure(command), measure(command)
            each = 1000 * (first.cpu - base.cpu) / size
            print(
                f"| {size} | {first.wall:.1f} | {first.cpu:.1f} | {each:.1f} | {first.peak:.0f} | "
                f"{again.wall:.1f} | {again.cpu:.1f} | {again.peak:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
