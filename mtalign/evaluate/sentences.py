"""Scores of sentence alignment: strict and lax F1 of beads, tuple and link F1 of n languages.

Strict and lax follow `score.py` of Vecalign (Thompson and Koehn 2019; after W11-4624). *Strict*: a bead
counts if both sides are exactly those of a gold bead. *Lax*: it counts if some gold bead overlaps it on
both sides. Counts are added up over documents (micro-average).

Null beads, in which one side is empty: here they count in strict precision and recall like any other, and
are left out of lax, where they can overlap nothing. Vecalign's script treats them otherwise (they count
in its precision, strict and lax, and not in its recall): `BeadScores.vecalign` gives its figures from the
same counts, for comparison with published ones.

Two segmentations of the same texts are compared on characters, white space ignored: a side of a bead is
then the set of characters that it covers. Different texts are an error.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations, pairwise
from pathlib import Path

from msgspec import Struct

from mtalign.alignment import check_cover
from mtalign.errors import InputError
from mtalign.evaluate.counts import BOOTSTRAP, Counts, Interval, f1_interval, harmonic, signature, total
from mtalign.evaluate.rows import Row, match, read_rows

Groups = tuple[tuple[int, ...], ...]
Units = frozenset[int]
UnitBead = tuple[Units, Units]
UnitBeads = Mapping[UnitBead, str]  # with the type of each, in sentences: `2-1`
UnitTuple = Mapping[str, Units]


class BeadRow(Struct, frozen=True):
    """A bead as the aligner writes it."""

    src: tuple[int, ...]
    tgt: tuple[int, ...]
    score: float = 0.0


Beads = list[BeadRow | tuple[tuple[int, ...], tuple[int, ...]]]


class SentenceRow(Struct, frozen=True):
    """A row of aligned sentences: one pair (`src`, `tgt`), or n languages (`sents`, `tuples`).

    Beads stand under `beads` or `gold`, as `{"src": [0], "tgt": [0, 1]}` or `[[0], [0, 1]]`; in a row of n
    languages `beads` maps `"en-ko"` to such a list. A prediction may leave its sentences out, which says
    that they are those of the gold.
    """

    id: str
    src_lang: str | None = None
    tgt_lang: str | None = None
    src: list[str] | None = None
    tgt: list[str] | None = None
    sents: dict[str, list[str]] | None = None
    beads: Beads | dict[str, Beads] | None = None
    gold: Beads | dict[str, Beads] | None = None
    tuples: list[dict[str, tuple[int, ...]]] | None = None


@dataclass(frozen=True)
class BeadDocument:
    """The beads of one document in one pair; `sides` are its sentences where the row holds them."""

    id: str
    pair: tuple[str, str] | None
    sides: tuple[Sequence[str] | None, Sequence[str] | None]
    beads: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id and the pair."""
        return self.id, self.pair

    def flipped(self) -> BeadDocument:
        """Return the same document seen from the other side."""
        return BeadDocument(
            self.id,
            self.pair and (self.pair[1], self.pair[0]),
            (self.sides[1], self.sides[0]),
            tuple((right, left) for left, right in self.beads),
        )


