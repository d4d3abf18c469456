"""Scores of sentence alignment: strict and lax F1 of beads, tuple and link F1 of n languages.

Strict and lax follow `score.py` of Vecalign (Thompson and Koehn 2019; after W11-4624). *Strict*: a bead
counts if both sides are exactly those of a gold bead. *Lax*: it counts if some gold bead overlaps it on
both sides. Counts are added up over documents (micro-average).

Null beads, in which one side is empty: here they count in strict precision and recall like any other, and
are left out of lax, where they can overlap nothing. Vecalign's script treats them otherwise (they count
in its precision, strict and lax, and not in its recall): `BeadScores.vecalign` gives its figures from the
same counts, for comparison with published ones.

*Exact* for a tuple is *strict* with n sides; a *link* is a pair of sentences of two languages that stand in
one tuple. Intervals are 95 % percentile intervals over resampled documents (seeded bootstrap).

Two segmentations of the same texts are compared on characters, white space ignored: a side of a bead is
then the set of characters that it covers. Different texts are an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from mtalign.evaluate.alignment_rows import (
    BeadDocument,
    SentenceRow,
    TupleDocument,
    bead_documents,
    tuple_documents,
)
from mtalign.evaluate.beads import BeadScores, score_beads
from mtalign.evaluate.counts import BOOTSTRAP, signature
from mtalign.evaluate.rows import Row, match, read_rows
from mtalign.evaluate.tuples import TupleScores, score_tuples
from mtalign.evaluate.units import (
    UnitBeads,
    UnitTuple,
    common_units,
    unit_beads,
    unit_tuple,
)


@dataclass(frozen=True)
class SentenceScores:
    """Scores by pair of languages (`all` where rows name none), of n-way tuples, and the recipe."""

    pairs: dict[str, BeadScores]
    tuples: TupleScores | None
    signature: str

    @property
    def strict_average(self) -> float | None:
        """The mean of the pairs' strict F1 (macro-average); None without pairs."""
        return fmean(each.strict.f1 for each in self.pairs.values()) if self.pairs else None

    @property
    def lax_average(self) -> float | None:
        """The mean of the pairs' lax F1 (macro-average); None without pairs."""
        return fmean(each.lax.f1 for each in self.pairs.values()) if self.pairs else None

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "pairs": {pair: scores.as_dict() for pair, scores in self.pairs.items()},
            "average": {"strict_f1": self.strict_average, "lax_f1": self.lax_average},
            "tuples": self.tuples.as_dict() if self.tuples else None,
            "signature": self.signature,
        }


def evaluate_sentences_files(gold: Path, pred: Path) -> SentenceScores:
    """Score the alignment in one JSONL file against that in another; see `evaluate_sentences`.

    Raises:
        UsageError: a file cannot be read or is empty.
        InputError: a line is unusable, or a gold row has no prediction.
    """
    return evaluate_sentences(read_rows(gold, SentenceRow), read_rows(pred, SentenceRow))


def evaluate_sentences(gold: Sequence[Row[SentenceRow]], pred: Sequence[Row[SentenceRow]]) -> SentenceScores:
    """Score predicted beads and tuples against gold ones (definitions: the head of this module).

    Pairs that the prediction names the other way round are turned. A gold row of n languages without
    `beads` is scored on its tuples alone.

    Raises:
        InputError: a gold row has no prediction, texts differ, or a sentence is not in exactly one bead.
    """
    gold_beads = bead_documents(gold, gold=True)
    pred_beads = _turned_like(gold_beads, bead_documents(pred, gold=False))
    by_pair: dict[str, list[_Beads]] = defaultdict(list)
    for mine, theirs in match(gold_beads, pred_beads):
        pair = mine.value.pair or theirs.value.pair
        by_pair["-".join(pair) if pair else "all"].append(_beads_in_common(mine, theirs))
    tuples = [_tuples_in_common(*rows) for rows in match(tuple_documents(gold), tuple_documents(pred))]
    compared: list[_Beads | _Tuples] = [*tuples, *(each for found in by_pair.values() for each in found)]
    return SentenceScores(
        {
            pair: score_beads([(each.gold, each.pred) for each in documents])
            for pair, documents in by_pair.items()
        },
        score_tuples([(each.gold, each.pred) for each in tuples], max(each.largest for each in tuples))
        if tuples
        else None,
        signature(
            beads="strict+lax",
            nulls="strict-only",
            average="micro",
            units="characters" if any(each.characters for each in compared) else "sentences",
            ci=BOOTSTRAP,
        ),
    )


@dataclass(frozen=True)
class _Beads:
    """The beads of a document, gold and predicted, over units that both share."""

    gold: UnitBeads
    pred: UnitBeads
    characters: bool


@dataclass(frozen=True)
class _Tuples:
    """The tuples of a document, gold and predicted, over units that both share."""

    gold: list[UnitTuple]
    pred: list[UnitTuple]
    characters: bool
    largest: int


def _turned_like(
    gold: Sequence[Row[BeadDocument]], pred: Sequence[Row[BeadDocument]]
) -> list[Row[BeadDocument]]:
    """Turn predictions whose pair the gold knows only the other way round."""
    known = {row.value.pair for row in gold}
    return [
        Row(row.value.flipped(), row.where)
        if row.value.pair not in known and row.value.flipped().pair in known
        else row
        for row in pred
    ]


def _beads_in_common(gold: Row[BeadDocument], pred: Row[BeadDocument]) -> _Beads:
    mine, theirs = gold.value, pred.value
    left, right = (
        common_units(
            (mine.sides[side], tuple(bead[side] for bead in mine.beads), gold.where),
            (theirs.sides[side], tuple(bead[side] for bead in theirs.beads), pred.where),
            f"document {mine.id!r}, {('left', 'right')[side]} side",
        )
        for side in (0, 1)
    )
    return _Beads(
        unit_beads(mine.beads, left.gold, right.gold),
        unit_beads(theirs.beads, left.pred, right.pred),
        left.characters or right.characters,
    )


def _tuples_in_common(gold: Row[TupleDocument], pred: Row[TupleDocument]) -> _Tuples:
    langs = {lang for row in (gold, pred) for each in row.value.tuples for lang in each}
    units = {
        lang: common_units(
            (gold.value.sents.get(lang), gold.value.groups(lang), gold.where),
            (pred.value.sents.get(lang), pred.value.groups(lang), pred.where),
            f"document {gold.value.id!r}, tuples, language {lang}",
        )
        for lang in sorted(langs)
    }
    return _Tuples(
        [unit_tuple(each, {lang: of.gold for lang, of in units.items()}) for each in gold.value.tuples],
        [unit_tuple(each, {lang: of.pred for lang, of in units.items()}) for each in pred.value.tuples],
        any(each.characters for each in units.values()),
        max((len(ids) for each in pred.value.tuples for ids in each.values()), default=0),
    )
