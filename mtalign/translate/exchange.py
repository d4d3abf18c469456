"""Translation memories as files: TMX and TSV, into a memory and out of it.

What is imported counts as made by people, whoever made it: only look-through translations belong there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mtalign.errors import InputError, UsageError
from mtalign.formats.bitext import Unit
from mtalign.formats.tmx import read_tmx, write_tmx
from mtalign.formats.tsv import read_tsv, write_tsv
from mtalign.translate.memory import Entry, Memory
from mtalign.translate.sentences import one_line

_READERS = {".tmx": read_tmx, ".tsv": read_tsv}


@dataclass(frozen=True)
class Imported:
    """What came out of a file: translations stored, and what could not be used, with the reasons."""

    entries: int
    rejected: tuple[str, ...]


def import_file(memory: Memory, path: Path, source_lang: str) -> Imported:
    """Store the translations out of `source_lang` that a TMX or TSV file holds as made by people.

    Every further language of a unit is a translation of its own. Texts are brought onto one line, as
    sentences are looked up.

    Raises:
        UsageError: the name ends in neither .tmx nor .tsv.
        InputError: the file cannot be read at all.
    """
    rejected: list[str] = []
    reader = _READERS[_suffix(path)]
    units = reader(path, lambda error: rejected.append(str(error)))
    return Imported(memory.add_human(_entries(units, source_lang, rejected), path.name), tuple(rejected))


def export_file(memory: Memory, path: Path, source_lang: str, *, human_only: bool) -> int:
    """Write the memory's translations out of `source_lang`, a unit each, and return their number.

    The note of a unit is `human`, or the signature of the translator that made it.

    Raises:
        UsageError: the name ends in neither .tmx nor .tsv, or the file cannot be written.
    """
    suffix = _suffix(path)
    units = (
        Unit(
            {entry.source_lang: entry.source, entry.target_lang: entry.text}, note=entry.signature or "human"
        )
        for entry in memory.entries(human_only=human_only)
        if entry.source_lang == source_lang
    )
    try:
        with path.open("wb") as stream:
            if suffix == ".tmx":
                return write_tmx(stream, units, source_lang).units
            targets = sorted({group.target_lang for group in memory.groups()} - {source_lang})
            return write_tsv(stream, units, [source_lang, *targets, "note"])
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise UsageError(f"{path}: the name must end in .tmx or .tsv, so that the format is known")
    return suffix


def _entries(units: Iterator[Unit], source_lang: str, rejected: list[str]) -> Iterator[Entry]:
    for number, unit in enumerate(units, 1):
        source = one_line(unit.texts.get(source_lang, ""))
        targets = {
            lang: one_line(text) for lang, text in unit.texts.items() if lang != source_lang and text.strip()
        }
        if source and targets:
            yield from (Entry(source_lang, lang, source, text) for lang, text in targets.items())
        else:
            what = f"no text in {source_lang!r}" if not source else "no translation"
            rejected.append(str(InputError(f"unit {unit.id or number}: {what}")))
