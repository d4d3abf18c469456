from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtalign.document import Span
from mtalign.errors import InputError, UsageError
from mtalign.formats.articles import Found, find_inputs, read_articles
from mtalign.formats.jsonl import article_from_json
from mtalign.record import Rejected

ROW: dict[str, Any] = {
    "id": "a1",
    "text": "Kyiv slept. Seoul did not.",
    "entities": [{"id": 7, "start": 0, "end": 4, "label": "LOC", "text": "Kyiv"}],
    "translations": {"uk": "Київ спав. Сеул — ні.", "ru": {"text": "Киев спал.", "license": "cc0-1.0"}},
    "date": "2026-11-23",
    "views": 12,
}


def line(**changes: Any) -> bytes:
    return json.dumps({**ROW, **changes}).encode()


def test_a_row_becomes_an_article() -> None:
    article = article_from_json(line(sentences=[[0, 11], [12, 26]]), "en")
    assert article.source.lang == "en"
    assert [each.span for each in article.source.sentences] == [Span(0, 11), Span(12, 26)]
    assert article.source.entities[0].id == "7"
    assert article.source.attributes == {"date": "2026-11-23", "views": "12"}
    assert article.translations["ru"].license == "cc0-1.0"
    assert article.translations["uk"].text == "Київ спав. Сеул — ні."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": "  \n"}, "text is empty"),
        ({"text": None}, "not an article row"),
        ({"entities": [{"id": "e", "start": 0, "end": 99, "label": "LOC"}]}, "not inside the text of 26"),
        ({"entities": [{"id": "e", "start": 4, "end": 2, "label": "LOC"}]}, "not inside"),
        ({"entities": [{"id": "e", "start": -4, "end": 2, "label": "LOC"}]}, "not inside"),
        ({"entities": [{"id": "e", "start": 0, "end": 4, "label": "LOC", "text": "Kiev"}]}, "says 'Kiev'"),
        ({"entities": [{"id": "e", "start": 0.5, "end": 4, "label": "LOC"}]}, "Expected `int`"),
        ({"entities": [{"id": "e", "begin": 0, "end": 4, "label": "LOC"}]}, "begin|start"),
        ({"entities": [{"id": "e", "start": 0, "end": 4, "label": "L"}] * 2}, "used twice"),
        ({"entites": []}, "unknown field 'entites'"),
        ({"translations": {"uk": " "}}, "translation 'uk' is empty"),
        ({"translations": {"en": "Same."}}, "source language"),
        ({"sentences": [[0, 4]]}, "is in no sentence"),
        ({"id": ""}, "id that is not empty"),
    ],
)
def test_a_bad_row_is_refused_with_the_reason(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        article_from_json(line(**changes), "en")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1]", b"null", b'"x"', b"\xff\xfe", b"{" * 5000, b'{"id": NaN}']
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        article_from_json(data, "en")


@given(st.binary(max_size=60))
def test_no_line_of_bytes_brings_the_reader_down(data: bytes) -> None:
    with suppress(InputError):
        article_from_json(data, "en")


def test_bad_inputs_are_rejected_with_file_and_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a_empty.txt").write_bytes(b"")
    (tmp_path / "b_cp1251.txt").write_bytes("Первая строка\n".encode() + "Привет".encode("cp1251"))
    (tmp_path / "c_bom.txt").write_bytes(b"\xef\xbb\xbfHello.")
    rows = [line(), b"{broken", line(id="a2", lang="xx"), b"", line(id="a3")]
    (tmp_path / "d.jsonl").write_bytes(b"\n".join(rows))
    (tmp_path / "ignored.pdf").write_bytes(b"%PDF")
    read = list(read_articles(find_inputs([str(tmp_path)]), "en"))
    assert [each.article.source.id for each in read if isinstance(each, Found)] == ["c_bom", "a1", "a3"]
    rejected = {(Path(each.path).name, each.line): each.reason for each in read if isinstance(each, Rejected)}
    assert "empty" in rejected["a_empty.txt", None]
    assert "not UTF-8 (byte 0xcf in line 2)" in rejected["b_cp1251.txt", 2]
    assert "not an article row" in rejected["d.jsonl", 2]
    assert "unknown language 'xx'" in rejected["d.jsonl", 3]
    assert len(rejected) == 4
    bom = next(each for each in read if isinstance(each, Found) and each.article.source.id == "c_bom")
    assert bom.article.source.text == "Hello."


def test_line_breaks_are_kept_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"One.\r\n\r\nTwo.\n")
    (found,) = read_articles([str(tmp_path / "a.txt")], "en")
    assert isinstance(found, Found)
    assert found.article.source.text == "One.\r\n\r\nTwo.\n"


def test_a_missing_file_and_an_empty_folder_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file or folder .*nowhere"):
        find_inputs([str(tmp_path / "nowhere")])
    with pytest.raises(UsageError, match="has no"):
        find_inputs([str(tmp_path)])
