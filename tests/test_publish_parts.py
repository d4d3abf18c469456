"""What publishing is made of: groups, order, filters, tags, vectors, the scan."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest
from corpus import NEWS, news, record
from hypothesis import given
from hypothesis import strategies as st

from mtalign.document import Document, Span
from mtalign.encode import Encoder
from mtalign.errors import UsageError
from mtalign.publish import Filters, publish
from mtalign.publish.filters import apply, flagged
from mtalign.publish.groups import SHINGLE, Groups, minhash
from mtalign.publish.ner import rows as ner_rows
from mtalign.publish.ner import tags
from mtalign.publish.order import Sorted
from mtalign.publish.scan import scan
from mtalign.publish.write import split_of
from mtalign.record import Issue, Record


def row(number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(NEWS.read_text(encoding="utf-8").splitlines()[number])
    return found


def load(folder: Path, config: str, cache: Path, **options: Any) -> Any:
    from datasets import load_dataset

    return load_dataset(str(folder), config, cache_dir=str(cache), **options)


def alone(name: str, text: str, lang: str = "en") -> Record:
    return Record(name, Document(name, lang, text, license="CC0-1.0"), "s")


# --- near-duplicates --------------------------------------------------------------------------------


def shingles(text: str) -> set[str]:
    letters = "".join(char for char in text.casefold() if char.isalnum())
    return {letters[n : n + SHINGLE] for n in range(max(1, len(letters) - SHINGLE + 1))}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_signatures_estimate_the_similarity_of_texts(share: float) -> None:
    draw = random.Random(7)
    common = [f"common{draw.random()}" for _ in range(int(400 * share))]
    texts = [" ".join([*common, *(f"own{draw.random()}" for _ in range(400 - len(common)))]) for _ in "ab"]
    left, right = (minhash(text) for text in texts)
    assert left is not None
    assert right is not None
    one, other = map(shingles, texts)
    exact = len(one & other) / len(one | other)
    # 128 hashes: a standard error of at most .045, so three of them.
    assert (left == right).mean() == pytest.approx(exact, abs=0.135)


def groups_of(*records: Record) -> dict[str, str]:
    found = Groups()
    for each in records:
        found.add(each)
    return found.groups()


def test_a_reprint_is_found_and_another_article_is_not() -> None:
    texts = [each.source.text for each in news()]
    reprint = "EARLY EDITION\n\n" + texts[0].replace("Thursday", "on Friday").rsplit(".", 2)[0] + "."
    articles = [alone(f"n{number}", text) for number, text in enumerate(texts)]
    assert groups_of(*articles, alone("a-reprint", reprint)) == {"n0": "a-reprint", "a-reprint": "a-reprint"}


def test_an_article_and_its_translation_published_as_an_article_are_one_group() -> None:
    whole = news()[0]
    korean = alone("korean", whole.targets["ko"].text, "ko")
    assert set(groups_of(whole, korean, alone("other", news()[1].targets["ko"].text, "ko"))) == {
        whole.id,
        "korean",
    }


def test_a_chain_of_copies_is_one_group_and_texts_without_letters_are_none() -> None:
    text = news()[0].source.text
    copies = [alone(f"c{number}", text) for number in range(50)]
    found = groups_of(*copies, alone("blank", ""), alone("dots", "…"))
    assert found == {each.id: "c0" for each in copies}


def test_no_group_is_torn_apart_by_the_splits(tmp_path: Path) -> None:
    records = [record(row(number) | {"id": f"{number}-{copy}"}) for number in range(6) for copy in range(4)]
    shares = {"train": 1, "test": 1}
    made = publish(records, tmp_path / "out", name="x", splits=shares)
    assert made.near_duplicates == len(records)
    split = {
        each: name
        for name, rows in load(tmp_path / "out", "articles", tmp_path / "cache").items()
        for each in rows["id"]
    }
    assert set(split.values()) == {"train", "test"}
    for number in range(6):
        assert {split[f"{number}-{copy}"] for copy in range(4)} == {split_of(f"{number}-0", shares)}


# --- order ------------------------------------------------------------------------------------------


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1), unique=True, max_size=12), st.integers(0, 400)
)
def test_records_come_out_by_id_whatever_fits_into_memory(names: list[str], held: int) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        found = Sorted((alone(name, "text") for name in names), Path(folder), held)
        assert [each.id for each in found] == sorted(names) == [each.id for each in found]


def test_large_tables_are_cut_into_shards(tmp_path: Path) -> None:
    from datasets import load_dataset

    from mtalign.publish.rows import configs
    from mtalign.publish.tables import write_tables

    records = [record(row() | {"id": f"a{number}"}) for number in range(300)]
    rows, _ = write_tables(
        records,
        configs(["en", "ko", "uk", "ru"], [])[:1],
        tmp_path,
        splits=["train"],
        split_of=lambda _: "train",
        flagged=lambda _: {},
        shard_bytes=1,
    )
    files = sorted(path.name for path in (tmp_path / "sentences").iterdir())
    assert files == [f"train-0000{n}-of-0000{len(files)}.parquet" for n in range(len(files))]
    assert len(files) > 1
    loaded = load_dataset(
        "parquet", data_files=str(tmp_path / "sentences" / "*"), cache_dir=str(tmp_path / "c")
    )
    assert loaded["train"].num_rows == rows["sentences"]["train"] == 300 * len(row()["beads"])


# --- tags and spans ---------------------------------------------------------------------------------


def test_korean_tokens_are_morphemes_and_a_name_has_its_own(tmp_path: Path) -> None:
    publish(news(), tmp_path / "out", name="x")
    table = load(tmp_path / "out", "ner-ko", tmp_path / "cache")["train"]
    names = table.features["ner_tags"].feature.names
    assert names[0] == "O"
    checked = 0
    for each in table:
        text, starts = each["text"], each["token_starts"]
        ends = [start + len(token) for start, token in zip(starts, each["tokens"], strict=True)]
        assert [text[a:b] for a, b in zip(starts, ends, strict=True)] == each["tokens"]
        tagged = [names[number] for number in each["ner_tags"]]
        for span in each["spans"]:
            assert text[span["start"] : span["end"]] == span["text"]
            if span["start"] in starts and span["end"] in ends:
                first, last = starts.index(span["start"]), ends.index(span["end"])
                nested = any(
                    other != span and other["start"] < span["end"] and span["start"] < other["end"]
                    for other in each["spans"]
                )
                if not nested:
                    label = span["label"]
                    assert tagged[first : last + 1] == [f"B-{label}"] + [f"I-{label}"] * (last - first)
                    checked += 1
    assert checked > 100


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5), st.sampled_from(["PER", "LOC"])), max_size=6),
    st.lists(st.integers(1, 3), max_size=10),
)
def test_tags_are_well_formed_and_the_longest_span_is_tagged(
    drawn: list[tuple[int, int, str]], widths: list[int]
) -> None:
    ends = [sum(widths[: n + 1]) for n in range(len(widths))]
    tokens = [Span(end - width, end) for end, width in zip(ends, widths, strict=True)]
    spans = [(Span(start, start + length), label) for start, length, label in drawn]
    found = tags(tokens, spans)
    assert len(found) == len(tokens)
    for before, tag in zip(["O", *found], found, strict=False):
        assert not tag.startswith("I-") or before[2:] == tag[2:]
    if spans and tokens:
        longest = max(spans, key=lambda each: len(each[0]))
        if sum(len(each[0]) == len(longest[0]) for each in spans) == 1:
            covered = [tag for token, tag in zip(tokens, found, strict=True) if token.overlaps(longest[0])]
            assert all(tag.endswith(longest[1]) for tag in covered)


def test_a_lost_mention_is_missing_in_the_sentence_that_should_hold_it() -> None:
    whole = news()[0]
    labels = sorted({each.label for each in whole.source.entities})
    lost = {each.source for each in whole.projections["ko"] if each.entity is None}
    before = [each["missing"] for each in ner_rows(whole, "ko", labels)]
    assert sum(before) >= len(lost)
    second = whole.projections["ko"][0]
    gone = msgspec.structs.replace(second, entity=None, reason="gone")
    changed = msgspec.structs.replace(
        whole, projections={**whole.projections, "ko": (gone, *whole.projections["ko"][1:])}
    )
    after = list(ner_rows(changed, "ko", labels))
    assert [each["missing"] for each in after] == [before[0] + 1, *before[1:]]
    assert second.source not in [span["id"] for span in after[0]["spans"]]  # type: ignore[attr-defined]


# --- filters ----------------------------------------------------------------------------------------


def with_projections(whole: Record, **changes: Any) -> Record:
    """The record with its first Korean mention changed."""
    first, *rest = whole.projections["ko"]
    changed = (msgspec.structs.replace(first, **changes), *rest)
    return msgspec.structs.replace(whole, projections={**whole.projections, "ko": changed})


def test_a_mention_below_the_confidence_is_lost_with_the_reason_and_counted() -> None:
    unsure = with_projections(news()[0], confidence=0.3)
    removed: Counter[tuple[str, str]] = Counter()
    kept = apply(unsure, Filters(min_confidence=0.5), removed)
    assert kept is not None
    assert kept.projections["ko"][0].reason == "filtered: confidence below 0.5"
    assert kept.projections["ko"][1:] == unsure.projections["ko"][1:]
    assert +removed == {("min-confidence", "mentions"): 1}


def test_without_filters_nothing_changes() -> None:
    removed: Counter[tuple[str, str]] = Counter()
    assert [apply(each, Filters(), removed) for each in news()] == news()
    assert not +removed


def test_only_what_was_reviewed_stays(tmp_path: Path) -> None:
    first, second = news()[:2]
    reviewed = with_projections(first, method="review")
    made = publish([reviewed, second], tmp_path / "out", name="x", filters=Filters(reviewed_only=True))
    assert made.articles == 1
    removed = {(name, what): number for name, what, number in made.removed}
    assert removed["reviewed-only", "articles"] == 1
    kept = [
        each["targets"]["ko"]["text"]
        for each in load(tmp_path / "out", "entities", tmp_path / "cache")["train"]
        if each["targets"]["ko"]["text"]
    ]
    assert kept == [first.projections["ko"][0].entity.text]  # type: ignore[union-attr]
    mentions = sum(p.entity is not None for ps in reviewed.projections.values() for p in ps)
    assert removed["reviewed-only", "mentions"] == mentions - 1
    assert "| reviewed-only | articles | 1 |" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="filters left none of 1 articles"):
        publish([second], tmp_path / "none", name="x", filters=Filters(reviewed_only=True))


def test_flagged_sentences_are_in_no_row_and_each_config_says_how_many_it_lost(tmp_path: Path) -> None:
    issues = (Issue("wrong-number", "warning", "ko", "7 or 8", (2,)), Issue("odd", "info", "ko", "?", (0,)))
    whole = msgspec.structs.replace(news()[0], issues=issues)
    assert flagged(whole) == {"ko": {2}}
    made = publish([whole], tmp_path / "out", name="x", filters=Filters(drop_flagged=True))
    removed = {what: number for name, what, number in made.removed if name == "drop-flagged"}
    assert removed["sentences"] == removed["rows of ner-ko"] == removed["rows of pairs-en-ko"] == 1
    assert "rows of pairs-en-uk" not in removed
    cache = tmp_path / "cache"
    text = whole.targets["ko"].sentence_texts()[2]
    for config in ("sentences", "pairs-ko-uk"):
        sides = [each["translation"]["ko"] for each in load(tmp_path / "out", config, cache)["train"]]
        assert sides
        assert not any(text in (side or "") for side in sides)
    assert text not in load(tmp_path / "out", "ner-ko", cache)["train"]["text"]
    article = load(tmp_path / "out", "articles", cache)["train"][0]
    assert text in article["text"]["ko"]
    start = whole.targets["ko"].sentences[2].span.start
    end = whole.targets["ko"].sentences[2].span.end
    assert not [each for each in article["entities"]["ko"] if start <= each["start"] < end]


# --- vectors ----------------------------------------------------------------------------------------


def test_embeddings_are_half_precision_and_those_of_the_encoder(encoder: Encoder, tmp_path: Path) -> None:
    import numpy as np
    from datasets import List, Value

    whole = news()[0]
    publish([whole], tmp_path / "out", name="x", encoder=encoder)
    table = load(tmp_path / "out", "embeddings", tmp_path / "cache")["train"]
    assert table.features["embedding"] == List(Value("float16"), length=384)
    assert table["id"][0] == f"{whole.id}:en:0"
    assert len(table) == sum(len(each.sentences) for each in whole.documents().values())
    korean = [each for each in table if each["language"] == "ko"]
    exact = encoder.encode(whole.targets["ko"].sentence_texts())
    assert np.allclose([each["embedding"] for each in korean], exact, atol=1e-3)
    streamed = load(tmp_path / "out", "embeddings", tmp_path / "c2", streaming=True)["train"]
    assert next(iter(streamed))["embedding"] == table[0]["embedding"]
    again = publish([whole], tmp_path / "again", name="x", encoder=encoder)
    for file in again.files:
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "out" / file).read_bytes()


# --- the scan ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("Write to press.office@example.org today.", "e-mail", "press.office@example.org"),
        ("Call +82 2 1234 5678 now", "telephone", "+82 2 1234 5678"),
        ("Call 02-1234-5678.", "telephone", "02-1234-5678"),
        ("card 4111 1111 1111 1111 was", "card number", "4111 1111 1111 1111"),
        ("to DE89 3704 0044 0532 0130 00, please", "account number", "DE89 3704 0044 0532 0130 00"),
        ("key AKIAABCDEFGHIJKLMNOP leaked", "aws key id", "AKIAABCDEFGHIJKLMNOP"),
        ("set hf_" + "a1" * 17 + " there", "hugging face token", "hf_" + "a1" * 17),
        ("password: correct-horse", "labelled secret", "password: correct-horse"),
        ("번호는 900101-1234567이다", "resident number (Korea)", "900101-1234567"),
    ],
)
def test_the_scan_finds_what_has_a_shape_and_shows_no_more_than_its_start(
    text: str, kind: str, found: str
) -> None:
    (finding,) = scan(alone("a", text))
    assert (finding.kind, finding.span.of(text)) == (kind, found)
    assert found[:3] in finding.excerpt
    assert found not in finding.excerpt


@pytest.mark.parametrize(
    "text",
    [
        "The fund will start with 850 million euros in 2026-2027.",
        "card 4111 1111 1111 1112",
        "Results: 1,234,567,890,123 won",
        "The ratio fell from 2024-11 to 2025-12, a token of good will.",
        "on 2026-11-23 at 10:30, flight KE 1234",
    ],
)
def test_the_scan_leaves_ordinary_numbers_alone(text: str) -> None:
    assert list(scan(alone("a", text))) == []


def test_the_project_s_own_articles_are_clean() -> None:
    assert [finding for each in news() for finding in scan(each)] == []


def test_personal_data_is_reported_and_a_secret_stops_publishing(tmp_path: Path) -> None:
    report = tmp_path / "scan.jsonl"
    private = alone("a", "Write to someone@example.org, she said.")
    made = publish([private], tmp_path / "out", name="x", scan_report=report)
    assert made.scanned == {"e-mail": 1}
    line = json.loads(report.read_text(encoding="utf-8"))
    assert (line["article"], line["lang"], line["span"]) == ("a", "en", [9, 28])
    assert "e-mail 1" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    secret = alone("b", "api_key = 0123456789abcdef")
    with pytest.raises(UsageError, match=r"1 secrets.*scan\.jsonl"):
        publish([private, secret], tmp_path / "other", name="x", scan_report=report)
    assert not (tmp_path / "other").exists()
    assert len(list(groupby(report.read_text(encoding="utf-8").splitlines()))) == 2
