"""TMX and TSV files as articles with translations, and records as TMX and TSV; see `record_units`.

Both writers hold the n-way tuples with their scores. What they do not hold: white space and paragraphs
between sentences, sentence boundaries inside a unit, mentions, document fields, origins, issues. TMX does
not hold control characters, either, which are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from mtalign.errors import InputError
from mtalign.formats.bitext import OnReject, Unit
from mtalign.formats.features import Records
from mtalign.formats.names import name_and_language
from mtalign.formats.reading import Found, Options, rejected
from mtalign.formats.record_units import articles_of_units, tuple_units
from mtalign.formats.tmx import read_tmx, write_tmx
from mtalign.formats.tsv import ID, SCORE, read_tsv, write_tsv
from mtalign.record import Rejected


def read_tmx_articles(path: Path, options: Options) -> Iterator[Found | Rejected]:
    """Yield the articles of a TMX file."""
    return _read(read_tmx, path, options)


def read_tsv_articles(path: Path, options: Options) -> Iterator[Found | Rejected]:
    """Yield the articles of a TSV file."""
    return _read(read_tsv, path, options)


def _read(
    reader: Callable[[Path, OnReject], Iterator[Unit]], path: Path, options: Options
) -> Iterator[Found | Rejected]:
    refused: list[InputError] = []
    name, lang = name_and_language(path)
    for found in articles_of_units(reader(path, refused.append), str(path), name, lang or options.lang):
        yield from (rejected(error, str(path)) for error in refused)
        refused.clear()
        yield found
    yield from (rejected(error, str(path)) for error in refused)


def write_tmx_file(records: Records, out: Path) -> Counter[str]:
    """Write all records into one file, a unit per tuple."""
    source = next((record.source.lang for record in records()), "en")
    with (out / "articles.tmx").open("wb") as stream:
        units = (unit for record in records() for unit in tuple_units(record))
        written = write_tmx(stream, units, source)
    return Counter({"characters that XML forbids": written.replaced})


def write_tsv_file(records: Records, out: Path, *, neutralise_formulas: bool = False) -> Counter[str]:
    """Write all records into one file, a row per tuple and a column per language."""
    langs = dict.fromkeys(lang for record in records() for lang in record.documents())
    with (out / "articles.tsv").open("wb") as stream:
        units = (unit for record in records() for unit in tuple_units(record))
        write_tsv(stream, units, [ID, SCORE, *langs], neutralise_formulas=neutralise_formulas)
    return Counter()
