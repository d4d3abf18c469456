from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtalign.document import Article, Document, Entity, Sentence, Span, paragraph_spans
from mtalign.errors import InvalidDocument

# Any text that can be written as UTF-8: everything but lone surrogates.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=80)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A document with any text and any entities in it."""
    text = draw(TEXTS)
    spans = []
    if text:
        places = st.integers(0, len(text))
        pairs = draw(st.lists(st.tuples(places, places).filter(lambda p: p[0] != p[1]), max_size=5))
        spans = [Span(min(pair), max(pair)) for pair in pairs]
    entities = tuple(
        Entity(f"e{n}", span, span.of(text), draw(st.sampled_from(["PER", "LOC", "x y"])))
        for n, span in enumerate(spans)
    )
    return Document("d", "en", text, entities=entities)


@given(documents())
def test_json_round_trip_is_exact(document: Document) -> None:
    line = msgspec.json.encode(document)
    assert msgspec.json.decode(line, type=Document) == document
    assert b"\n" not in line


@given(documents())
def test_offsets_are_code_points(document: Document) -> None:
    points = list(document.text)
    for entity in document.entities:
        assert "".join(points[entity.span.start : entity.span.end]) == entity.text


def test_an_astral_character_counts_as_one() -> None:
    text = "🇺🇦 Київ"
    assert Span(3, 7).of(text) == "Київ"
    Document("d", "uk", text, entities=(Entity("e", Span(3, 7), "Київ", "LOC"),))


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        (Entity("e", Span(0, 4), "Kyiw", "LOC"), "says 'Kyiw', but the text at"),
        (Entity("e", Span(2, 9), "iv grew", "LOC"), "ends after the text of 7 characters"),
    ],
)
def test_an_entity_must_be_what_the_text_says(entity: Entity, message: str) -> None:
    with pytest.raises(InvalidDocument, match=message):
        Document("d", "en", "Kyiv gr", entities=(entity,))


def test_entity_ids_are_unique() -> None:
    twice = tuple(Entity("e", Span(0, 4), "Kyiv", "LOC") for _ in range(2))
    with pytest.raises(InvalidDocument, match="used twice"):
        Document("d", "en", "Kyiv", entities=twice)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(0, 3)], "is in no sentence"),
        ([(0, 3), (2, 7)], "overlaps"),
        ([(0, 3), (4, 9)], "ends after the text"),
        ([(0, 3), (3, 4), (4, 7)], "blank"),
    ],
)
def test_sentences_leave_nothing_out(spans: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(InvalidDocument, match=message):
        Document("d", "en", "Hi. Yo.", sentences=tuple(Sentence(Span(*span)) for span in spans))


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="lone surrogate at offset 2"):
        Document("d", "en", "ab\ud800")


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2)])
def test_spans_are_not_negative_or_reversed(start: int, end: int) -> None:
    with pytest.raises(InvalidDocument):
        Span(start, end)


def test_broken_offsets_are_refused_when_read_from_json() -> None:
    entity = b'{"id":"e","span":[0,3],"text":"Kyiv","label":"LOC"}'
    line = b'{"id":"d","lang":"en","text":"Kyiv","entities":[' + entity + b"]}"
    with pytest.raises(msgspec.ValidationError, match="says 'Kyiv'"):
        msgspec.json.decode(line, type=Document)


def test_a_translation_is_in_another_language_and_under_its_own() -> None:
    source = Document("d", "en", "Hi.")
    with pytest.raises(InvalidDocument, match="source language"):
        Article(source, {"en": source})
    with pytest.raises(InvalidDocument, match="says that it is 'ru'"):
        Article(source, {"uk": Document("d", "ru", "Да.")})


@given(TEXTS)
def test_paragraphs_leave_out_white_space_only(text: str) -> None:
    spans = paragraph_spans(text)
    assert "".join(span.of(text) for span in spans).split() == text.split() or text.split() == [
        word for span in spans for word in span.of(text).split()
    ]
    for span in spans:
        assert span.of(text) == span.of(text).strip() != ""


def test_paragraphs_are_apart_by_blank_lines() -> None:
    text = "One\ntwo.\n\n  Three.\r\n \r\nFour.\n"
    assert [span.of(text) for span in paragraph_spans(text)] == ["One\ntwo.", "Three.", "Four."]
