"""Text with exact places in it: spans, entities, sentences, documents, articles.

Every offset is a half-open range of Unicode code points into the raw text of its document, and every
class checks its own invariants when it is built, whether by hand or from JSON. Texts are never
normalised. Offsets in bytes or UTF-16 units are not handled here: a reader converts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from msgspec import Struct, field
from msgspec.structs import replace

from mtalign.errors import InvalidDocument

_SURROGATE = re.compile("[\ud800-\udfff]")
_PARAGRAPH_BREAK = re.compile(r"\n[^\S\n]*\n\s*")


class Span(Struct, frozen=True, order=True, array_like=True):
    """A half-open range of code points, `text[start:end]`. Written to JSON as `[start, end]`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start < 0 or self.end < self.start:
            raise InvalidDocument(f"span [{self.start}, {self.end}) is negative or reversed")

    def __len__(self) -> int:
        return self.end - self.start

    def of(self, text: str) -> str:
        """Return the text that the span covers."""
        return text[self.start : self.end]

    def overlaps(self, other: Span) -> bool:
        """Say whether the two spans share at least one code point."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        """Say whether `other` lies wholly inside this span."""
        return self.start <= other.start and other.end <= self.end

    def shift(self, offset: int) -> Span:
        """Return the span moved by `offset` code points."""
        return Span(self.start + offset, self.end + offset)


class Entity(Struct, frozen=True, omit_defaults=True):
    """A labelled mention in a document. Any label set; mentions may nest and overlap.

    `attributes` are carried along untouched (a knowledge-base id, an annotator, …). A discontinuous
    mention ("South" and "Korea" in "South and North Korea") has its parts in `fragments`, two or more, in
    order; `span` then runs from the first to the last, and `text` is all that stands there.
    """

    id: str
    span: Span
    text: str
    label: str
    attributes: dict[str, str] = field(default_factory=dict)
    fragments: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if not self.id:
            raise InvalidDocument(f"entity {self.text!r} at {self.span.start} has an empty id")
        if len(self.span) == 0:
            raise InvalidDocument(f"entity {self.id!r} covers no text (offset {self.span.start})")
        if self.fragments:
            self._check_fragments()

    def spans(self) -> tuple[Span, ...]:
        """Return the parts of the mention: its fragments, or its one span."""
        return self.fragments or (self.span,)

    def shift(self, offset: int) -> Entity:
        """Return the entity moved by `offset` code points, in a text that says the same there."""
        moved = tuple(each.shift(offset) for each in self.fragments)
        return replace(self, span=self.span.shift(offset), fragments=moved)

    def said(self) -> str:
        """Return the words of the mention alone, without what stands between its fragments."""
        return " ".join(each.shift(-self.span.start).of(self.text) for each in self.spans())

    def _check_fragments(self) -> None:
        spans = self.fragments
        ordered = all(one.end <= other.start for one, other in pairwise(spans))
        ends = (spans[0].start, spans[-1].end) == (self.span.start, self.span.end)
        if len(spans) < 2 or not ordered or not ends or not all(map(len, spans)):
            raise InvalidDocument(
                f"entity {self.id!r}: fragments {[(each.start, each.end) for each in spans]} must be two or "
                f"more, in order, none empty, from {self.span.start} to {self.span.end} as the span says"
            )


class Relation(Struct, frozen=True):
    """A directed, labelled relation between two entities of one document, named by their ids."""

    label: str
    head: str
    tail: str


class Sentence(Struct, frozen=True, array_like=True):
    """A sentence's place in its document, and the number (from 0) of the paragraph that it stands in."""

    span: Span
    paragraph: int = 0


