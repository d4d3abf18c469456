from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from corpus import news
from numpy.typing import NDArray

from mtalign.encode import Encoder as RealEncoder
from mtalign.errors import UsageError
from mtalign.evaluate import score_search
from mtalign.record import Record
from mtalign.search import Index, build


class NgramEncoder:
    """Counts of character 3-grams, hashed into 256 places: like finds like in one language."""

    def __init__(self, signature: str = "ngrams|n:3|dim:256") -> None:
        self.signature = signature

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), 256), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for at in range(len(text) + 2):
                row[zlib.crc32(f" {text} "[at : at + 3].encode()) % 256] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


NGRAMS = NgramEncoder()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("search") / "index"
    build(news(), NGRAMS, out)
    return out


@pytest.fixture(scope="module")
def index(path: Path) -> Index:
    return Index.open(path)


def test_every_sentence_of_every_language_is_a_passage(index: Index) -> None:
    assert len(index) == sum(len(d.sentences) for each in news() for d in each.documents().values())


def test_a_sentence_finds_itself_first(index: Index) -> None:
    for record in news()[:2]:
        for lang, document in record.documents().items():
            for number, text in enumerate(document.sentence_texts()):
                hit = index.query(text, NGRAMS, k=1)[0]
                assert hit.passage.id == f"{record.id}:{lang}:{number}"
                assert hit.score == pytest.approx(1.0, abs=1e-5)


def test_a_hit_brings_its_counterparts_in_all_other_languages(index: Index) -> None:
    record = next(each for each in news() if any(len(t.sents["ko"]) == 2 for t in each.tuples))
    row = next(each for each in record.tuples if len(each.sents["ko"]) == 2)
    text = record.source.sentence_texts()[row.sents["en"][0]]
    hit = index.query(text, NGRAMS, lang="en", k=1)[0]
    found = {lang: [each.text for each in passages] for lang, passages in hit.counterparts.items()}
    texts = {lang: document.sentence_texts() for lang, document in record.targets.items()}
    assert found == {lang: [texts[lang][n] for n in row.sents[lang]] for lang in ("ko", "uk", "ru")}
    assert msgspec.json.decode(msgspec.json.encode(hit.as_dict()))["passage"]["id"] == hit.passage.id


def test_answers_are_those_of_comparing_with_everything(index: Index) -> None:
    query = "The prisoners were exchanged on the border."
    texts = [s for each in news() for d in each.documents().values() for s in d.sentence_texts()]
    scores = NGRAMS.encode(texts) @ NGRAMS.encode([query])[0]
    hits = index.query(query, NGRAMS, k=len(texts))
    assert [hit.score for hit in hits] == pytest.approx(sorted(scores, reverse=True), abs=1e-5)
    assert len({hit.passage.id for hit in hits}) == len(texts)


def test_filters(index: Index) -> None:
    korean = index.query("Kyiv", NGRAMS, lang="ko", k=5)
    assert {hit.passage.lang for hit in korean} == {"ko"}
    people = index.query("Kyiv", NGRAMS, label="PER", k=500)
    expected = sum(
        any(sentence.span.contains(entity.span) for entity in record.entities(lang) if entity.label == "PER")
        for record in news()
        for lang, document in record.documents().items()
        for sentence in document.sentences
    )
    assert len(people) == expected > 0
    assert index.query("Kyiv", NGRAMS, label="no such label") == []
    with pytest.raises(UsageError, match="no sentences in 'de', only in en, ko, ru, uk"):
        index.query("Kyiv", NGRAMS, lang="de")


def test_the_same_records_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    build(news(), NGRAMS, tmp_path / "again")
    for file in path.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_another_encoder_is_refused(index: Index) -> None:
    with pytest.raises(UsageError, match=r"built with 'ngrams\|n:3\|dim:256', this encoder is 'other'"):
        index.query("Kyiv", NgramEncoder("other"))


def test_vectors_that_are_not_normalised_are_refused(tmp_path: Path) -> None:
    class Long(NgramEncoder):
        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return super().encode(texts) * 3

    with pytest.raises(UsageError, match="one normalised vector per text"):
        build(news(), Long(), tmp_path / "out")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("query", ["", " \n"])
def test_a_blank_query_is_refused(index: Index, query: str) -> None:
    with pytest.raises(UsageError, match="blank"):
        index.query(query, NGRAMS)


def test_nothing_to_index(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no sentences to index"):
        build([], NGRAMS, tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_no_index_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no search index"):
        Index.open(tmp_path)


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("index.json", b"{", "damaged"),
        (
            "index.json",
            b'{"format":"mtalign-index","version":99,"encoder":"","dim":1,"passages":1,"mtalign":""}',
            "99",
        ),
        ("passages.jsonl", b"", "0 passages"),
        ("passages.jsonl", b"not json\n", "damaged"),
        ("vectors.npy", b"", "damaged"),
        ("vectors.npy", b"\x93NUMPY\x01\x00", "damaged"),
    ],
)
def test_a_damaged_index_is_told(path: Path, tmp_path: Path, file: str, damage: bytes, message: str) -> None:
    for each in path.iterdir():
        (tmp_path / each.name).write_bytes(damage if each.name == file else each.read_bytes())
    with pytest.raises(UsageError, match=message):
        Index.open(tmp_path)


def test_a_failure_leaves_the_earlier_index_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(news()[:2], NGRAMS, out)

    def broken() -> list[Record]:
        raise UsageError("the run directory went away")

    with pytest.raises(UsageError, match="went away"):
        build((record for _ in range(1) for record in broken()), NGRAMS, out)
    assert len(Index.open(out)) > 0
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        build(news(), NGRAMS, tmp_path)


def test_real_vectors_find_translations(encoder: RealEncoder, tmp_path: Path) -> None:
    records = news()
    build(records, encoder, tmp_path / "index")
    index = Index.open(tmp_path / "index")
    ranked, relevant = {}, {}
    for record in records:
        for number, row in enumerate(record.tuples):
            for lang in record.targets:
                query = record.targets[lang].sentence_texts()[row.sents[lang][0]]
                name = f"{record.id}:{number}:{lang}"
                ranked[name] = [hit.passage.id for hit in index.query(query, encoder, lang="en", k=10)]
                relevant[name] = [f"{record.id}:en:{n}" for n in row.sents["en"]]
    scores = score_search(ranked, relevant)
    assert scores.recall[1] >= 0.9
    assert scores.recall[10] == 1.0