@dataclass(frozen=True)
class TupleDocument:
    """The tuples of one document in n languages; a tuple may leave a language out."""

    id: str
    sents: Mapping[str, Sequence[str]]
    tuples: tuple[Mapping[str, tuple[int, ...]], ...]

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id alone: a row of n languages holds all of them."""
        return self.id, None

    def groups(self, lang: str) -> Groups:
        """Return the sentences of one language, by tuple."""
        return tuple(each.get(lang, ()) for each in self.tuples)


@dataclass(frozen=True)
class KindScores:
    """The beads of one type (`1-1`, `2-1` …): in the gold, found exactly, and predicted."""

    gold: int
    found: int
    predicted: int

    def as_dict(self) -> dict[str, object]:
        """Return the counts."""
        return {"gold": self.gold, "found": self.found, "predicted": self.predicted}


@dataclass(frozen=True)
class BeadScores:
    """The scores of one pair of languages. `nulls` are the strict counts of null beads alone."""

    documents: int
    strict: Counts
    lax: Counts
    nulls: Counts
    strict_interval: Interval
    lax_interval: Interval
    kinds: dict[str, KindScores]

    def vecalign(self) -> dict[str, float]:
        """Return strict and lax precision, recall and F1 as Vecalign's `score.py` counts null beads."""
        gold = self.strict.gold - self.nulls.gold
        strict_p = Counts(self.strict.right, self.strict.predicted, 0, gold).precision
        strict_r = Counts(0, self.strict.predicted, self.strict.found - self.nulls.found, gold).recall
        lax_p = Counts(self.lax.right + self.nulls.right, self.strict.predicted, 0, gold).precision
        lax_r = self.lax.recall
        return {
            "strict_precision": strict_p,
            "strict_recall": strict_r,
            "strict_f1": harmonic(strict_p, strict_r),
            "lax_precision": lax_p,
            "lax_recall": lax_r,
            "lax_f1": harmonic(lax_p, lax_r),
        }

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "documents": self.documents,
            "strict": self.strict.as_dict(),
            "strict_interval": self.strict_interval.as_dict(),
            "lax": self.lax.as_dict(),
            "lax_interval": self.lax_interval.as_dict(),
            "nulls": self.nulls.as_dict(),
            "vecalign": self.vecalign(),
            "kinds": {kind: scores.as_dict() for kind, scores in self.kinds.items()},
        }


@dataclass(frozen=True)
class TupleScores:
    """The scores of n-way tuples.

    `exact`: the same sentences in every language, tuples of a single language among them. `links`: pairs
    of sentences of two languages that stand in one tuple (of characters, where segmentations differ).
    `largest` is the greatest number of sentences that one predicted tuple holds of one language.
    """

    documents: int
    exact: Counts
    links: Counts
    exact_interval: Interval
    links_interval: Interval
    largest: int

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "documents": self.documents,
            "exact": self.exact.as_dict(),
            "exact_interval": self.exact_interval.as_dict(),
            "links": self.links.as_dict(),
            "links_interval": self.links_interval.as_dict(),
            "largest": self.largest,
        }


@dataclass(frozen=True)
class SentenceScores:
    """Scores by pair of languages (`all` where rows name none), of n-way tuples, and the recipe."""

    pairs: dict[str, BeadScores]
    tuples: TupleScores | None
    signature: str

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "pairs": {pair: scores.as_dict() for pair, scores in self.pairs.items()},
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
    gold_beads, pred_beads = _bead_documents(gold, gold=True), _bead_documents(pred, gold=False)
    gold_tuples, pred_tuples = _tuple_documents(gold), _tuple_documents(pred)
    known = {document.value.pair for document in gold_beads}
    pred_beads = [
        Row(row.value.flipped(), row.where)
        if row.value.pair not in known and row.value.flipped().pair in known
        else row
        for row in pred_beads
    ]
    by_pair: dict[str, list[tuple[UnitBeads, UnitBeads]]] = defaultdict(list)
    on_characters = False
    for gold_row, pred_row in match(gold_beads, pred_beads):
        mine, theirs = gold_row.value, pred_row.value
        pair = mine.pair or theirs.pair
        left, right = (
            _common_units(
                (mine.sides[side], tuple(bead[side] for bead in mine.beads), gold_row.where),
                (theirs.sides[side], tuple(bead[side] for bead in theirs.beads), pred_row.where),
                f"document {mine.id!r}, {('left', 'right')[side]} side",
            )
            for side in (0, 1)
        )
        on_characters |= left.characters or right.characters
        by_pair["-".join(pair) if pair else "all"].append(
            (
                _unit_beads(mine.beads, left.gold, right.gold),
                _unit_beads(theirs.beads, left.pred, right.pred),
            )
        )
    tuple_documents: list[tuple[list[UnitTuple], list[UnitTuple]]] = []
    largest = 0
    for gold_tuple, pred_tuple in match(gold_tuples, pred_tuples):
        langs = {lang for row in (gold_tuple, pred_tuple) for each in row.value.tuples for lang in each}
        units = {lang: _common_tuple_units(gold_tuple, pred_tuple, lang) for lang in sorted(langs)}
        on_characters |= any(each.characters for each in units.values())
        tuple_documents.append(
            (
                [
                    _unit_tuple(each, {k: u.gold for k, u in units.items()})
                    for each in gold_tuple.value.tuples
                ],
                [
                    _unit_tuple(each, {k: u.pred for k, u in units.items()})
                    for each in pred_tuple.value.tuples
                ],
            )
        )
        sizes = (len(ids) for each in pred_tuple.value.tuples for ids in each.values())
        largest = max(largest, max(sizes, default=0))
    return SentenceScores(
        {pair: score_beads(documents) for pair, documents in by_pair.items()},
        score_tuples(tuple_documents, largest) if tuple_documents else None,
        signature(
            beads="strict+lax",
            nulls="strict-only",
            average="micro",
            units="characters" if on_characters else "sentences",
            ci=BOOTSTRAP,
        ),
    )


