"""Records made of rows of the project's own news corpus, whose alignment and links are the gold.

`data/news.jsonl` holds six of its fictional articles: sentences with paragraph numbers in four languages,
n-way beads, and mentions linked by id. They were written for this project by a language model, one writer
a part, without a second annotator.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

from mtalign.alignment import Bead, Tuple
from mtalign.document import Document, Entity, Sentence, Span
from mtalign.record import Origin, Projection, Record, pair_key

NEWS = Path(__file__).parent / "data" / "news.jsonl"
SIGNATURE = "news-corpus|gold"
HUMAN = Origin("human")
LICENSE = "CC BY 4.0"
SOURCE = "fictional news written by a language model for mtalign's tests"


def news(path: Path = NEWS) -> list[Record]:
    """Return the articles of a corpus file as records."""
    return [record(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def record(row: Mapping[str, Any], origin: Origin = HUMAN, license: str | None = LICENSE) -> Record:
    """Return one corpus row as a record: the English text is the source, all else comes from the gold."""
    documents = {
        lang: document(row["id"], lang, sentences, row["entities"].get(lang, ()), license)
        for lang, sentences in row["sentences"].items()
    }
    source, *targets = documents.values()
    return Record(
        id=row["id"],
        source=source,
        signature=SIGNATURE,
        targets={each.lang: each for each in targets},
        origins={each.lang: origin for each in targets},
        beads={pair_key(a, b): pair_beads(row["beads"], a, b) for a, b in combinations(documents, 2)},
        tuples=tuple(Tuple({lang: tuple(ids) for lang, ids in each.items()}, 1.0) for each in row["beads"]),
        projections={each.lang: projections(source, each) for each in targets},
    )


def document(
    article: str, lang: str, sentences: list[dict[str, Any]], entities: Any, license: str | None
) -> Document:
    """Return a text of sentences: a space between two of a paragraph, a blank line between paragraphs."""
    text = ""
    placed: list[Sentence] = []
    for number, (_, group) in enumerate(groupby(sentences, key=lambda each: each["paragraph"])):
        for n, each in enumerate(group):
            text += "" if not placed else "\n\n" if n == 0 else " "
            placed.append(Sentence(Span(len(text), len(text) + len(each["text"])), number))
            text += each["text"]
    mentions = tuple(
        Entity(
            id=str(each["id"]),
            span=Span(each["start"], each["end"]).shift(placed[each["sentence"]].span.start),
            text=each["text"],
            label=each["label"],
        )
        for each in entities
    )
    title = placed[0].span.of(text)
    return Document(article, lang, text, tuple(placed), mentions, title, SOURCE, license)


def pair_beads(tuples: list[dict[str, list[int]]], left: str, right: str) -> tuple[Bead, ...]:
    """Return the beads of one pair that the n-way beads of a row contain."""
    sides = [(tuple(each.get(left, ())), tuple(each.get(right, ()))) for each in tuples]
    return tuple(Bead(a, b, 1.0) for a, b in sides if a or b)


def projections(source: Document, target: Document) -> tuple[Projection, ...]:
    """Return the gold links of a target: a mention of the source without one is lost."""
    found = {each.id: each for each in target.entities}
    return tuple(
        Projection(each.id, 1.0, "gold", entity=found[each.id])
        if each.id in found
        else Projection(each.id, 0.0, "gold", reason="dropped in translation")
        for each in source.entities
    )
