"""What is loaded, and when: a translation out of the memory needs no weights at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import toys

from mtalign import config as configuration
from mtalign.config import Config
from mtalign.document import Document
from mtalign.errors import ModelUnavailable
from mtalign.formats.articles import read_articles
from mtalign.load import Models
from mtalign.plan import look_ahead
from mtalign.segment import segment, split_sentences
from mtalign.translate.document import Translated, translate_documents
from mtalign.translate.lazy import LazyEngine

TEXT = "The river rose on Monday. The bridge was closed."


@pytest.fixture(params=["transformers", "ctranslate2"])
def chosen(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A configuration with tiny models of its own, and a cache of its own."""
    monkeypatch.setenv("MTALIGN_CACHE", str(tmp_path / "cache"))
    path = toys.config(tmp_path / "toys")
    row = json.loads(path.read_text())
    row["translate"]["default"] |= {"engine": request.param, "candidates": 2}
    path.write_text(json.dumps(row))
    return configuration.load(path)


def translated(models: Models, text: str = TEXT) -> Translated:
    (made,) = translate_documents(
        [segment(Document("a", "en", text))], "ru", models.translator("ru"), split_sentences
    )
    return made


def is_loaded(models: Models) -> bool:
    engine = models.engine("ru")
    return "encoder" in vars(models) or not isinstance(engine, LazyEngine) or engine.is_loaded


def test_what_the_memory_serves_loads_no_weights(chosen: Config, tmp_path: Path) -> None:
    memory = tmp_path / "memory.sqlite"
    first, again, ahead = (Models(chosen, memory) for _ in range(3))
    made = translated(first)
    assert is_loaded(first)
    assert translated(again) == made
    assert not is_loaded(again)
    assert again.engine("ru").signature == first.engine("ru").signature

    inputs = toys.write_articles(tmp_path / "in.jsonl", [{"id": "a", "text": TEXT}])
    (plan,) = look_ahead(read_articles([str(inputs)], "en"), ["ru"], ahead)
    assert (plan.known, plan.to_translate) == (2, 2)
    assert not is_loaded(ahead)

    translated(again, "The river rose on Monday. The mayor thanked them.")
    assert is_loaded(again)


def test_other_files_are_another_model_to_the_memory(chosen: Config, tmp_path: Path) -> None:
    memory = tmp_path / "memory.sqlite"
    translated(Models(chosen, memory))
    (tmp_path / "toys" / "translator" / "README.md").write_text("---\nlicense: mit\n---\n")
    changed = Models(chosen, memory)
    translated(changed)
    assert is_loaded(changed)
    assert changed.memory is not None
    assert len(changed.memory.groups()) == 2


@pytest.mark.parametrize("chosen", ["ctranslate2"], indirect=True)
def test_a_compute_type_that_is_not_what_was_noted_stops_the_work(chosen: Config, tmp_path: Path) -> None:
    made = translated(Models(chosen))
    (note,) = (tmp_path / "cache" / "ctranslate2").glob("*/mtalign-compute-types.json")
    told = json.loads(note.read_text())
    note.write_text(json.dumps(dict.fromkeys(told, "float64")))
    with pytest.raises(ModelUnavailable, match="start again"):
        translated(Models(chosen))
    assert json.loads(note.read_text()) == told
    note.write_text("{")
    assert translated(Models(chosen)) == made
