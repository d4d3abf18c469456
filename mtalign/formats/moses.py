"""Moses: two plain files per pair of languages; line n of one is the translation of line n of the other.

A third file has the ids of the lines, `ARTICLE:BEAD`. Sentences without a counterpart are left out, line
breaks inside a sentence become spaces and are counted. Not held: texts as wholes, paragraphs, boundaries
of the sentences that a line joins, scores, mentions, document fields, origins, issues.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from typing import BinaryIO

from mtalign.formats.features import Records
from mtalign.formats.record_units import pair_units
from mtalign.record import pair_key

# Everything that some tool takes for the end of a line.
_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def write(records: Records, out: Path) -> Counter[str]:
    """Write `en-ko.en`, `en-ko.ko` and `en-ko.ids` for every pair."""
    losses: Counter[str] = Counter()
    files: dict[str, BinaryIO] = {}
    with ExitStack() as stack:

        def put(name: str, line: str) -> None:
            if name not in files:
                files[name] = stack.enter_context((out / name).open("wb"))
            changed, times = _BREAK.subn(" ", line)
            losses["line breaks inside a sentence"] += times
            files[name].write(f"{changed}\n".encode())

        for record in records():
            for left, right in combinations(record.documents(), 2):
                pair = pair_key(left, right)
                for unit in pair_units(record, left, right):
                    if len(unit.texts) == 2:
                        put(f"{pair}.{left}", unit.texts[left])
                        put(f"{pair}.{right}", unit.texts[right])
                        put(f"{pair}.ids", unit.id or "")
    return losses
