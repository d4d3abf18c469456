"""Cutting a sentence that is too long for a model into parts, at clause boundaries where there are any.

Nothing is dropped: the parts and the white space between them are the sentence. Syntax is not
parsed: a clause boundary is what punctuation shows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from mtalign.document import Span
from mtalign.errors import InputError

# From the best place to cut to the worst. A cut is made at the end of a match.
_CUTS = (
    re.compile(r"[;:…](?=\s)|[.!?][\"”»’)\]]*(?=\s)|\s[–—](?=\s)|[；：。！？]"),
    re.compile(r",[\"”»’)]*(?=\s)|[)\]](?=\s)|[，、]"),
)
_WORD_END = re.compile(r"(?<=\S)(?=\s)")
_JOINER = "\u200d"


def split_at_clauses(text: str, count: Callable[[str], int], limit: int) -> list[Span]:
    """Return spans of `text`, in order, each of at most `limit` by `count`.

    A text within the limit is one span. Otherwise it is cut near its middle, at the strongest kind of
    boundary that the middle half offers or else between two words, and each side again as needed; a
    text without white space is cut between characters. Only white space lies outside the spans.

    Args:
        text: the sentence.
        count: the length of a piece of text as the model sees it; it must not grow when text is cut off.
        limit: the largest allowed length.

    Raises:
        InputError: a single character is over the limit.
    """
    spans: list[Span] = []
    waiting = [_trimmed(text, 0, len(text))]
    while waiting:
        span = waiting.pop()
        piece = span.of(text)
        if not piece:
            continue
        if count(piece) <= limit:
            spans.append(span)
            continue
        if len(piece) == 1:
            raise InputError(
                f"a limit of {limit} tokens is too small: the character {piece!r} alone has {count(piece)}"
            )
        cut = span.start + _best_cut(piece)
        waiting += [_trimmed(text, cut, span.end), _trimmed(text, span.start, cut)]
    return spans


def _best_cut(piece: str) -> int:
    middle, quarter = len(piece) / 2, len(piece) / 4
    for pattern in _CUTS:
        cuts = [match.end() for match in pattern.finditer(piece)]
        near = [cut for cut in cuts if abs(cut - middle) <= quarter]
        if near:
            return _nearest(near, middle)
    if words := [match.end() for match in _WORD_END.finditer(piece)]:
        return _nearest(words, middle)
    for cut in range(len(piece) // 2, 0, -1):
        if not _joined(piece, cut):
            return cut
    return len(piece) // 2


def _nearest(cuts: list[int], middle: float) -> int:
    return min(cuts, key=lambda cut: abs(cut - middle))


def _joined(piece: str, cut: int) -> bool:
    """Say whether a cut here would part a character from its combining marks or an emoji from its joiner."""
    return bool(unicodedata.combining(piece[cut])) or _JOINER in piece[cut - 1 : cut + 1]


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    lead = len(piece) - len(piece.lstrip())
    return Span(start + lead, start + max(lead, len(piece.rstrip())))
