"""Planted faults are found; what merely looks odd is not."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtalign.alignment import Bead
from mtalign.check import Limits, Pair, check_pair, expected_ratio, find_issues
from mtalign.document import Document, Entity, Sentence, Span
from mtalign.errors import InvalidAlignment
from mtalign.record import Issue, Projection

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
DEFAULTS = Limits()
RATIOS = {"ko": 0.51, "uk": 1.04, "ru": 1.04}

ENGLISH = (
    "The ministry said on Thursday that 41 substations had been destroyed since October, and that the repair "
    "of the largest one would cost 850 million euros."
)
GOOD = {
    "ko": "에너지부는 목요일 10월 이후 변전소 41곳이 파괴됐으며, 가장 큰 변전소의 수리에 "
    "8억5000만 유로가 들 것이라고 밝혔다.",
    "uk": "Міністерство повідомило в четвер, що з жовтня знищено 41 підстанцію, а ремонт найбільшої з них "
    "коштуватиме 850 мільйонів євро.",
    "ru": "Министерство сообщило в четверг, что с октября уничтожена 41 подстанция, а ремонт крупнейшей "
    "из них обойдётся в 850 миллионов евро.",
}


def kinds(target: str, lang: str, source: str = ENGLISH, limits: Limits = DEFAULTS) -> list[str]:
    pair = Pair(source, target, "en", lang, (0,), RATIOS[lang])
    return [issue.kind for issue in check_pair(pair, limits)]


@pytest.mark.parametrize("lang", ["ko", "uk", "ru"])
def test_a_good_translation_is_left_alone(lang: str) -> None:
    assert kinds(GOOD[lang], lang) == []


@pytest.mark.parametrize("lang", ["ko", "uk", "ru"])
def test_a_copy(lang: str) -> None:
    assert "untranslated-copy" in kinds(ENGLISH, lang)
    assert "untranslated-copy" in kinds(ENGLISH.replace("Thursday", "Friday").upper(), lang)


@pytest.mark.parametrize("lang", ["ko", "uk", "ru"])
def test_a_copy_in_part(lang: str) -> None:
    assert "untranslated-copy" in kinds(f"{GOOD[lang][:30]} had been destroyed since October, and that", lang)


@pytest.mark.parametrize(
    ("lang", "other"), [("uk", "ru"), ("ru", "uk"), ("uk", "en"), ("ko", "ru"), ("ru", "ko")]
)
def test_another_language(lang: str, other: str) -> None:
    text = GOOD.get(
        other, "Officials at the power company declined to say 41 or 850 million of anything today."
    )
    found = set(kinds(text, lang))
    assert found & {"wrong-language", "wrong-script"}
    assert "untranslated-copy" not in found


@pytest.mark.parametrize(
    ("lang", "source", "target"),
    [
        ("uk", "Marks & Spencer, ITV", "Marks & Spencer, ITV"),
        ("ko", "Global Citizen, Power of Nutrition", "Global Citizen, Power of Nutrition"),
        ("ru", "Rory McIlroy, Patrick Reed", "Рори Макилрой, Патрик Рид"),
        ("uk", "Rory McIlroy, Patrick Reed", "Рорі Макілрой, Патрік Рід"),
        ("ru", "1:0, 2:1", "1:0, 2:1"),
        ("ko", "NATO", "NATO"),
    ],
)
def test_names_and_numbers_may_stay(lang: str, source: str, target: str) -> None:
    assert kinds(target, lang, source) == []


@pytest.mark.parametrize("lang", ["ko", "uk", "ru"])
def test_half_of_it(lang: str) -> None:
    half = GOOD[lang][: len(GOOD[lang]) * 45 // 100]
    assert "length-ratio" in kinds(half, lang)
    assert "length-ratio" in kinds(GOOD[lang] * 2, lang)


def test_short_sentences_may_vary_in_length() -> None:
    assert kinds("아니요, 그렇지 않습니다.", "ko", "No.") == []
    assert kinds("Да.", "ru", "He nodded.") == []


@pytest.mark.parametrize("lang", ["ko", "uk", "ru"])
def test_a_number_dropped_or_changed(lang: str) -> None:
    assert kinds(GOOD[lang].replace("41", ""), lang) == ["number-mismatch"]
    assert kinds(GOOD[lang].replace("41", "14"), lang) == ["number-mismatch"]
    assert kinds(GOOD[lang].replace("8억5000만", "85억").replace("850", "85"), lang) == ["number-mismatch"]


def test_the_evidence_of_a_number() -> None:
    pair = Pair(ENGLISH, GOOD["uk"].replace("41", "14"), "en", "uk", (3,), 1.0)
    [issue] = check_pair(pair, Limits())
    assert issue == Issue("number-mismatch", "warning", "uk", "missing 41; added 14", (3,))


@pytest.mark.parametrize("lang", ["ko", "uk", "ru"])
def test_a_loop(lang: str) -> None:
    words = GOOD[lang].split()
    assert "repetition" in kinds(" ".join([*words[:4], *words[2:4] * 6, *words[4:]]), lang)
    assert "repetition" in kinds(GOOD[lang] + words[0] * 3, lang)
    assert "repetition" in kinds(GOOD[lang] + f" {words[3]}" * 5, lang)


def test_what_the_source_repeats_too() -> None:
    source = "Education, education, education, education, education is all."
    assert "repetition" not in kinds("Освіта, освіта, освіта, освіта, освіта — це все.", "uk", source)
    assert "repetition" not in kinds("Они ушли ......... и всё.", "ru", "They left ......... and all that.")


def test_limits_decide() -> None:
    half = GOOD["uk"][: len(GOOD["uk"]) // 2]
    assert "length-ratio" not in kinds(half, "uk", limits=Limits(length_deviation=20))


def document(doc_id: str, lang: str, *sentences: str, entities: tuple[Entity, ...] = ()) -> Document:
    places, text = [], ""
    for sentence in sentences:
        start = len(text) + 1 if text else 0
        text = f"{text} {sentence}" if text else sentence
        places.append(Sentence(Span(start, len(text))))
    return Document(doc_id, lang, text, tuple(places), entities)


def test_null_beads_and_lost_entities() -> None:
    source = document(
        "d", "en", "Kyiv is cold.", "Nobody knows why.", entities=(Entity("e1", Span(0, 4), "Kyiv", "LOC"),)
    )
    target = document("d", "uk", "У місті холодно.", "Так сказав мер.")
    beads = [Bead((0,), (0,)), Bead((1,), ()), Bead((), (1,))]
    projections = [Projection("e1", 0.1, "alignment", reason="no word is linked")]
    assert find_issues(source, {"uk": target}, {"uk": beads}, {"uk": projections}) == (
        Issue("omitted-sentence", "warning", "en", "nothing in uk for: Nobody knows why.", (1,)),
        Issue("added-sentence", "info", "uk", "nothing in en for: Так сказав мер.", (1,)),
        Issue("lost-entity", "warning", "uk", "Kyiv (LOC): no word is linked", (0,), "e1"),
    )


def test_a_bead_of_several_sentences_is_read_as_one() -> None:
    source = document("d", "en", "They counted 41 stations.", "They had 17 days.")
    target = document("d", "ru", "У них было 17 дней, за которые они насчитали 41 станцию.")
    assert find_issues(source, {"ru": target}, {"ru": [Bead((0, 1), (0,))]}, {}) == ()


def test_beads_are_needed() -> None:
    source, target = document("d", "en", "Yes."), document("d", "ru", "Да.")
    with pytest.raises(InvalidAlignment, match="no beads from en to ru"):
        find_issues(source, {"ru": target}, {}, {})


def test_the_document_has_a_say_in_what_is_usual() -> None:
    assert expected_ratio([], "en", "ko") == pytest.approx(0.51)
    wordy = [("a" * 100, "가" * 100)] * 50
    assert 0.85 < expected_ratio(wordy, "en", "ko") < 1
    assert 0.5 < expected_ratio(wordy[:1], "en", "ko") < 0.6


@given(st.text(min_size=1), st.text(min_size=1), st.sampled_from(["ko", "uk", "ru", "de", "ja"]))
@settings(deadline=None)
def test_any_text_can_be_checked(source: str, target: str, lang: str) -> None:
    for issue in check_pair(Pair(source, target, "en", lang, (0,), 1.0), Limits()):
        assert issue.evidence
        assert issue.lang == lang


@pytest.mark.parametrize("piece", ["a", "ab ", "1 ", "п"])
def test_time_is_linear(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.process_time()
        list(check_pair(Pair(text, text, "en", "ru", (0,), 1.0), Limits()))
        return time.process_time() - began

    seconds(10)  # loads the language identifier
    assert seconds(40_000) < 40 * max(seconds(4_000), 0.005)


@pytest.mark.parametrize("lang", ["ko", "uk", "ru"])
def test_few_false_alarms_on_good_translations(lang: str) -> None:
    path = SHARED / "corpus" / "news.jsonl"
    if not path.exists():
        pytest.skip("the development data is not here")
    alarms, beads_seen = Counter[str](), 0
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        texts = {code: [each["text"] for each in row["sentences"][code]] for code in ("en", lang)}
        beads = [
            Bead(tuple(bead.get("en", ())), tuple(bead.get(lang, ())))
            for bead in row["beads"]
            if bead.get("en") or bead.get(lang)
        ]
        source, target = document(row["id"], "en", *texts["en"]), document(row["id"], lang, *texts[lang])
        alarms.update(issue.kind for issue in find_issues(source, {lang: target}, {lang: beads}, {}))
        beads_seen += len(beads)
    assert beads_seen > 800
    assert all(count <= 0.02 * beads_seen for count in alarms.values()), alarms
    assert alarms["number-mismatch"] <= 0.005 * beads_seen
