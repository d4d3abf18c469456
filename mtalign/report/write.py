"""Writes a report as files: one page, or an index with a folder of pages where one would be too large."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from markupsafe import Markup

from mtalign.errors import UsageError
from mtalign.folder import new_folder
from mtalign.record import Rejected
from mtalign.report.find import find_entry
from mtalign.report.overview import ArticleLine, Tally, line, tally
from mtalign.report.page import (
    Body,
    Shown,
    find_json,
    find_name,
    find_script,
    label_hues,
    page_name,
    render_body,
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

_SPOOL = 32 << 20

_OURS = re.compile(r"\d{4,}\.html|find-\d{4,}\.js")


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


def write_report(articles: Iterable[Shown], rejected: Sequence[Rejected], out: Path, title: str) -> Written:
    """Write the report to `out`; where one page would be too large, the others go to a folder beside it.

    Every file appears in one move: a reader sees the old report or the new one, never half of it. The
    articles are gone through once: what surrounds them tells of all, so they wait in a file without a name.
    In memory are the articles of one page, and one line for each of the others.

    Raises:
        UsageError: the file or the folder cannot be written, or the folder holds something else.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with SpooledTemporaryFile(max_size=_SPOOL, dir=str(out.parent)) as spool:
            return _write(_Gathered(articles, cast(BinaryIO, spool)), rejected, out, title)
    except OSError as error:
        raise UsageError(
            f"cannot write the report {out}: {error.strerror or error}; choose another place with -o"
        ) from error


def _write(gathered: _Gathered, rejected: Sequence[Rejected], out: Path, title: str) -> Written:
    total = gathered.total
    folder = out.with_name(f"{out.stem}-pages")
    report = site(title, total, rejected, folder=folder.name)
    if total.rows <= SINGLE_PAGE_ROWS:
        bodies = [gathered.body(each) for each in gathered.pages]
        body = Body(Markup("\n").join(each.html for each in bodies), any(each.linked for each in bodies))
        write_atomically(out, render_single(report, [each for each, _ in gathered.lines], body))
        return Written(out, total.articles, 1, None)
    _check_replaceable(folder)
    count = len(gathered.pages)
    with new_folder(folder) as building:
        for page in gathered.pages:
            text = render_page(report, gathered.body(page), page.number, count, f"../{out.name}")
            (building / page_name(page.number)).write_text(text, encoding="utf-8", newline="")
            (building / find_name(page.number)).write_bytes(gathered.find(page))
    write_atomically(out, render_index(report, gathered.lines, count))
    return Written(out, total.articles, count, folder)


@dataclass(frozen=True)
class _Page:
    """Where the spool has the articles of a page, and what the search needs of them."""

    number: int
    start: int
    middle: int
    end: int
    linked: bool


class _Gathered:
    """All articles of a report: their numbers, and their pages, rendered, in the spool."""

    def __init__(self, articles: Iterable[Shown], spool: BinaryIO) -> None:
        self.total = Tally()
        self.lines: list[tuple[ArticleLine, int]] = []
        self.pages: list[_Page] = []
        self._spool = spool
        paginator = Paginator()
        placed = ((paginator.place(len(each.record.tuples)), each) for each in articles)
        for number, group in groupby(placed, key=itemgetter(0)):
            self._gather(number, [each for _, each in group])

    def _gather(self, number: int, shown: Sequence[Shown]) -> None:
        for each in shown:
            self.total.add(tally(each.record))
            self.lines.append((line(each.record), number))
        views = [each.view() for each in shown]
        body = render_body(views, label_hues(self.total.labels))
        found = find_script(number, (find_json(find_entry(view, page_name(number))) for view in views))
        start = self._spool.tell()
        middle = start + self._spool.write(body.html.encode("utf-8"))
        end = middle + self._spool.write(found.encode("utf-8"))
        self.pages.append(_Page(number, start, middle, end, body.linked))

    def body(self, page: _Page) -> Body:
        """Return the articles of a page."""
        return Body(Markup(self._read(page.start, page.middle).decode()), page.linked)  # noqa: S704

    def find(self, page: _Page) -> bytes:
        """Return the script that hands the articles of a page to the search."""
        return self._read(page.middle, page.end)

    def _read(self, start: int, end: int) -> bytes:
        self._spool.seek(start)
        return self._spool.read(end - start)


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
