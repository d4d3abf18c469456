"""Input that must not break projection, and annotations beyond one labelled span."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace as with_options
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtalign.alignment import Bead, Tuple
from mtalign.document import Document, Entity, Relation, Sentence, Span
from mtalign.encode import Encoder
from mtalign.errors import InputError, InvalidDocument
from mtalign.evaluate.coverage import Answer, precision_at_coverage
from mtalign.evaluate.entities import EntityRow, evaluate_entities
from mtalign.evaluate.rows import Row
from mtalign.formats.articles import Found, read_articles
from mtalign.formats.export import export
from mtalign.project.document import Task, project_documents
from mtalign.project.fragments import apart, in_fragments
from mtalign.project.grammar import adverb, finite_verb, pronouns
from mtalign.project.grammar import agree as adjective_agrees
from mtalign.project.rank import ProjectOptions, Ranked, agree
from mtalign.record import Origin, Projection, Record, Rejected
from mtalign.units import UnitText, unit_text
from mtalign.utf16 import Utf16
from mtalign.words import Comparison, Linker, sound_likeness


@pytest.fixture(scope="session")
def linker(encoder: Encoder) -> Linker:
    return Linker(encoder)


def task(source: str, mentions: list[str], target: str, lang: str) -> Task:
    """Build one bead; mentions are looked for from left to right."""
    entities, at = [], 0
    for number, mention in enumerate(mentions):
        at = source.index(mention, at)
        entities.append(Entity(str(number), Span(at, at + len(mention)), mention, "X"))
        at += len(mention)
    whole = (Sentence(Span(0, len(source))),)
    there = (Sentence(Span(0, len(target))),) if target.strip() else ()
    return Task(
        Document("d", "en", source, whole, tuple(entities)),
        Document("d", lang, target, there),
        [Bead((0,), (0,) if there else ())],
    )


@pytest.mark.parametrize(
    ("source", "mentions", "target", "lang", "wanted"),
    [
        pytest.param("Kyiv won", ["Kyiv"], "Київ переміг", "uk", ["Київ"], id="at the very start"),
        pytest.param("We love Kyiv", ["Kyiv"], "Ми любимо Київ", "uk", ["Київ"], id="at the very end"),
        pytest.param("Kyiv", ["Kyiv"], "Київ", "uk", ["Київ"], id="the whole text"),
        pytest.param(
            "World Health Organization",
            ["World Health Organization"],
            "세계보건기구",
            "ko",
            ["세계보건기구"],
            id="a whole sentence",
        ),
        pytest.param(
            "Talks in Kyiv ended.",
            ["Kyiv"],
            "Переговори в Ки\u200bєві завершилися.",
            "uk",
            None,
            id="zero-width space inside",
        ),
        pytest.param(
            "Talks in Kyiv ended.", ["Kyiv"], "\ufeffКиїв \u200e\u200d", "uk", None, id="marks around"
        ),
        pytest.param(
            "They met in Zürich.",
            ["Zürich"],
            "Встретились в Цю\u0301рихе.",
            "ru",
            ["Цю\u0301рихе"],
            id="accent",
        ),
        pytest.param(
            "Fans of Dua🎤Lipa sang.",
            ["Dua🎤Lipa"],
            "Dua🎤Lipa의 팬들이 노래했다.",
            "ko",
            None,
            id="emoji inside",
        ),
        pytest.param("A trip to Busan.", ["Busan"], "부산 여행.", "ko", None, id="Hangul Jamo"),
        pytest.param(
            "The iPhone-Центр opened.", ["iPhone-Центр"], "iPhone-Центр відкрився.", "uk", None, id="mixed"
        ),
        pytest.param("Nothing about Kyiv.", ["Kyiv"], "", "ko", [None], id="empty target"),
        pytest.param("Nothing about Kyiv.", ["Kyiv"], " \n ", "ru", [None], id="blank target"),
        pytest.param("Say ! about it.", ["!"], "Скажи ! про це.", "uk", None, id="a mark as entity"),
    ],
)
def test_input_that_must_not_break_it(  # noqa: PLR0917
    linker: Linker, source: str, mentions: list[str], target: str, lang: str, wanted: list[str | None] | None
) -> None:
    (found,) = project_documents([task(source, mentions, target, lang)], linker.compare)
    assert [each.source for each in found] == [str(n) for n in range(len(mentions))]
    for each in found:
        assert (each.entity is None) != (each.reason is None)
        if each.entity:
            assert each.entity.text == each.entity.span.of(target)
    if wanted is not None:
        assert [each.entity and each.entity.text for each in found] == wanted


def test_fifty_entities_in_one_sentence(linker: Linker) -> None:
    names = ["Kyiv", "Seoul", "Oslo", "Riga", "Rome"] * 10
    there = ["Київ", "Сеул", "Осло", "Рига", "Рим"] * 10
    given = task(", ".join(names), names, ", ".join(there), "uk")
    (found,) = project_documents([given], linker.compare)
    assert len(found) == 50
    spans = [each.entity.span for each in found if each.entity]
    assert len(set(spans)) == len(spans)


def discontinuous() -> Task:
    text = "Left and right lung were scanned."
    left = Entity("l", Span(0, 19), text[:19], "BODY", {"side": "l"}, (Span(0, 4), Span(15, 19)))
    right = Entity("r", Span(9, 19), "right lung", "BODY")
    source = Document("d", "en", text, (Sentence(Span(0, len(text))),), (left, right))
    there = "Обследовали левое и правое лёгкое."
    target = Document("d", "ru", there, (Sentence(Span(0, len(there))),))
    return Task(source, target, [Bead((0,), (0,))])


def test_a_discontinuous_mention_is_carried_over(linker: Linker) -> None:
    given = discontinuous()
    ((left, right),) = project_documents([given], linker.compare, ProjectOptions(keep=0.0))
    assert left.entity is not None
    assert right.entity is not None
    assert (left.entity.label, left.entity.attributes) == ("BODY", {"side": "l"})
    assert left.entity.text == left.entity.span.of(given.target.text)
    assert "левое" in left.entity.said()
    assert "правое" in right.entity.said()


def part(span: Span, probability: float) -> Ranked:
    return Ranked(discontinuous().source.entities[0], (span,), (probability,), 0.0, (1.0, 0.0))


def test_fragments_come_out_apart_only_if_surer_and_free() -> None:
    given = discontinuous()
    left, right = given.source.entities
    text = given.target.text
    places = [Span(text.index(word), text.index(word) + len(word)) for word in ("левое", "лёгкое")]
    parts = [(left, [part(place, p) for place, p in zip(places, (0.9, 0.8), strict=True)])]
    lost = Projection("l", 0.1, "ranker", reason="below-threshold")
    lung = Projection("r", 0.9, "ranker", entity=Entity("r", places[1], "лёгкое", "BODY"))
    options = ProjectOptions()
    found = apart({"l": lost, "r": lung}, parts, [left, right], text, options)["l"]
    assert found.entity is not None
    assert found.entity.fragments == tuple(places)
    assert found.confidence == pytest.approx(0.8, abs=1e-3)
    assert found.entity.text == "левое и правое лёгкое"
    surer = Projection("l", 0.95, "ranker", entity=found.entity)
    assert apart({"l": surer, "r": lung}, parts, [left, right], text, options)["l"] is surer
    stranger = Entity("r", Span(25, 32), "scanned", "X")
    assert apart({"l": lost, "r": lung}, parts, [left, stranger], text, options)["l"] is lost


def test_fragments_that_stand_together_are_no_fragments() -> None:
    left = discontinuous().source.entities[0]
    assert in_fragments(left, [part(Span(0, 5), 0.9), part(Span(6, 12), 0.9)], "левое лёгкое") is None


@pytest.mark.parametrize(
    "fragments",
    [(Span(0, 4),), (Span(0, 4), Span(3, 8)), (Span(5, 8), Span(0, 4)), (Span(0, 2), Span(4, 7))],
)
def test_fragments_must_be_in_order_and_fill_the_span(fragments: tuple[Span, ...]) -> None:
    with pytest.raises(InvalidDocument, match="fragments"):
        Entity("e", Span(0, 8), "ab cd ef", "X", {}, fragments)


def test_entities_without_fragments_are_written_as_before() -> None:
    entity = Entity("e", Span(0, 4), "Kyiv", "LOC")
    assert json.loads(msgspec.json.encode(entity)) == {
        "id": "e",
        "span": [0, 4],
        "text": "Kyiv",
        "label": "LOC",
    }


def test_a_relation_needs_both_its_entities() -> None:
    kyiv = Entity("k", Span(0, 4), "Kyiv", "LOC")
    with pytest.raises(InvalidDocument, match="'x'"):
        Document("d", "en", "Kyiv", entities=(kyiv,), relations=(Relation("in", "k", "x"),))


def test_a_lost_mention_that_became_a_pronoun_says_so(linker: Linker) -> None:
    given = task("Zelenskyy arrived late.", ["Zelenskyy"], "Він запізнився.", "uk")
    ((found,),) = project_documents([given], linker.compare, ProjectOptions(keep=1.0))
    assert found.entity is None
    assert found.reason in {"pronoun", "below-threshold"}
    assert pronouns(["Він", "запізнився"], "uk") == 1
    assert pronouns(["They", "said", "it"], "en") == 2
    assert pronouns(["il", "dit"], "fr") == 0


def test_what_became_an_adjective_is_lost_where_names_are_asked_for(linker: Linker) -> None:
    mentions = ["US", "Merkel"]
    inside = task(
        "He met the US president and Merkel.",
        mentions,
        "Он встретил американского президента и Меркель.",
        "ru",
    )
    first = task("The US president met Merkel.", mentions, "Американский президент встретил Меркель.", "ru")

    def found(one: Task, *names: str) -> list[str | None]:
        (made,) = project_documents([one], linker.compare, ProjectOptions(names=names))
        return [each.entity.text if each.entity else each.reason for each in made]

    assert found(inside) == ["американского", "Меркель"]
    assert found(inside, "X") == ["no-name", "Меркель"]
    assert found(inside, "LOC") == ["американского", "Меркель"]
    assert found(first, "X") == ["Американский", "Меркель"]  # where all words begin so, it cannot be told


def test_a_script_without_capitals_has_names_of_its_own(linker: Linker) -> None:
    given = task("The Russian army left Kyiv.", ["Russian", "Kyiv"], "러시아 군대가 키이우를 떠났다.", "ko")
    (made,) = project_documents([given], linker.compare, ProjectOptions(names=("X",)))
    assert [each.entity.text for each in made if each.entity] == ["러시아", "키이우"]


def test_the_same_id_corrects_a_weak_mention_of_another_name() -> None:
    text = "Тайн Атлетик ... Тайн Атлетик"
    one, two = (
        Entity(str(n), Span(n * 20, n * 20 + len(name)), name, "ORG", {"kb_id": "Q7"})
        for n, name in ((0, "Tyne Athletic"), (1, "the Magpies"))
    )
    sure = Ranked(one, (Span(0, 12),), (0.97,), 0.0, (1.0, 0.0))
    weak = Ranked(two, (Span(22, 29), Span(17, 29)), (0.5, 0.4), 0.1, (1.0, 0.0))
    _, corrected = agree([sure, weak], lambda _, span: span.of(text), ProjectOptions())
    assert corrected.spans[0] == Span(17, 29)
    off = with_options(ProjectOptions(), consistency=0.0)
    assert list(agree([sure, weak], lambda _, span: span.of(text), off))[1].spans[0] == Span(22, 29)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.data())
def test_utf16_offsets_go_there_and_back(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    units = Utf16(text).units(Span(start, end))
    assert units == tuple(len(text[:n].encode("utf-16-le")) // 2 for n in (start, end))
    assert Utf16(text).code_points(*units) == Span(start, end)


@pytest.mark.parametrize("offset", [1, 4, -1])
def test_utf16_offsets_inside_a_character_are_refused(offset: int) -> None:
    with pytest.raises(InputError, match=f"offset {offset}"):
        Utf16("🎸a").code_points(offset, 3)


def test_adjectives_agree_with_their_nouns() -> None:
    yes = [("Середземного", "моря"), ("внутрішніх", "справ"), ("Беловежской", "пуще"), ("Чёрное", "море")]
    assert all(adjective_agrees(*pair) for pair in yes)
    assert not adjective_agrees("Средиземного", "море")
    assert not adjective_agrees("Київ", "переміг")
    assert finite_verb("перетнули")
    assert finite_verb("зайнялась")
    assert not finite_verb("області")
    assert adverb("официально")
    assert not adverb("правительство")


def test_precision_at_coverage_goes_by_confidence() -> None:
    answers = [Answer(n % 4, 1 - n / 10, n < 8) for n in range(9)]
    points = {each.coverage: each for each in precision_at_coverage(answers, [3, 3, 2, 2])}
    # Ten questions, nine answers: the surest eight are right, and nothing reaches .95.
    assert points[0.8].precision == 1.0
    assert points[0.9].precision == pytest.approx(8 / 9)
    assert set(points) == {0.8, 0.9}
    assert points[0.9].interval.low <= points[0.9].precision <= points[0.9].interval.high


def test_entity_scores_have_intervals_by_language_and_coverage_if_all_are_sure() -> None:
    def rows(confidence: float | None) -> list[Row[EntityRow]]:
        spans = [{"source": str(n), "start": n, "end": n + 1, "confidence": confidence} for n in range(3)]
        row = {"id": "a", "tgt_lang": "ko", "entities": spans}
        return [Row(msgspec.convert(row, EntityRow), "here")]

    scores = evaluate_entities(rows(None), rows(0.9))
    assert scores.language_intervals["ko"].low == 1.0
    assert [each.precision for each in scores.coverage] == [1.0] * 4
    assert evaluate_entities(rows(None), rows(None)).coverage == []


def test_every_word_of_a_text_far_over_the_model_limit_has_a_vector(linker: Linker) -> None:
    left = unit_text("Kyiv and Seoul signed a treaty. " * 150, "en")
    right = unit_text("Київ і Сеул підписали угоду. " * 150, "uk")
    (compared,) = linker.compare([(left, right)])
    assert compared.links.shape == (len(left.units), len(right.units))
    for vectors in (compared.left, compared.right):
        assert (vectors**2).sum(1).min() > 0.5


@pytest.mark.parametrize("name", ["jsonl", "parquet", "brat"])
def test_fragments_and_relations_survive_an_export(name: str, tmp_path: Path) -> None:
    given = discontinuous()
    entities = given.source.entities
    source = msgspec.structs.replace(given.source, relations=(Relation("beside", "l", "r"),))
    there = given.target.text
    places = tuple(Span(there.index(word), there.index(word) + len(word)) for word in ("левое", "лёгкое"))
    cover = Span(places[0].start, places[1].end)
    left = Entity("l", cover, cover.of(there), "BODY", {}, places)
    kept = (
        Projection("l", 0.9, "ranker", entity=left),
        Projection("r", 0.1, "ranker", reason="below-threshold"),
    )
    record = Record(
        "d",
        source,
        "s",
        {"ru": given.target},
        {"ru": Origin("human")},
        {"en-ru": tuple(given.beads)},
        (Tuple({"en": (0,), "ru": (0,)}),),
        {"ru": kept},
    )
    export(lambda: [record], [name], tmp_path / "out")
    files = sorted(tmp_path.glob(f"out/{name}/*"))
    (found,) = read_articles([str(path) for path in files if path.suffix != ".ann"], "en")
    assert isinstance(found, Found)
    assert found.article.source.relations == source.relations
    assert found.article.source.entities[0].fragments == entities[0].fragments
    target = found.article.translations["ru"]
    assert [each.fragments for each in target.entities] == [places]
    assert target.relations == ()
    report = json.loads((tmp_path / "out" / "export.json").read_text())[name]
    assert (report["held"]["relations"], report["held"]["discontinuous mentions"]) == (1, 2)


def test_rows_and_brat_files_may_count_in_utf16(tmp_path: Path) -> None:
    text = "🎸🎸 Олена and 🎸Kyiv."
    place = Utf16(text).units
    olena, kyiv = (place(Span(at, at + len(said))) for said in ("Олена", "Kyiv") for at in [text.index(said)])
    row = {
        "id": "a",
        "text": text,
        "sentences": [place(Span(0, len(text)))],
        "entities": [
            {"id": 1, "start": olena[0], "end": olena[1], "label": "PER", "text": "Олена"},
            {"id": 2, "start": olena[0], "end": kyiv[1], "label": "X", "fragments": [olena, kyiv]},
        ],
        "translations": {
            "ko": {"text": "🎸키이우", "entities": [{"id": 1, "start": 2, "end": 5, "label": "LOC"}]}
        },
    }
    inside = {**row, "id": "b", "entities": [{"id": 3, "start": 1, "end": 4, "label": "X"}]}
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, (row, inside))), encoding="utf-8")
    (tmp_path / "b.txt").write_text(text, encoding="utf-8")
    (tmp_path / "b.ann").write_text(f"T1\tLOC {kyiv[0]} {kyiv[1]}\tKyiv\n", encoding="utf-8")

    first, refused = read_articles([str(tmp_path / "rows.jsonl")], "en", utf16=True)
    assert isinstance(first, Found)
    article = first.article
    assert [each.text for each in article.source.entities] == ["Олена", "Олена and 🎸Kyiv"]
    assert [span.of(text) for span in article.source.entities[1].fragments] == ["Олена", "Kyiv"]
    assert article.source.sentences[0].span == Span(0, len(text))
    assert article.translations["ko"].entities[0].text == "키이우"
    assert isinstance(refused, Rejected)
    assert "entity '3': UTF-16 offset 1 is inside a character" in refused.reason

    (brat,) = read_articles([str(tmp_path / "b.txt")], "en", utf16=True)
    assert isinstance(brat, Found)
    assert brat.article.source.entities[0].text == "Kyiv"
    (counted,) = read_articles([str(tmp_path / "b.txt")], "en")
    assert isinstance(counted, Rejected)


def test_five_hundred_mentions_in_one_sentence() -> None:
    names = [f"{number:04o}" for number in range(0, 4000, 8)]
    ours, theirs = (
        ["".join(table[2 * int(digit) : 2 * int(digit) + 2] for digit in name).capitalize() for name in names]
        for table in ("kamorilovitasone", "камориловитасоне")
    )
    (made,) = project_documents(
        [task(", ".join(ours) + " met.", ours, ", ".join(theirs) + " встретились.", "ru")], alike
    )
    assert [each.entity and each.entity.text for each in made] == theirs


def alike(pairs: Sequence[tuple[UnitText, UnitText]]) -> list[Comparison]:
    """Compare units as an encoder would to whom the n-th means the n-th."""
    found = []
    for left, right in pairs:
        sizes = len(left.units), len(right.units)
        same = np.eye(*sizes, dtype=np.float32)
        sound = sound_likeness(left.words(), right.words())
        vectors = [np.eye(size, max(sizes), dtype=np.float32) for size in sizes]
        found.append(Comparison(same, same, sound, *vectors))
    return found
