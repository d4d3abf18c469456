"""Publishing: records into a folder of Parquet files with a card, which `datasets.load_dataset` reads.

The same records give the same bytes, in whatever order they were written. Two passes: the first counts,
filters, scans and finds near-duplicates while it sorts the records by id; the second writes rows.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from mtalign.errors import UsageError
from mtalign.folder import new_folder
from mtalign.publish import croissant, embeddings, ner
from mtalign.publish.card import Facts, ModelUse, card
from mtalign.publish.chart import histogram
from mtalign.publish.existing import CARD, CHART, CROISSANT, is_ours, is_own_file, merged
from mtalign.publish.filters import Filters, Removed, apply, flagged
from mtalign.publish.groups import Groups
from mtalign.publish.licence import Licence, stated, strictest
from mtalign.publish.order import Sorted
from mtalign.publish.rows import configs
from mtalign.publish.scan import SECRET, scan
from mtalign.publish.survey import Survey
from mtalign.publish.tables import Rows, write_tables
from mtalign.record import Record, encode_json

EVERYTHING_IN_TRAIN: Mapping[str, float] = {"train": 1.0}
NO_FILTERS = Filters()


@dataclass(frozen=True)
class Published:
    """What was written: rows by config and split. A config or split without rows is not written.

    Attributes:
        licences_against: licences of works that may ask for more than the one that was stated.
        near_duplicates: articles that share a group, and so a split, with another one.
        removed: what the filters left out, as filter, kind and number.
        scanned: what the scan found by kind, None where none was asked for.
        files: the paths of the dataset's own files, relative to `path`.
    """

    path: Path
    articles: int
    rows: Rows
    licence: str
    licences_against: tuple[str, ...]
    demo: bool
    near_duplicates: int
    removed: tuple[tuple[str, str, int], ...]
    scanned: Mapping[str, int] | None
    files: tuple[str, ...]


def publish(
    records: Iterable[Record],
    out: Path,
    *,
    name: str,
    splits: Mapping[str, float] = EVERYTHING_IN_TRAIN,
    licence: str | None = None,
    allow_demo: bool = False,
    filters: Filters = NO_FILTERS,
    models: Sequence[ModelUse] = (),
    encoder: embeddings.Encoder | None = None,
    scan_report: Path | None = None,
) -> Published:
    """Write a dataset into the folder `out`; an earlier dataset of mtalign there is replaced in one move.

    What people added to the earlier one stays: their prose on the card, their configs, their files.

    Args:
        records: read once; a bounded number of rows is in memory, and as much room on the disk is used
            for a while as the records take.
        out: the folder.
        name: the dataset's name on its card.
        splits: names and shares, which need not add up to 1. An article and all its near-duplicates are in
            one split, chosen by a hash of the smallest id among them.
        licence: overrides the strictest one among articles, translations and models.
        allow_demo: publish translations of demo quality, marked as such.
        filters: what to leave out.
        models: what the run's manifest says about its models, for the card.
        encoder: makes the config `embeddings`, where given.
        scan_report: a JSONL file for what a scan for secrets and personal data finds; no scan without it.

    Raises:
        UsageError: there is nothing to publish; a translation is of demo quality and `allow_demo` is not
            given; licences conflict and none is stated; the scan found a secret; `out` holds something
            else or cannot be written; the shares are not positive.
    """
    _check_splits(splits)
    earlier = _earlier_card(out)
    intake = _Intake(filters, Groups() if len(splits) > 1 else None)
    found = intake.survey
    with new_folder(out) as folder:
        with TemporaryDirectory(dir=folder) as scratch:
            ordered = Sorted(_take_in(records, intake, scan_report), Path(scratch))
            _check_content(intake, out, allow_demo=allow_demo, scan_report=scan_report)
            chosen = _licence(found.licences, licence)
            groups = intake.groups.groups() if intake.groups else {}
            tables = [
                *configs(found.languages, found.pairs()),
                *ner.configs(found.languages, sorted(found.labels)),
                *([embeddings.config(encoder)] if encoder else []),
            ]
            rows, dropped = write_tables(
                ordered,
                tables,
                folder,
                splits=splits,
                split_of=lambda record: split_of(groups.get(record.id, record.id), splits),
                flagged=flagged if filters.drop_flagged else lambda _: {},
            )
        intake.removed.update({("drop-flagged", f"rows of {name}"): count for name, count in dropped.items()})
        facts = Facts(
            name=name,
            rows=rows,
            about={config.name: config.about for config in tables},
            licence=chosen,
            models=tuple(models),
            removed=tuple((*key, count) for key, count in sorted(intake.removed.items()) if count),
            near_duplicates=len(groups),
            scanned=None if scan_report is None else dict(sorted(intake.findings.items())),
            chart=CHART if found.confidences else None,
        )
        _write(folder / CARD, merged(earlier, card(found, facts)))
        if found.confidences:
            _write(folder / CHART, histogram(found.confidences, "Confidence of the mentions carried over"))
        metadata = croissant.describe(tables, rows, name=name, licence=chosen.name, languages=found.languages)
        _write(folder / CROISSANT, metadata)
        files = tuple(str(path.relative_to(folder)) for path in _files(folder))
        _keep_foreign_files(out, folder)
    return Published(
        path=out,
        articles=found.articles,
        rows=rows,
        licence=chosen.name,
        licences_against=chosen.against,
        demo=found.demo,
        near_duplicates=len(groups),
        removed=facts.removed,
        scanned=facts.scanned,
        files=files,
    )


def split_of(group: str, splits: Mapping[str, float]) -> str:
    """Return the split of a group of articles: the same for the same id and shares, on every machine."""
    digest = hashlib.sha256(group.encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64 * sum(splits.values())
    for split, share in splits.items():
        place -= share
        if place < 0:
            return split
    return next(reversed(dict(splits)))


@dataclass
class _Intake:
    """What the first pass learns about the records."""

    filters: Filters
    groups: Groups | None
    survey: Survey = field(default_factory=Survey)
    removed: Removed = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    secrets: int = 0
    read: int = 0


def _take_in(records: Iterable[Record], intake: _Intake, scan_report: Path | None) -> Iterator[Record]:
    """Yield the records as the filters leave them, and note in `intake` what they hold."""
    with _open_report(scan_report) as report:
        for record in records:
            intake.read += 1
            if intake.groups is not None:
                intake.groups.add(record)
            kept = apply(record, intake.filters, intake.removed)
            if kept is None:
                continue
            intake.survey.add(kept)
            if report is not None:
                for finding in scan(kept):
                    intake.findings[finding.kind] += 1
                    intake.secrets += finding.family == SECRET
                    report.write(encode_json(finding) + b"\n")
            yield kept


def _open_report(path: Path | None) -> AbstractContextManager[BinaryIO | None]:
    if path is None:
        return nullcontext()
    try:
        return path.open("wb")
    except OSError as error:
        raise UsageError(f"the scan's report {path} cannot be written: {error.strerror}") from error


def _check_content(intake: _Intake, out: Path, *, allow_demo: bool, scan_report: Path | None) -> None:
    found = intake.survey
    if not found.articles:
        why = "no records" if not intake.read else f"the filters left none of {intake.read} articles"
        raise UsageError(f"{why}, so there is nothing to publish into {out}")
    if found.demo and not allow_demo:
        made = (each for _, origin in found.origins for each in (origin, *origin.others))
        engines = sorted({each.model or each.engine or "?" for each in made if each.demo})
        raise UsageError(
            f"the translations by {', '.join(engines)} are of demo quality and are not meant for use; "
            "translate with another configuration, or publish them as a demo with --allow-demo"
        )
    if intake.secrets:
        raise UsageError(
            f"the scan found {intake.secrets} secrets ({', '.join(sorted(intake.findings))}), so nothing was "
            f"published; look at {scan_report}, remove them from the articles, or leave --scan out"
        )


def _licence(licences: Iterable[str | None], wish: str | None) -> Licence:
    if wish is not None:
        return stated(wish, licences)
    derived = strictest(licences)
    if derived.conflict:
        raise UsageError(
            f"the licences conflict: {derived.reason}; leave those articles out, or state with --licence "
            "under which one the owners let you publish"
        )
    return derived


def _check_splits(splits: Mapping[str, float]) -> None:
    if not splits or any(not 0 < share < math.inf for share in splits.values()):
        raise UsageError(f"splits {dict(splits)}: name at least one, each with a share above 0")
    if bad := [split for split in splits if not split.isidentifier()]:
        raise UsageError(f"split {bad[0]!r}: a name is made of letters, digits and underscores")


def _earlier_card(out: Path) -> str | None:
    """Return the card of the dataset at `out`; refuse to replace what is no dataset of mtalign's."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder for the dataset")
    first = next(_files(out), None)
    if first is None:
        return None
    readme = out / CARD
    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    if not is_ours(text):
        raise UsageError(
            f"{out} holds {first.relative_to(out)}, which is no dataset of mtalign's; "
            "choose another folder or empty this one"
        )
    return text


def _keep_foreign_files(out: Path, folder: Path) -> None:
    """Copy into the new dataset what people put beside the earlier one's own files."""
    if not out.exists():
        return
    for path in _files(out):
        place = path.relative_to(out)
        if not is_own_file(place.as_posix()):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / place, follow_symlinks=False)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if not path.is_dir())
