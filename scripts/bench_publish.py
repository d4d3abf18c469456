"""How long publishing takes and how much memory it needs, on articles made by repeating the news corpus.

Usage: python scripts/bench_publish.py [--articles 500 2000] [--splits train=90,test=10]

Each number of articles is published in a process of its own. The copies have the same text under other ids,
so all of them are near-duplicates: the hardest case for finding them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from mtalign.cli.publish import shares
from mtalign.publish import publish
from mtalign.record import Record

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from corpus import NEWS, record  # tests/corpus.py


def records(count: int) -> Iterator[Record]:
    """Yield that many articles."""
    rows = [json.loads(line) for line in NEWS.read_text(encoding="utf-8").splitlines()]
    for number in range(count):
        yield record(rows[number % len(rows)] | {"id": f"{number % len(rows)}-{number}"})


def measure(count: int, splits: str) -> dict[str, float]:
    """Publish that many articles and return what it took."""
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        processor = time.process_time()
        made = publish(records(count), Path(folder) / "out", name="bench", splits=shares(splits))
        return {
            "articles": made.articles,
            "rows": sum(sum(each.values()) for each in made.rows.values()),
            "seconds": round(time.perf_counter() - start, 1),
            "cpu_seconds": round(time.process_time() - processor, 1),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "dataset_mb": round(sum((made.path / file).stat().st_size for file in made.files) / 1e6, 1),
            "near_duplicates": made.near_duplicates,
        }


def main() -> None:
    """Print one line of JSON per number of articles."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--articles", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--splits", default="train=90,test=10")
    arguments = parser.parse_args()
    if len(arguments.articles) == 1:
        print(json.dumps(measure(arguments.articles[0], arguments.splits)), flush=True)
        return
    for count in arguments.articles:
        subprocess.run(
            [sys.executable, __file__, "--articles", str(count), "--splits", arguments.splits], check=True
        )


if __name__ == "__main__":
    main()
