"""What a record can hold, and how much of each a given record does: the measure of every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from mtalign.document import Document, Entity, paragraph_spans
from mtalign.record import Record, pair_key

Feature = Literal[
    "whole texts",
    "paragraphs",
    "sentences",
    "document fields",
    "mentions",
    "overlapping mentions",
    "discontinuous mentions",
    "relations",
    "mention ids",
    "mention attributes",
    "confidences",
    "lost mentions",
    "pairs with the source",
    "pairs of two targets",
    "tuples",
    "one-sided sentences",
    "bead scores",
    "tuple scores",
    "origins",
    "issues",
]

# Records, streamed anew by every call.
Records = Callable[[], Iterable[Record]]

FEATURES: dict[Feature, str] = {
    "whole texts": "every character of every text in its place, white space included",
    "paragraphs": "where paragraphs begin",
    "sentences": "where sentences begin and end",
    "document fields": "title, source, licence and attributes of documents",
    "mentions": "entity mentions: label, and place in the text",
    "overlapping mentions": "mentions that share characters with another one",
    "discontinuous mentions": "the parts of mentions that other words stand between",
    "relations": "relations between mentions",
    "mention ids": "ids of mentions, and by them which mentions are each other's translations",
    "mention attributes": "attributes of mentions",
    "confidences": "how sure the projection of a mention is",
    "lost mentions": "mentions that could not be carried over, with the reason",
    "pairs with the source": "which sentences of the source and a target belong together",
    "pairs of two targets": "which sentences of two targets belong together",
    "tuples": "which sentences of all languages belong together",
    "one-sided sentences": "sentences without a counterpart",
    "bead scores": "scores of pairs",
    "tuple scores": "scores of tuples",
    "origins": "who or what translated",
    "issues": "what the checks found",
}


def documents_of(record: Record) -> list[Document]:
    """Return source and targets, the source first, with the mentions that were kept inside each.

    Relations of the source hold in a target where both their mentions were kept.
    A mention of a target has the id of its source mention, and its confidence as an attribute.
    """
    return [record.source, *(_with_mentions(record, lang) for lang in record.targets)]


def _with_mentions(record: Record, lang: str) -> Document:
    mentions = tuple(
        msgspec.structs.replace(
            each.entity,
            id=each.source,
            attributes={**each.entity.attributes, "confidence": repr(each.confidence)},
        )
        for each in record.projections[lang]
        if each.entity is not None
    )
    relations = tuple(record.relations(lang))
    return msgspec.structs.replace(record.targets[lang], entities=mentions, relations=relations)


def inventory(record: Record) -> Counter[str]:
    """Count every feature in a record; what it has nothing of is left out."""
    documents = documents_of(record)
    mentions = [each for document in documents for each in document.entities]
    projections = [each for found in record.projections.values() for each in found]
    with_source = {pair_key(record.source.lang, lang) for lang in record.targets}
    beads: Counter[bool] = Counter()
    for pair, found in record.beads.items():
        beads[pair in with_source] += sum(bool(bead.left and bead.right) for bead in found)
    langs = len(documents)
    counts: dict[Feature, int] = {
        "whole texts": langs,
        "paragraphs": sum(len(paragraph_spans(each.text)) for each in documents),
        "sentences": sum(len(each.sentences) for each in documents),
        "document fields": sum(_has_fields(each) for each in documents),
        "mentions": len(mentions),
        "overlapping mentions": sum(len(each.entities) - len(disjoint(each.entities)) for each in documents),
        "discontinuous mentions": sum(bool(each.fragments) for each in mentions),
        "relations": sum(len(each.relations) for each in documents),
        "mention ids": len(mentions),
        "mention attributes": sum(bool(set(each.attributes) - {"confidence"}) for each in mentions),
        "confidences": sum(each.entity is not None for each in projections),
        "lost mentions": sum(each.entity is None for each in projections),
        "pairs with the source": beads[True],
        "pairs of two targets": beads[False],
        "tuples": sum(sum(map(bool, each.sents.values())) > 1 for each in record.tuples),
        "one-sided sentences": sum(sum(map(bool, each.sents.values())) == 1 for each in record.tuples),
        "bead scores": beads.total(),
        "tuple scores": len(record.tuples),
        "origins": len(record.origins),
        "issues": len(record.issues),
    }
    return Counter({name: count for name, count in counts.items() if count})


def disjoint(entities: tuple[Entity, ...]) -> list[Entity]:
    """Return mentions in order of which no two overlap: the longer of two stays, then the first."""
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda each: (-len(each.span), each.span.start)):
        if not any(entity.span.overlaps(other.span) for other in kept):
            kept.append(entity)
    return sorted(kept, key=lambda each: each.span.start)


def _has_fields(document: Document) -> bool:
    return bool(document.title or document.source or document.license or document.attributes)
