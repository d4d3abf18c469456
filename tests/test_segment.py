"""Sentence boundaries. `|` marks where one ends; a case is right if it comes back as written."""

from __future__ import annotations

import json
import time
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtalign.document import Document, Sentence, Span
from mtalign.errors import UnknownLanguage
from mtalign.languages import LANGUAGES
from mtalign.segment import RULES, Site, decide, segment, split_sentences

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

ENGLISH = {
    "plain": "The bridge is closed. | Nobody knows why! | Do you?",
    "title": "Mr. Hale met Dr. Ostrow and Gen. Petro Savchuk. | Sen. Lee stayed away.",
    "country before a name": "The U.S. Navy sailed. | A U.S. President agreed.",
    "country at the end": "They flew to the U.S. | The visit was short.",
    "company": "Hallam Inc. Chairman Ito resigned. | He had led Brix Corp. | In May he left it.",
    "number": "See No. 5 and p. 12. | He said no. | Then he left.",
    "month": "It began on Jan. 6 and ended in Feb. | The rest is known.",
    "e.g.": "Take a fruit, e.g. Bramley apples, i.e. something sour. | Eat it.",
    "time of day": "It starts at 5 p.m. Monday. | It ends at 7 p.m. | The doors close then.",
    "initials": "J. K. Orlov and George W. Finch wrote it. | C.S. Marsh drew it.",
    "decimal": "Growth was 3.5 percent, or 1.2.3 in the table. | Over 600,000 people left.",
    "site": "Read it at nato.int today. | Or do not.",
    "ellipsis": "He paused ... and went on. | Then he stopped... | Nobody spoke… | The end.",
    "spaced ellipsis": "We will . . . wait. | Perhaps.",
    "quotation": "“We stay. | We will not go,” she said. | “Never.” | He nodded.",
    "question in quotes": "“Why now?” he asked. | “Why?” Mr. Adams asked. | “Because.”",
    "single quotes": "He called it ‘madness.’ | Few agreed.",
    "marks together": "Really?! | Yes!!! | (It was so.) | Fine.",
    "mark in brackets": "They won (!) the cup. | The others (?) lost.",
    "enumeration in quotes": "It was “one, an insult. | Two, a breach. | And three, a threat”, he said.",
    "brackets": "“In exchange, [President] Vale gains time. | [He] has none.”",
    "lists in a line": "1. First we eat. | 2. Then we sleep.",
    "year at the end": "It was 2018. | Then came 2019.",
    "vitamin": "He ordered plan B. | The city paid.",
}
KOREAN = {
    "plain": "회담이 끝났다. | 합의는 없었다. | 왜 그랬을까? | 아무도 몰라요.",
    "polite": "비가 옵니다. | 우산이 없어요! | 네. | 그렇습니다.",
    "quotation with 라고": "그는 “우리는 남는다.”라고 말했다. | 다른 이들은 떠났다.",
    "quotation with 고": "장관은 “결정했다.”고 밝혔다. | 그러나 날짜는 없다.",
    "space before 라고": "“왜 지금인가?” 라고 그가 물었다. | 답은 없었다.",
    "이라고, 라며": "“끝.”이라고 썼다. | “가자!”라며 일어섰다.",
    "는 after a quotation": "“때가 왔다.”는 말이 돌았다. | 모두가 들었다.",
    "speaker after a quotation": "“오늘은 아닙니다.” 한 씨가 말했다. | 그는 웃었다.",
    "sentence after a quotation": "“오늘은 아닙니다.” | 한 씨는 자리를 떠났다.",
    "decimal": "성장률은 3.5%였다. | 군인 60만 명이 다쳤다.",
    "date": "회의는 2024. 10. 28. 서울에서 열린다. | 장소는 미정이다.",
    "이 as a word": "“때가 왔다.” | 이 말은 사실이었다.",
    "initial": "조지 W. 핀치가 왔다. | 모두 놀랐다.",
    "headline dots": "유가 급등… 증시 하락",
    "dots at the end": "모르겠다… | 아무도 없다.",
    "latin": "U.S. 해군이 왔다. | Hallam Inc. 대표도 왔다.",
    "no break without space": "원.달러 환율이 올랐다. | 원인은 유가다.",
}
UKRAINIAN = {
    "plain": "Міст закрито. | Чому? | Ніхто не знає!",
    "unit and head": "Це сталося 1990 р. | Він жив у м. Ромни на р. Сула. | Усе.",
    "street": "Офіс на вул. Січових Стрільців, буд. 5. | Музей ім. Шевченка поруч.",
    "and so on": "Хліб і т. д. лежали там. | Вода, вино тощо. | Він купив хліб, сіль і т.д. | Потім пішов.",
    "money": "Це 5 млн грн або 300 тис. доларів. | Ще 2 млрд. | Решта згодом.",
    "article": "Згідно зі ст. 105 його звільнено. | Суд погодився.",
    "quote and dash": "«Ми лишаємося», — сказав він. | «Чому?» — спитала вона. | «Бо так!» — крикнув він.",
    "quotation": "«Ми лишаємося. | Ми не підемо», — сказала вона.",
    "initials": "Т. Г. Шевченко та І.Я. Франко писали. | Їх читають.",
    "decimal": "Зросло на 3,5 %. | Понад 600 000 людей поїхали. | Це 1.5 млн.",
    "ellipsis": "Він мовчав... і пішов. | Потім… | Нічого.",
    "latin initials": "Вони відкрили офіс у Washington D.C. | Потім його закрили.",
    "one letter word": "Так воно і є. | Усі згодні.",
}
RUSSIAN = {
    "plain": "Мост закрыт. | Почему? | Никто не знает!",
    "year and city": "Это было в 1990 г. | Он жил в г. Орле. | В 1991 г. уехал.",
    "street": "Офис на ул. Ленина, д. 5. | Музей им. Пушкина рядом.",
    "им as a word": "Никто не верит им. | По их словам, всё готово. | Театр им. А. П. Чехова закрыт.",
    "and so on": "Хлеб, соль и т. п. лежали там. | Он купил хлеб и т.д. | Потом ушёл.",
    "money": "Это 5 млн руб. или 300 тыс. долл. США. | Ещё 2 млрд. | Остальное позже.",
    "that is": "Столица, т. е. Киев, спит. | См. Приложение.",
    "article": "По ст. 105 его отпустили. | Суд согласился. | Это XIX в. | Страна воевала.",
    "quote and dash": "«Мы остаёмся», — сказал он. | «Почему?» — спросила она. | «Так надо!» — крикнул он.",
    "quotation": "«Мы остаёмся. | Мы не уйдём», — сказала она.",
    "speaker in the middle": "«Да, — сказал он. | — Мы останемся».",
    "initials": "А. С. Пушкин и Л.Н. Толстой писали. | Их читают.",
    "foreign initials": "Дж. Р. Р. Толкин и Дж. Буш. | Больше никого.",
    "decimal": "Рост 3,5 %. | Более 600 000 человек уехали. | Это 1.5 млн.",
}
OTHERS = [
    ("ja", "会議は終わった。|合意はない。|「行こう。」と彼は言った。"),
    ("zh", "会议结束了。|没有协议！|为什么？|“不知道。”|他走了……然后回来。"),
    ("de", "Am 3. Oktober kam Dr. Weiß. | „Warum?“ fragte er. | Niemand wusste es."),
    ("fr", "« Pourquoi ? » demanda-t-il. | M. Leroy se tut. | « Jamais. » | Il partit."),
    ("es", "¿Quién es? | ¡Nadie! | El Sr. Ruiz salió de EE.UU. | Luego volvió."),
    ("pl", "To było 5 tys. zł. | Prof. Nowak wyszedł. | Nikt nie wie."),
]
CASES = [
    pytest.param(lang, case, id=f"{lang}-{name}")
    for lang, table in (("en", ENGLISH), ("ko", KOREAN), ("uk", UKRAINIAN), ("ru", RUSSIAN))
    for name, case in table.items()
]


