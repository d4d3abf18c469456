"""Run directories of earlier versions, brought up to date in place.

Version 1 had one `records.jsonl` (a later record of an article replaces an earlier one), one
`rejects.jsonl`, and timings inside the records.
"""

from __future__ import annotations

import json
import shutil
from itertools import islice, takewhile
from pathlib import Path

import msgspec
from msgspec import Struct

from mtalign.errors import StoreError
from mtalign.record import Record, Rejected, decode_record
from mtalign.store.files import JOURNAL, RECORDS, REJECTS, TORN, write_atomically, writing
from mtalign.store.run import MANIFEST, SCHEMA, read_manifest
from mtalign.store.shard import Made, Refused, Shard, write_refused

_OLD_RECORDS = "records.jsonl"
_OLD_REJECTS = "rejects.jsonl"
_OLD = (_OLD_RECORDS, _OLD_REJECTS, "torn.jsonl", "lock")
_SHARD = 256

# What the translate stage of version 1 reports; the checks report other kinds.
_OF_TRANSLATION = frozenset({"split-sentence", "empty-output", "cut-output"})


class _Id(Struct):
    id: str


_id_decoder = msgspec.json.Decoder(_Id)
_reject_decoder = msgspec.json.Decoder(Rejected)


def migrate(path: Path) -> int:
    """Bring a run directory to the version of this mtalign; return how many articles it holds.

    The new files are written beside the old ones, then the manifest is replaced, then the old files go: a
    crash in between leaves a run directory that can be migrated again.

    Raises:
        StoreError: it cannot be read or written, or is of a version that this mtalign does not know.
    """
    manifest = read_manifest(path)
    schema = manifest.get("schema", 1)
    if schema not in {1, SCHEMA}:
        raise StoreError(f"{path} has version {schema}, which this mtalign does not know")
    count = 0
    with writing(path):
        if schema == 1:
            for room in (RECORDS, JOURNAL, REJECTS, TORN):
                shutil.rmtree(path / room, ignore_errors=True)
            count = _copy_records(path)
            rejects = path / _OLD_REJECTS
            lines = rejects.read_bytes().splitlines() if rejects.exists() else []
            old = (_reject_decoder.decode(line) for line in lines if line.strip())
            write_refused(path, 0, [Refused(each.reason, each.path, each.line, each.id) for each in old])
            content = {**manifest, "schema": SCHEMA, "starts": 1}
            write_atomically(path / MANIFEST, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        for name in _OLD:
            (path / name).unlink(missing_ok=True)
    return count


def _copy_records(path: Path) -> int:
    places = _newest(path / _OLD_RECORDS)
    if not places:
        return 0
    with (path / _OLD_RECORDS).open("rb") as stream:
        waiting = iter(places)
        number = 0
        while chunk := list(islice(waiting, _SHARD)):
            made = []
            for place in chunk:
                stream.seek(place)
                made.append(_made(decode_record(stream.readline())))
            with Shard(path, number, 1) as shard:
                shard.commit(made)
            number += 1
    return len(places)


def _made(record: Record) -> Made:
    of_translation = takewhile(lambda issue: issue.kind in _OF_TRANSLATION, record.issues)
    return Made(record, sum(1 for _ in of_translation))


def _newest(path: Path) -> list[int]:
    """Return the place of every article's last whole line, in the order of their first lines."""
    places: dict[str, int] = {}
    if not path.exists():
        return []
    place = 0
    with path.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                try:
                    places[_id_decoder.decode(line).id] = place
                except msgspec.MsgspecError as error:
                    raise StoreError(f"{path}, byte {place}: this line is not a record ({error})") from error
            place += len(line)
    return list(places.values())
