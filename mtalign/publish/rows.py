"""Records as dataset rows: pure functions, one per config, and the typed features of each.

Offsets in rows count code points into the text of the `articles` config. Texts are the documents' own,
with nothing normalised. Timings, and beads in which a side is empty, are not published; sentences
without a counterpart are rows of `sentences` and `articles`. The configs `ner-*` and `embeddings` have
modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from mtalign.alignment import Bead, invert
from mtalign.document import Document, Entity
from mtalign.publish.filters import sentence_at
from mtalign.record import Projection, Record, pair_key

if TYPE_CHECKING:
    from datasets import Features

ARTICLES = "articles"
SENTENCES = "sentences"
ENTITIES = "entities"
PAIRS = "pairs-"

RowDict = dict[str, object]
Mention = tuple[str, Entity, "float | None"]
ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Config:
    """One table of the dataset: its name, what a row is, its row maker, and its features."""

    name: str
    about: str
    rows: Callable[[Record], Iterator[RowDict]]
    features: Callable[[], Features]


def configs(languages: Sequence[str], pairs: Iterable[tuple[str, str]]) -> list[Config]:
    """Return the configs of a dataset in these languages and pairs."""
    return [
        Config(
            SENTENCES,
            "one row per n-way tuple: the sentences of all languages that say the same",
            partial(sentence_rows, languages=languages),
            partial(sentence_features, languages),
        ),
        *(
            Config(
                PAIRS + pair_key(left, right),
                "one row per pair of aligned sentences, with score and bead type",
                partial(pair_rows, left=left, right=right),
                partial(pair_features, left, right),
            )
            for left, right in pairs
        ),
        Config(
            ENTITIES,
            "one row per source mention: its span, and that in every other language or why it is lost",
            partial(entity_rows, languages=languages),
            partial(entity_features, languages),
        ),
        Config(
            ARTICLES,
            "one row per article: all texts, with sentences and mentions as offsets, origins and issues",
            partial(article_rows, languages=languages),
            partial(article_features, languages),
        ),
    ]


def places(row: RowDict) -> Iterator[tuple[str, int]]:
    """Yield the sentences, as language and index, that a row is made of; those of an article are all its own.

    Every row maker names them in one of two ways: `indices` by language, or `language` and `sentence`.
    """
    if "indices" in row:
        indices = cast("dict[str, list[int]]", row["indices"])
        yield from ((lang, index) for lang, found in indices.items() for index in found)
    elif row.get("sentence") is not None:
        yield cast("str", row["language"]), cast("int", row["sentence"])


def article_rows(record: Record, languages: Sequence[str]) -> Iterator[RowDict]:
    """Yield the one row of an article: all texts, with sentences and entities as offsets into them."""
    documents = record.documents()
    yield {
        "id": record.id,
        "language": record.source.lang,
        "title": _by_language(languages, documents, lambda document: document.title),
        "text": _by_language(languages, documents, lambda document: document.text),
        "sentences": _by_language(
            languages,
            documents,
            lambda document: [
                {"start": each.span.start, "end": each.span.end, "paragraph": each.paragraph}
                for each in document.sentences
            ],
        ),
        "entities": _by_language(
            languages,
            documents,
            lambda document: [_mention(*each) for each in mentions(record, document.lang)],
        ),
        "origin": _by_language(
            languages,
            record.origins,
            lambda origin: {
                "kind": origin.kind,
                "engine": origin.engine,
                "model": origin.model,
                "license": origin.license,
                "demo": origin.demo,
            },
        ),
        "issues": [
            {
                "kind": each.kind,
                "severity": each.severity,
                "language": each.lang,
                "evidence": each.evidence,
                "sentences": list(each.sentences),
                "entity": each.entity,
            }
            for each in record.issues
        ],
        "attributes": _attributes(record.source.attributes),
        "source": record.source.source,
        "license": record.source.license,
        "signature": record.signature,
    }


def sentence_rows(record: Record, languages: Sequence[str]) -> Iterator[RowDict]:
    """Yield one row per n-way tuple; a language that says nothing there is None."""
    documents = record.documents()
    for number, each in enumerate(record.tuples):
        indices = {lang: each.sents.get(lang, ()) for lang in languages}
        yield {
            "id": f"{record.id}:{number}",
            "article": record.id,
            "tuple": number,
            "translation": {
                lang: text_of(documents[lang], ids) if ids else None for lang, ids in indices.items()
            },
            "indices": {lang: list(ids) for lang, ids in indices.items()},
            "paragraph": next(
                document.sentences[each.sents[lang][0]].paragraph
                for lang, document in documents.items()
                if each.sents.get(lang)
            ),
            "score": each.score,
        }


def pair_rows(record: Record, left: str, right: str) -> Iterator[RowDict]:
    """Yield one row per bead of a pair that has sentences on both sides."""
    documents = record.documents()
    if left not in documents or right not in documents:
        return
    for number, bead in enumerate(pair_beads(record, left, right)):
        if bead.left and bead.right:
            yield {
                "id": f"{record.id}:{pair_key(left, right)}:{number}",
                "article": record.id,
                "translation": {
                    left: text_of(documents[left], bead.left),
                    right: text_of(documents[right], bead.right),
                },
                "indices": {left: list(bead.left), right: list(bead.right)},
                "kind": bead.kind,
                "score": bead.score,
            }


def entity_rows(record: Record, languages: Sequence[str]) -> Iterator[RowDict]:
    """Yield one row per source mention: where it stands, and where it went in every other language."""
    projections = {lang: {each.source: each for each in found} for lang, found in record.projections.items()}
    for entity in record.source.entities:
        yield {
            "id": f"{record.id}:{entity.id}",
            "article": record.id,
            "entity": entity.id,
            "label": entity.label,
            "language": record.source.lang,
            "sentence": sentence_at(record.source, entity.span),
            "start": entity.span.start,
            "end": entity.span.end,
            "text": entity.text,
            "attributes": _attributes(entity.attributes),
            "targets": {
                lang: _target(projections[lang][entity.id], record.targets[lang])
                if lang in projections
                else None
                for lang in languages
            },
        }


def article_features(languages: Sequence[str]) -> Features:
    """Return the features of `article_rows`."""
    from datasets import Features, List, Value

    text, number = Value("string"), Value("int32")
    sentence = {"start": number, "end": number, "paragraph": number}
    entity = {
        "id": text,
        "start": number,
        "end": number,
        "text": text,
        "label": text,
        "confidence": Value("float32"),
    }
    origin = {"kind": text, "engine": text, "model": text, "license": text, "demo": Value("bool")}
    issue = {
        "kind": text,
        "severity": text,
        "language": text,
        "evidence": text,
        "sentences": List(number),
        "entity": text,
    }
    return Features(
        {
            "id": text,
            "language": text,
            "title": dict.fromkeys(languages, text),
            "text": dict.fromkeys(languages, text),
            "sentences": dict.fromkeys(languages, List(sentence)),
            "entities": dict.fromkeys(languages, List(entity)),
            "origin": dict.fromkeys(languages, origin),
            "issues": List(issue),
            "attributes": List({"key": text, "value": text}),
            "source": text,
            "license": text,
            "signature": text,
        }
    )


def sentence_features(languages: Sequence[str]) -> Features:
    """Return the features of `sentence_rows`."""
    from datasets import Features, List, Translation, Value

    return Features(
        {
            "id": Value("string"),
            "article": Value("string"),
            "tuple": Value("int32"),
            "translation": Translation(languages=list(languages)),
            "indices": dict.fromkeys(languages, List(Value("int32"))),
            "paragraph": Value("int32"),
            "score": Value("float32"),
        }
    )


def pair_features(left: str, right: str) -> Features:
    """Return the features of `pair_rows`."""
    from datasets import Features, List, Translation, Value

    return Features(
        {
            "id": Value("string"),
            "article": Value("string"),
            "translation": Translation(languages=[left, right]),
            "indices": dict.fromkeys((left, right), List(Value("int32"))),
            "kind": Value("string"),
            "score": Value("float32"),
        }
    )


def entity_features(languages: Sequence[str]) -> Features:
    """Return the features of `entity_rows`."""
    from datasets import Features, List, Value

    text, number = Value("string"), Value("int32")
    target = {
        "sentence": number,
        "start": number,
        "end": number,
        "text": text,
        "label": text,
        "confidence": Value("float32"),
        "method": text,
        "reason": text,
    }
    return Features(
        {
            "id": text,
            "article": text,
            "entity": text,
            "label": text,
            "language": text,
            "sentence": number,
            "start": number,
            "end": number,
            "text": text,
            "attributes": List({"key": text, "value": text}),
            "targets": dict.fromkeys(languages, target),
        }
    )


def text_of(document: Document, indices: Sequence[int]) -> str:
    """Return the text of the given sentences: as it stands where they follow each other, else joined."""
    if list(indices) == list(range(indices[0], indices[-1] + 1)):
        return document.cover(indices).of(document.text)
    return " ".join(document.sentences[n].span.of(document.text) for n in indices)


def pair_beads(record: Record, left: str, right: str) -> tuple[Bead, ...]:
    """Return the beads of two languages of an article, in this direction."""
    key = pair_key(left, right)
    return record.beads[key] if key in record.beads else invert(record.beads[pair_key(right, left)])


def mentions(record: Record, lang: str) -> list[Mention]:
    """Return the mentions in one text, with the id of the source mention, which links the languages."""
    if lang == record.source.lang:
        return [(each.id, each, None) for each in record.source.entities]
    return [(p.source, p.entity, p.confidence) for p in record.projections[lang] if p.entity is not None]


def _mention(source: str, entity: Entity, confidence: float | None) -> RowDict:
    return {
        "id": source,
        "start": entity.span.start,
        "end": entity.span.end,
        "text": entity.text,
        "label": entity.label,
        "confidence": confidence,
    }


def _target(projection: Projection, document: Document) -> RowDict:
    entity = projection.entity
    return {
        "sentence": sentence_at(document, entity.span) if entity else None,
        "start": entity.span.start if entity else None,
        "end": entity.span.end if entity else None,
        "text": entity.text if entity else None,
        "label": entity.label if entity else None,
        "confidence": projection.confidence,
        "method": projection.method,
        "reason": projection.reason,
    }


def _by_language(
    languages: Sequence[str], values: Mapping[str, ValueT], column: Callable[[ValueT], object]
) -> RowDict:
    return {lang: column(values[lang]) if lang in values else None for lang in languages}


def _attributes(attributes: Mapping[str, str]) -> list[RowDict]:
    return [{"key": key, "value": value} for key, value in sorted(attributes.items())]
