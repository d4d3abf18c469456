"""The main job on examples/summit, twice: with human translations, and with the starter translator.

Usage: python scripts/demo.py [--out FOLDER]

Every step is an ordinary mtalign command, printed before it runs. What is already there is not made
again, so a second call ends in seconds.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mtalign.cli import app, quieten_libraries

EXAMPLE = Path(__file__).parents[1] / "examples" / "summit"
QUERY = "변압기는 언제 항구를 떠나나?"  # when do the transformers leave the port?


def mtalign(*args: str | Path, makes: Path | None = None, after: Path | None = None) -> None:
    """Run one command in this process, unless what it `makes` is newer than what it is made `after`."""
    words = [str(arg) for arg in args]
    print(f"\n$ mtalign {shlex.join(words)}", flush=True)
    if makes and after and makes.exists() and makes.stat().st_mtime >= after.stat().st_mtime:
        print(f"{makes} is up to date")
        return
    start = time.perf_counter()
    code = app(words, standalone_mode=False)
    print(f"({time.perf_counter() - start:.1f} s)", flush=True)
    if code:
        sys.exit(f"mtalign {words[0]} ended with exit code {code}")


def products(run: Path, out: Path, *publish_options: str) -> None:
    """Publish, index and report one run."""
    records = max((run / "records").iterdir(), key=lambda each: each.stat().st_mtime)
    dataset, index, page = out / "dataset", out / "index", out / "report.html"
    mtalign("publish", run, "-o", dataset, *publish_options, makes=dataset, after=records)
    mtalign("search", "build", run, "-o", index, "-c", "starter", makes=index, after=records)
    mtalign("report", run, "-o", page, makes=page, after=records)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("demo"), help="where everything goes")
    out = parser.parse_args(arguments).out
    quieten_libraries()
    start = time.perf_counter()
    human, machine = out / "human", out / "machine"
    mtalign("models", "fetch", "starter:e5-small", "starter:gemma-3-270m")

    print("\n== (a) an article with human translations: aligned, projected, checked")
    target = ["--to", "ko,uk,ru", "-c", "starter"]
    mtalign("run", EXAMPLE / "article.jsonl", *target, "-o", human / "run")
    products(human / "run", human)
    mtalign("evaluate", "sentences", "--gold", EXAMPLE / "beads.gold.jsonl", "--pred", human / "run")
    mtalign("evaluate", "entities", "--gold", EXAMPLE / "entities.gold.jsonl", "--pred", human / "run")

    print("\n== (b) the same article, translated by the starter translator")
    mtalign("run", EXAMPLE / "english.jsonl", *target, "-o", machine / "run")
    products(machine / "run", machine, "--allow-demo")

    print("\n== a question in Korean, answered in Ukrainian and shown in every language")
    mtalign("search", "query", QUERY, "--index", human / "index", "--lang", "uk", "-k", "3", "-c", "starter")

    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\ndone in {time.perf_counter() - start:.0f} s, peak memory {memory:.0f} MB")
    for name, folder in (("human", human), ("starter", machine)):
        print(f"{name:8} report  {folder / 'report.html'}")
        print(f"{'':8} dataset {folder / 'dataset'}")
        print(f"{'':8} index   {folder / 'index'}")
    print(
        "\nThe starter's translations (machine/) are of DEMO QUALITY and not fit for use: they only show the "
        "way.\nReal ones: mtalign run … -c configs/ko-uk-ru.yaml (OPUS-MT and M2M100, from the hub)."
    )


if __name__ == "__main__":
    main()