def score_beads(documents: Sequence[tuple[UnitBeads, UnitBeads]]) -> BeadScores:
    """Score the documents of one pair, each given as gold and predicted beads over the same units."""
    strict, lax, nulls = [], [], []
    gold_kinds: Counter[str] = Counter()
    found_kinds: Counter[str] = Counter()
    pred_kinds: Counter[str] = Counter()
    for gold, pred in documents:
        right = gold.keys() & pred.keys()
        gold_nulls, pred_nulls, right_nulls = (sum(map(_is_null, each)) for each in (gold, pred, right))
        strict.append(Counts(len(right), len(pred), len(right), len(gold)))
        nulls.append(Counts(right_nulls, pred_nulls, right_nulls, gold_nulls))
        lax.append(
            Counts(
                _count_overlapping(pred, gold),
                len(pred) - pred_nulls,
                _count_overlapping(gold, pred),
                len(gold) - gold_nulls,
            )
        )
        gold_kinds.update(gold.values())
        found_kinds.update(gold[bead] for bead in right)
        pred_kinds.update(pred.values())
    return BeadScores(
        len(documents),
        total(strict),
        total(lax),
        total(nulls),
        f1_interval(strict),
        f1_interval(lax),
        {
            kind: KindScores(gold_kinds[kind], found_kinds[kind], pred_kinds[kind])
            for kind in sorted({*gold_kinds, *pred_kinds}, key=_kind_order)
        },
    )


def score_tuples(
    documents: Sequence[tuple[Sequence[UnitTuple], Sequence[UnitTuple]]], largest: int
) -> TupleScores:
    """Score documents given as gold and predicted tuples over the same units."""
    exact, links = [], []
    for gold, pred in documents:
        gold_set, pred_set = ({_frozen(each) for each in side} for side in (gold, pred))
        right = len(gold_set & pred_set)
        exact.append(Counts(right, len(pred_set), right, len(gold_set)))
        shared = _count_shared_links(gold, pred)
        links.append(Counts(shared, _count_links(pred), shared, _count_links(gold)))
    return TupleScores(
        len(documents), total(exact), total(links), f1_interval(exact), f1_interval(links), largest
    )


def _is_null(bead: UnitBead) -> bool:
    return not bead[0] or not bead[1]


def _kind_order(kind: str) -> list[int]:
    return [int(number) for number in kind.split("-")]


def _count_overlapping(beads: Iterable[UnitBead], others: Iterable[UnitBead]) -> int:
    """Count the beads that share units with one and the same other bead on both sides."""
    others = list(others)
    owner_left = {unit: n for n, (left, _) in enumerate(others) for unit in left}
    owner_right = {unit: n for n, (_, right) in enumerate(others) for unit in right}
    return sum(
        not {owner_left.get(unit, -1) for unit in left}.isdisjoint(
            owner_right.get(unit, -2) for unit in right
        )
        for left, right in beads
    )


def _count_links(tuples: Iterable[UnitTuple]) -> int:
    return sum(len(a) * len(b) for each in tuples for a, b in combinations(each.values(), 2))


