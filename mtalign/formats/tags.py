"""Tags of words, as spans: IOB2, IOB1, BIOES and BILOU alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mtalign.document import Span

TAG = re.compile(r"(?:([BIESLU])-(.*)|O)", re.DOTALL)
_BEGINS, _ENDS = "BSU", "ESLU"


def mentions(places: Sequence[Span], tags: Sequence[str]) -> Iterator[tuple[Span, str]]:
    """Yield the spans that tags mark; a tag that goes on with nothing begins a mention, as IOB1 writes it."""
    start: int | None = None
    end, label = 0, ""
    for place, tag in zip(places, tags, strict=True):
        found = TAG.fullmatch(tag)
        prefix, own = (found[1] or "", found[2] or "") if found else ("", "")
        if start is not None and (not prefix or prefix in _BEGINS or own != label):
            yield Span(start, end), label
            start = None
        if prefix:
            start = place.start if start is None else start
            end, label = place.end, own
        if prefix and prefix in _ENDS:
            yield Span(start if start is not None else place.start, end), label
            start = None
    if start is not None:
        yield Span(start, end), label
