"""Writes a report as files: one page, or an index with a folder of pages where one would be too large."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from mtalign.errors import UsageError
from mtalign.folder import new_folder
from mtalign.record import Rejected
from mtalign.report.overview import ArticleLine, Tally, line, tally
from mtalign.report.page import (
    Shown,
    find_name,
    page_name,
    render_find,
    render_index,
    render_page,
    render_single,
    site,
)
from mtalign.store import write_atomically

SINGLE_PAGE_ROWS = 1500
"""Up to this many rows stand in one page: some 5 MB with four languages, which a phone still opens."""

PAGE_ROWS = 300
"""A page of a larger report is full when it has this many rows."""

_OURS = re.compile(r"\d{4,}\.html|find-\d{4,}\.js")


class Articles(Protocol):
    """Articles that can be gone through more than once."""

    def __iter__(self) -> Iterator[Shown]:
        """Go through all of them from the beginning."""
        ...


@dataclass(frozen=True)
class Written:
    """What was written; `folder` is None where one page holds everything."""

    path: Path
    articles: int
    pages: int
    folder: Path | None


class Paginator:
    """Says which page (from 1) the next article stands on: an article is never cut, a page never endless."""

    def __init__(self, rows: int = 0, page: int = 1) -> None:
        self._rows = rows
        self.page = page

    def place(self, rows: int) -> int:
        """Return the page of an article with this many rows."""
        if self._rows and self._rows + rows > PAGE_ROWS:
            self.page += 1
            self._rows = 0
        self._rows += rows
        return self.page


def write_report(articles: Articles, rejected: Sequence[Rejected], out: Path, title: str) -> Written:
    """Write the report to `out`; where one page would be too large, the others go to a folder beside it.

    Every file appears in one move: a reader sees the old report or the new one, never half of it. One
    article is in memory at a time, and one line for each of the others.

    Raises:
        UsageError: the file or the folder cannot be written, or the folder holds something else.
    """
    total, lines = Tally(), []
    paginator = Paginator()
    for each in articles:
        rows = len(each.record.tuples)
        total.add(tally(each.record))
        lines.append((line(each.record), paginator.place(rows)))
    folder = out.with_name(f"{out.stem}-pages")
    report = site(title, total, rejected, folder=folder.name)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if total.rows <= SINGLE_PAGE_ROWS:
            write_atomically(out, render_single(report, articles))
            return Written(out, total.articles, 1, None)
        _check_replaceable(folder)
        with new_folder(folder) as building:
            for page, shown in _by_page(articles, lines):
                home = f"../{out.name}"
                (building / page_name(page)).write_text(
                    render_page(report, shown, page, paginator.page, home), encoding="utf-8", newline=""
                )
                (building / find_name(page)).write_text(render_find(shown, page), encoding="utf-8")
        write_atomically(out, render_index(report, lines, paginator.page))
    except OSError as error:
        raise UsageError(
            f"cannot write the report {out}: {error.strerror or error}; choose another place with -o"
        ) from error
    return Written(out, total.articles, paginator.page, folder)


def _by_page(
    articles: Iterable[Shown], lines: Iterable[tuple[ArticleLine, int]]
) -> Iterator[tuple[int, list[Shown]]]:
    placed = zip(articles, (page for _, page in lines), strict=True)
    for page, group in groupby(placed, key=lambda pair: pair[1]):
        yield page, [shown for shown, _ in group]


def _check_replaceable(folder: Path) -> None:
    """Refuse to replace anything but the pages of an earlier report."""
    if not folder.exists():
        return
    others = (
        [each.name for each in folder.iterdir() if not _OURS.fullmatch(each.name)]
        if folder.is_dir()
        else ["a file"]
    )
    if others:
        raise UsageError(
            f"{folder} holds {others[0]}, which is no page of a report; choose another name with -o"
        )
