"""Parallel plain text files: their languages, their documents, their sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtalign.errors import InputError
from mtalign.formats.parallel import (
    TextFile,
    count_documents,
    language_in_name,
    language_of_text,
    read_parallel,
)
from mtalign.segment import split_sentences


def files(folder: Path, **texts: str) -> list[TextFile]:
    found = []
    for lang, text in texts.items():
        path = folder / f"news.{lang}.txt"
        path.write_text(text, encoding="utf-8")
        found.append(TextFile(path, lang))
    return found


@pytest.mark.parametrize(
    ("name", "lang"),
    [
        ("en.txt", "en"),
        ("news.ko.txt", "ko"),
        ("news.uk", "uk"),
        ("news_ru.txt", "ru"),
        ("news-EN.TXT", "en"),
        ("en", "en"),
        ("news.txt", None),
        ("en.news.backup.txt", None),
        ("token.txt", None),
    ],
)
def test_the_language_in_a_name(name: str, lang: str | None) -> None:
    assert language_in_name(Path("corpus.ru") / name) == lang


def test_a_line_is_a_sentence_and_blank_lines_are_none(tmp_path: Path) -> None:
    (document,) = read_parallel(
        files(tmp_path, en="\ufeffTitle\r\n\r\nOne. Two.\n  \nThree.", ko="제목\n하나.")
    )
    assert document.id == "news"
    assert document.sents == {"en": ["Title", "One. Two.", "Three."], "ko": ["제목", "하나."]}
    assert document.paragraphs == {"en": [0, 1, 2], "ko": [0, 0]}


def test_running_text_is_split_on_request(tmp_path: Path) -> None:
    (document,) = read_parallel(files(tmp_path, en="One. Two.\nThree", uk="Раз. Два."), split=split_sentences)
    assert document.sents == {"en": ["One.", "Two.", "Three"], "uk": ["Раз.", "Два."]}


def test_documents_go_in_step_and_may_be_empty(tmp_path: Path) -> None:
    texts = files(tmp_path, en="One.\n---\nTwo.\n---\nThree.\n", ru="Раз.\n---\n---\nТри.\n---\n")
    found = list(read_parallel(texts, separator="---"))
    assert [each.id for each in found] == ["news-1", "news-2", "news-3"]
    assert found[1].sents == {"en": ["Two."], "ru": []}
    assert found[2].sents == {"en": ["Three."], "ru": ["Три."]}


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 1), ("a", 1), ("a\n---\nb", 2), ("a\n---\n", 1), ("---\nb", 2), ("a\n---\n\n", 2)],
)
def test_the_number_of_documents(tmp_path: Path, text: str, count: int) -> None:
    (file,) = files(tmp_path, en=text)
    assert count_documents(file.path, "---") == count
    assert count_documents(file.path, None) == 1


def test_files_out_of_step_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    texts = files(tmp_path, en="One.\n---\nTwo.", ko="하나.")
    with pytest.raises(InputError, match=r"news\.en\.txt 2, .*news\.ko\.txt 1"):
        read_parallel(texts, separator="---")


def test_other_encodings_are_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "ru.txt"
    path.write_bytes("Раз.\n".encode() + "Два.".encode("cp1251"))
    with pytest.raises(InputError, match=r"ru\.txt:2: not UTF-8 \(byte 0xc4\)"):
        read_parallel([TextFile(path, "ru")])


def test_the_name_of_a_document_is_the_file_without_its_language(tmp_path: Path) -> None:
    names = {"news.en.txt": "news", "a.b_en.txt": "a.b", "x.en": "x", "y.txt": "y", "en.txt": tmp_path.name}
    for name, expected in names.items():
        (tmp_path / name).write_text("One.", encoding="utf-8")
        (document,) = read_parallel([TextFile(tmp_path / name, "en")])
        assert document.id == expected


def test_a_language_is_guessed_from_the_text(tmp_path: Path) -> None:
    text = "Порт знову відкрили в понеділок, і першими прийшли кораблі з Пусана.\n" * 3
    (file,) = files(tmp_path, uk=text)
    found, probability = language_of_text(file.path)
    assert found == "uk"
    assert 0.5 < probability <= 1
