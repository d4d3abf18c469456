"""The `ner-*` configs: sentences as tokens with tags, for models that label tokens, and the exact spans.

Tokens are words; in Korean morphemes, since 김민수 in 김민수는 has no word of its own. Tags are IOB2 and
hold no nested mentions: of two that overlap the longer one is tagged. `spans` holds them all. A mention that
runs over the end of its sentence is in neither, and is counted in `missing`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mtalign.document import Span
from mtalign.languages import LANGUAGES
from mtalign.publish.filters import sentence_at
from mtalign.publish.rows import Config, Mention, RowDict, mentions, pair_beads
from mtalign.record import Record
from mtalign.units import unit_text, word_units

if TYPE_CHECKING:
    from datasets import Features

NER = "ner-"
OUTSIDE = "O"


def configs(languages: Sequence[str], labels: Sequence[str]) -> list[Config]:
    """Return one config per language; none where no mention has a label."""
    return [
        Config(
            NER + lang,
            "one row per sentence: tokens (morphemes in Korean) with IOB2 tags, and the exact spans",
            partial(rows, lang=lang, labels=labels),
            partial(features, labels),
        )
        for lang in languages
        if labels
    ]


def rows(record: Record, lang: str, labels: Sequence[str]) -> Iterator[RowDict]:
    """Yield the sentences of an article in one language; offsets count from the start of the sentence."""
    document = record.documents().get(lang)
    if document is None:
        return
    inside, missing = _by_sentence(record, lang)
    numbers = {name: number for number, name in enumerate(tag_names(labels))}
    for number, sentence in enumerate(document.sentences):
        text = sentence.span.of(document.text)
        units = unit_text(text, lang).units if lang in LANGUAGES else word_units(text)
        tokens = [unit.span for unit in units]
        found = [
            (name, entity.span.shift(-sentence.span.start), entity, confidence)
            for name, entity, confidence in inside.get(number, [])
        ]
        yield {
            "id": f"{record.id}:{lang}:{number}",
            "article": record.id,
            "language": lang,
            "sentence": number,
            "text": text,
            "tokens": [token.of(text) for token in tokens],
            "token_starts": [token.start for token in tokens],
            "ner_tags": [
                numbers[tag] for tag in tags(tokens, [(span, entity.label) for _, span, entity, _ in found])
            ],
            "spans": [
                {
                    "id": name,
                    "start": span.start,
                    "end": span.end,
                    "text": entity.text,
                    "label": entity.label,
                    "confidence": confidence,
                }
                for name, span, entity, confidence in found
            ],
            "missing": missing[number],
        }


def features(labels: Sequence[str]) -> Features:
    """Return the features of `rows`."""
    from datasets import ClassLabel, Features, List, Value

    text, number = Value("string"), Value("int32")
    span = {
        "id": text,
        "start": number,
        "end": number,
        "text": text,
        "label": text,
        "confidence": Value("float32"),
    }
    return Features(
        {
            "id": text,
            "article": text,
            "language": text,
            "sentence": number,
            "text": text,
            "tokens": List(text),
            "token_starts": List(number),
            "ner_tags": List(ClassLabel(names=tag_names(labels))),
            "spans": List(span),
            "missing": number,
        }
    )


def tag_names(labels: Sequence[str]) -> list[str]:
    """Return the IOB2 tags of these labels; a tag's number is its place in the list."""
    return [OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BI")]


def tags(tokens: Sequence[Span], spans: Sequence[tuple[Span, str]]) -> list[str]:
    """Return the IOB2 tag of every token. A token that a span covers in part belongs to it."""
    found = [OUTSIDE] * len(tokens)
    for span, label in sorted(spans, key=lambda each: (-len(each[0]), each)):
        covered = [number for number, token in enumerate(tokens) if token.overlaps(span)]
        if any(found[number] != OUTSIDE for number in covered):
            continue
        for place, number in enumerate(covered):
            found[number] = f"{'I' if place else 'B'}-{label}"
    return found


def _by_sentence(record: Record, lang: str) -> tuple[dict[int, list[Mention]], Counter[int]]:
    """Return the mentions in each sentence, and how many each should hold and does not."""
    document = record.documents()[lang]
    inside: dict[int, list[Mention]] = {}
    missing = _lost(record, lang)
    for mention in sorted(mentions(record, lang), key=lambda each: (each[1].span, each[0])):
        number = sentence_at(document, mention[1].span)
        if number is None:
            continue
        if mention[1].span.end <= document.sentences[number].span.end:
            inside.setdefault(number, []).append(mention)
        else:
            missing[number] += 1
    return inside, missing


def _lost(record: Record, lang: str) -> Counter[int]:
    """Return how many lost mentions stand, by the alignment, in the source of each sentence."""
    source = record.source
    found: Counter[int] = Counter()
    if lang == source.lang:
        return found
    lost = {each.source for each in record.projections[lang] if each.entity is None}
    facing = {index: bead.right for bead in pair_beads(record, source.lang, lang) for index in bead.left}
    for entity in source.entities:
        number = sentence_at(source, entity.span)
        if entity.id in lost and number is not None:
            found.update(facing.get(number, ()))
    return found