def _count_shared_links(gold: Sequence[UnitTuple], pred: Sequence[UnitTuple]) -> int:
    """Count the links that both sides hold, without listing them: products of overlaps by gold tuple."""
    owner = {(lang, unit): n for n, each in enumerate(gold) for lang, units in each.items() for unit in units}
    shared = 0
    for each in pred:
        overlaps = [Counter(owner[lang, unit] for unit in units) for lang, units in each.items()]
        shared += sum(count * b[n] for a, b in combinations(overlaps, 2) for n, count in a.items())
    return shared


def _frozen(units: UnitTuple) -> frozenset[tuple[str, Units]]:
    return frozenset((lang, each) for lang, each in units.items() if each)


@dataclass(frozen=True)
class _CommonUnits:
    """What each sentence of the two segmentations covers, in units that both share."""

    gold: Sequence[Units]
    pred: Sequence[Units]
    characters: bool


def _common_units(
    gold: tuple[Sequence[str] | None, Groups, str],
    pred: tuple[Sequence[str] | None, Groups, str],
    what: str,
) -> _CommonUnits:
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
        return _CommonUnits(single, single, characters=False)
    gold_texts, pred_texts = (["".join(each.split()) for each in side] for side in (gold_sents, pred_sents))
    if gold_texts == pred_texts:
        single = [frozenset({n}) for n in range(len(gold_sents))]
        return _CommonUnits(single, single, characters=False)
    _check_same_text("".join(gold_texts), "".join(pred_texts), f"{pred_where}: {what}")
    return _CommonUnits(_character_units(gold_texts), _character_units(pred_texts), characters=True)


def _common_tuple_units(gold: Row[TupleDocument], pred: Row[TupleDocument], lang: str) -> _CommonUnits:
    return _common_units(
        (gold.value.sents.get(lang), gold.value.groups(lang), gold.where),
        (pred.value.sents.get(lang), pred.value.groups(lang), pred.where),
        f"document {gold.value.id!r}, tuples, language {lang}",
    )


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


def _unit_beads(
    beads: Iterable[tuple[tuple[int, ...], tuple[int, ...]]], left: Sequence[Units], right: Sequence[Units]
) -> UnitBeads:
    return {
        (_union(left, sources), _union(right, targets)): f"{len(sources)}-{len(targets)}"
        for sources, targets in beads
        if sources or targets
    }


def _unit_tuple(each: Mapping[str, tuple[int, ...]], units: Mapping[str, Sequence[Units]]) -> UnitTuple:
    return {lang: _union(units[lang], ids) for lang, ids in each.items()}


def _union(units: Sequence[Units], ids: Iterable[int]) -> Units:
    return frozenset[int]().union(*(units[n] for n in ids))


def _bead_documents(rows: Iterable[Row[SentenceRow]], *, gold: bool) -> list[Row[BeadDocument]]:
    """Take the pairs out of rows; where a row has both `gold` and `beads`, the file's part decides."""
    documents = []
    for row in rows:
        value = row.value
        first, second = (value.gold, value.beads) if gold else (value.beads, value.gold)
        beads = first if first is not None else second
        if isinstance(beads, dict):
            sents = value.sents or {}
            for key, each in beads.items():
                left, _, right = key.partition("-")
                if not left or not right:
                    raise InputError(f"{row.where}: {key!r} is no pair of languages, such as 'en-ko'")
                sides = (sents.get(left), sents.get(right))
                documents.append(Row(BeadDocument(value.id, (left, right), sides, _plain(each)), row.where))
        elif beads is not None:
            named = value.src_lang is not None and value.tgt_lang is not None
            pair = (value.src_lang or "", value.tgt_lang or "") if named else None
            document = BeadDocument(value.id, pair, (value.src, value.tgt), _plain(beads))
            documents.append(Row(document, row.where))
        elif value.tuples is None:
            raise InputError(f"{row.where}: no 'beads', 'gold' or 'tuples' in this row")
    return documents


def _tuple_documents(rows: Iterable[Row[SentenceRow]]) -> list[Row[TupleDocument]]:
    return [
        Row(TupleDocument(row.value.id, row.value.sents or {}, tuple(row.value.tuples)), row.where)
        for row in rows
        if row.value.tuples is not None
    ]


def _plain(beads: Beads) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    return tuple((each.src, each.tgt) if isinstance(each, BeadRow) else each for each in beads)