def marked(text: str, lang: str) -> list[str]:
    return [span.of(text) for span in split_sentences(text, lang)]


@pytest.mark.parametrize(("lang", "case"), [*CASES, *OTHERS])
def test_boundaries(lang: str, case: str) -> None:
    if lang in ("ja", "zh"):
        text, expected = case.replace("|", ""), case.split("|")
    else:
        text = case.replace(" | ", " ")
        expected = [line for part in case.split(" | ") for line in part.split("\n")]
    assert marked(text, lang) == expected


def test_a_rule_names_itself() -> None:
    text = "Mr. Hale"
    assert decide(Site(text, "en", 0, 2, 3, 4)) == (False, "head_abbreviation")
    text = "So it is. He left"
    assert decide(Site(text, "en", 0, 8, 9, 10)) == (True, "default")
    assert len({rule.__name__ for rule in RULES}) == len(RULES)


def test_every_line_break_ends_a_sentence() -> None:
    text = "A heading\r\n\r\nOne line\nand another, no stop\n \n\nLast. "
    document = segment(Document("d", "en", text))
    assert document.sentence_texts() == ["A heading", "One line", "and another, no stop", "Last."]
    assert [sentence.paragraph for sentence in document.sentences] == [0, 1, 1, 2]


def test_sentences_that_are_there_are_kept() -> None:
    whole = Document("d", "en", "One. Two.", sentences=(Sentence(Span(0, 9)),))
    assert segment(whole) is whole


