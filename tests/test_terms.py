"""Glossaries and text that is not translated: found, masked, restored, and looked for in every inflection."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mtalign.alignment import Bead, Tuple
from mtalign.cli import app
from mtalign.document import Document, Sentence, Span
from mtalign.errors import ConfigError
from mtalign.evaluate import TermRow, evaluate_terms, evaluate_terms_files, term_rows, to_rows
from mtalign.record import Origin, Record
from mtalign.translate.terms import PATTERNS, Term, Terms, find_term, mask, missing, read_glossary

EVERYTHING = Terms(protect=tuple(PATTERNS))
BANK = Term("central bank", (("ru", "центральный банк"), ("uk", "центральний банк"), ("ko", "중앙은행")))
TERMS = Terms((BANK, Term("bank", (("ru", "банк"),)), Term("WHO", (("ru", "ВОЗ"),), case=True)))


def marked(terms: Terms, text: str, target: str = "ru") -> str:
    """Return the text with brackets around what was found."""
    pieces, end = [], 0
    for each in terms.mentions(text, target):
        pieces += [text[end : each.span.start], f"[{each.span.of(text)}]"]
        end = each.span.end
    return "".join([*pieces, text[end:]])


@pytest.mark.parametrize(
    "expected",
    [
        "See [https://example.org/a?b=c#d]. Then go",
        "(at [www.example.org/x]), he said",
        "write to [first.last+tag@mail.example.org]!",
        "[@handle] and [@other_one], not a@ or @ alone",
        "run [`pip install x`] twice",
        "[12 km] at [90 km/h], [5%] of [1,200 kg], but 12 men and 3 kings",
        "mail [a@b.example], not a handle",
    ],
)
def test_text_that_is_not_translated(expected: str) -> None:
    text = expected.replace("[", "").replace("]", "")
    assert marked(EVERYTHING, text) == expected


@pytest.mark.parametrize(
    ("expected", "target"),
    [
        ("The [central bank] and a [bank]", "ru"),
        ("The [Central Bank] and a bank", "uk"),
        ("the [WHO] asks who", "ru"),
        ("banks and embankments", "ru"),
        ("the central bank", "pl"),
    ],
)
def test_terms_of_a_glossary(expected: str, target: str) -> None:
    assert marked(TERMS, expected.replace("[", "").replace("]", ""), target) == expected


def test_a_term_inside_of_words_and_one_of_marks() -> None:
    terms = Terms((Term("net", (("ru", "сеть"),), whole_word=False), Term("C++", (("ru", "C++"),))))
    assert marked(terms, "internet and C++") == "inter[net] and [C++]"


def test_patterns_come_before_terms() -> None:
    terms = Terms(TERMS.glossary, ("url",))
    assert marked(terms, "a bank at https://bank.example") == "a [bank] at [https://bank.example]"


def test_masked_and_restored() -> None:
    text = "The central bank wrote to info@bank.example about XQ0."
    mentions = Terms(TERMS.glossary, ("email",)).mentions(text, "ru")
    masked = mask(text, mentions)
    assert masked.text == "The ZQ0 wrote to ZQ1 about XQ0."
    assert masked.restore("zq 1: так пишет ZQ0 про XQ0.") == (
        "info@bank.example: так пишет центральный банк про XQ0."
    )
    assert masked.restore("ZQ0 пишет ZQ1.") == "Центральный банк пишет info@bank.example."
    assert masked.restore("ZQ0ом (ZQ1)") == "Центральный банком (info@bank.example)"


@pytest.mark.parametrize("damaged", ["нет", "ZQ0", "ZQ0 ZQ1 ZQ1", "ZQ0 ZQ2", "ZQ0 ЗК1", "ZQ01"])
def test_a_lost_or_doubled_placeholder_is_seen(damaged: str) -> None:
    text = "The bank, info@bank.example, XQ."
    masked = mask(text, Terms(TERMS.glossary, ("email",)).mentions(text, "ru"))
    assert masked.restore(damaged) is None


_pieces = st.sampled_from(
    ["bank", "central bank", "XQ0", "ZQ1", "a@b.example", "https://x.example/1", "and", "0"]
)


@given(st.lists(_pieces, min_size=1, max_size=12).map(" ".join))
def test_nothing_is_lost_where_the_engine_copies(text: str) -> None:
    terms = Terms(
        (Term("bank", (("ru", "bank"),)), Term("central bank", (("ru", "central bank"),))), ("url", "email")
    )
    masked = mask(text, terms.mentions(text, "ru"))
    restored = masked.restore(masked.text)
    assert restored is not None
    assert restored.casefold() == text.casefold()


@given(st.text(max_size=60))
def test_any_text_can_be_masked(text: str) -> None:
    mentions = EVERYTHING.mentions(text, "ru")
    assert all(a.span.end <= b.span.start for a, b in pairwise(mentions))
    assert mask(text, mentions).restore(mask(text, mentions).text) == text


@pytest.mark.parametrize(
    ("lang", "term", "text", "count"),
    [
        ("ru", "центральный банк", "Решение центрального банка. В Центральном банке молчат.", 2),
        ("ru", "центральный банк", "Центральные районы, банк, банкет.", 0),
        ("ru", "Украина", "между Украиной и украинцами", 1),
        ("ru", "Киев", "в Киеве, под Киевом, киевский", 2),
        ("ru", "санкции", "пакет санкций, санкциями", 2),
        ("ru", "мир", "о мире, мировой", 1),
        ("uk", "Харків", "у Харкові, з Харкова, харківський", 2),
        ("uk", "Верховна Рада", "депутати Верховної Ради", 1),
        ("uk", "Київ", "до Києва і в Києві", 2),
        ("uk", "безпека", "з безпекою", 1),
        ("ru", "договор", "разговор о договоре", 1),
        ("uk", "Відень", "у Відні, до Відня, Віденський документ, відео", 2),
        ("uk", "український ринок", "на українському ринку, рин", 1),
        ("uk", "міст", "посеред мосту, на мості, двома мостами", 3),
        ("uk", "Тернопіль", "у Тернополі, тернопільський", 1),
        ("uk", "українець", "між українцями та Україною", 1),
        ("ru", "рынок", "на рынке, рынки, ранок, рында", 2),
        ("ru", "Донецк", "в Донецке, донец", 1),
        ("ru", "город", "гордый народ о городе", 1),
        ("ko", "중앙은행", "중앙은행은 한국중앙은행과 다르다. 중앙은행에서는", 2),
        ("ko", "유럽 연합", "유럽연합이 유럽 연합과", 2),
        ("ko", "나토", "나토가, 나토군은", 1),
        ("ko", "대통령", "대통령이라며 대통령만큼 대통령이었던 대통령실", 3),
        ("de", "Bank", "Die Bank, die bank; Banken", 2),
        ("ja", "日本", "日本銀行", 1),
    ],
)
def test_inflected_forms_count(lang: str, term: str, text: str, count: int) -> None:
    assert len(find_term(text, term, lang)) == count


def test_what_is_missing() -> None:
    text = "The central bank wrote a@b.example and a@b.example."
    mentions = Terms(TERMS.glossary, ("email",)).mentions(text, "ru")
    assert missing(mentions, "Из центрального банка: a@b.example, a@b.example", "ru") == []
    assert missing(mentions, "Из банка: a@b.example", "ru") == ["центральный банк", "a@b.example"]


def glossary(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "glossary.tsv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_a_glossary_file(tmp_path: Path) -> None:
    path = glossary(
        tmp_path,
        "\ufeffsource\tko\tru\tcase\twhole_word",
        "central  bank\t중앙은행\tцентральный банк",
        "",
        'WHO "x"\t\tВОЗ\tyes\tno',
    )
    assert read_glossary(path) == (
        Term("central bank", (("ko", "중앙은행"), ("ru", "центральный банк"))),
        Term('WHO "x"', (("ru", "ВОЗ"),), case=True, whole_word=False),
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "first line must name"),
        (["term\tru"], "first line must name"),
        (["source\txx", "a\tb"], "first line must name"),
        (["source\tru", "\tб"], "line 2: no source term"),
        (["source\tru", "a\tб", "a\tв"], "line 3: 'a' stands there a second time"),
        (["source\tru\tcase", "a\tб\tmaybe"], "line 2: case is 'maybe'"),
        (["source\tru", "a\tб\tc"], "line 2: 3 cells under 2 columns"),
    ],
)
def test_a_bad_glossary_is_refused_by_place(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_glossary(glossary(tmp_path, *rows))


def test_an_absent_glossary(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_glossary(tmp_path / "none.tsv")


GLOSSARY = ("source\tko\tru", "central bank\t중앙은행\tцентральный банк", "sanctions\t제재\tсанкции")


def test_term_accuracy(tmp_path: Path) -> None:
    rows = [
        {
            "id": 1,
            "source": "The central bank fears sanctions. The central bank waits.",
            "translations": {
                "ru": "Центральный банк опасается санкций. Он ждёт.",
                "ko": "은행은 제재를 두려워한다.",
            },
        },
        {"id": "b", "source": "No term.", "translations": {"ru": "Нет санкций.", "ko": "없다."}},
    ]
    pred = tmp_path / "pred.jsonl"
    pred.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = glossary(tmp_path, *GLOSSARY)
    result = CliRunner().invoke(
        app, ["evaluate", "terms", "--glossary", str(path), "--pred", str(pred), "--json"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == evaluate_terms_files(path, pred).as_dict()
    languages = json.loads(result.output)["languages"]
    assert languages == {
        "ko": {"mentions": 3, "found": 1, "accuracy": 1 / 3, "missed": {"중앙은행": 2}},
        "ru": {"mentions": 3, "found": 2, "accuracy": 2 / 3, "missed": {"центральный банк": 1}},
    }


def test_terms_of_a_record_are_counted_by_bead() -> None:
    source = Document("r", "en", "Sanctions. Rain.", (Sentence(Span(0, 10)), Sentence(Span(11, 16))))
    target = Document("r", "ru", "Дождь. Санкции.", (Sentence(Span(0, 6)), Sentence(Span(7, 15))))
    record = Record(
        "r",
        source,
        "s",
        {"ru": target},
        {"ru": Origin("human")},
        {"en-ru": (Bead((0,), (0,)), Bead((1,), (1,)))},
        (Tuple({"en": (0,), "ru": (0,)}), Tuple({"en": (1,), "ru": (1,)})),
        {"ru": ()},
    )
    scores = evaluate_terms(
        (Term("sanctions", (("ru", "санкции"),)),), to_rows(term_rows(record), TermRow, "r")
    )
    assert scores.languages["ru"].accuracy == 0.0
