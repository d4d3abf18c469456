"""Reading JSONL rows for scoring, and finding the prediction that belongs to each gold row.

A row that cannot be read, or a gold row without a prediction, is an error: a score over part of the
gold would look like a score over all of it. Predictions beyond the gold are left aside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from mtalign.errors import InputError, UsageError


class Keyed(Protocol):
    """A row that says which one it is: an id, and the languages it is in where it names them."""

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id and the languages."""
        ...


RowT = TypeVar("RowT")
GoldT = TypeVar("GoldT", bound=Keyed)
PredT = TypeVar("PredT", bound=Keyed)


@dataclass(frozen=True)
class Row(Generic[RowT]):
    """A row and the place it came from, for messages."""

    value: RowT
    where: str


def read_rows(path: Path, shape: type[RowT]) -> list[Row[RowT]]:
    """Read every row of a JSONL file; blank lines are passed over.

    Raises:
        UsageError: the file cannot be read or holds no row.
        InputError: a line is not JSON or has another shape; the message names file and line.
    """
    rows = [Row(decode_row(line, shape, where), where) for where, line in read_lines(path)]
    if not rows:
        raise UsageError(f"{path} holds no rows; nothing can be scored")
    return rows


def read_lines(path: Path) -> list[tuple[str, str]]:
    """Return the lines of a UTF-8 text file that are not blank, each with its place, `file:line`.

    Raises:
        UsageError: the file cannot be read or is not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    return [(f"{path}:{n}", line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]


def decode_row(line: str, shape: type[RowT], where: str) -> RowT:
    """Decode one JSON line into a typed row, or raise InputError saying where and what."""
    try:
        return msgspec.convert(_named(msgspec.json.decode(line)), shape)
    except msgspec.MsgspecError as error:
        raise InputError(f"{where}: not a usable row: {error}") from error


def _named(value: object) -> object:
    """Return a row with ids as text: the single stages take numbers as well, and give them back."""
    if not isinstance(value, Mapping):
        return value
    named = {key: str(each) if key == "id" and type(each) is int else each for key, each in value.items()}
    for field in ("entities", "lost"):
        if isinstance(mentions := named.get(field), list):
            named[field] = [
                {**each, "source": str(each["source"])}
                if isinstance(each, dict) and type(each.get("source")) is int
                else each
                for each in mentions
            ]
    return named


def to_rows(values: Iterable[Mapping[str, object]], shape: type[RowT], where: str) -> list[Row[RowT]]:
    """Turn rows that are already in memory into typed ones; `where` names their source in messages.

    Raises:
        InputError: a row has another shape.
    """
    rows = []
    for n, value in enumerate(values, 1):
        place = f"{where}, row {n}"
        try:
            rows.append(Row(msgspec.convert(_named(value), shape), place))
        except msgspec.MsgspecError as error:
            raise InputError(f"{place}: not a usable row: {error}") from error
    return rows


def match(gold: Sequence[Row[GoldT]], pred: Sequence[Row[PredT]]) -> list[tuple[Row[GoldT], Row[PredT]]]:
    """Find the prediction of every gold row.

    Rows are joined by id and languages. Where one side names no languages, the n-th row of an id is
    joined with the n-th row of that id on the other side, which needs equally many.

    Raises:
        InputError: gold rows without a prediction (their ids are listed), or an id that stands for
            several rows and cannot be told apart.
    """
    by_id: dict[str, list[Row[PredT]]] = defaultdict(list)
    for predicted in pred:
        by_id[predicted.value.key[0]].append(predicted)
    gold_count = Counter(row.value.key[0] for row in gold)
    seen: Counter[object] = Counter()
    missing: list[str] = []
    matched: list[tuple[Row[GoldT], Row[PredT]]] = []
    for row in gold:
        key, langs = row.value.key
        nth = seen[key]
        seen.update([key, row.value.key])
        candidates = by_id[key]
        if langs is not None and all(other.value.key[1] is not None for other in candidates):
            candidates = [other for other in candidates if other.value.key[1] == langs]
            if len(candidates) > 1 or seen[row.value.key] > 1:
                again = row.where if seen[row.value.key] > 1 else candidates[1].where
                raise InputError(f"{again}: {key!r} in {'-'.join(langs)} stands there a second time")
        elif len(candidates) == gold_count[key]:
            candidates = candidates[nth : nth + 1]
        elif candidates:
            raise InputError(
                f"{row.where}: id {key!r} stands for {gold_count[key]} gold rows and {len(candidates)} "
                "predicted ones; give the languages in both, or the same number of rows in the same order"
            )
        if candidates:
            matched.append((row, candidates[0]))
        else:
            missing.append(f"{key} ({'-'.join(langs)})" if langs else key)
    if missing:
        shown = ", ".join(missing[:20]) + (" …" if len(missing) > 20 else "")
        raise InputError(f"{len(missing)} of {len(gold)} gold rows have no prediction: {shown}")
    return matched
