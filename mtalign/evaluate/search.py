"""Scores of search: recall, success and mean reciprocal rank of ranked answers; and of an index.

Recall@k is the share of a query's relevant passages among its first k answers; success@k says whether
at least one is there; MRR is the mean of 1 / (rank of the first relevant answer), 0 where none is given.
All are means over queries. Graded relevance is not handled.

An index is scored on the tuples that it was built from: each passage is a query, and its counterparts in
another language are what it should find among all passages of that language (`en-ko`), or of all
languages but its own (`en-*`).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from msgspec import Struct

from mtalign.errors import InputError
from mtalign.evaluate.counts import signature
from mtalign.evaluate.rows import match, read_rows

DEFAULT_KS = (1, 10)
PERCENTILES = (50, 95, 99)


class RelevantRow(Struct, frozen=True):
    """A query and the ids of the passages that answer it."""

    id: str
    relevant: tuple[str, ...]

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id of the query."""
        return self.id, None


class RankedRow(Struct, frozen=True):
    """A query and the ids of the passages found, best first."""

    id: str
    ranked: tuple[str, ...]

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id of the query."""
        return self.id, None


@dataclass(frozen=True)
class SearchScores:
    """Means over queries; `recall` and `success` by depth k."""

    queries: int
    recall: dict[int, float]
    success: dict[int, float]
    mrr: float
    signature: str

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "queries": self.queries,
            **{f"recall@{k}": value for k, value in self.recall.items()},
            **{f"success@{k}": value for k, value in self.success.items()},
            "mrr": self.mrr,
            "signature": self.signature,
        }


def evaluate_search_files(gold: Path, pred: Path, ks: Sequence[int] = DEFAULT_KS) -> SearchScores:
    """Score ranked answers (`{"id", "ranked": [id…]}`) against relevant ones (`{"id", "relevant": [id…]}`).

    Raises:
        UsageError: a file cannot be read or is empty.
        InputError: a line is unusable, or a gold query has no answers row.
    """
    pairs = match(read_rows(gold, RelevantRow), read_rows(pred, RankedRow))
    return score_search(
        {theirs.value.id: theirs.value.ranked for _, theirs in pairs},
        {mine.value.id: mine.value.relevant for mine, _ in pairs},
        ks,
    )


def score_search(
    ranked: Mapping[str, Sequence[str]],
    relevant: Mapping[str, Collection[str]],
    ks: Sequence[int] = DEFAULT_KS,
) -> SearchScores:
    """Score the ranked passage ids of every query in `relevant`.

    Raises:
        InputError: a query has no ranked list, or nothing relevant to it.
    """
    if not relevant:
        raise InputError("no queries; nothing can be scored")
    for query, wanted in relevant.items():
        if query not in ranked:
            raise InputError(f"query {query!r} has no ranked answers; an empty list says that none was found")
        if not wanted:
            raise InputError(f"query {query!r} has no relevant passage; leave it out of the gold")
    count = len(relevant)
    hits = {q: [passage in set(wanted) for passage in ranked[q]] for q, wanted in relevant.items()}
    return SearchScores(
        count,
        {k: sum(sum(hits[q][:k]) / len(set(wanted)) for q, wanted in relevant.items()) / count for k in ks},
        {k: sum(any(each[:k]) for each in hits.values()) / count for k in ks},
        sum(1 / (each.index(True) + 1) for each in hits.values() if any(each)) / count,
        signature(recall="found/relevant", average="queries"),
    )


@dataclass(frozen=True)
class Sentence:
    """A passage as a gold knows it; passages of one `group` say the same."""

    id: str
    lang: str
    group: str
    text: str


@dataclass(frozen=True)
class Question:
    """A sentence as a query, the languages in which it is asked, and the ids that answer it."""

    sentence: Sentence
    langs: tuple[str, ...]
    relevant: tuple[str, ...]

    @property
    def pair(self) -> str:
        """From which language into which: `en-ko`, or `en-*` for all others at once."""
        return f"{self.sentence.lang}-{self.langs[0] if len(self.langs) == 1 else '*'}"


@dataclass(frozen=True)
class IndexScores:
    """Scores by mode and pair, and the milliseconds that a query took, by mode, at percentiles."""

    modes: dict[str, dict[str, SearchScores]]
    milliseconds: dict[str, dict[int, float]]

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            mode: {
                **{pair: each.as_dict() for pair, each in pairs.items()},
                "milliseconds": {f"p{p}": value for p, value in self.milliseconds[mode].items()},
            }
            for mode, pairs in self.modes.items()
        }


def questions(sentences: Iterable[Sentence], limit: int | None = None) -> list[Question]:
    """Return the queries that tuples give: each sentence, into every other language and into all others.

    With a limit, that many sentences are taken, evenly spread.

    Raises:
        InputError: no sentence has a counterpart.
    """
    groups: dict[str, dict[str, list[Sentence]]] = defaultdict(lambda: defaultdict(list))
    for each in sentences:
        groups[each.group][each.lang].append(each)
    asked = [
        (sentence, {lang: found for lang, found in by_lang.items() if lang != sentence.lang})
        for by_lang in groups.values()
        for sentence in chain.from_iterable(by_lang.values())
        if len(by_lang) > 1
    ]
    if not asked:
        raise InputError("no sentence has a counterpart in another language; nothing can be scored")
    if limit is not None and limit < len(asked):
        asked = [asked[n * len(asked) // limit] for n in range(limit)]
    every = sorted({lang for by_lang in groups.values() for lang in by_lang})
    made: list[Question] = []
    for sentence, others in asked:
        made += [Question(sentence, (lang,), _ids(found)) for lang, found in others.items()]
        if len(every) > 2:
            rest = tuple(lang for lang in every if lang != sentence.lang)
            made.append(Question(sentence, rest, _ids(chain.from_iterable(others.values()))))
    return made


def evaluate_index(
    asked: Sequence[Question],
    modes: Sequence[str],
    ask: Callable[[str, str, tuple[str, ...], int], Sequence[str]],
    ks: Sequence[int] = DEFAULT_KS,
) -> IndexScores:
    """Ask every question in every mode and score the answers.

    Args:
        asked: the questions.
        modes: the modes.
        ask: from mode, text, languages and number of answers to the ids found, best first.
        ks: the depths of recall.
    """
    scores: dict[str, dict[str, SearchScores]] = {}
    milliseconds: dict[str, dict[int, float]] = {}
    for mode in modes:
        ranked: dict[str, dict[str, Sequence[str]]] = defaultdict(dict)
        relevant: dict[str, dict[str, Collection[str]]] = defaultdict(dict)
        took = []
        for each in asked:
            start = time.perf_counter()
            ranked[each.pair][each.sentence.id] = ask(mode, each.sentence.text, each.langs, max(ks))
            took.append((time.perf_counter() - start) * 1000)
            relevant[each.pair][each.sentence.id] = each.relevant
        scores[mode] = {pair: score_search(ranked[pair], relevant[pair], ks) for pair in sorted(ranked)}
        took.sort()
        milliseconds[mode] = {p: took[min(len(took) - 1, len(took) * p // 100)] for p in PERCENTILES}
    return IndexScores(scores, milliseconds)


def _ids(sentences: Iterable[Sentence]) -> tuple[str, ...]:
    return tuple(each.id for each in sentences)
