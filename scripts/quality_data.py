"""Translations that are known to be good or bad, as features, for training and measuring the estimate.

Good are human translations: lines of NTREX, beads of the project's news corpus. Bad are machine
translations whose chrF against the human one is under 25, and human translations that were spoilt: a clause
dropped, words shuffled, the sentence after next in its place. A document is in one half, whole.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from bench_checks import read_news
from numpy.typing import NDArray
from sacrebleu.metrics import CHRF
from starter_translations import TARGETS, read_rows

from mtalign.alignment import Bead
from mtalign.document import Document, Sentence, Span
from mtalign.encode import Encoder, RememberedVectors
from mtalign.models import resolve
from mtalign.project.document import Task
from mtalign.quality import FEATURES, feature_tables
from mtalign.words import Linker

BAD_CHRF = 25.0
HUMAN, NEWS, MACHINE, SPOILT = "human", "news", "machine", "spoilt"
_CLAUSE = re.compile(r"[,;:—–]\s+")
_NEWS_STEP = 6
_SPOILT_STEP = 3


@dataclass(frozen=True)
class Text:
    """Sentences of one document and their translations; `kinds` names what was done to each."""

    document: str
    lang: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    kinds: tuple[str, ...]
    chrf: tuple[float, ...]

    def task(self) -> Task:
        """Return it as documents with a bead for each sentence."""
        beads = [Bead((i,), (i,), 1.0) for i in range(len(self.source))]
        return Task(_document(self.source, "en"), _document(self.target, self.lang), beads)


@dataclass(frozen=True)
class Example:
    """One bead: where it is from, its features, and for machine translations its chrF."""

    document: str
    lang: str
    kind: str
    features: NDArray[np.float64]
    chrf: float

    @property
    def first_half(self) -> bool:
        """Whether the example is for training; the other half is for measuring."""
        return sum(self.document.encode()) % 2 == 0


def _document(sentences: Sequence[str], lang: str) -> Document:
    spans, at = [], 0
    for each in sentences:
        spans.append(Sentence(Span(at, at + len(each))))
        at += len(each) + 1
    return Document("text", lang, "\n".join(sentences), tuple(spans))


def read_texts(ntrex: Path, news: Path, machine: Path) -> Iterator[Text]:
    """Yield human translations, the same spoilt, and machine translations."""
    rows = [json.loads(line) for line in ntrex.read_text(encoding="utf-8").splitlines()]
    human = {
        (row["doc"], row["line"]): {each: row[each].strip() for each in ("en", *TARGETS)} for row in rows
    }
    for number, (doc, group) in enumerate(groupby(human, key=lambda key: key[0])):
        lines = [human[key] for key in group]
        for lang in TARGETS:
            source, target = (tuple(line[each] for line in lines) for each in ("en", lang))
            yield _plain(doc, lang, source, target, HUMAN)
            if number % _SPOILT_STEP == 0:
                yield spoil(doc, lang, source, target)
    for number, article in enumerate(read_news(news)):
        if number % _NEWS_STEP == 0:
            for lang in TARGETS:
                beads = [each.texts for each in article if each.texts.get("en") and each.texts.get(lang)]
                source, target = (tuple(each[side] for each in beads) for side in ("en", lang))
                yield _plain(f"news {number}", lang, source, target, NEWS)
    metric = CHRF()
    made = sorted(read_rows(machine), key=lambda row: (row["doc"], row["line"]))
    for doc, group in groupby(made, key=lambda row: row["doc"]):
        lines_made = list(group)
        for lang in TARGETS:
            source = tuple(row["en"] for row in lines_made)
            target = tuple(row[lang]["text"] for row in lines_made)
            references = [human[doc, row["line"]][lang] for row in lines_made]
            chrf = [
                metric.sentence_score(one, [other]).score
                for one, other in zip(target, references, strict=True)
            ]
            yield Text(doc, lang, source, target, (MACHINE,) * len(source), tuple(chrf))


def _plain(doc: str, lang: str, source: tuple[str, ...], target: tuple[str, ...], kind: str) -> Text:
    return Text(doc, lang, source, target, (kind,) * len(source), (float("nan"),) * len(source))


def spoil(doc: str, lang: str, source: tuple[str, ...], target: tuple[str, ...]) -> Text:
    """Return the text with every second sentence spoilt, in turn in each way; the others keep kind ``."""
    draw = random.Random(f"{doc} {lang}")
    spoilt, kinds = [], []
    for number, text in enumerate(target):
        way = ("clause", "shuffled", "wrong")[number // 2 % 3] if number % 2 else ""
        other = target[(number + 2) % len(target)]
        changed = {
            "": text,
            "clause": without_clause(text),
            "shuffled": " ".join(draw.sample(text.split(), len(text.split()))),
            "wrong": other,
        }[way]
        spoilt.append(changed or text)
        kinds.append(f"{SPOILT} {way}" if way and changed not in {"", text} else "")
    return Text(doc, lang, source, tuple(spoilt), tuple(kinds), (float("nan"),) * len(source))


def without_clause(text: str) -> str:
    """Return the text up to its middle clause mark, or its first half of words."""
    marks = [each.start() for each in _CLAUSE.finditer(text) if 0.3 < each.start() / len(text) < 0.75]
    if marks:
        return text[: marks[len(marks) // 2]] + text[-1] * (not text[-1].isalnum())
    words = text.split()
    return " ".join(words[: max(1, len(words) // 2)])


def examples(ntrex: Path, news: Path, machine: Path, cache: Path | None = None) -> list[Example]:
    """Return all examples; `cache` keeps the features of the texts that do not change.

    What a machine made is always computed anew, as there may be more of it.
    """
    vectors = Encoder(resolve("starter:e5-small"), prefix="query: ")
    remembered, linker = RememberedVectors(vectors), Linker(vectors)
    known: dict[str, list[list[float]]] = (
        json.loads(cache.read_text(encoding="utf-8")) if cache and cache.is_file() else {}
    )
    found = []
    for text in read_texts(ntrex, news, machine):
        key = f"{text.document} {text.lang} {text.kinds[-1]} {hash_of(text)}"
        if key not in known:
            (table,) = feature_tables([text.task()], linker.compare, remembered)
            known[key] = table.tolist()
            if cache:
                cache.write_text(json.dumps(known), encoding="utf-8")
        for kind, row, chrf in zip(text.kinds, known[key], text.chrf, strict=True):
            if kind:
                found.append(Example(text.document, text.lang, kind, np.array(row), chrf))
    return found


def hash_of(text: Text) -> str:
    """Return what the features of a text are remembered under."""
    from mtalign.config import digest

    return digest((text.source, text.target, FEATURES))


def is_bad(example: Example) -> bool | None:
    """Say whether the translation is bad; None for a machine translation that is not plainly bad."""
    if example.kind == MACHINE:
        return True if example.chrf < BAD_CHRF else None
    return example.kind.startswith(SPOILT)
