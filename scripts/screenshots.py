"""Photographs the report of a run for the docs, in a real Chromium: three widths, light and dark.

Usage: python scripts/screenshots.py RUN [--out docs/screenshots]

RUN is best that of `make demo` with word links made: mtalign report RUN -o page.html --links -c starter
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from mtalign.report.source import Source
from mtalign.report.write import write_report
from mtalign.store import Run


def overview(page: Page) -> None:
    """The head of the page."""
    page.evaluate("scrollTo(0, 0)")


def article(page: Page) -> None:
    """The rows, with the pointer on a name."""
    page.locator(".legend").evaluate("node => node.scrollIntoView()")
    page.locator('.cell[data-lang="ko"] .mention').nth(1).hover()
    page.wait_for_timeout(200)


def found(page: Page) -> None:
    """A search."""
    page.fill("#query", "Seoul")
    page.locator("#filter").evaluate("node => node.scrollIntoView()")


def review(page: Page) -> None:
    """The review of a name, with one decision made."""
    article(page)
    page.locator('.cell[data-lang="ko"] .mention').nth(1).click()
    page.locator("#panel fieldset[data-lang=uk]").get_by_role("button", name="Accept").click()
    page.wait_for_timeout(200)


SHOTS: list[tuple[str, int, int, str, Callable[[Page], None]]] = [
    ("overview", 1400, 1000, "light", overview),
    ("overview", 1400, 1000, "dark", overview),
    ("article", 1400, 900, "light", article),
    ("article", 1400, 900, "dark", article),
    ("review", 1400, 900, "light", review),
    ("article", 800, 1000, "light", article),
    ("article", 800, 1000, "dark", article),
    ("article", 390, 844, "light", article),
    ("article", 390, 844, "dark", article),
    ("overview", 390, 844, "light", overview),
    ("find", 800, 700, "light", found),
]


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    chosen = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("screenshots need chromium")
    run = Run(chosen.run)
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        made = write_report(Source(run), run.rejects(), Path(folder) / "report.html", "Energy summit")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, width, height, light, arrange in SHOTS:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if light == "dark" else "light",
                reduced_motion="reduce",
            )
            page = context.new_page()
            page.goto(made.path.as_uri())
            arrange(page)
            out = chosen.out / f"{name}-{width}-{light}.png"
            page.screenshot(path=out)
            print(f"{out}  {out.stat().st_size / 1000:.0f} kB")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
