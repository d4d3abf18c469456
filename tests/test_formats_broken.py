"""Broken files: each is refused by name and place, and what stands beside it is read."""

from __future__ import annotations

import pickle
import tracemalloc
import zlib
from pathlib import Path

import msgspec
import pytest

from mtalign.formats import docbin, reading
from mtalign.formats.articles import Found, find_inputs, read_articles
from mtalign.record import Rejected

BROKEN = Path(__file__).parent / "data" / "broken"

# Folder, file, line, what is said of it. A line of None: the file as a whole, or the place is in the message.
CASES: list[tuple[str, str, int | None, str]] = [
    ("text", "empty.txt", None, "empty"),
    ("text", "encoding.txt", 2, "not UTF-8"),
    ("jsonl", "rows.jsonl", 2, "JSON is malformed"),
    ("jsonl", "rows.jsonl", 3, "utf-8"),
    ("jsonl", "rows.jsonl", 4, "says 'Lviv', but the text at"),
    ("jsonl", "rows.jsonl", 5, "not inside the text of 31"),
    ("jsonl", "rows.jsonl", 6, "used twice"),
    ("jsonl", "rows.jsonl", 7, "from one paragraph into another"),
    ("parquet", "truncated.parquet", None, "cannot be read as Parquet"),
    ("parquet", "text.parquet", None, "cannot be read as Parquet"),
    ("parquet", "rows.parquet", 2, "says 'Lviv'"),
    ("parquet", "rows.parquet", 3, "not inside the text"),
    ("parquet", "rows.parquet", 4, "used twice"),
    ("parquet", "rows.parquet", 5, "from one paragraph into another"),
    ("html", "empty.html", None, "no main text"),
    ("html", "charset.html", None, "unknown encoding"),
    ("html", "encoding.html", 2, "not UTF-8"),
    ("brat", "alone.ann", None, "belong together"),
    ("brat", "offsets.ann", 2, "another text"),
    ("brat", "outside.ann", 1, "not inside the text of 31"),
    ("brat", "twice.ann", 2, "there twice"),
    ("brat", "across.txt", None, "from one paragraph into another"),
    ("brat", "truncated.ann", 2, "expected ID"),
    ("brat", "encoding.ann", 2, "not UTF-8"),
    ("brat", "strange.ann", 2, "no line of brat"),
    ("iob2", "articles.conll", 8, "a token and an IOB2 tag"),
    ("iob2", "articles.conll", 11, "a token and an IOB2 tag"),
    ("iob2", "articles.conll", 15, "'closed' does not follow"),
    ("iob2", "articles.conll", 20, "no token for 'open'"),
    ("iob2", "articles.conll", 24, "not UTF-8"),
    ("labelstudio", "truncated.json", None, "truncated"),
    ("labelstudio", "object.json", None, "no list of Label Studio tasks"),
    ("labelstudio", "encoding.json", 2, "not UTF-8"),
    ("labelstudio", "tasks.json", 3, "says 'Lviv'"),
    ("labelstudio", "tasks.json", 4, "a span says 'x'"),
    ("labelstudio", "tasks.json", 5, "from one paragraph into another"),
    ("labelstudio", "tasks.json", 6, "needs data with a text"),
    ("labelstudio", "tasks.json", 7, "task 6"),
    ("docbin", "truncated.spacy", None, "cut off"),
    ("docbin", "text.spacy", None, "no DocBin"),
    ("docbin", "across.spacy", 1, "from one paragraph into another"),
    ("tmx", "truncated.tmx", None, r"truncated.tmx:6: not well-formed"),
    ("tmx", "entity.tmx", None, r"entity.tmx:6: entity &x; is not expanded"),
    ("tmx", "encoding.tmx", None, r"encoding.tmx:6"),
    ("tmx", "source.tmx", 1, "no text in 'en'"),
    ("tsv", "header.tsv", None, r"header.tsv:1: 'some text' is no language"),
    ("tsv", "rows.tsv", None, r"rows.tsv:3: 4 cells"),
    ("tsv", "rows.tsv", None, r"rows.tsv:4: not UTF-8"),
    ("tsv", "rows.tsv", 2, "no text in 'en'"),
    ("xliff", "truncated.xlf", 4, "not well-formed"),
    ("xliff", "entity.xlf", None, "document type"),
    ("xliff", "encoding.xlf", 3, "not well-formed"),
    ("xliff", "languages.xlf", 2, "needs srcLang and trgLang"),
    ("xliff", "other.xlf", None, "not XLIFF 2"),
    ("xliff", "good.xlf", 4, "no source text"),
    ("translations", "bridge.ko.txt", 1, "not UTF-8"),
    ("translations", "bridge.txt", None, "its ko translation, cannot be used"),
    ("translations", "rows.jsonl", 1, "its uk translation cannot be used"),
    ("translations", "rows.uk.jsonl", 3, "no such article"),
    ("dataset", "cut", None, "cannot be read as a dataset"),
]

