"""How long a report takes to make and to open: 1, 100 and 10,000 articles, as files and served.

Usage: python scripts/bench_report.py [--sizes 1,100,10000] [--how files,served] [--folder FOLDER]

The articles are those of the project's own news corpus over and over, under other ids, in four languages.
"Opened" is what a person waits for: from asking a real Chromium for the page until its load event, the
script run and the first article or line of the list shown. "Found" is from typing a name into the search
until the last page has been looked through. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from msgspec.structs import replace
from playwright.sync_api import Browser, sync_playwright

from mtalign.record import Record
from mtalign.report.serve import ReportServer
from mtalign.report.source import Source
from mtalign.report.write import write_report
from mtalign.store import Run, Writer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from corpus import news

NAME = "Busan"
ALL_READ = re.compile(r"^\d+ rows? in \d+ articles?$")
MANIFEST = {"targets": ["ko", "uk", "ru"]}


def articles(count: int) -> Iterator[Record]:
    """Yield `count` articles; every one has an id of its own."""
    known = news()
    for number in range(count):
        each = known[number % len(known)]
        name = f"{each.id}-{number}"
        targets = {lang: replace(target, id=name) for lang, target in each.targets.items()}
        yield replace(each, id=name, source=replace(each.source, id=name), targets=targets)


def make_run(folder: Path, count: int) -> Run:
    """Write a run directory without the disk synchronisation that a real run pays for each group."""
    with Writer(folder, MANIFEST) as writer:
        writer.add(*articles(count))
    return Run(folder)


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def open_page(browser: Browser, address: str) -> tuple[float, float | None]:
    """Open a page, and search it if it is an index; return the seconds of both."""
    page = browser.new_page()
    page.set_default_timeout(600_000)

    def load() -> None:
        page.goto(address)
        page.locator(".article .text, #contents tbody tr").first.wait_for()

    opened = timed(load)
    found = None
    if page.locator("#library").count():

        def search() -> None:
            page.fill("#query", NAME)
            page.locator("#found", has_text=ALL_READ).wait_for()

        found = timed(search)
    page.close()
    return opened, found


@contextmanager
def served(run: Run) -> Iterator[ReportServer]:
    """Serve a run in the background."""
    with ReportServer(run, "Bench") as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def row(*cells: object) -> None:
    """Print one row of the table."""
    shown = [
        f"{cell:.2f} s" if isinstance(cell, float) else "–" if cell is None else str(cell) for cell in cells
    ]
    print(f"| {' | '.join(shown)} |", flush=True)


def size(path: Path) -> str:
    """Return the size of a file or folder in MB."""
    files = [path] if path.is_file() else list(path.rglob("*"))
    return f"{sum(each.stat().st_size for each in files) / 1e6:.1f} MB"


def measure_files(browser: Browser, run: Run, out: Path, count: int) -> None:
    """Write the report, open it, search it."""
    processor = time.process_time()
    seconds = timed(lambda: write_report(Source(run), [], out, "Bench"))
    made = f"{seconds:.1f} s ({time.process_time() - processor:.1f} s of a core)"
    pages = out.with_name("report-pages")
    weight = size(out) + (f" + {size(pages)}" if pages.exists() else "")
    row(count, "files", made, weight, *open_page(browser, out.as_uri()))


def measure_served(browser: Browser, run: Run, count: int) -> None:
    """Open the report of a run that was never served, and of one that was; starting the server counts too."""
    start = time.perf_counter()
    with served(run) as server:
        ready = time.perf_counter() - start
        opened = open_first(browser, server.address)
        server.wait()
        row(count, "served, first time", time.perf_counter() - start, "", ready + opened, None)
    start = time.perf_counter()
    with served(run) as server:
        ready = time.perf_counter() - start
        opened, found = open_page(browser, server.address)
        row(count, "served again", None, size(run.path / "report.sqlite"), ready + opened, found)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1,100,10000")
    parser.add_argument("--how", default="files,served")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="bench-report-"))
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("this benchmark needs chromium")
    print(subprocess.run([chromium, "--version"], capture_output=True, text=True, check=False).stdout.strip())
    print("\n| articles | how | made or read in | size | opened in | found in |\n|---|---|---|---|---|---|")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for count in (int(each) for each in chosen.sizes.split(",")):
            place = folder / str(count)
            shutil.rmtree(place, ignore_errors=True)
            run = make_run(place / "run", count)
            if "files" in chosen.how:
                measure_files(browser, run, place / "report.html", count)
            if "served" in chosen.how:
                measure_served(browser, run, count)
        browser.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of this process {memory:.0f} MB")
    if chosen.folder is None:
        shutil.rmtree(folder)


def open_first(browser: Browser, address: str) -> float:
    """Open the index of a run that is still being read."""
    page = browser.new_page()
    seconds = timed(
        lambda: (page.goto(address), page.locator("#contents, #nothing").first.wait_for(state="attached"))
    )
    page.close()
    return seconds


if __name__ == "__main__":
    main()
