"""What a format holds comes back exactly; what it does not hold is counted."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import msgspec
import pytest
from corpus import news
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtalign.alignment import Bead, Tuple
from mtalign.document import Article, Document, Entity, Sentence, Span
from mtalign.errors import UsageError
from mtalign.formats import tokens
from mtalign.formats.articles import Found, find_inputs, read_articles
from mtalign.formats.export import FORMATS, REPORT, Report, export
from mtalign.formats.features import FEATURES, documents_of, inventory
from mtalign.formats.names import file_name, id_of_name, name_and_language
from mtalign.formats.record_units import pair_units, tuple_units
from mtalign.formats.rows import place_sentences
from mtalign.formats.tmx import read_tmx
from mtalign.formats.tsv import read_tsv
from mtalign.record import Issue, Origin, Projection, Record, pair_key

LETTERS = {
    "en": "abcXYZ .,'-#\t=é🙂",
    "ko": "서울은김민수가는 에서,.(A)",
    "uk": "абвіїЄ -’«»,.\u200b",
}
LANGS = tuple(LETTERS)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
IDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12).filter(
    lambda each: each.strip() == each
)


ATTRIBUTES = st.dictionaries(st.sampled_from(["note", "kb_id"]), WORDS, max_size=2)
LABELS = st.sampled_from(["LOC", "PER", "two words"])


@st.composite
def documents(draw: st.DrawFn, lang: str, article_id: str) -> Document:
    """A text of sentences with any white space between them, and mentions anywhere in its paragraphs."""
    text = draw(st.sampled_from(["", " ", "\n"]))
    sentences: list[Span] = []
    paragraphs: list[tuple[int, int]] = []
    for _ in range(draw(st.integers(1, 2))):
        start = len(text)
        for number in range(draw(st.integers(1, 3))):
            said = draw(st.text(LETTERS[lang], min_size=1, max_size=12).map(str.strip).filter(bool))
            text += draw(st.sampled_from([" ", "  ", "\n", ""])) if number else ""
            sentences.append(Span(len(text), len(text) + len(said)))
            text += said
        paragraphs.append((start, len(text)))
        text += "\n\n"
    text = text[: draw(st.integers(paragraphs[-1][1], len(text)))]
    spans = [
        Span(
            *sorted(
                draw(
                    st.lists(
                        st.integers(*draw(st.sampled_from(paragraphs))), min_size=2, max_size=2, unique=True
                    )
                )
            )
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    mentions = tuple(
        Entity(f"e{n}", span, span.of(text), draw(LABELS), draw(ATTRIBUTES)) for n, span in enumerate(spans)
    )
    placed = place_sentences(text, sentences)
    title = draw(st.none() | WORDS)
    return Document(
        article_id, lang, text, placed, mentions, title, draw(st.none() | WORDS), None, draw(ATTRIBUTES)
    )


def inside(paragraph: tuple[int, int]) -> st.SearchStrategy[Span]:
    edges = st.lists(st.integers(*paragraph), min_size=2, max_size=2, unique=True)
    return edges.map(lambda both: Span(*sorted(both)))


@st.composite
def records(draw: st.DrawFn) -> Record:
    article_id = draw(IDS)
    sides = {lang: draw(documents(lang, article_id)) for lang in LANGS}
    lengths = {lang: len(each.sentences) for lang, each in sides.items()}
    rows = [
        {lang: (n,) for lang, length in lengths.items() if n < length} for n in range(max(lengths.values()))
    ]
    source = sides["en"]
    targets = {lang: msgspec.structs.replace(sides[lang], entities=()) for lang in LANGS[1:]}
    return Record(
        id=article_id,
        source=source,
        signature="made|by|hand",
        targets=targets,
        origins={lang: Origin("human") for lang in targets},
        beads={
            pair_key(a, b): tuple(
                Bead(row.get(a, ()), row.get(b, ()), 0.5) for row in rows if a in row or b in row
            )
            for a, b in combinations(LANGS, 2)
        },
        tuples=tuple(Tuple(row, 0.25) for row in rows),
        projections={lang: tuple(projected(source, sides[lang])) for lang in targets},
        issues=(Issue("odd", "info", "ko", "made up"),),
    )


def projected(source: Document, target: Document) -> Iterator[Projection]:
    """Take the mentions of the target text for those of the source, as far as they reach."""
    for number, each in enumerate(source.entities):
        if number < len(target.entities):
            yield Projection(each.id, 0.5, "test", entity=target.entities[number])
        else:
            yield Projection(each.id, 0.0, "test", reason="none-left")


RECORDS = st.lists(records(), min_size=1, max_size=2, unique_by=lambda each: each.id.casefold())
often = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def round_trip(made: list[Record], name: str) -> tuple[list[Article], Report]:
    """Export, and read the folder back with nothing but the source language known."""
    with tempfile.TemporaryDirectory() as folder:
        (report,) = export(lambda: made, [name], Path(folder))
        back = list(read_articles(find_inputs([str(Path(folder) / name)]), "en"))
    assert all(isinstance(each, Found) for each in back), back
    found = {each.article.source.id: each.article for each in back if isinstance(each, Found)}
    return [found[each.id] for each in made], report


def sides(article: Article) -> list[Document]:
    return [article.source, *(article.translations[lang] for lang in LANGS[1:])]


def lost(report: Report, *reasons: str) -> int:
    return sum(report.not_held.get(reason, 0) for reason in reasons)


@pytest.mark.parametrize("name", ["jsonl", "parquet", "labelstudio"])
@often
@given(made=RECORDS)
def test_rows_bring_back_texts_sentences_mentions_and_fields(name: str, made: list[Record]) -> None:
    articles, _ = round_trip(made, name)
    for record, article in zip(made, articles, strict=True):
        assert sides(article) == documents_of(record)


@often
@given(made=RECORDS)
def test_brat_brings_back_texts_and_mentions(made: list[Record]) -> None:
    articles, report = round_trip(made, "brat")
    missing = 0
    for record, article in zip(made, articles, strict=True):
        for expected, document in zip(documents_of(record), sides(article), strict=True):
            assert document.text == expected.text
            kept = [each for each in expected.entities if each.text.strip("\n") == each.text]
            assert list(document.entities) == kept
            missing += len(expected.entities) - len(kept)
    assert lost(report, "mentions with a line break at an edge") == missing


@often
@given(made=RECORDS)
def test_docbin_brings_back_texts_sentences_and_the_mentions_made_of_tokens(made: list[Record]) -> None:
    articles, report = round_trip(made, "docbin")
    missing = 0
    for record, article in zip(made, articles, strict=True):
        for expected, document in zip(documents_of(record), sides(article), strict=True):
            assert (document.id, document.text) == (expected.id, expected.text)
            assert document.sentences == expected.sentences
            places = {(each.id, each.span, each.label) for each in expected.entities}
            found = {(each.id, each.span, each.label) for each in document.entities}
            assert found <= places
            missing += len(places - found)
    assert lost(report, tokens.INSIDE_WORD, tokens.ACROSS) == missing


@often
@given(made=RECORDS)
def test_iob2_brings_back_sentences_paragraphs_and_the_mentions_made_of_tokens(made: list[Record]) -> None:
    articles, report = round_trip(made, "iob2")
    missing = 0
    for record, article in zip(made, articles, strict=True):
        for expected, document in zip(documents_of(record), sides(article), strict=True):
            assert document.sentence_texts() == expected.sentence_texts()
            assert [each.paragraph for each in document.sentences] == [
                each.paragraph for each in expected.sentences
            ]
            places, found = in_sentences(expected), in_sentences(document)
            assert all(each in places for each in found)
            missing += len(expected.entities) - len(found)
    assert lost(report, tokens.INSIDE_WORD, tokens.ACROSS, tokens.COVERED) == missing


def in_sentences(document: Document) -> list[tuple[int, Span, str]]:
    """Return mentions by sentence, place in it, and label as a tag can write it."""
    return [
        (number, each.span.shift(-sentence.span.start), each.label.replace(" ", "_"))
        for each in document.entities
        for number, sentence in enumerate(document.sentences)
        if sentence.span.contains(each.span)
    ]


@pytest.mark.parametrize(("name", "reader"), [("tmx", read_tmx), ("tsv", read_tsv)])
@often
@given(made=RECORDS)
def test_memories_bring_back_the_tuples(name: str, reader: object, made: list[Record]) -> None:
    expected = [unit for record in made for unit in tuple_units(record)]
    with tempfile.TemporaryDirectory() as folder:
        export(lambda: made, [name], Path(folder))
        assert list(reader(Path(folder) / name / f"articles.{name}")) == expected  # type: ignore[operator]
    articles, _ = round_trip(made, name)
    for record, article in zip(made, articles, strict=True):
        for expected_side, side in zip(record.documents().values(), sides(article), strict=True):
            assert side.sentence_texts() == expected_side.sentence_texts()


@often
@given(made=RECORDS)
def test_xliff_brings_back_the_pairs_with_the_source(made: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        export(lambda: made, ["xliff"], Path(folder))
        for lang in LANGS[1:]:
            path = Path(folder) / "xliff" / f"articles.{lang}.xlf"
            with tempfile.TemporaryDirectory() as alone:
                copy = Path(alone) / "one.xlf"
                copy.write_bytes(path.read_bytes())
                back = list(read_articles([str(copy)], "en"))
            for record, each in zip(made, back, strict=True):
                assert isinstance(each, Found)
                units = list(pair_units(record, "en", lang))
                source, target = each.article.source, each.article.translations[lang]
                assert source.sentence_texts() == [unit.texts["en"] for unit in units if "en" in unit.texts]
                assert target.sentence_texts() == [unit.texts[lang] for unit in units if lang in unit.texts]


@often
@given(made=RECORDS)
def test_the_files_of_xliff_together_are_articles_with_all_translations(made: list[Record]) -> None:
    articles, _ = round_trip(made, "xliff")
    for record, article in zip(made, articles, strict=True):
        for expected, side in zip(record.documents().values(), sides(article), strict=True):
            assert side.sentence_texts() == expected.sentence_texts()


def test_xliff_keeps_articles_in_another_source_language_apart(tmp_path: Path) -> None:
    def made(lang: str, text: str) -> Record:
        sides = {lang: text, "ko": "평화."}
        documents = {
            code: Document(lang, code, each, place_sentences(each, [Span(0, len(each))]))
            for code, each in sides.items()
        }
        return Record(
            id=lang,
            source=documents[lang],
            signature="made|by|hand",
            targets={"ko": documents["ko"]},
            origins={"ko": Origin("human")},
            beads={pair_key(lang, "ko"): (Bead((0,), (0,), 1.0),)},
            tuples=(Tuple({lang: (0,), "ko": (0,)}, 1.0),),
            projections={"ko": ()},
        )

    export(lambda: [made("en", "Peace."), made("ru", "Мир.")], ["xliff"], tmp_path)
    for name, lang, text in (("articles", "en", "Peace."), ("articles-from-ru", "ru", "Мир.")):
        (found,) = read_articles([str(tmp_path / "xliff" / f"{name}.ko.xlf")], "en")
        assert isinstance(found, Found)
        assert (found.article.source.lang, found.article.source.text) == (lang, text)
        assert found.article.translations["ko"].text == "평화."


@often
@given(made=RECORDS)
def test_moses_has_a_line_for_every_pair(made: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        export(lambda: made, ["moses"], Path(folder))
        for left, right in combinations(LANGS, 2):
            units = [u for record in made for u in pair_units(record, left, right) if len(u.texts) == 2]
            for lang in (left, right):
                data = (Path(folder) / "moses" / f"{left}-{right}.{lang}").read_text(encoding="utf-8")
                assert data.split("\n")[:-1] == [unit.texts[lang] for unit in units]


@often
@given(made=RECORDS)
def test_the_report_accounts_for_everything_in_the_records(made: list[Record]) -> None:
    counts = sum((inventory(record) for record in made), start=inventory(made[0]) - inventory(made[0]))
    with tempfile.TemporaryDirectory() as folder:
        for report in export(lambda: made, ["tmx", "moses", "jsonl"], Path(folder)):
            told = {**report.held, **report.not_held}
            assert {name: told[name] for name in counts} == dict(counts)
            assert set(report.held) <= FORMATS[report.format].holds


def test_every_format_of_a_real_run(tmp_path: Path) -> None:
    made = news()
    reports = {each.format: each for each in export(lambda: made, list(FORMATS), tmp_path / "out")}
    assert set(reports) == set(FORMATS)
    assert all(each.articles == len(made) and each.files for each in reports.values())
    korean = (tmp_path / "out" / "iob2" / "articles.ko.conll").read_text(encoding="utf-8")
    assert any(line.endswith("\tB-PER") for line in korean.split("\n"))
    mentions = reports["iob2"].held["mentions"]
    assert lost(reports["iob2"], tokens.INSIDE_WORD, tokens.ACROSS) < 0.1 * mentions
    assert msgspec.json.decode((tmp_path / "out" / REPORT).read_bytes())["tmx"] == dataclasses.asdict(
        reports["tmx"]
    )


def test_an_export_is_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    made = news()[:1]
    export(lambda: made, ["jsonl"], tmp_path / "out")
    before = (tmp_path / "out" / "jsonl" / "articles.jsonl").read_bytes()
    export(lambda: made, ["jsonl", "moses"], tmp_path / "out")
    assert (tmp_path / "out" / "jsonl" / "articles.jsonl").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="something else"):
        export(lambda: made, ["jsonl"], tmp_path / "mine")
    with pytest.raises(UsageError, match="unknown format docx"):
        export(lambda: made, ["docx"], tmp_path / "out")


@pytest.mark.parametrize("name", ["tmx", "tsv"])
def test_cells_that_a_spreadsheet_would_run_are_disarmed_on_request(tmp_path: Path, name: str) -> None:
    text = "=1+1 is two."
    source = Document("f", "en", text, (Sentence(Span(0, len(text))),))
    target = msgspec.structs.replace(source, lang="uk")
    made = Record(
        "f",
        source,
        "s",
        {"uk": target},
        {"uk": Origin("human")},
        {"en-uk": (Bead((0,), (0,)),)},
        (Tuple({"en": (0,), "uk": (0,)}),),
        {"uk": ()},
    )
    export(lambda: [made], [name], tmp_path / "out", neutralise_formulas=True)
    written = (tmp_path / "out" / name / f"articles.{name}").read_text(encoding="utf-8")
    assert ("\t'=1+1" in written) == (name == "tsv")


def test_every_feature_is_held_by_some_format_or_said_to_be_held_by_none() -> None:
    held = set().union(*(each.holds for each in FORMATS.values()))
    assert set(FEATURES) - held == {"lost mentions", "bead scores", "origins", "issues"}


@given(IDS)
def test_the_name_of_a_file_stays_in_its_folder_and_gives_the_id_back(article_id: str) -> None:
    name = file_name(article_id)
    assert id_of_name(name) == article_id
    assert Path(name).name == name
    assert name not in {"", ".", ".."}
    assert name_and_language(Path(f"{name}.ko.txt")) == (name, "ko")


@pytest.mark.parametrize(
    "article_id", ["..", "../../etc/passwd", "a/b", "C:\\x", "a\0b", ".hidden", "x" * 999, "한" * 99]
)
def test_ids_that_would_leave_the_folder_do_not(tmp_path: Path, article_id: str) -> None:
    name = file_name(article_id)
    (tmp_path / f"{name}.en.txt").write_text("inside")
    assert [each.name for each in tmp_path.iterdir()] == [f"{name}.en.txt"]


def test_long_ids_stay_different() -> None:
    assert file_name("한" * 99) != file_name("한" * 98 + "국")
