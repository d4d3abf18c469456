"""What becomes of every mention of the development sets; printed by `bench_projection.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from projection_data import Case
from ranker_examples import fold

from mtalign.alignment import Bead
from mtalign.document import Document, Entity, Sentence, Span
from mtalign.project.baseline import baseline_span
from mtalign.project.document import Task, project_documents
from mtalign.project.evidence import Evidence
from mtalign.project.rank import ProjectOptions
from mtalign.project.weights import Weights
from mtalign.units import UnitText, set_aside_aliases, unit_text
from mtalign.words import Linker

Hears = Callable[[str], Sequence[Evidence]]


@dataclass(frozen=True)
class Outcome:
    """What became of one mention; `case` and `at` say which sentence it is in and where it begins there."""

    case: str
    at: int
    data: str
    lang: str
    entity: str
    gold: tuple[Span, ...]
    baseline: Span | None
    found: Span | None
    confidence: float
    target: str

    @property
    def adjudicated(self) -> bool:
        """Whether the span is right, or both readers found it so (uner_adjudication.json)."""
        return self.right or (self.case, self.at, self.found) in adjudications()

    @property
    def right_but_for_marks(self) -> bool:
        """Whether the span is a gold one if marks at the edges of both are left out.

        Some of the gold takes in the full stop, comma or bracket after a name.
        """
        if not self.found:
            return not self.gold
        return _bare(self.found, self.target) in {_bare(span, self.target) for span in self.gold}

    @property
    def right(self) -> bool:
        """Whether the span is exactly a gold one, or there is none where none should be."""
        return self.found in self.gold if self.found else not self.gold


def _bare(span: Span, text: str) -> Span:
    """Return the span without marks and white space at its edges."""
    start, end = span.start, span.end
    while start < end and not text[start].isalnum():
        start += 1
    while start < end and not text[end - 1].isalnum():
        end -= 1
    return Span(start, end)


# What the second reader may say of a span of ours.
ACCEPTED = ("ours", "both")


@cache
def verdicts() -> list[dict[str, Any]]:
    """Return what two readers said of the spans that differ from the gold (uner_adjudication.json)."""
    read = json.loads(Path(__file__).with_name("uner_adjudication.json").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = read["verdicts"]
    return found


@cache
def adjudications() -> frozenset[tuple[str, int, Span]]:
    """Return the spans that both readers found right: sentence, mention's start, span."""
    return frozenset(
        (each["id"], each["mention"], Span(*each["span"]))
        for each in verdicts()
        if each["first"] and each["second"] in ACCEPTED
    )


def task_of(cases: Sequence[Case]) -> Task:
    """Make one document of the cases of an article: each case a sentence on either side, and a bead."""
    sides = []
    for texts in ([case.source for case in cases], [case.target for case in cases]):
        starts = np.cumsum([0, *(len(text) + 2 for text in texts)])
        sentences = tuple(
            Sentence(Span(int(at), int(at) + len(text)), n)
            for n, (at, text) in enumerate(zip(starts, texts, strict=False))
        )
        sides.append(("\n\n".join(texts), sentences))
    entities = [
        Entity(
            f"{n}-{mention.entity.id}",
            mention.entity.span.shift(sentence.span.start),
            mention.entity.text,
            mention.entity.label,
        )
        for n, (case, sentence) in enumerate(zip(cases, sides[0][1], strict=True))
        for mention in case.mentions
    ]
    source = Document(cases[0].group, "en", *sides[0], tuple(entities))
    target = Document(cases[0].group, cases[0].lang, *sides[1])
    return Task(source, target, [Bead((n,), (n,)) for n in range(len(cases))])


def outcomes(
    cases: Sequence[Case],
    linker: Linker,
    folds: Sequence[dict[str, Weights]],
    options: ProjectOptions,
    evidence: Hears | None = None,
) -> list[Outcome]:
    """Project all cases, each article by its fold's weights, with other evidence if given."""
    found = []
    for number, weights in enumerate(folds):
        articles = [
            list(own)
            for _, own in groupby(
                (case for case in cases if fold(case.group) == number),
                lambda case: (case.data, case.group, case.lang),
            )
        ]
        # Single sentences go in bundles, as rows of `mtalign project` do.
        for at in range(0, len(articles), 64):
            bundle = articles[at : at + 64]
            for own, made in zip(
                bundle,
                project_documents(
                    [task_of(own) for own in bundle], linker.compare, options, weights, evidence
                ),
                strict=True,
            ):
                by_id = {each.source: each for each in made}
                for n, (case, base) in enumerate(zip(own, baselines(own, linker), strict=True)):
                    start = sum(len(each.target) + 2 for each in own[:n])
                    for mention, plain in zip(case.mentions, base, strict=True):
                        one = by_id[f"{n}-{mention.entity.id}"]
                        span = (
                            Span(one.entity.span.start - start, one.entity.span.end - start)
                            if one.entity and one.entity.span.start >= start
                            else None
                        )
                        found.append(
                            Outcome(
                                case.group,
                                mention.entity.span.start,
                                case.data,
                                case.lang,
                                mention.entity.text,
                                mention.gold,
                                plain,
                                span,
                                one.confidence,
                                case.target,
                            )
                        )
    return found


def baselines(cases: Sequence[Case], linker: Linker) -> list[list[Span | None]]:
    """Return the baseline's span for every mention of every case."""
    pairs = [units_of(case) for case in cases]
    return [
        [baseline_span(mention.entity.span, *pair, compared) for mention in case.mentions]
        for case, pair, compared in zip(cases, pairs, linker.compare(pairs), strict=True)
    ]


def units_of(case: Case) -> tuple[UnitText, UnitText]:
    """Return both texts in units."""
    source = unit_text(case.source, "en")
    return source, set_aside_aliases(unit_text(case.target, case.lang), source)