class Document(Struct, frozen=True, omit_defaults=True):
    """One text in one language, with its sentences and entities.

    Paragraphs are what the blank lines of `text` separate. An empty `sentences` means: not segmented
    yet. Otherwise the sentences are in order, do not overlap, and leave nothing but white space out.
    """

    id: str
    lang: str
    text: str
    sentences: tuple[Sentence, ...] = ()
    entities: tuple[Entity, ...] = ()
    title: str | None = None
    source: str | None = None
    license: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()

    def __post_init__(self) -> None:
        if not self.id:
            raise InvalidDocument("a document needs an id that is not empty")
        for name, text in (("text", self.text), ("title", self.title or "")):
            if lone := _SURROGATE.search(text):
                raise InvalidDocument(
                    f"document {self.id!r}: lone surrogate at offset {lone.start()}; "
                    f"the {name} is not valid Unicode and cannot be written as UTF-8"
                )
        self._check_sentences()
        self._check_entities()

    def _check_sentences(self) -> None:
        if not self.sentences:
            return
        end = 0
        for index, sentence in enumerate(self.sentences):
            span = sentence.span
            if span.start < end or span.end > len(self.text) or not span.of(self.text).strip():
                raise InvalidDocument(
                    f"document {self.id!r}: sentence {index} at [{span.start}, {span.end}) is blank, "
                    "overlaps the one before it, or ends after the text"
                )
            self._check_gap(end, span.start)
            end = span.end
        self._check_gap(end, len(self.text))

    def _check_gap(self, start: int, end: int) -> None:
        if lost := self.text[start:end].strip():
            raise InvalidDocument(
                f"document {self.id!r}: {lost[:40]!r} between offsets {start} and {end} is in no sentence"
            )

    def _check_entities(self) -> None:
        seen: set[str] = set()
        for entity in self.entities:
            if entity.id in seen:
                raise InvalidDocument(f"document {self.id!r}: entity id {entity.id!r} is used twice")
            seen.add(entity.id)
            check_entity_text(entity, self)
        for relation in self.relations:
            if unknown := {relation.head, relation.tail} - seen:
                raise InvalidDocument(
                    f"document {self.id!r}: relation {relation.label!r} names {sorted(unknown)}, "
                    "which is no entity of it"
                )

    def sentence_texts(self) -> list[str]:
        """Return the text of every sentence, in order."""
        return [sentence.span.of(self.text) for sentence in self.sentences]

    def cover(self, indices: Iterable[int]) -> Span:
        """Return the span from the first to the last of the given consecutive sentences.

        Raises:
            InvalidDocument: when no index is given, since nothing has no place.
        """
        chosen = list(indices)
        if not chosen:
            raise InvalidDocument(f"document {self.id!r}: no sentence, so no span")
        return Span(self.sentences[chosen[0]].span.start, self.sentences[chosen[-1]].span.end)


class Article(Struct, frozen=True, omit_defaults=True):
    """What a reader hands over: a source document and the human translations supplied with it."""

    source: Document
    translations: dict[str, Document] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.source.lang in self.translations:
            raise InvalidDocument(
                f"article {self.source.id!r}: a translation is in the source language {self.source.lang!r}"
            )
        check_languages(self.source.id, self.translations)


def check_languages(doc_id: str, documents: Mapping[str, Document]) -> None:
    """Raise InvalidDocument unless every document is filed under its own language."""
    for lang, document in documents.items():
        if document.lang != lang:
            raise InvalidDocument(
                f"document {doc_id!r}: the text filed under {lang!r} says that it is {document.lang!r}"
            )


def check_entity_text(entity: Entity, document: Document) -> None:
    """Raise InvalidDocument unless `entity.text` is what stands at `entity.span` in the document."""
    span = entity.span
    if span.end > len(document.text):
        raise InvalidDocument(
            f"document {document.id!r}: entity {entity.id!r} at [{span.start}, {span.end}) ends after the "
            f"text of {len(document.text)} characters"
        )
    if (found := span.of(document.text)) != entity.text:
        raise InvalidDocument(
            f"document {document.id!r}: entity {entity.id!r} says {entity.text!r}, but the text at "
            f"[{span.start}, {span.end}) is {found!r}; offsets are counted in code points from 0"
        )


def paragraph_spans(text: str) -> list[Span]:
    """Return the spans of the paragraphs of `text`: what blank lines separate, outer white space left out."""
    spans: list[Span] = []
    start = 0
    for gap in [*_PARAGRAPH_BREAK.finditer(text), None]:
        end = gap.start() if gap else len(text)
        piece = text[start:end]
        if piece.strip():
            lead = len(piece) - len(piece.lstrip())
            spans.append(Span(start + lead, start + len(piece.rstrip())))
        start = gap.end() if gap else end
    return spans
