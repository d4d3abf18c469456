"""Numbers and their values."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtalign.numbers import can_read, compare_numbers, read_numbers


def readings(text: str, lang: str) -> list[set[str]]:
    """The readings of each number, as plain digits."""
    return [{f"{value.normalize():f}" for value in number.readings} for number in read_numbers(text, lang)]


@pytest.mark.parametrize(
    ("lang", "text", "values"),
    [
        ("en", "600,000", "600000"),
        ("en", "850 million", "850000000"),
        ("en", "$1.5bn", "1500000000"),
        ("en", "a 40-thousand crowd", "40000"),
        ("en", "£20k", "20000"),
        ("en", "1,234.56", "1234.56"),
        ("en", "3.125 percent", "3.125"),
        ("en", "2 trillion", "2000000000000"),
        ("ru", "600 000", "600000"),
        ("ru", "600 тысяч", "600000"),
        ("ru", "850 млн", "850000000"),
        ("ru", "2 млн 300 тыс.", "2300000"),
        ("ru", "3,5", "3.5"),
        ("ru", "1.234.567", "1234567"),
        ("ru", "1,5 миллиарда", "1500000000"),
        ("uk", "600\u00a0000", "600000"),
        ("uk", "5 тис.", "5000"),
        ("uk", "12 мільйонів", "12000000"),
        ("uk", "1,5 млрд", "1500000000"),
        ("ko", "60만", "600000"),
        ("ko", "8억5000만", "850000000"),
        ("ko", "8억 5,000만", "850000000"),
        ("ko", "22 억 5 천만", "2250000000"),
        ("ko", "1만2000명", "12000"),
        ("ko", "2천5백만", "25000000"),
        ("ko", "1조 2000억", "1200000000000"),
        ("ko", "3천", "3000"),
        ("ko", "1.5%", "1.5"),
        ("ko", "600,000", "600000"),
    ],
)
def test_one_number(lang: str, text: str, values: str) -> None:
    assert readings(text, lang) == [{values}]


@pytest.mark.parametrize(
    ("lang", "text", "values"),
    [
        ("en", "10 to 20 million", [{"10", "10000000"}, {"20000000"}]),
        ("en", "the 1990s", [{"1990", "90"}]),
        ("en", "at 7 p.m.", [{"7", "19"}]),
        ("en", "a 5m wall", [{"5", "5000000"}]),
        ("ru", "1,500", [{"1500", "1.5"}]),
        ("ru", "28.10.2024", [{"28", "10", "2024"}]),
        ("ru", "в 2018 300 человек", [{"2018"}, {"300"}]),
        ("ko", "오후 7시", [{"7", "19"}]),
        ("ko", "2조각, 3분의 1만", [{"2"}, {"3"}, {"1"}]),
        ("ko", "5만 8만", [{"50000"}, {"80000"}]),
        ("en", "none at all", []),
    ],
)
def test_readings(lang: str, text: str, values: list[set[str]]) -> None:
    assert readings(text, lang) == values


AGREE = [
    ("en", "Over 600,000 soldiers and 850 million euros.", "ko", "군인 60만 명 이상과 8억5000만 유로."),
    ("en", "Over 600,000 soldiers and 850 million euros.", "uk", "Понад 600 тисяч солдатів і 850 млн євро."),
    (
        "en",
        "Over 600,000 soldiers and 850 million euros.",
        "ru",
        "Более 600 000 солдат и 850 миллионов евро.",
    ),
    ("en", "It rose 3.5% to 1,500 in the 1990s.", "ru", "В 90-х она выросла на 3,5 % до 1500."),
    ("en", "two ten-year deals", "ko", "10년짜리 계약 2건"),
    ("en", "twenty-three thousand people", "uk", "23 тисячі людей"),
    ("en", "The museum has 40 rooms.", "ru", "В музее сорок залов."),
    ("en", "half a million left", "ko", "50만 명이 떠났다"),
    ("en", "in the 19th century", "ru", "в XIX веке"),
    ("en", "A boy of 13 came at 5.30pm.", "ko", "열세 살 소년이 17시 30분에 왔다."),
    ("en", "for two decades", "ko", "20년 동안"),
    ("en", "between 10 and 20 million", "ko", "1000만에서 2000만 사이"),
    ("en", "in 24 hours", "ru", "за сутки"),
    ("ko", "200만 명", "ru", "два миллиона человек"),
]
DIFFER = [
    ("600,000 soldiers", "ko", "6만 명의 군인", ["600,000"], ["6만"]),
    ("600,000 soldiers", "ru", "600 солдат", ["600,000"], ["600"]),
    ("850 million euros", "uk", "850 мільярдів євро", ["850 million"], ["850 мільярдів"]),
    ("in 2019", "ru", "в прошлом году", ["2019"], []),
    ("by 5%", "uk", "на 6 %", ["5"], ["6"]),
    ("some 41 stations", "ko", "변전소 14곳", ["41"], ["14"]),
]


@pytest.mark.parametrize(("source_lang", "source", "target_lang", "target"), AGREE)
def test_agreement(source_lang: str, source: str, target_lang: str, target: str) -> None:
    assert not compare_numbers(source, source_lang, target, target_lang)
    assert not compare_numbers(target, target_lang, source, source_lang)


@pytest.mark.parametrize(("source", "lang", "target", "missing", "added"), DIFFER)
def test_mismatch(source: str, lang: str, target: str, missing: list[str], added: list[str]) -> None:
    mismatch = compare_numbers(source, "en", target, lang)
    assert mismatch
    assert [number.text for number in mismatch.missing] == missing
    assert [number.text for number in mismatch.added] == added


def test_a_language_without_a_row() -> None:
    assert can_read("ko")
    assert not can_read("de")


@given(
    st.text() | st.text(alphabet="0123456789., \u00a0천만억조тисmk%:-", max_size=40),
    st.sampled_from(["en", "ko", "uk", "ru"]),
)
def test_any_text_can_be_read_and_agrees_with_itself(text: str, lang: str) -> None:
    numbers = read_numbers(text, lang)
    assert all(number.text in text and number.readings for number in numbers)
    assert not compare_numbers(text, lang, text, lang)


@given(st.integers(1, 10**13))
def test_grouping_does_not_change_a_value(value: int) -> None:
    english, spaced = f"{value:,}", f"{value:,}".replace(",", "\u00a0")
    assert [Decimal(value)] == [max(number.readings) for number in read_numbers(english, "en")]
    assert not compare_numbers(english, "en", spaced, "ru")
    assert not compare_numbers(english, "en", korean(value), "ko")


def korean(value: int) -> str:
    """Write a number as Korean newspapers do: 12345678 is 1234만5678."""
    parts = []
    for unit, name in ((10**12, "조"), (10**8, "억"), (10**4, "만"), (1, "")):
        if count := value // unit:
            parts.append(f"{count}{name}")
        value %= unit
    return "".join(parts)


@pytest.mark.parametrize("piece", ["1", "1 ", "1,", "1만", "twenty ", "a:", "1.1"])
def test_time_is_linear(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.process_time()
        for lang in ("en", "ko", "ru"):
            compare_numbers(text, lang, "77", "en")
        return time.process_time() - began

    assert seconds(40_000) < 40 * max(seconds(4_000), 0.002)
