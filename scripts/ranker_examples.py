"""Training and test examples of the ranker: the features of every candidate of every mention."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray
from projection_data import Case, Mention

from mtalign.project.features import features
from mtalign.project.target import prepare
from mtalign.units import UnitText, set_aside_aliases, unit_text
from mtalign.words import Comparison, Linker

# Cases that are compared in one call, as `mtalign project` does with its rows.
_TOGETHER = 64


FOLDS = 5


def fold(group: str) -> int:
    """Return the fold of an article: the same in every run."""
    return zlib.crc32(group.encode()) % FOLDS


@dataclass(frozen=True)
class Example:
    """One mention: candidates x features, which candidates are right (none: the mention is lost)."""

    data: str
    group: str
    lang: str
    text: str
    gold: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    target: str
    table: NDArray[np.float32]
    loss: NDArray[np.float32]
    right: NDArray[np.bool_]
    reachable: bool
    made_up: bool = False


@dataclass(frozen=True)
class Compared:
    """A case with its texts in units and the units compared."""

    case: Case
    source: UnitText
    target: UnitText
    comparison: Comparison


def compare_cases(cases: Sequence[Case], linker: Linker) -> Iterator[Compared]:
    """Yield the cases compared: those of an article together, single sentences 64 at a time."""
    for _, found in groupby(
        enumerate(cases),
        lambda pair: (
            pair[1].data,
            pair[1].lang,
            pair[1].group if pair[1].data in {"news", "summit"} else pair[0] // _TOGETHER,
        ),
    ):
        together = [case for _, case in found]
        units = []
        for case in together:
            source = unit_text(case.source, "en")
            units.append((source, set_aside_aliases(unit_text(case.target, case.lang), source)))
        for case, pair, compared in zip(together, units, linker.compare(units), strict=True):
            yield Compared(case, *pair, compared)


def lossy_cases(cases: Sequence[Case]) -> list[Case]:
    """Return made-up cases without counterparts: a source beside the translation of its neighbour."""
    made = []
    for one, other in pairwise(cases):
        if one.data in {"ntrex", "summit"} or (one.data, one.lang) != (other.data, other.lang):
            continue
        said = {word for mention in other.mentions for word in mention.entity.text.casefold().split()}
        said |= set(other.source.casefold().split())
        mentions = tuple(
            Mention(each.entity, ())
            for each in one.mentions
            if not any(word in said for word in each.entity.text.casefold().split())
        )
        if mentions and hash_share(one.source) < 0.3:
            made.append(Case(one.data, one.group, one.lang, one.source, other.target, mentions))
    return made


def hash_share(text: str) -> float:
    """Return a number from 0 to 1 that a text always gets: a draw without a seed."""
    return zlib.crc32(text.encode()) / 2**32


def examples(compared: Compared, *, made_up: bool = False) -> Iterator[Example]:
    """Yield the examples of one case."""
    case, source = compared.case, compared.source
    owned = [
        (mention, [n for n, unit in enumerate(source.units) if unit.span.overlaps(mention.entity.span)])
        for mention in case.mentions
    ]
    if not compared.target.units or not any(own for _, own in owned):
        return
    prepared = prepare(compared.target, compared.comparison, max(len(own) for _, own in owned))
    for mention, own in owned:
        table, possible, loss = features(own, source, mention.entity.text, prepared)
        spans = [span for span, may in zip(prepared.spans, possible, strict=True) if may]
        right = np.array([span in mention.gold for span in spans], bool)
        yield Example(
            case.data,
            case.group,
            case.lang,
            mention.entity.text,
            tuple(span.of(case.target) for span in mention.gold),
            tuple((span.start, span.end) for span in spans),
            case.target,
            table[possible].astype(np.float32),
            loss.astype(np.float32),
            right,
            bool(right.any()) or not mention.gold,
            made_up,
        )
