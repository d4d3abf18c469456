"""The translation memory: what it finds, who wins, several processes at once, damage, files in and out."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_translate import Reverser
from typer.testing import CliRunner

from mtalign.cli import app
from mtalign.errors import StoreError, UsageError
from mtalign.record import Issue, Origin
from mtalign.translate.exchange import export_file, import_file
from mtalign.translate.memory import Entry, Memory, Outcome, Sentence
from mtalign.translate.sentences import translate_sentences
from mtalign.translate.translator import Rung, Translator

FLAGGED = Outcome(
    "Да.",
    (Issue("wrong-language", "error", "ru", "uk (0.99): Да."),),
    -0.51234567890123,
    Origin("machine", "other", "model", "mit"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "memory.sqlite"


def test_an_outcome_comes_back_exactly_as_it_was(path: Path) -> None:
    sentences = [Sentence("Yes."), Sentence("Yes.", "Is it?"), Sentence("No.")]
    with Memory(path) as memory:
        memory.add([(sentences[0], FLAGGED), (sentences[1], Outcome("Так."))], "en", "ru", "a")
    with Memory(path) as memory:
        assert memory.find(sentences, "en", "ru", "a") == {
            sentences[0]: FLAGGED,
            sentences[1]: Outcome("Так."),
        }
        for other in (("en", "ru", "b"), ("en", "uk", "a"), ("de", "ru", "a")):
            assert memory.find(sentences, *other) == {}


@settings(max_examples=30)
@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=20, unique=True))
def test_no_two_sentences_are_taken_for_each_other(pairs: list[tuple[str, str]]) -> None:
    sentences = [Sentence(*(part.replace("\ud800", "") for part in pair)) for pair in pairs]
    with TemporaryDirectory() as folder, Memory(Path(folder) / "memory.sqlite") as memory:
        stored = {each: Outcome(repr(each)) for each in sentences}
        memory.add(stored.items(), "en", "ru", "a")
        assert memory.find(sentences, "en", "ru", "a") == stored


def test_the_first_to_come_stays(path: Path) -> None:
    with Memory(path) as memory:
        for text in ("one", "two"):
            memory.add([(Sentence("a"), Outcome(text))], "en", "ru", "s")
        assert memory.find([Sentence("a")], "en", "ru", "s")[Sentence("a")].text == "one"


def test_a_rerun_asks_no_engine_and_gives_the_same(path: Path) -> None:
    sentences = ["a b", "silence", "one two three, four five", "a b", "…"]
    with Memory(path) as memory:
        first, again = Reverser(limit=3), Reverser(limit=3)
        made = translate_sentences(sentences, "en", "ru", Translator(first, memory=memory))
        rerun = translate_sentences(sentences, "en", "ru", Translator(again, memory=memory))
    assert first.asked
    assert again.asked == []
    assert rerun == made == translate_sentences(sentences, "en", "ru", Translator(Reverser(limit=3)))
    assert {issue.kind for issue in rerun.issues} == {"empty-output", "split-sentence"}


def test_other_settings_are_another_translator(path: Path) -> None:
    with Memory(path) as memory:
        translate_sentences(["a b"], "en", "ru", Translator(Reverser(), memory=memory))
        again = Reverser()
        changed = Translator(again, ladder=(Rung(candidates=2),), memory=memory)
        translate_sentences(["a b"], "en", "ru", changed)
        assert again.asked == ["a b"]
        assert len(memory.groups()) == 2


def test_people_win_over_every_engine_and_are_named(path: Path) -> None:
    with Memory(path) as memory:
        engine = Reverser()
        translate_sentences(["a b", "c d"], "en", "ru", Translator(engine, memory=memory))
        memory.add_human([Entry("en", "ru", "a b", "АБ")], "reviewed.tmx")
        made = translate_sentences(["a  b", "c d"], "en", "ru", Translator(engine, memory=memory))
        assert made.texts == ("АБ", "d c")
        assert [(each.kind, each.severity, each.sentences) for each in made.issues] == [
            ("from-memory", "info", (0,))
        ]
        assert "reviewed.tmx" in made.issues[0].evidence
        assert [each.origin for each in made.outcomes] == [Origin("human"), None]
        assert made.outcomes[0].score is None
        memory.add_human([Entry("en", "ru", "a b", "А-Б")], "again.tmx")
        assert (
            memory.find([Sentence("a b", "context")], "en", "ru", "x")[Sentence("a b", "context")].text
            == "А-Б"
        )


def test_an_item_of_a_list_is_known_without_its_bullet_too(path: Path) -> None:
    with Memory(path) as memory:
        engine = Reverser()
        translator = Translator(engine, memory=memory)
        translate_sentences(["- a b", "c d"], "en", "ru", translator)
        memory.add_human([Entry("en", "ru", "a b", "АБ"), Entry("en", "ru", "* e f", "• ЭФ")], "reviewed.tmx")
        asked = len(engine.asked)
        made = translate_sentences(["- a b", "2. c d", "* e f"], "en", "ru", translator)
        assert made.texts == ("- АБ", "2. d c", "• ЭФ")
        assert [each.sentences for each in made.issues] == [(0,), (2,)]
        assert len(engine.asked) == asked


def _write(path: Path, number: int) -> None:
    with Memory(path) as memory:
        for start in range(0, 200, 20):
            added = [(Sentence(f"{start + i}"), Outcome(f"{number}")) for i in range(20)]
            memory.add(added, "en", "ru", "s")
            assert len(memory.find([each for each, _ in added], "en", "ru", "s")) == 20


def test_several_processes_make_and_fill_one_file(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_write, args=(path, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    with Memory(path) as memory:
        assert [each.entries for each in memory.groups()] == [200]


def test_damage_is_an_error_that_says_what_to_do(path: Path) -> None:
    with Memory(path) as memory:
        many = [(Sentence(f"{i}" * 20), Outcome("x" * 50)) for i in range(2000)]
        memory.add(many, "en", "ru", "s")
    content = bytearray(path.read_bytes())
    content[4096:-4096] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged.*move it away.*--no-memory"), Memory(path) as memory:
        memory.find([each for each, _ in many], "en", "ru", "s")


def test_files_that_are_no_memory_are_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("These are notes, and long enough not to be taken for an empty file.\n" * 20)
    before = text.read_bytes()
    with pytest.raises(StoreError, match="damaged"):
        Memory(text)
    assert text.read_bytes() == before
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="no translation memory"):
        Memory(other)
    with pytest.raises(StoreError, match="cannot be"):
        Memory(text / "inside.sqlite")


def test_a_memory_of_another_version(path: Path) -> None:
    Memory(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="version 99"):
        Memory(path)


@pytest.mark.parametrize("suffix", [".tmx", ".tsv"])
def test_out_into_a_file_and_back_in(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"all{suffix}"
    with Memory(tmp_path / "a.sqlite") as memory:
        memory.add([(Sentence('a <b> & "c"\\'), Outcome("а\tб"))], "en", "ru", "engine|x")
        memory.add_human([Entry("en", "ko", "d", "라"), Entry("uk", "ru", "є", "е")], "x.tmx")
        assert export_file(memory, file, "en", human_only=False) == 2
        assert export_file(memory, tmp_path / f"human{suffix}", "en", human_only=True) == 1
    with Memory(tmp_path / "b.sqlite") as memory:
        found = import_file(memory, file, "en")
        assert (found.entries, found.rejected) == (2, ())
        assert list(memory.entries()) == [
            Entry("en", "ko", "d", "라"),
            Entry("en", "ru", 'a <b> & "c"\\', "а б"),
        ]


def test_units_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    file = tmp_path / "in.tsv"
    file.write_text("en\tko\tru\nOne.\t하나.\tОдин.\n\t둘.\t\nThree.\t\t\n", encoding="utf-8")
    with Memory(tmp_path / "a.sqlite") as memory:
        found = import_file(memory, file, "en")
        assert found.entries == 2
        assert len(found.rejected) == 2
        with pytest.raises(UsageError, match=r"\.tmx or \.tsv"):
            import_file(memory, tmp_path / "in.csv", "en")


def test_prune_deletes_what_machines_made(path: Path) -> None:
    with Memory(path) as memory:
        memory.add([(Sentence("a"), Outcome("а"))], "en", "ru", "old")
        memory.add([(Sentence("a"), Outcome("б"))], "en", "ru", "new")
        memory.add_human([Entry("en", "ru", "h", "ч")], "x")
        numbers = {each.signature: each.number for each in memory.groups()}
        assert memory.prune(older_than_days=1) == 0
        assert memory.prune(number=numbers["old"]) == 1
        assert [each.signature for each in memory.groups()] == [None, "new"]
        assert memory.find([Sentence("a")], "en", "ru", "new")[Sentence("a")].text == "б"


@pytest.mark.parametrize("arguments", [["stats"], ["export", "out.tsv"], ["prune", "--older-than", "1"]])
def test_a_mistyped_path_is_no_new_memory(path: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["memory", *arguments, "--memory", str(path)])
    assert isinstance(result.exception, StoreError)
    assert "there is no memory" in str(result.exception)
    assert not path.exists()


def test_the_command(path: Path, tmp_path: Path) -> None:
    def call(*args: str) -> str:
        result = CliRunner().invoke(app, ["memory", *args, "--memory", str(path)])
        assert result.exit_code == 0, result.output
        return result.output

    file = tmp_path / "in.tsv"
    file.write_text("en\tko\nOne.\t하나.\n", encoding="utf-8")
    assert "1 translations imported" in call("import", str(file))
    (group,) = json.loads(call("stats", "--json"))["groups"]
    assert (group["source_lang"], group["target_lang"], group["signature"], group["entries"]) == (
        "en",
        "ko",
        None,
        1,
    )
    with Memory(path) as memory:
        made_by = "ctranslate2:4|device:cpu|model:hub:a/b#1|compute:int8_float32|threads:1"
        memory.add([(Sentence("Two."), Outcome("둘."))], "en", "ko", made_by)
    told = call("stats")
    assert "people" in told
    assert "ctranslate2:4 model:hub:a/b#1 compute:int8_float32\n" in told.replace(" \n", "\n")
    assert "1 translations deleted" in call("prune", "--number", "1")
    assert "0 translations deleted" in call("prune", "--older-than", "0")
    assert "1 translations" in call("export", str(tmp_path / "out.tmx"))
