"""The articles of a run as the report shows them: records as reviewed, with their links and reviews."""

from __future__ import annotations

from collections.abc import Iterator

from mtalign.record import Record
from mtalign.report.links import LinkFile
from mtalign.report.page import Shown
from mtalign.review import Review, read_reviews, settle
from mtalign.store import Run


class Source:
    """A run, read as often as needed; the reviews are those that were there when this was made."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._links = LinkFile(run.path)
        self.reviews: dict[str, list[Review]] = read_reviews(run.path).by_article()

    def __iter__(self) -> Iterator[Shown]:
        return (self.shown(record) for record in self._run.records())

    def shown(self, record: Record) -> Shown:
        """Return one article with its reviews in it."""
        outcome = settle(record, self.reviews.get(record.id, ()))
        return Shown(outcome.record, self._links.of(outcome.record), outcome.applied)