def test_a_language_without_a_row() -> None:
    with pytest.raises(UnknownLanguage, match="xx"):
        split_sentences("One.", "xx")


@pytest.mark.parametrize("text", ["", " \n\t ", "\u2028"])
def test_nothing_gives_nothing(text: str) -> None:
    assert split_sentences(text, "en") == []


TEXTS = st.text() | st.text(alphabet=".!?… \"'”“«»—\n\r()[]1aAяЯг다。라고U", max_size=60)


@given(TEXTS, st.sampled_from(sorted(LANGUAGES)))
@example("\x1c.\x85 A", "en")
@example("…” ” ”", "ko")
def test_spans_cover_all_but_white_space(text: str, lang: str) -> None:
    spans = split_sentences(text, lang)
    assert all(span.of(text).strip() == span.of(text) != "" for span in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    edges = [0, *(edge for span in spans for edge in (span.start, span.end)), len(text)]
    assert not "".join(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)).strip()


@given(TEXTS, st.sampled_from(sorted(LANGUAGES)))
def test_the_document_takes_its_own_sentences(text: str, lang: str) -> None:
    document = Document("d", lang, text)
    assert segment(document).text == text


@pytest.mark.parametrize("piece", ["a", ".", '"', '."', "J.", ". ", "г. ", "“다.”", "A. ", "…  ", "T.S"])
@pytest.mark.parametrize("lang", ["en", "ko", "ru"])
def test_time_is_linear(piece: str, lang: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.process_time()
        split_sentences(text, lang)
        return time.process_time() - began

    # Ten times the text may take ten times as long; a square would be a hundred. The margin is for noise.
    assert seconds(100_000) < 40 * max(seconds(10_000), 0.001)


def paragraphs(sentences: list[dict[str, object]]) -> str:
    groups = groupby(sentences, key=lambda sentence: sentence["paragraph"])
    return "\n\n".join(" ".join(str(each["text"]) for each in group) for _, group in groups)


@pytest.mark.parametrize("lang", ["en", "ko", "uk", "ru"])
def test_the_summit_article(lang: str) -> None:
    path = SHARED / "articles" / "summit.gold.json"
    if not path.exists():
        pytest.skip("the development data is not here")
    gold = json.loads(path.read_text(encoding="utf-8"))
    sentences = (gold["source"] if lang == "en" else gold["targets"][lang])["sentences"]
    document = segment(Document("summit", lang, paragraphs(sentences)))
    assert document.sentence_texts() == [each["text"] for each in sentences]
    assert [each.paragraph for each in document.sentences] == [each["paragraph"] - 1 for each in sentences]


def test_the_article_that_was_asked_for() -> None:
    path = SHARED / "articles" / "nato-kursk.txt"
    if not path.exists():
        pytest.skip("the development data is not here")
    document = segment(Document("nato", "en", path.read_text(encoding="utf-8")))
    texts = document.sentence_texts()
    assert len(texts) == 19
    assert texts[0].endswith("Deployed In Kursk")
    assert texts[5].startswith("Two,")
    assert texts[6].startswith("And three,")
    assert texts[7] == "The Secretary-General continued:"
    assert texts[13].startswith("Over 600,000 Russian soldiers")
    assert texts[15].startswith("Video released")
    assert texts[15].endswith("deployment to Ukraine")
