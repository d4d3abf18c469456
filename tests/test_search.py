"""The index: what is in it, what is found, and that an update touches nothing else."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from corpus import news
from msgspec.structs import replace
from numpy.typing import NDArray

from mtalign import search
from mtalign.encode import Encoder as RealEncoder
from mtalign.errors import InputError, UsageError
from mtalign.evaluate import score_search
from mtalign.record import Record
from mtalign.search import Filters, Index, of_records
from mtalign.search.build import with_neighbours
from mtalign.search.query import MAX_QUERY, MODES

pytest.importorskip("lancedb", reason="pip install mtalign[search]")


class NgramEncoder:
    """Counts of character 3-grams, hashed into 256 places: like finds like in one language."""

    def __init__(self, signature: str = "ngrams|n:3|dim:256") -> None:
        self.signature = signature
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.encoded += texts
        vectors = np.zeros((len(texts), 256), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for at in range(len(text) + 2):
                row[zlib.crc32(f" {text} "[at : at + 3].encode()) % 256] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.encode(texts)


NGRAMS = NgramEncoder()
TEXTS = {each.id: each.text for article in of_records(news()) for each in article}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("search") / "index"
    search.build(of_records(news()), NGRAMS, out)
    return out


@pytest.fixture(scope="module")
def index(path: Path) -> Index:
    return search.open(path, NGRAMS)


def with_text(record: Record, old: str, new: str) -> Record:
    """Return the record with a word of its English text exchanged for one of the same length."""
    assert old in record.source.text
    assert len(old) == len(new)
    return replace(record, source=replace(record.source, text=record.source.text.replace(old, new, 1)))


# --- What is found ------------------------------------------------------------------------------------


def test_every_sentence_of_every_language_is_a_passage(index: Index) -> None:
    assert len(index) == len(TEXTS)
    assert {each.id: each.text for each in index.passages()} == TEXTS


@pytest.mark.parametrize("mode", MODES)
def test_a_sentence_finds_itself_first(index: Index, mode: search.query.Mode) -> None:
    for name, text in list(TEXTS.items())[::9]:
        assert index.query(text, mode=mode, k=1)[0].passage.id == name


def test_a_hit_brings_its_neighbours_and_its_counterparts_in_all_other_languages(index: Index) -> None:
    record = next(each for each in news() if any(len(t.sents["ko"]) == 2 for t in each.tuples))
    row = next(each for each in record.tuples if len(each.sents["ko"]) == 2)
    sentences = record.source.sentence_texts()
    at = row.sents["en"][0]
    hit = index.query(sentences[at], filters=Filters(langs=("en",)), k=1)[0]
    found = {lang: [each.text for each in passages] for lang, passages in hit.counterparts.items()}
    texts = {lang: document.sentence_texts() for lang, document in record.targets.items()}
    assert found == {lang: [texts[lang][n] for n in row.sents[lang]] for lang in ("ko", "uk", "ru")}
    assert (hit.before, hit.after) == (sentences[at - 1] if at else "", sentences[at + 1])
    assert msgspec.json.decode(msgspec.json.encode(hit.as_dict()))["passage"]["id"] == hit.passage.id


def test_dense_answers_are_those_of_comparing_with_everything(index: Index) -> None:
    query = "The prisoners were exchanged on the border."
    passages = index.passages()
    vectors = with_neighbours(passages, NGRAMS.encode([each.text for each in passages]))
    # What vectors have in common with the means of the languages is the solution of a least squares.
    langs = np.array([each.lang for each in passages])
    means = np.stack([vectors[langs == lang].mean(axis=0) for lang in np.unique(langs)])

    def own(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        rest = rows - (np.linalg.lstsq(means.T, rows.T)[0].T @ means)
        return rest / np.linalg.norm(rest, axis=1, keepdims=True)

    cosines = own(vectors) @ own(NGRAMS.encode([query]))[0]
    scores = dict(zip([each.id for each in passages], cosines, strict=True))
    ranked = index.rank(query, mode="dense", k=len(passages))
    assert [score for _, score in ranked] == pytest.approx(sorted(scores.values(), reverse=True), abs=1e-3)
    assert dict(ranked) == pytest.approx(scores, abs=1e-3)
    assert index.rank(query, mode="dense", k=7) == ranked[:7]


def test_what_a_language_has_in_common_does_not_hide_translations(tmp_path: Path) -> None:
    class Biased(NgramEncoder):
        """The first letter of a text, its language, says more than the rest of it."""

        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            rest = np.random.default_rng(0).standard_normal((4096, 64)).astype(np.float32) / 8
            vectors = rest[[zlib.crc32(each[1:].encode()) % 4096 for each in texts]]
            vectors[np.arange(len(texts)), [ord(each[0]) % 3 for each in texts]] += 4
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    encoder = Biased()
    articles = [
        [search.Passage(f"{n}:{lang}:0", str(n), lang, 0, 0, f"{lang}{n}") for lang in "abc"]
        for n in range(40)
    ]
    search.build(articles, encoder, tmp_path / "exact")
    search.build(articles, encoder, tmp_path / "near", exact_up_to=0)
    for name in ("exact", "near"):
        index = search.open(tmp_path / name, encoder)
        for n in range(0, 40, 7):
            found = [each for each, _ in index.rank(f"a{n}", mode="dense", k=3)]
            assert {each.split(":")[0] for each in found} == {str(n)}
    # Of a handful of passages the mean would be what they say.
    search.build(articles[:2], encoder, tmp_path / "small")
    few = dict(search.open(tmp_path / "small", encoder).rank("a0", mode="dense", k=9))
    assert few["0:a:0"] == pytest.approx(1, abs=1e-3)


def test_neighbours_count_only_within_one_text() -> None:
    first, second = (next(iter(of_records([record]))) for record in news()[:2])
    vectors = NGRAMS.encode([each.text for each in first + second])
    alone = with_neighbours(first, vectors[: len(first)])
    assert with_neighbours(first + second, vectors)[: len(first)] == pytest.approx(alone)
    assert with_neighbours(first[:1], vectors[:1]) == pytest.approx(vectors[:1])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("서울", "서울은 오늘 맑았다."),
        ("서울", "In Seoul the sky was clear."),
        ("Київ", "Ми зустрілися в Києві."),
        ("КИЇВ", "Ми зустрілися в Києві."),
        ("Харків", "До Харкова їхали довго."),
        ("북", "북쪽에서 바람이 분다."),
        ("EU", "The EU agreed."),
    ],
)
def test_a_word_finds_its_inflected_forms_before_words_that_begin_alike(
    tmp_path: Path, query: str, found: str
) -> None:
    texts = [
        "서울은 오늘 맑았다.",
        "In Seoul the sky was clear.",
        "Ми зустрілися в Києві.",
        "Кинувся навтьоки.",
        "До Харкова їхали довго.",
        "Харчі закінчилися.",
        "북쪽에서 바람이 분다.",
        "The EU agreed.",
        "A neutral museum.",
    ]
    rows = [{"id": str(n), "sents": {"en": [text]}, "tuples": [{"en": [0]}]} for n, text in enumerate(texts)]
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    search.build(search.of_rows(file), NGRAMS, tmp_path / "index")
    hits = search.open(tmp_path / "index").query(query, mode="lexical", k=2)
    assert found in [each.passage.text for each in hits]


def test_filters(index: Index) -> None:
    everything = [each for article in of_records(news()) for each in article]

    def ids(**chosen: object) -> set[str]:
        return {name for name, _ in index.rank("Kyiv", mode="dense", filters=Filters(**chosen), k=999)}  # type: ignore[arg-type]

    assert ids(langs=("ko", "uk")) == {each.id for each in everything if each.lang in ("ko", "uk")}
    people = {each.id for each in everything if any(m.label == "PER" for m in each.mentions)}
    both = {each.id for each in everything if {"PER", "LOC"} <= {m.label for m in each.mentions}}
    assert 0 < len(both) < len(people)
    assert ids(labels=("PER",)) == people
    assert ids(labels=("PER", "LOC")) == both
    assert ids(labels=("no such label",)) == set()
    article = news()[1].id
    assert ids(articles=(article,)) == {each.id for each in everything if each.article == article}
    entity = next(each for each in everything if each.entities).entities[0]
    assert ids(entities=(entity,)) == {each.id for each in everything if entity in each.entities}
    assert ids(entities=("Xylographia",)) == set()
    with pytest.raises(UsageError, match="no sentences in 'de', only in en, ko, ru, uk"):
        ids(langs=("de",))


def test_dates_narrow_down(tmp_path: Path) -> None:
    dated = [
        replace(each, source=replace(each.source, attributes={"date": date}))
        for each, date in zip(news(), ["2026-01-05", "2026-03-01T10:00:00Z", "yesterday"], strict=False)
    ]
    search.build(of_records(dated), NGRAMS, tmp_path / "index")
    index = search.open(tmp_path / "index")

    def articles(since: str | None, until: str | None) -> set[str]:
        hits = index.query("Kyiv the", mode="lexical", filters=Filters(since=since, until=until), k=999)
        return {each.passage.article for each in hits}

    names = [each.id for each in dated]
    assert articles(None, None) == set(names)
    assert articles("2026-01-05", None) == set(names[:2])
    assert articles("2026-01-06", "2026-03-01") == {names[1]}
    with pytest.raises(UsageError, match="YYYY-MM-DD"):
        Filters(since="last week")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "value",
    ["' OR '1'='1", "x') OR true --", "\\' OR true", "%", "_", '"', "a\0b", "'; DROP TABLE passages", "''"],
)
def test_filters_are_values_and_never_sql(index: Index, mode: search.query.Mode, value: str) -> None:
    for filters in (Filters(labels=(value,)), Filters(articles=(value,)), Filters(labels=("LOC", value))):
        assert index.query("Kyiv", mode=mode, filters=filters) == []
    assert index.query(value + " Kyiv", mode=mode, k=3)
    assert len(index) == len(TEXTS)


def test_an_article_with_quotes_in_its_id(tmp_path: Path) -> None:
    name = "it's \"50%\" a_b' OR ''='"
    article = [
        replace(each, article=name, id=f"{name}:en:{each.sentence}") for each in next(of_records(news()))[:3]
    ]
    other = next(of_records(news()[1:2]))
    search.build([article, other], NGRAMS, tmp_path / "index")
    hits = search.open(tmp_path / "index", NGRAMS).query(article[1].text, filters=Filters(articles=(name,)))
    assert {each.passage.id for each in hits} == {each.id for each in article}
    assert hits[0].before == article[0].text
    assert search.build([other], NGRAMS, tmp_path / "index").dropped == 1
    assert len(search.open(tmp_path / "index")) == len(other)


# --- Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Київ", "Києві", "Kyiv", "Киев", "Киеве", "키이우"])
def test_a_name_in_any_script_finds_its_mentions_in_every_language(index: Index, name: str) -> None:
    hits = index.entities(name)
    assert hits
    assert all(each.mentions["en"][0].text == "Kyiv" for each in hits)
    record = next(each for each in news() if any(entity.text == "Kyiv" for entity in each.source.entities))
    entity = next(entity for entity in record.source.entities if entity.text == "Kyiv")
    expected = {
        lang: {each.text for each in record.entities(lang) if each.id == entity.id}
        for lang in record.documents()
    }
    found = next(each for each in hits if each.id == f"{record.id}:{entity.id}")
    assert {lang: {each.text for each in mentions} for lang, mentions in found.mentions.items()} == {
        lang: texts for lang, texts in expected.items() if texts
    }
    assert all(each.text in TEXTS[each.passage] for mentions in found.mentions.values() for each in mentions)


def test_every_mention_finds_its_own_entity(index: Index) -> None:
    for record in news()[:3]:
        for lang in record.documents():
            for each in record.entities(lang):
                assert f"{record.id}:{each.id}" in {hit.id for hit in index.entities(each.text, k=50)}


def test_what_is_no_name_finds_nothing(index: Index) -> None:
    assert index.entities("Xylographia") == []
    assert index.entities("…!") == []
    with pytest.raises(UsageError, match="blank"):
        index.entities(" ")


# --- Updates ------------------------------------------------------------------------------------------


def test_an_update_encodes_what_is_new_and_touches_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "index"
    first, second, third, fourth = news()[:4]
    search.build(of_records([first, second, third]), NGRAMS, out)
    changed = with_text(second, "the", "THE")
    encoder = NgramEncoder()
    built = search.build(of_records([first, changed, fourth]), encoder, out)
    assert (built.added, built.replaced, built.dropped, built.unchanged) == (1, 1, 1, 1)
    expected = [each for article in of_records([first, changed, fourth]) for each in article]
    assert sorted(encoder.encoded) == sorted(each.text for each in expected if each.article != first.id)
    index = search.open(out, NGRAMS)
    assert {each.id: each for each in index.passages()} == {each.id: each for each in expected}
    fresh = tmp_path / "fresh"
    search.build(of_records([first, changed, fourth]), NGRAMS, fresh)
    for mode in MODES:
        query = expected[3].text
        again = dict(search.open(fresh, NGRAMS).rank(query, mode=mode, k=5))
        assert dict(index.rank(query, mode=mode, k=5)) == pytest.approx(again, abs=1e-3)


def test_what_has_not_changed_is_not_written_again(path: Path) -> None:
    before = {each: each.stat().st_mtime_ns for each in path.rglob("*") if each.is_file()}
    encoder = NgramEncoder()
    built = search.build(of_records(news()), encoder, path)
    assert built.unchanged == len(news())
    assert encoder.encoded == []
    assert {each: each.stat().st_mtime_ns for each in before} == before


def test_a_moved_mention_replaces_the_article(tmp_path: Path) -> None:
    record = news()[0]
    search.build(of_records([record]), NGRAMS, tmp_path / "index")
    fewer = replace(
        record, source=replace(record.source, entities=()), projections=dict.fromkeys(record.targets, ())
    )
    assert search.build(of_records([fewer]), NGRAMS, tmp_path / "index").replaced == 1
    assert search.open(tmp_path / "index").entities("Kyiv") == []


def test_another_encoder_or_precision_encodes_all_anew(tmp_path: Path) -> None:
    out = tmp_path / "index"
    search.build(of_records(news()[:2]), NGRAMS, out)
    assert search.build(of_records(news()[:2]), NgramEncoder("other"), out).added == 2
    assert search.build(of_records(news()[:2]), NgramEncoder("other"), out, dtype="float32").added == 2
    with pytest.raises(UsageError, match=r"built with 'other', this encoder is 'ngrams"):
        search.open(out, NGRAMS)


def test_a_failure_leaves_the_earlier_index_whole_and_the_next_build_works(tmp_path: Path) -> None:
    out = tmp_path / "index"
    search.build(of_records(news()[:2]), NGRAMS, out)
    before = search.open(out).passages()

    def broken() -> Iterator[Sequence[search.Passage]]:
        # Enough for a batch to be written before it fails.
        for n in range(20):
            yield from (
                [replace(each, article=f"{each.article}-{n}", id=f"{n}-{each.id}") for each in article]
                for article in of_records(news())
            )
        raise UsageError("the run directory went away")

    with pytest.raises(UsageError, match="went away"):
        search.build(broken(), NGRAMS, out)
    assert search.open(out).passages() == before
    built = search.build(of_records(news()[:3]), NGRAMS, out)
    assert (built.added, built.unchanged) == (1, 2)
    assert len(search.open(out)) == built.passages == sum(len(each) for each in of_records(news()[:3]))


def test_readers_are_not_disturbed_by_updates(tmp_path: Path) -> None:
    out = tmp_path / "index"
    search.build(of_records(news()[:3]), NGRAMS, out)
    old = search.open(out, NGRAMS)
    text = old.passages()[0].text
    before = old.rank(text, k=5)
    problems: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                fresh = search.open(out, NGRAMS)
                # Either the three articles or the four: never anything between.
                if {each.article for each in fresh.passages()} not in (some, more):
                    problems.append("half an update")
                if old.rank(text, k=5) != before:
                    problems.append("an open index changed")
            except Exception as error:
                problems.append(error)

    some = {each.id for each in news()[:3]}
    more = {each.id for each in news()[:4]}
    reader = threading.Thread(target=read)
    reader.start()
    for count in (4, 3, 4):
        search.build(of_records(news()[:count]), NGRAMS, out)
    done.set()
    reader.join()
    assert problems == []
    assert {each.article for each in search.open(out).passages()} == more


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "index"

    def articles() -> Iterator[Sequence[search.Passage]]:
        with pytest.raises(UsageError, match="another mtalign is writing"):
            search.build(of_records(news()[:1]), NGRAMS, out)
        yield from of_records(news()[:1])

    assert search.build(articles(), NGRAMS, out).added == 1


def test_an_approximate_index_finds_what_an_exact_one_finds(tmp_path: Path) -> None:
    articles = list(of_records(news()))
    search.build(articles, NGRAMS, tmp_path / "exact")
    assert not search.build(articles, NGRAMS, tmp_path / "near", exact_up_to=99).exact
    exact, near = (search.open(tmp_path / name, NGRAMS) for name in ("exact", "near"))
    queries = [each.text for each in articles[0]][:10]
    for filters in (Filters(), Filters(langs=("ko",), labels=("LOC",))):
        for text in queries:
            wanted = dict(exact.rank(text, mode="dense", filters=filters))
            assert dict(near.rank(text, mode="dense", filters=filters)) == pytest.approx(wanted, abs=2e-3)
    # What is added later is found too.
    more = [replace(each, article="new", id=f"new:{each.lang}:{each.sentence}") for each in articles[0]]
    search.build([*articles, more], NGRAMS, tmp_path / "near", exact_up_to=99)
    found = search.open(tmp_path / "near", NGRAMS).rank(more[0].text, mode="dense", k=2)
    assert {name for name, _ in found} == {more[0].id, articles[0][0].id}


# --- What goes wrong ----------------------------------------------------------------------------------


def test_vectors_that_are_not_normalised_are_refused(tmp_path: Path) -> None:
    class Long(NgramEncoder):
        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return super().encode(texts) * 3

    with pytest.raises(UsageError, match="one normalised vector per text"):
        search.build(of_records(news()), Long(), tmp_path / "out")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("mode", MODES)
def test_queries_of_every_kind(index: Index, mode: search.query.Mode) -> None:
    for query in ("", " \n\t"):
        with pytest.raises(UsageError, match="blank"):
            index.query(query, mode=mode)
    with pytest.raises(UsageError, match="characters"):
        index.query("слово " * MAX_QUERY, mode=mode)
    with pytest.raises(UsageError, match="at least one"):
        index.query("Kyiv", mode=mode, k=0)
    for query in ("слово " * 3000, "!", "\0", "🙂", "a" * 5000, 'AND OR NOT "(* ^~?'):
        assert len(index.query(query, mode=mode, k=3)) <= 3


def test_meaning_needs_the_encoder_and_letters_do_not(path: Path) -> None:
    index = search.open(path)
    assert index.query("Kyiv", mode="lexical")
    with pytest.raises(UsageError, match="needs the encoder"):
        index.query("Kyiv")


def test_nothing_to_index(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no sentences to index"):
        search.build([], NGRAMS, tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_an_article_that_comes_twice(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="comes twice"):
        search.build(of_records([*news()[:1], *news()[:1]]), NGRAMS, tmp_path / "out")


def test_rows_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    with pytest.raises(UsageError, match="cannot read"):
        list(search.of_rows(file))
    for line in ("{", '{"id": "a"}', '{"id": "a", "sents": {"en": ["x"]}, "tuples": []}', "\udcff"):
        file.write_bytes(b"\n" + line.encode(errors="surrogateescape"))
        with pytest.raises(InputError, match=r"rows\.jsonl:2"):
            list(search.of_rows(file))


def test_no_index_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no search index"):
        search.open(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"\xff", "damaged"),
        (b'{"format":"mtalign-index","version":3}', "damaged"),
        (b'{"format":"mtalign-index","version":99}', "version 99"),
        (b'{"format":"other","version":3}', "other"),
    ],
)
def test_a_damaged_header_is_told(path: Path, content: bytes, message: str) -> None:
    good = (path / "index.json").read_bytes()
    (path / "index.json").write_bytes(content)
    try:
        with pytest.raises(UsageError, match=message):
            search.open(path)
        with pytest.raises(UsageError, match=message):
            search.build(of_records(news()), NGRAMS, path)
    finally:
        (path / "index.json").write_bytes(good)


@pytest.mark.parametrize("folder", ["data", "_versions", "_indices", ""])
def test_a_damaged_table_is_told(tmp_path: Path, folder: str) -> None:
    out = tmp_path / "index"
    search.build(of_records(news()[:2]), NGRAMS, out)
    for each in (out / "passages.lance" / folder).rglob("*"):
        if each.is_file():
            each.write_bytes(each.read_bytes()[: each.stat().st_size // 2])
    with pytest.raises(UsageError, match="remove the folder and build it again"):
        search.open(out, NGRAMS).query("Kyiv")


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        search.build(of_records(news()), NGRAMS, tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        search.build(of_records(news()), NGRAMS, tmp_path / "thesis.txt")
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


# --- Real vectors -------------------------------------------------------------------------------------


def test_real_vectors_find_translations(encoder: RealEncoder, tmp_path: Path) -> None:
    records = news()[:3]
    search.build(of_records(records), encoder, tmp_path / "index")
    index = search.open(tmp_path / "index", encoder)
    ranked, relevant = {}, {}
    for record in records:
        for number, row in enumerate(record.tuples):
            for lang in record.targets:
                query = record.targets[lang].sentence_texts()[row.sents[lang][0]]
                name = f"{record.id}:{number}:{lang}"
                found = index.rank(query, filters=Filters(langs=("en",)), k=10)
                ranked[name] = [passage for passage, _ in found]
                relevant[name] = [f"{record.id}:en:{n}" for n in row.sents["en"]]
    scores = score_search(ranked, relevant)
    assert scores.recall[1] >= 0.9
    assert scores.recall[10] == 1.0
