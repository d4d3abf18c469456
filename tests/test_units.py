"""Units: exact offsets, Korean particles and loose syllables, hyphens, aliases, odd characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtalign.units import alias_after, set_aside_aliases, unit_text


def split(text: str, lang: str) -> str:
    """Write units with | between them; * marks particles, ~ loose ones."""
    found = unit_text(text, lang)
    return "|".join(
        word + "*" * unit.particle + "~" * unit.loose
        for word, unit in zip(found.words(), found.units, strict=True)
    )


@pytest.mark.parametrize(
    ("text", "lang", "units"),
    [
        ("Азиатско-Тихоокеанского", "ru", "Азиатско|-|Тихоокеанского"),
        ("п’ять тис.", "uk", "п’ять|тис|."),
        ("Kyiv's 1,200.5 km", "en", "Kyiv|'|s|1,200.5|km"),
        ("나토는", "ko", "나토|는*"),
        ("우크라이나와의", "ko", "우크라이나|와*|의*"),
        ("로스토프주의 교도소", "ko", "로스토프|주~|의*|교도소"),
        ("체코인 한 명", "ko", "체코|인~|한|명"),
    ],
)
def test_units_are_words_and_in_korean_morphemes(text: str, lang: str, units: str) -> None:
    assert split(text, lang) == units


@pytest.mark.parametrize(
    "text", ["미콜라이우에 도착했다", "트란스니스트리아와 몰도바", "외스테르순드에서 우승했다"]
)
def test_a_particle_that_an_unknown_name_swallowed_can_be_cut_off(text: str) -> None:
    name = {"미": "미콜라이우", "트": "트란스니스트리아", "외": "외스테르순드"}[text[0]]
    assert len(name) in {unit.span.end for unit in unit_text(text, "ko").units}


def test_latin_names_in_brackets_after_hangul_are_set_aside() -> None:
    source = unit_text("Rosa came", "en")
    target = unit_text("로사(Rosa)가 왔다", "ko")
    kept = set_aside_aliases(target, source)
    assert "Rosa" in target.words()
    assert "Rosa" not in kept.words()
    assert kept.text == target.text
    assert alias_after(target.text, 2) == "Rosa"
    assert alias_after("로사 (Rosa)", 2) is None


def test_a_name_in_brackets_in_both_texts_is_a_mention_of_its_own() -> None:
    source = unit_text("the Red Cross (ICRC) said", "en")
    target = unit_text("국제적십자위원회(ICRC)는 말했다", "ko")
    assert set_aside_aliases(target, source) == target


ODD = st.text(
    st.sampled_from("가나다 서울ㅎㅏᄒ\u1161ndéЇї'’-.,()«»“😀👨‍👩‍👧\u0301\u200b\u200d\n1２ABя"), max_size=40
)


@given(text=ODD | st.text(max_size=30), lang=st.sampled_from(["ko", "uk", "ru", "en", "ja"]))
def test_units_cover_all_but_white_space_in_order(text: str, lang: str) -> None:
    units = unit_text(text, lang).units
    at = 0
    for unit in units:
        assert not text[at : unit.span.start].strip()
        assert unit.span.start >= at
        assert len(unit.span) > 0
        assert not any(char.isspace() for char in unit.span.of(text))
        at = unit.span.end
    assert not text[at:].strip()
