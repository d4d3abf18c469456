"""Offsets in UTF-16 code units, as JavaScript, Java and C# count, to and from code points."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from mtalign.document import Span
from mtalign.errors import InputError

_LAST_OF_ONE_UNIT = "\uffff"


class Utf16:
    """The two ways to count the places of one text."""

    def __init__(self, text: str) -> None:
        self._places = [0, *accumulate(1 + (char > _LAST_OF_ONE_UNIT) for char in text)]

    def code_points(self, start: int, end: int) -> Span:
        """Return a range of UTF-16 units as a span.

        Raises:
            InputError: an end is outside the text, or between the two halves of a character.
        """
        return Span(self._place(start), self._place(end))

    def units(self, span: Span) -> tuple[int, int]:
        """Return a span as a range of UTF-16 units."""
        return self._places[span.start], self._places[span.end]

    def _place(self, offset: int) -> int:
        found = bisect_left(self._places, offset)
        if found == len(self._places) or self._places[found] != offset:
            raise InputError(
                f"UTF-16 offset {offset} is inside a character "
                f"or outside the text of {self._places[-1]} units"
            )
        return found
