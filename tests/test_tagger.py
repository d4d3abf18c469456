"""Entities by a token-classification model: a tiny real checkpoint that is right by construction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from checkpoints import name_tagger

from mtalign.annotate import tagged_entities
from mtalign.config import Config
from mtalign.document import Document
from mtalign.errors import InvalidDocument, ModelUnavailable
from mtalign.load import Models
from mtalign.models import ModelFiles
from mtalign.segment import segment
from mtalign.tagger import Tagger, TokenTags
from mtalign.units import unit_text


def marked(document: Document) -> str:
    text = document.text
    for entity in reversed(document.entities):
        text = f"{text[: entity.span.start]}[{entity.text}]{entity.label}{text[entity.span.end :]}"
    return text


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return name_tagger(tmp_path_factory.mktemp("tagger") / "names")


@pytest.fixture(scope="module")
def tagger(files: ModelFiles) -> Tagger:
    return Tagger(files)


def test_names_come_out_as_exact_spans(tagger: Tagger) -> None:
    text = "“Kyiv”, said Olena Ivanivna; Paris's mayor left.\n\nShe (Olena) saw Київ."
    found = tagged_entities(segment(Document("d", "en", text)), tagger)
    assert marked(found) == (
        "“[Kyiv]LOC”, said [Olena Ivanivna]PER; [Paris]LOC's mayor left.\n\nShe ([Olena]PER) saw [Київ]LOC."
    )
    assert [each.id for each in found.entities] == ["e1", "e2", "e3", "e4", "e5"]


def test_articles_longer_than_the_window_are_read_to_their_end(tagger: Tagger) -> None:
    text = " ".join(f"the mayor left {'Kyiv' if n % 7 == 0 else 'home'} ." for n in range(200))
    found = tagged_entities(segment(Document("d", "en", text)), tagger)
    assert [each.span.start for each in found.entities] == [
        place for place in range(len(text)) if text.startswith("Kyiv", place)
    ]


def test_no_mention_crosses_a_sentence(tagger: Tagger) -> None:
    found = tagged_entities(segment(Document("d", "en", "She met Olena\nIvanivna left.")), tagger)
    assert marked(found) == "She met [Olena]PER\n[Ivanivna]PER left."


class Written:
    """Tags as they are given, a tag a word."""

    def __init__(self, tags: str) -> None:
        self._tags = tags.split()

    def tag(self, texts: list[str]) -> list[TokenTags]:
        units = [unit.span for unit in unit_text(texts[0], "en").units]
        return [TokenTags(np.array([(each.start, each.end) for each in units]), self._tags)]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-P I-P O B-L B-L", "[a b]P c [d]L [e]L"),  # IOB2
        ("I-P I-P O I-L B-L", "[a b]P c [d]L [e]L"),  # IOB1
        ("B-P L-P O U-L U-L", "[a b]P c [d]L [e]L"),  # BILOU
        ("B-P E-P O S-L S-L", "[a b]P c [d]L [e]L"),  # BIOES
        ("B_P M_P M_P E_P S_L", "[a b c d]P [e]L"),  # BMES, with underscores
        ("P P O L O", "[a b]P c [d]L e"),  # IO
        ("I-P I-L I-L O O", "[a]P [b c]L d e"),  # a change of label begins a mention
        ("O O O O B-work-of-art", "a b c d [e]work-of-art"),
    ],
)
def test_schemes_are_decoded(tags: str, expected: str) -> None:
    assert marked(tagged_entities(segment(Document("d", "en", "a b c d e")), Written(tags))) == expected


def test_articles_with_entities_and_without_text_stay_as_they_are(tagger: Tagger) -> None:
    annotated = tagged_entities(segment(Document("d", "en", "Kyiv fell.")), tagger)
    assert tagged_entities(annotated, Written("")) is annotated
    assert tagged_entities(Document("d", "en", " \n"), tagger).entities == ()
    with pytest.raises(InvalidDocument, match="segment it"):
        tagged_entities(Document("d", "en", "Kyiv fell."), tagger)


def test_a_model_without_a_trained_head_is_refused(files: ModelFiles, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(files.path).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(files.path).save_pretrained(tmp_path)
    with pytest.raises(ModelUnavailable, match="does not classify tokens"):
        Tagger(ModelFiles("test:headless", tmp_path, "seed-0"))


def test_the_configuration_names_the_tagger(files: ModelFiles) -> None:
    encoder = {"model": "starter:e5-small"}
    models = Models(Config.model_validate({"encoder": encoder, "entities": str(files.path)}))
    assert [each.role for each in models.find([])] == ["encoder", "entities"]
    assert models.tagger is not None
    found = tagged_entities(segment(Document("d", "en", "Kyiv fell.")), models.tagger)
    assert marked(found) == "[Kyiv]LOC fell."
    plain = Models(Config.model_validate({"encoder": encoder}))
    assert plain.tagger is None
    assert plain.signature([]) != models.signature([])
    assert Config.model_validate({"encoder": encoder, "entities": "hub:owner/ner@main"}).tagger
