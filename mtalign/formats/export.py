"""Writing a run in other tools' formats, with a report of what each of them could not hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from mtalign.errors import UsageError
from mtalign.folder import new_folder
from mtalign.formats import brat, docbin, iob2, jsonl, labelstudio, memories, moses, parquet, xliff
from mtalign.formats.features import FEATURES, Feature, Records, inventory

REPORT = "export.json"


@dataclass(frozen=True)
class Format:
    """A format that runs can be written in: its name, what it holds, and who writes it into a folder.

    The writer returns what it had to leave out or change beyond the features that it does not hold.
    """

    name: str
    holds: frozenset[Feature]
    write: Callable[[Records, Path], Counter[str]]


@dataclass(frozen=True)
class Report:
    """What was written in one format, and how much of the run it does not hold, by what it is.

    `demo` counts the translations that are not meant for use; no format has a place for that.
    """

    format: str
    articles: int
    files: int
    held: dict[str, int]
    not_held: dict[str, int]
    demo: int = 0


_ROWS: frozenset[Feature] = frozenset(
    {
        "whole texts",
        "paragraphs",
        "sentences",
        "document fields",
        "mentions",
        "overlapping mentions",
        "mention ids",
        "mention attributes",
        "confidences",
    }
)
_PARTS: frozenset[Feature] = frozenset({"discontinuous mentions", "relations"})
_TUPLES: frozenset[Feature] = frozenset({"tuples", "one-sided sentences", "tuple scores"})

_FORMATS = (
    Format("jsonl", _ROWS | _PARTS, jsonl.write),
    Format("parquet", _ROWS | _PARTS, parquet.write),
    Format("brat", (_ROWS | _PARTS) - {"sentences", "document fields"}, brat.write),
    Format("iob2", frozenset({"paragraphs", "sentences", "mentions"}), iob2.write),
    Format("labelstudio", _ROWS, labelstudio.write),
    Format("docbin", _ROWS - {"document fields", "mention attributes", "confidences"}, docbin.write),
    Format("tmx", _TUPLES, memories.write_tmx_file),
    Format("tsv", _TUPLES, memories.write_tsv_file),
    Format("xliff", frozenset({"pairs with the source", "one-sided sentences"}), xliff.write),
    Format("moses", frozenset({"pairs with the source", "pairs of two targets"}), moses.write),
)
FORMATS = {each.name: each for each in _FORMATS}


def export(
    records: Records, formats: Sequence[str], out: Path, *, neutralise_formulas: bool = False
) -> list[Report]:
    """Write all records in every format, each into a folder of its name in `out`, in place of an earlier one.

    `out/export.json` has the reports. `records` is called once or twice per format.

    Args:
        records: the records of a run.
        formats: names in `FORMATS`.
        out: a new or empty folder, or one with an earlier export.
        neutralise_formulas: in TSV, put an apostrophe before cells that a spreadsheet would run.

    Raises:
        UsageError: an unknown format, a folder with something else in it, or one that cannot be written.
    """
    if unknown := [name for name in formats if name not in FORMATS]:
        raise UsageError(f"unknown format {', '.join(unknown)}; known are {', '.join(FORMATS)}")
    earlier = _earlier(out)
    counts: Counter[str] = Counter()
    articles = demo = 0
    for record in records():
        counts += inventory(record)
        articles += 1
        demo += sum(each.any_demo for each in record.origins.values())
    reports = []
    for name in formats:
        chosen = FORMATS[name]
        write = chosen.write
        if name == "tsv":
            write = partial(memories.write_tsv_file, neutralise_formulas=neutralise_formulas)
        with new_folder(out / name) as folder:
            losses = write(records, folder)
            files = sum(1 for _ in folder.iterdir())
        reports.append(replace(_report(chosen, articles, files, counts, losses), demo=demo))
        earlier[name] = asdict(reports[-1])
        (out / REPORT).write_text(json.dumps(earlier, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return reports


def _report(chosen: Format, articles: int, files: int, counts: Counter[str], losses: Counter[str]) -> Report:
    losses = +losses
    held: dict[str, int] = {name: counts[name] for name in FEATURES if name in chosen.holds and counts[name]}
    missing: dict[str, int] = {
        name: counts[name] for name in FEATURES if name not in chosen.holds and counts[name]
    }
    return Report(chosen.name, articles, files, held, missing | losses)


def _earlier(out: Path) -> dict[str, object]:
    try:
        if (out / REPORT).is_file():
            found: dict[str, object] = json.loads((out / REPORT).read_text(encoding="utf-8"))
            return found
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(f"{out} holds something else than an export; choose another folder with -o")
    except (OSError, ValueError) as error:
        raise UsageError(f"{out / REPORT} cannot be read: {error}") from error
    return {}
