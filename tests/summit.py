"""The summit article of examples/ as a record, with its gold alignment and entities instead of a model's."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

from mtalign.align.tuples import tuples
from mtalign.alignment import Bead, compose, invert
from mtalign.document import Document, Entity, Sentence, Span
from mtalign.record import Origin, Projection, Record, pair_key
from mtalign.report.links import ArticleLinks, text_digest
from mtalign.store import Run, Writer

EXAMPLE = Path(__file__).parents[1] / "examples" / "summit"


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXAMPLE / name).read_text(encoding="utf-8").splitlines()]


def _document(lang: str, text: str, sentences: list[str], **more: Any) -> Document:
    placed: list[Sentence] = []
    end = paragraph = 0
    for sentence in sentences:
        start = text.index(sentence, end)
        paragraph += bool(placed) and "\n\n" in text[end:start]
        end = start + len(sentence)
        placed.append(Sentence(Span(start, end), paragraph))
    return Document("summit", lang, text, tuple(placed), **more)


def summit() -> Record:
    """Return the article with its human translations into three languages."""
    (row,) = _rows("article.jsonl")
    gold = {each["tgt_lang"]: each for each in _rows("beads.gold.jsonl")}
    mentions = {
        each["tgt_lang"]: {one["source"]: one for one in each["entities"]}
        for each in _rows("entities.gold.jsonl")
    }
    entities = tuple(
        Entity(each["id"], Span(each["start"], each["end"]), each["text"], each["label"])
        for each in row["entities"]
    )
    source = _document(
        "en", row["text"], gold["ko"]["src"], entities=entities, source=row["source"], license=row["license"]
    )
    targets = {
        lang: _document(lang, row["translations"][lang]["text"], each["tgt"]) for lang, each in gold.items()
    }
    beads = {
        ("en", lang): tuple(Bead(tuple(left), tuple(right), 1.0) for left, right in each["gold"])
        for lang, each in gold.items()
    }
    for a, b in combinations(targets, 2):
        beads[a, b] = compose(invert(beads["en", a]), beads["en", b])
    documents = {"en": source, **targets}
    return Record(
        id="summit",
        source=source,
        signature="gold",
        targets=targets,
        origins={lang: Origin("human", license="cc-by-4.0") for lang in targets},
        beads={pair_key(*pair): beads[pair] for pair in combinations(documents, 2)},
        tuples=tuples({lang: len(each.sentences) for lang, each in documents.items()}, beads),
        projections={
            lang: tuple(_projection(each, mentions[lang].get(each.id)) for each in entities)
            for lang in targets
        },
    )


def _projection(source: Entity, found: dict[str, Any] | None) -> Projection:
    if found is None:
        return Projection(source.id, 0.2, "gold", reason="no-counterpart")
    confidence = 0.6 if source.text == "Haesong" else 0.97
    span = Span(found["start"], found["end"])
    return Projection(
        source.id, confidence, "gold", entity=Entity(source.id, span, found["text"], found["label"])
    )


def links(record: Record) -> ArticleLinks:
    """Return word links that the gold vouches for: those between mentions of the same entity."""
    spans = {each.id: each.span for each in record.source.entities}
    return ArticleLinks(
        record.id,
        text_digest(record),
        {
            lang: [
                (*_ends(spans[each.source]), *_ends(each.entity.span)) for each in projections if each.entity
            ]
            for lang, projections in record.projections.items()
        },
    )


def _ends(span: Span) -> tuple[int, int]:
    return span.start, span.end


def written(path: Path, *records: Record) -> Run:
    """Write records into a run directory."""
    with Writer(path, {"targets": ["ko", "uk", "ru"]}) as writer:
        for record in records:
            writer.add(record)
    return Run(path)