# What is read in spite of all that.
GOOD = {
    "text": ["good"],
    "jsonl": ["first", "last"],
    "parquet": ["first", "last"],
    "html": ["good"],
    "brat": ["good"],
    "iob2": ["first", "last"],
    "labelstudio": ["1", "7"],
    "docbin": ["across-2", "good-1", "userdata-1"],
    "tmx": ["f", "a", "g"],
    "tsv": ["a", "e"],
    "xliff": ["first", "last", "t1"],
    "translations": ["b"],
    "dataset": [],
}


def everything(folder: str) -> list[Found | Rejected]:
    if folder == "dataset":
        return list(read_articles([str(BROKEN / folder / "cut")], "en"))
    return list(read_articles(find_inputs([str(BROKEN / folder)]), "en"))


@pytest.fixture(scope="module")
def read() -> dict[str, list[Found | Rejected]]:
    return {folder: everything(folder) for folder in GOOD}


@pytest.mark.parametrize(("folder", "name", "line", "reason"), CASES)
def test_a_broken_file_is_refused_by_place(
    read: dict[str, list[Found | Rejected]], folder: str, name: str, line: int | None, reason: str
) -> None:
    rejects = [each for each in read[folder] if isinstance(each, Rejected)]
    assert any(
        Path(each.path).name == name and each.line == line and reason in each.reason for each in rejects
    ), rejects


@pytest.mark.parametrize("folder", GOOD)
def test_the_rest_goes_on_and_nothing_else_is_refused(
    read: dict[str, list[Found | Rejected]], folder: str
) -> None:
    assert [each.article.source.id for each in read[folder] if isinstance(each, Found)] == GOOD[folder]
    refused = sum(isinstance(each, Rejected) for each in read[folder])
    assert refused == sum(case[0] == folder for case in CASES)


def test_no_file_from_outside_is_drawn_in(read: dict[str, list[Found | Rejected]]) -> None:
    for folder in ("tmx", "xliff"):
        assert not [each for each in read[folder] if isinstance(each, Found) and "root:" in str(each)]


ENDINGS = ["txt", "jsonl", "html", "ann", "json", "spacy", "tmx", "tsv", "xlf"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_line_of_a_gigabyte_is_refused_and_not_held(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"large.{ending}"
    with path.open("wb") as stream:
        stream.truncate(1 << 30)  # a hole: no byte of it is on the disk
    if ending == "ann":
        (tmp_path / "large.txt").write_text("Lviv.")
    tracemalloc.start()
    try:
        (found,) = read_articles([str(path)], "en")
        assert tracemalloc.get_traced_memory()[1] < 3 * reading.LARGEST_LINE
    finally:
        tracemalloc.stop()
    assert isinstance(found, Rejected)


def test_what_follows_a_line_that_is_too_long_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGEST_LINE", 50)
    rows = [f'{{"id": "{n}", "text": "{"x" * size}"}}' for n, size in enumerate([5, 500, 5])]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    first, second, third = read_articles([str(tmp_path / "rows.jsonl")], "en")
    assert isinstance(first, Found)
    assert isinstance(third, Found)
    assert third.line == 3
    assert isinstance(second, Rejected)
    assert second.line == 2
    assert "more than 50 are not read" in second.reason


def test_a_pickle_in_the_user_data_of_a_docbin_is_not_unpacked(tmp_path: Path) -> None:
    from spacy.tokens import Doc, DocBin
    from spacy.vocab import Vocab

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return open, (str(tmp_path / "sprung"), "w")

    store = DocBin(store_user_data=True)
    store.add(Doc(Vocab(), words=["Lviv"]))
    # As msgpack-numpy writes arrays of objects.
    array = {b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": pickle.dumps(Trap())}
    store.user_data = [msgspec.msgpack.encode([array])]
    store.to_disk(tmp_path / "trap.spacy")
    (found,) = read_articles([str(tmp_path / "trap.spacy")], "en")
    assert isinstance(found, Found)
    assert found.left_out == {"user data": 1}
    assert not (tmp_path / "sprung").exists()
    pickle.loads(pickle.dumps(Trap()))  # noqa: S301  (the trap itself works)
    assert (tmp_path / "sprung").exists()


def test_a_small_file_that_inflates_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docbin, "LARGEST_INFLATED", 1 << 20)
    (tmp_path / "bomb.spacy").write_bytes(zlib.compress(bytes(1 << 24)))
    (found,) = read_articles([str(tmp_path / "bomb.spacy")], "en")
    assert isinstance(found, Rejected)
    assert "inflates to more than" in found.reason
