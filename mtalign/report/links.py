"""Word links for the page: made once with the run's encoder, kept beside its records.

    RUN/links.jsonl    one article a line: which words of the source say what which words of a target say

Records hold no word links; `mtalign report --links` makes this file, and every later report of the run
uses it. Links of a text that has changed since are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from mtalign.errors import StoreError
from mtalign.record import Record, encode_json, pair_key
from mtalign.units import UnitText, unit_text
from mtalign.words import links_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LINKS = "links.jsonl"

Link = Callable[[Sequence[tuple[UnitText, UnitText]]], "Sequence[NDArray[np.float32]]"]
WordPair = tuple[int, int, int, int]
"""Start and end of a word in the source document, start and end of its counterpart in the target document."""


class ArticleLinks(Struct, frozen=True):
    """The links of one article by target language. `texts` is a digest of the texts that were linked."""

    article: str
    texts: str
    links: dict[str, list[WordPair]]


class _Key(Struct):
    article: str
    texts: str


def link_article(record: Record, link: Link) -> ArticleLinks:
    """Link the words of the source with those of every target, bead by bead."""
    places: list[tuple[str, int, int]] = []
    pairs: list[tuple[UnitText, UnitText]] = []
    for lang, target in record.targets.items():
        for bead in record.beads[pair_key(record.source.lang, lang)]:
            if bead.left and bead.right:
                left, right = record.source.cover(bead.left), target.cover(bead.right)
                places.append((lang, left.start, right.start))
                pairs.append(
                    (
                        unit_text(left.of(record.source.text), record.source.lang),
                        unit_text(right.of(target.text), lang),
                    )
                )
    found: dict[str, list[WordPair]] = {lang: [] for lang in record.targets}
    for (lang, left_start, right_start), (ours, theirs), matrix in zip(
        places, pairs, link(pairs) if pairs else [], strict=True
    ):
        for each in links_of(matrix):
            one = ours.units[each.source].span.shift(left_start)
            other = theirs.units[each.target].span.shift(right_start)
            found[lang].append((one.start, one.end, other.start, other.end))
    return ArticleLinks(record.id, text_digest(record), found)


def text_digest(record: Record) -> str:
    """Return sixteen hexadecimal digits that change when a text of the article does."""
    texts = "\0".join(f"{lang}\0{document.text}" for lang, document in record.documents().items())
    return hashlib.sha256(texts.encode()).hexdigest()[:16]


class LinkFile:
    """The links of a run; only ids and places are held, links are read when asked for."""

    def __init__(self, run: Path) -> None:
        self._path = run / LINKS
        self._places: dict[str, tuple[int, str]] = {}
        if not self._path.exists():
            return
        place = 0
        with self._path.open("rb") as stream:
            for line in stream:
                try:
                    key = _key_decoder.decode(line)
                except msgspec.MsgspecError:
                    # Half a line after a crash: the article has no links until they are made again.
                    pass
                else:
                    self._places[key.article] = (place, key.texts)
                place += len(line)

    def of(self, record: Record) -> dict[str, list[WordPair]]:
        """Return the links of an article by target language; none if its texts were never linked."""
        place, texts = self._places.get(record.id, (0, ""))
        if texts != text_digest(record):
            return {}
        with self._path.open("rb") as stream:
            stream.seek(place)
            return _decoder.decode(stream.readline()).links

    def knows(self, record: Record) -> bool:
        """Say whether the texts of the article have been linked."""
        return self._places.get(record.id, (0, ""))[1] == text_digest(record)


def make_links(run: Path, records: Iterable[Record], link: Link, progress: Callable[[str], None]) -> int:
    """Link every article whose texts have no links yet, and return how many there were.

    Raises:
        StoreError: the file cannot be written.
    """
    known = LinkFile(run)
    made = 0
    try:
        with (run / LINKS).open("ab") as stream:
            for record in records:
                if not known.knows(record):
                    # A line feed first, so that half a line of an earlier crash ends here.
                    lead = b"\n" if not made and stream.tell() else b""
                    stream.write(lead + encode_json(link_article(record, link)) + b"\n")
                    made += 1
                progress(record.id)
    except OSError as error:
        raise StoreError(f"{run / LINKS} cannot be written: {error.strerror or error}") from error
    return made


_key_decoder = msgspec.json.Decoder(_Key)
_decoder = msgspec.json.Decoder(ArticleLinks)
