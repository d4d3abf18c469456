"""Aligned documents: read back, judged by share of the usual score, exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from corpus import news
from hypothesis import given
from hypothesis import strategies as st

from mtalign.aligned import (
    ROWS_FILE,
    Summary,
    doubts,
    export,
    from_row,
    pair_units,
    read_documents,
    shares,
    tuple_shares,
)
from mtalign.alignment import Bead
from mtalign.errors import InputError
from mtalign.evaluate import alignment_row
from mtalign.formats.tmx import read_tmx
from mtalign.formats.tsv import read_tsv
from mtalign.record import encode_json

ROW: dict[str, Any] = {
    "id": "d",
    "langs": ["en", "ko", "uk"],
    "sents": {"en": ["A.", "B.", "C."], "ko": ["가.", "나."], "uk": ["А.", "Б.\tВ."]},
    "tuples": [{"en": [0], "ko": [0], "uk": [0]}, {"en": [1], "uk": [1]}, {"en": [2], "ko": [1]}],
    "beads": {
        "en-ko": [
            {"src": [0], "tgt": [0], "score": 1.0},
            {"src": [1], "tgt": [], "score": 0.0},
            {"src": [2], "tgt": [1], "score": 0.2},
        ],
        "en-uk": [{"src": [0], "tgt": [0], "score": 2.0}, {"src": [1, 2], "tgt": [1], "score": 1.5}],
        "ko-uk": [{"src": [0, 1], "tgt": [0, 1], "score": 0.9}],
    },
}


def test_shares_are_parts_of_the_median() -> None:
    document = from_row(ROW)
    assert shares(document.beads["en", "ko"]) == pytest.approx([1.0, 0.0, 0.2 / 0.6])
    assert tuple_shares(document) == pytest.approx([1.0, 1.5 / 1.75, 0.2 / 0.6])


@given(st.lists(st.tuples(st.booleans(), st.floats(-5, 5)), max_size=8))
def test_shares_are_between_nothing_and_one(beads: list[tuple[bool, float]]) -> None:
    made = [Bead((n,), (n,) if both else (), score) for n, (both, score) in enumerate(beads)]
    found = shares(made)
    assert all(0 <= share <= 1 for share in found)
    assert all(share == 0 for share, bead in zip(found, made, strict=True) if not bead.right)


def test_what_is_null_or_low_is_doubtful_and_the_worst_comes_first() -> None:
    document = from_row(ROW)
    assert [(doubt.pair, doubt.bead.kind) for doubt in doubts(document)] == [
        (("en", "ko"), "1-0"),
        (("en", "ko"), "1-1"),
    ]
    summary = Summary()
    summary.add(document)
    summary.add(document)
    assert [doubt.bead.kind for doubt in summary.worst()] == ["1-0", "1-0", "1-1", "1-1"]
    assert summary.as_dict()["sentences"] == {"en": 6, "ko": 4, "uk": 4}
    pairs: Any = summary.as_dict()["pairs"]
    assert pairs["en-ko"] == {
        "beads": 6,
        "nulls": 2,
        "doubtful": 4,
        "score": 0.6,
        "types": {"1-0": 2, "1-1": 4},
    }


def test_the_list_for_review_keeps_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtalign.aligned.REVIEW_ROWS", 3)
    summary = Summary()
    for _ in range(4):
        summary.add(from_row(ROW))
    assert [doubt.share for doubt in summary.worst()] == [0, 0, 0]
    assert summary.pairs["en", "ko"].doubtful == 8


def test_exports_hold_the_texts_of_the_beads(tmp_path: Path) -> None:
    rows = [ROW, *(alignment_row(record) for record in news())]
    (tmp_path / ROWS_FILE).write_bytes(b"".join(encode_json(row) + b"\n" for row in rows))
    summary = Summary()
    for document in read_documents(tmp_path / ROWS_FILE):
        summary.add(document)
    written = {path.name for path in export(tmp_path, summary, ["tsv", "tmx"])}
    names = [*("-".join(pair) for pair in summary.pairs), "tuples"]
    assert written == {"review.tsv", *(f"{name}.{kind}" for name in names for kind in ("tsv", "tmx"))}
    assert {"en-ko", "en-uk", "en-ru", "ko-uk", "ko-ru", "uk-ru"} <= set(names)
    table = list(read_tsv(tmp_path / "en-ko.tsv"))
    units = [
        unit
        for document in read_documents(tmp_path / ROWS_FILE)
        for unit in pair_units(document, ("en", "ko"))
    ]
    assert table == units
    assert table[1].texts == {"en": "B."}
    assert list(read_tmx(tmp_path / "en-ko.tmx")) == [unit for unit in units if len(unit.texts) == 2]
    assert next(read_tmx(tmp_path / "tuples.tmx")).texts == {"en": "A.", "ko": "가.", "uk": "А."}
    assert (tmp_path / "review.tsv").read_text(encoding="utf-8").count("\n") == 1 + len(summary.worst())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tuples": ROW["tuples"][:2]}, "tuples, en: .*missing"),
        ({"beads": {"en-ko": ROW["beads"]["en-ko"][:2]}}, "missing"),
        ({"beads": {"en-xx": []}}, "'en-xx'"),
        ({"sents": None}, "not a row of aligned sentences"),
        ({"beads": {"en-ko": [{"src": [0, 2], "tgt": [0]}]}}, "consecutive"),
    ],
)
def test_rows_that_do_not_hold_together_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_row({**ROW, **changes})


def test_sentences_of_chinese_and_japanese_are_joined_without_a_space() -> None:
    row = {
        "id": "d",
        "langs": ["en", "ja"],
        "sents": {"en": ["One. Two."], "ja": ["一。", "二。"]},
        "tuples": [{"en": [0], "ja": [0, 1]}],
        "beads": {"en-ja": [{"src": [0], "tgt": [0, 1], "score": 1.0}]},
    }
    assert next(pair_units(from_row(row), ("en", "ja"))).texts == {"en": "One. Two.", "ja": "一。二。"}
