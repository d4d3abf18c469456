"""What two segmentations of one text have in common, so that alignments on them can be compared.

Units are sentences where both sides have the same ones, else characters, white space left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from mtalign.alignment import check_cover
from mtalign.errors import InputError
from mtalign.evaluate.alignment_rows import Groups

Units = frozenset[int]
UnitBead = tuple[Units, Units]
UnitBeads = Mapping[UnitBead, str]  # with the type of each, in sentences: `2-1`
UnitTuple = Mapping[str, Units]


@dataclass(frozen=True)
class CommonUnits:
    """What each sentence of the two segmentations covers, in units that both share."""

    gold: Sequence[Units]
    pred: Sequence[Units]
    characters: bool


def common_units(
    gold: tuple[Sequence[str] | None, Groups, str],
    pred: tuple[Sequence[str] | None, Groups, str],
    what: str,
) -> CommonUnits:
    """Find the units that two segmentations of a text share.

    Each side is its sentences where known, its groups (beads or tuples), and its place for messages.
    """
    (gold_sents, gold_groups, gold_where), (pred_sents, pred_groups, pred_where) = gold, pred
    gold_sents = gold_sents if gold_sents is not None else pred_sents
    pred_sents = pred_sents if pred_sents is not None else gold_sents
    unknown = sum(map(len, gold_groups))
    check_cover(gold_groups, unknown if gold_sents is None else len(gold_sents), f"{gold_where}: {what}")
    check_cover(pred_groups, unknown if pred_sents is None else len(pred_sents), f"{pred_where}: {what}")
    if gold_sents is None or pred_sents is None:
        single = [frozenset({n}) for n in range(unknown)]
        return CommonUnits(single, single, characters=False)
    gold_texts, pred_texts = (["".join(each.split()) for each in side] for side in (gold_sents, pred_sents))
    if gold_texts == pred_texts:
        single = [frozenset({n}) for n in range(len(gold_sents))]
        return CommonUnits(single, single, characters=False)
    _check_same_text("".join(gold_texts), "".join(pred_texts), f"{pred_where}: {what}")
    return CommonUnits(_character_units(gold_texts), _character_units(pred_texts), characters=True)


def unit_beads(
    beads: Iterable[tuple[tuple[int, ...], tuple[int, ...]]], left: Sequence[Units], right: Sequence[Units]
) -> UnitBeads:
    """Return beads of sentence numbers as beads of units, each with its type."""
    return {
        (_union(left, sources), _union(right, targets)): f"{len(sources)}-{len(targets)}"
        for sources, targets in beads
        if sources or targets
    }


def unit_tuple(each: Mapping[str, tuple[int, ...]], units: Mapping[str, Sequence[Units]]) -> UnitTuple:
    """Return a tuple of sentence numbers as one of units."""
    return {lang: _union(units[lang], ids) for lang, ids in each.items()}


def _union(units: Sequence[Units], ids: Iterable[int]) -> Units:
    return frozenset[int]().union(*(units[n] for n in ids))


def _character_units(texts: Sequence[str]) -> list[Units]:
    ends = [0, *accumulate(len(text) for text in texts)]
    return [frozenset(range(start, end)) for start, end in pairwise(ends)]


def _check_same_text(gold: str, pred: str, where: str) -> None:
    if gold == pred:
        return
    at = next(
        (n for n, (a, b) in enumerate(zip(gold, pred, strict=False)) if a != b), min(len(gold), len(pred))
    )
    raise InputError(
        f"{where}: the text is not that of the gold: {pred[at : at + 30]!r} where the gold has "
        f"{gold[at : at + 30]!r} (white space left out); score an alignment of the same text"
    )
