"""Projection: exact spans from the trained ranker, reasons for losses, and input that must not break it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtalign.alignment import Bead
from mtalign.document import Document, Entity, Sentence, Span
from mtalign.encode import Encoder
from mtalign.errors import ModelUnavailable
from mtalign.project.document import Task, project_documents
from mtalign.project.features import FEATURES
from mtalign.project.rank import ProjectOptions, Ranked, agree, settle
from mtalign.project.sound import skeleton
from mtalign.project.weights import read_weights
from mtalign.record import Projection
from mtalign.words import Linker

MARKED = re.compile(r"\[([^\]]+)\](\w+)")


@pytest.fixture(scope="session")
def linker(encoder: Encoder) -> Linker:
    return Linker(encoder)


def document(lang: str, sentences: Sequence[str]) -> Document:
    """Build a document from sentences in which `[Kyiv]LOC` marks an entity; ids count from 0."""
    text, found, places = "", [], []
    for sentence in sentences:
        text += " " if text else ""
        start, at = len(text), 0
        for match in MARKED.finditer(sentence):
            text += sentence[at : match.start()]
            span = Span(len(text), len(text) + len(match[1]))
            found.append(Entity(str(len(found)), span, match[1], match[2]))
            text += match[1]
            at = match.end()
        text += sentence[at:]
        places.append(Sentence(Span(start, len(text))))
    return Document("d", lang, text, tuple(places), tuple(found))


def carried(
    linker: Linker, source: Sequence[str], target: Sequence[str], lang: str
) -> tuple[Projection, ...]:
    beads = [Bead((n,), (n,)) for n in range(len(source))]
    task = Task(document("en", source), document(lang, target), beads)
    (found,) = project_documents([task], linker.compare)
    return found


def texts(found: Sequence[Projection]) -> list[str | None]:
    return [each.entity.text if each.entity else None for each in found]


@pytest.mark.parametrize(
    ("lang", "source", "target"),
    [
        ("ko", "[Kyiv]LOC asked [NATO]ORG for help.", "[키이우]LOC는 [나토]ORG에 도움을 요청했다."),
        ("ko", "Talks were held in [Rostov]LOC.", "회담은 [로스토프]LOC에서 열렸다."),
        (
            "ko",
            "[Oksana Tereshchuk]PER arrived in [Gomel]LOC.",
            "[옥사나 테레슈크]PER가 [고멜]LOC에 도착했다.",
        ),
        ("uk", "[Germany]LOC will help [Ukraine]LOC.", "[Німеччина]LOC допоможе [Україні]LOC."),
        (
            "ru",
            "[Angela Merkel]PER flew to [Abu Dhabi]LOC.",
            "[Ангела Меркель]PER прилетела в [Абу-Даби]LOC.",
        ),
        (
            "ru",
            "The ship left the [Mediterranean]LOC on Friday.",
            "В пятницу судно покинуло [Средиземное море]LOC.",
        ),
        ("ru", "Customers of [Eon]ORG pay more.", "Клиенты [E.ON]ORG платят больше."),
        (
            "ru",
            "The [UK]LOC handed over the islands.",
            "[Великобритания]LOC официально передала острова.",
        ),
    ],
)
def test_mentions_are_carried_over_without_their_particles(
    linker: Linker, lang: str, source: str, target: str
) -> None:
    wanted = [each.text for each in document(lang, [target]).entities]
    found = carried(linker, [source], [MARKED.sub(r"\1", target)], lang)
    assert texts(found) == wanted
    assert [each.entity.label for each in found if each.entity] == [m[2] for m in MARKED.finditer(source)]


def test_a_mention_that_the_translation_dropped_is_lost_with_a_reason(linker: Linker) -> None:
    found = carried(linker, ["The weather in [Lisbon]LOC was fine."], ["Погода була чудова."], "uk")
    assert texts(found) == [None]
    assert found[0].reason in {"no-counterpart", "below-threshold"}


def test_a_mention_whose_counterpart_moved_to_the_next_bead_is_found_there(linker: Linker) -> None:
    found = carried(
        linker,
        ["The minister spoke in [Bratislava]LOC.", "He asked for more money."],
        ["Міністр виступив із промовою.", "У [Братиславі]LOC він попросив більше грошей."],
        "uk",
    )
    assert texts(found) == ["Братиславі"]


def test_nested_mentions_may_share_target_text(linker: Linker) -> None:
    source = document("en", ["The [University of Warsaw]ORG opened."])
    start = source.text.index("Warsaw")
    inner = Entity("inner", Span(start, start + 6), "Warsaw", "LOC")
    source = Document("d", "en", source.text, source.sentences, (*source.entities, inner))
    target = document("uk", ["Варшавський університет, заснований у Варшаві, відкрився."])
    (found,) = project_documents([Task(source, target, [Bead((0,), (0,))])], linker.compare)
    assert found[0].entity is not None
    assert found[0].entity.text == "Варшавський університет"


def test_an_alias_in_brackets_becomes_an_attribute(linker: Linker) -> None:
    found = carried(linker, ["Hurricane [Rosa]MISC weakened."], ["허리케인 로사(Rosa)가 약해졌다."], "ko")
    assert found[0].entity is not None
    assert found[0].entity.attributes == {"alias": "Rosa"}


def test_sentences_without_counterpart_and_mentions_across_beads_are_lost(linker: Linker) -> None:
    source = document("en", ["[Paris]LOC slept.", "[Rome]LOC woke."])
    across = Entity("x", Span(0, len(source.text)), source.text, "MISC")
    source = Document("d", "en", source.text, source.sentences, (*source.entities, across))
    target = document("uk", ["Рим прокинувся."])
    beads = [Bead((0,), ()), Bead((1,), (0,))]
    (found,) = project_documents([Task(source, target, beads)], linker.compare)
    assert [each.reason for each in found] == ["no-counterpart-sentence", None, "crosses-beads"]


@pytest.mark.parametrize(
    "target", ["", " ", "😀", "\u0301\u200b", "ᄒ\u1161ᆫ", "ㅎㅎㅎ", "!!!", "서울", "ABC абв 가나다 👨‍👩‍👧 é"]
)
@pytest.mark.parametrize("lang", ["ko", "ru"])
def test_odd_targets_never_break_it(linker: Linker, target: str, lang: str) -> None:
    source = document("en", ["[Seoul 😀 e\u0301 (한)]LOC"])
    sentences = (Sentence(Span(0, len(target))),) if target.strip() else ()
    beads = [Bead((0,), (0,) if sentences else ())]
    (found,) = project_documents(
        [Task(source, Document("d", lang, target, sentences), beads)], linker.compare
    )
    assert len(found) == 1
    if found[0].entity:
        assert found[0].entity.span.of(target) == found[0].entity.text


def test_emoji_and_combining_marks_inside_names_are_kept(linker: Linker) -> None:
    found = carried(
        linker, ["[Rock🎸Fest]MISC opened in [Kyiv]LOC."], ["Rock🎸Fest відкрився в Киє\u0301ві."], "uk"
    )
    assert texts(found) == ["Rock🎸Fest", "Киє\u0301ві"]


def test_five_hundred_entities_in_an_article(linker: Linker) -> None:
    found = carried(
        linker,
        ["[Ukraine]LOC, [Poland]LOC, [Latvia]LOC, [Estonia]LOC and [Norway]LOC agreed."] * 100,
        ["Україна, Польща, Латвія, Естонія та Норвегія домовилися."] * 100,
        "uk",
    )
    assert len(found) == 500
    assert texts(found) == ["Україна", "Польща", "Латвія", "Естонія", "Норвегія"] * 100


SAID = "서울은 키이우에서 나토의 회의가 열렸다 , . “ ” 대통령 Київ у НАТО - « » президент в Москве 12 😀 é"
WORDS = st.sampled_from(SAID.split())


@settings(max_examples=25)
@given(target=st.lists(WORDS, min_size=1, max_size=12), lang=st.sampled_from(["ko", "uk", "ru"]))
def test_spans_are_inside_the_text_one_per_entity_and_always_the_same(
    linker: Linker, target: list[str], lang: str
) -> None:
    source, text = (
        ["[Kyiv]LOC told [NATO]ORG in [Seoul]LOC, the [president of NATO]MISC said."],
        [" ".join(target)],
    )
    found = carried(linker, source, text, lang)
    assert found == carried(linker, source, text, lang)
    assert [each.source for each in found] == ["0", "1", "2", "3"]
    for each in found:
        if each.entity:
            assert each.entity.text == each.entity.span.of(text[0])
            assert each.entity.text == each.entity.text.strip()
            assert each.entity.text not in {"은", "에서", "의", "가"}


def ranked(entity: Entity, *options: tuple[Span, float], lost: float = 0.05) -> Ranked:
    return Ranked(entity, tuple(s for s, _ in options), tuple(p for _, p in options), lost, (1.0, 0.0))


def test_a_sure_mention_takes_its_span_before_an_unsure_one() -> None:
    text = "Рим і Мілан"
    rome, milan = Entity("r", Span(0, 4), "Rome", "LOC"), Entity("m", Span(9, 14), "Milan", "LOC")
    first = ranked(rome, (Span(0, 3), 0.9))
    second = ranked(milan, (Span(0, 3), 0.5), (Span(6, 11), 0.4))
    found = settle([second, first], text, ProjectOptions())
    assert texts(found) == ["Мілан", "Рим"]
    found = settle([ranked(milan, (Span(0, 3), 0.5)), first], text, ProjectOptions())
    assert found[0].reason == "taken"


def test_the_same_name_elsewhere_corrects_a_weak_mention() -> None:
    text = "Тайн Атлетик ... Тайн Атлетик"
    one, two = (Entity(str(n), Span(n * 20, n * 20 + 13), "Tyne Athletic", "ORG") for n in (0, 1))
    sure = ranked(one, (Span(0, 12), 0.97))
    weak = ranked(two, (Span(22, 29), 0.5), (Span(17, 29), 0.4))
    _, corrected = agree([sure, weak], lambda _, span: span.of(text), ProjectOptions())
    assert corrected.spans[0] == Span(17, 29)


def test_the_stored_weights_fit_the_features() -> None:
    groups = read_weights()
    assert {"default", "ko", "east-slavic"} <= set(groups)
    assert all(len(each.weights) == len(FEATURES) for each in groups.values())


def test_weights_of_other_features_are_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "weights.json"
    path.write_text('{"recipe": {}, "features": ["a"], "loss_features": [], "groups": {}}')
    with pytest.raises(ModelUnavailable, match="train them again"):
        read_weights(path)


def test_consonants_of_a_name_agree_across_languages() -> None:
    assert skeleton("beulaiseulla") == skeleton("vlaisla")
    assert np.array([skeleton("")]).tolist() == [""]
