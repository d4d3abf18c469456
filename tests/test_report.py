"""The report: numbers that are right, text that comes out exactly, and data that never turns into markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mtalign.alignment import Bead, Tuple
from mtalign.document import Document, Entity, Sentence, Span
from mtalign.errors import UsageError
from mtalign.record import Issue, Origin, Projection, Record, Rejected
from mtalign.report.article import article_anchor, article_view
from mtalign.report.markup import Close, Open, nest, plain, visible, worded
from mtalign.report.overview import Tally, overview, tally
from mtalign.report.page import Shown, label_hues, render_body
from mtalign.report.write import write_report

# --- Records in the notation of the task ---
# `|` ends a sentence, `||` a paragraph; `[Kyiv]LOC2` is entity 2 with label LOC, and carries its number
# through every language; mentions may nest. Rows: sentence indices by language, `0-0,1-0-0; 1--1-1`.

HARBOUR = {
    "en": "[Busan]LOC1 and [Odesa]LOC2 sign a port deal || Minister [Mira Seol]PER3 praised "
    "[[Odesa]LOC5 Maritime University]ORG4.| Work starts in May.|| A photo shows the pier.",
    "ko": "[부산]LOC1·[오데사]LOC2, 항만 협약 체결 || [설미라]PER3 장관은 [오데사 해양대학교]ORG4를 "
    "칭찬했다.| 공사는 5월에 시작된다.",
    "uk": "[Пусан]LOC1 і [Одеса]LOC2 підписали портову угоду || Міністерка [Міра Соль]PER3 похвалила "
    "[[Одеський]LOC5 морський університет]ORG4, а роботи почнуться в травні.|| На фото — причал.",
    "ru": "[Пусан]LOC1 и [Одесса]LOC2 подписали портовое соглашение || Министр [Мира Соль]PER3 похвалила\t"
    "[[Одесский]LOC5 морской  университет]ORG4.| Работы начнутся в мае.|| На фото — причал.",
}
HARBOUR_ROWS = "0-0-0-0; 1,2-1,2-1-1,2; 3--2-3"
LOST = "the counterpart has no word linked to it"
SENTENCE_END = re.compile(r"\|\|?")


def document(lang: str, notation: str, doc_id: str = "harbour", **more: str) -> Document:
    text, sentences, entities, opened = "", [], [], []
    start = paragraph = 0
    for piece in re.split(r"(\|\|?|\[|\][A-Z]+\d+)", notation):
        if SENTENCE_END.fullmatch(piece):
            sentences.append(_sentence(text, start, paragraph))
            paragraph += piece == "||"
            text += "\n\n" if piece == "||" else ""
            start = len(text)
        elif piece == "[":
            opened.append(len(text))
        elif piece.startswith("]"):
            span = Span(opened.pop(), len(text))
            number = piece.lstrip("]ABCDEFGHIJKLMNOPQRSTUVWXYZ")
            label = piece[1 : -len(number)]
            entities.append(Entity(number, span, span.of(text), label))
        else:
            text += piece
    sentences.append(_sentence(text, start, paragraph))
    return Document(doc_id, lang, text, tuple(sentences), tuple(entities), **more)


def _sentence(text: str, start: int, paragraph: int) -> Sentence:
    piece = text[start:]
    lead = len(piece) - len(piece.lstrip(" \n"))
    return Sentence(Span(start + lead, len(text.rstrip(" \n"))), paragraph)


def record(
    texts: Mapping[str, str] = HARBOUR,
    rows: str = HARBOUR_ROWS,
    *,
    doc_id: str = "harbour",
    issues: Sequence[Issue] = (),
    confidence: Mapping[tuple[str, str], float] | None = None,
    origin: Origin | None = None,
    **source: str,
) -> Record:
    langs = list(texts)
    first, *others = (
        document(lang, texts[lang], doc_id, **(source if lang == langs[0] else {})) for lang in langs
    )
    tuples = tuple(
        Tuple(
            {
                lang: tuple(int(index) for index in side.split(",") if index)
                for lang, side in zip(langs, row.strip().split("-"), strict=True)
            }
        )
        for row in rows.split(";")
    )
    found = {other.lang: {entity.id: entity for entity in other.entities} for other in others}
    return Record(
        id=doc_id,
        source=first,
        signature="test",
        targets={other.lang: Document(other.id, other.lang, other.text, other.sentences) for other in others},
        origins={other.lang: origin or Origin("human", license="CC BY 4.0") for other in others},
        beads={
            f"{a}-{b}": tuple(
                Bead(each.sents[a], each.sents[b]) for each in tuples if each.sents[a] or each.sents[b]
            )
            for a, b in combinations(langs, 2)
        },
        tuples=tuples,
        projections={
            lang: tuple(
                Projection(entity.id, 0.2, "alignment", reason=LOST)
                if entity.id not in mentions
                else Projection(
                    entity.id,
                    (confidence or {}).get((lang, entity.id), 0.95),
                    "alignment",
                    entity=mentions[entity.id],
                )
                for entity in first.entities
            )
            for lang, mentions in found.items()
        },
        issues=tuple(issues),
    )


# --- The page as a tree ---


class Node:
    """An element: its tag, attributes, children (elements and strings) and parent."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: Node | None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Node | str] = []

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def walk(self) -> Iterator[Node]:
        for child in self.children:
            if isinstance(child, Node):
                yield child
                yield from child.walk()

    def all(self, name: str = "", **attributes: str) -> list[Node]:
        """Return the elements below with this tag or class and these attributes (`data_x` is `data-x`)."""
        wanted = {key.replace("_", "-"): value for key, value in attributes.items()}
        return [
            node
            for node in self.walk()
            if (not name or node.tag == name or name in node.classes)
            and all(node.attributes.get(key) == value for key, value in wanted.items())
        ]

    def one(self, name: str = "", **attributes: str) -> Node:
        (node,) = self.all(name, **attributes)
        return node


class Reader(HTMLParser):
    """Builds the tree, and refuses what our templates never write."""

    VOID = ("meta", "input", "br")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.here = Node("", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            last = self.here.children[-1]
            assert isinstance(last, Node)
            self.here = last

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"<{tag}> has an attribute twice"
        attributes = {name: value or "" for name, value in attrs}
        self.here.children.append(Node(tag, attributes, self.here))

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.here.tag, f"</{tag}> closes <{self.here.tag}>"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        self.here.children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")


def parse(html: str) -> Node:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.here is reader.root, f"<{reader.here.tag}> is never closed"
    return reader.root


def render(records: Iterable[Record], rejected: Sequence[Rejected], title: str) -> str:
    with TemporaryDirectory() as folder:
        out = Path(folder) / "report.html"
        write_report([Shown(each) for each in records], rejected, out, title)
        return out.read_bytes().decode("utf-8")


def page(*records: Record, rejected: Sequence[Rejected] = (), title: str = "Run") -> Node:
    return parse(render(records, rejected, title))


def words(node: Node) -> str:
    return " ".join(node.text.split())


def table(root: Node, heading: str) -> list[list[str]]:
    """Return the body of the overview table under a heading, as strings."""
    panel = next(p for p in root.all("panel") if any(words(h).startswith(heading) for h in p.all("h3")))
    return [
        [words(cell) for cell in row.all() if cell.tag in ("td", "th")]
        for row in panel.all("table")[0].one("tbody").all("tr")
    ]


# --- Text comes out exactly ---


def assert_exact(root: Node, *records: Record) -> None:
    """Check that every sentence stands in the cell of its row and language, code point by code point."""
    for article, each in zip(root.all("article"), records, strict=True):
        for row, sides in zip(article.all("row"), each.tuples, strict=True):
            for cell, (lang, doc) in zip(row.all("cell"), each.documents().items(), strict=True):
                texts, shown = doc.sentence_texts(), cell.all("text")
                assert cell.attributes["data-lang"] == plain(lang)
                assert [text.text for text in shown] == [texts[index] for index in sides.sents[lang]]
                assert {text.attributes["lang"] for text in shown} <= {plain(lang)}


def test_every_sentence_stands_in_its_cell_exactly() -> None:
    assert_exact(page(record()), record())


@pytest.mark.parametrize(
    "text",
    [
        "two  spaces, a\ttab, a\nline feed",
        "carriage\r\nreturn and \r alone",
        "a right-to-left \u202eoverride\u202c and \u2066isolates\u2069, one stray \u2069",
        "zero\u200bwidth, soft\xadhyphen, \ufeffmark, \x85 and \u2028",
        "<b>bold</b> &amp; &lt; &#x3c; <!-- no --> </p>",
        "e\u0301 한글 한글 👩‍🚀 🏴\U000e0067\U000e007f",
        "שלום [not an entity, عربي]",
    ],
)
def test_odd_text_comes_out_exactly(text: str) -> None:
    doc = Document(
        "odd", "en", text, (Sentence(Span(0, len(text))),), (Entity("1", Span(2, 9), text[2:9], "X"),)
    )
    odd = Record(id="odd", source=doc, signature="test", tuples=(Tuple({"en": (0,)}),))
    assert_exact(page(odd), odd)


@given(st.text())
def test_visible_text_is_the_text_itself(text: str) -> None:
    html = str(visible(text))
    assert "\r" not in html  # a browser would read it as a line feed
    root = parse(html)
    assert root.text == re.sub("[\0\ud800-\udfff]", "\ufffd", text)
    assert {node.tag for node in root.walk()} <= {"bdi"}


@given(st.text(st.sampled_from("a\u202e\u2066\r\0\ud800<")))
def test_hidden_characters_never_reach_an_attribute(text: str) -> None:
    assert set(plain(text)) <= set("a<⟨U+202E⟩⟨U+2066⟩⟨U+000D⟩⟨U+0000⟩⟨U+D800⟩")


def test_an_override_ends_where_it_begins() -> None:
    controls = parse(str(visible("a\u202eb\u202cc"))).all("bdi")
    assert [(each.text, each.attributes["data-code"]) for each in controls] == [
        ("\u202e", "U+202E"),
        ("\u202c", "U+202C"),
    ]
    assert controls[0].attributes["title"] == "U+202E RIGHT-TO-LEFT OVERRIDE"


# --- Marks: nested, crossing, numbered alike in every language ---


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, list[tuple[Span, int]]]:
    text = draw(st.text("abcdef", min_size=1, max_size=12))
    edges = st.integers(0, len(text))
    places = draw(st.lists(st.tuples(edges, edges).filter(lambda pair: pair[0] < pair[1]), max_size=6))
    return text, [(Span(*place), number) for number, place in enumerate(places)]


@given(marked_texts())
def test_nested_marks_cover_exactly_what_they_mark(case: tuple[str, list[tuple[Span, int]]]) -> None:
    text, marks = case
    covered: dict[int, list[int]] = {number: [] for _, number in marks}
    ends: dict[int, list[tuple[bool, bool]]] = {number: [] for _, number in marks}
    stack: list[int] = []
    at = 0
    for piece in nest(text, marks):
        if isinstance(piece, Open):
            stack.append(piece.what)
            ends[piece.what].append((piece.first, piece.last))
        elif isinstance(piece, Close):
            stack.pop()
        else:
            assert piece == text[at : at + len(piece)]
            assert piece
            for number in stack:
                covered[number] += range(at, at + len(piece))
            at += len(piece)
    assert at == len(text)
    assert not stack
    for span, number in marks:
        assert covered[number] == list(range(span.start, span.end))
        assert [first for first, _ in ends[number]] == [True] + [False] * (len(ends[number]) - 1)
        assert [last for _, last in ends[number]] == [False] * (len(ends[number]) - 1) + [True]


def brackets(text: str, *marks: tuple[int, int, str]) -> str:
    written = {Open: "[", Close: "]"}
    return "".join(
        piece if isinstance(piece, str) else written[type(piece)]
        for piece in nest(text, [(Span(start, end), name) for start, end, name in marks])
    )


def test_nested_marks_stay_whole_and_crossing_ones_are_cut() -> None:
    assert brackets("Kyiv University", (0, 4, "LOC"), (0, 15, "ORG")) == "[[Kyiv] University]"
    assert brackets("abcd", (0, 3, "x"), (1, 4, "y")) == "[a[bc]][d]"
    assert brackets("ab", (0, 2, "x"), (0, 2, "y")) == "[[ab]]"


def test_a_mention_has_the_same_number_in_every_language() -> None:
    root = page(record())
    for number, forms in {
        "1": ["Busan", "부산", "Пусан", "Пусан"],
        "4": ["Odesa Maritime University", "오데사 해양대학교", "Одеський морський університет",
              "Одесский морской  университет"],
        "5": ["Odesa", "Одеський", "Одесский"],
    }.items():  # fmt: skip
        assert [mark.text for mark in root.all("mention", data_entity=number)] == forms
    assert {mark.attributes["tabindex"] for mark in root.all("mention")} == {"0"}
    for inner in root.all("mention", data_entity="5"):
        assert inner.parent is not None
        assert inner.parent.attributes["data-entity"] == "4"


def test_labels_keep_their_colour_and_their_text() -> None:
    marks = page(record()).all("mention", data_entity="3")
    assert all("hue0" in mark.classes and mark.attributes["data-label"] == "PER" for mark in marks)
    hues = label_hues(["LOC", "ZZ", "DATE", "LOC"])
    assert hues["LOC"] == label_hues(["LOC"])["LOC"]
    assert len(set(hues.values())) == 3


def test_confidence_is_said_and_a_low_one_is_marked() -> None:
    root = page(record(confidence={("ko", "1"): 0.7499, ("uk", "1"): 0.75}))
    source, korean, ukrainian, _ = root.all("mention", data_entity="1")
    assert "low" in korean.classes
    assert korean.attributes["title"] == "LOC · from “Busan” · low confidence 0.74 · alignment"
    assert "low" not in source.classes | ukrainian.classes
    assert ukrainian.attributes["title"] == "LOC · from “Busan” · confidence 0.75 · alignment"


def test_a_mention_over_two_sentences_is_marked_in_both() -> None:
    doc = Document(
        "d",
        "en",
        "Yes. No.",
        (Sentence(Span(0, 4)), Sentence(Span(5, 8))),
        (Entity("1", Span(2, 7), "s. No", "X"),),
    )
    split = Record(id="d", source=doc, signature="test", tuples=(Tuple({"en": (0,)}), Tuple({"en": (1,)})))
    assert [mark.text for mark in page(split).all("mention")] == ["s.", "No"]


# --- Rows ---


def test_an_empty_cell_says_so() -> None:
    (_, _, last) = page(record()).one("rows").all("row")
    korean = last.one("cell", data_lang="ko")
    assert words(korean) == "no counterpart"
    assert "empty" in korean.classes


def test_rows_that_join_sentences_say_how_many() -> None:
    first, second, last = page(record()).one("rows").all("row")
    assert "joined" in second.classes
    assert second.one("shape").text == "2:2:1:2"
    assert second.one("shape").attributes["title"] == (
        "Sentences per language: English 2, Korean 2, Ukrainian 1, Russian 2"
    )
    assert ["several" in cell.classes for cell in second.all("cell")] == [True, True, False, True]
    assert not first.all("shape")
    assert not last.all("shape")


def test_a_new_paragraph_opens_a_gap() -> None:
    rows = page(record()).one("rows").all("row")
    assert ["paragraph" in row.classes for row in rows] == [False, True, True]
    joined = page(record({"en": "One.| Two.|| Three.", "ko": "하나.| 둘.| 셋."}, "0-0;1,2-1,2"))
    assert ["paragraph" in row.classes for row in joined.all("row")] == [False, False]
    assert [sentence.text[1:] for sentence in joined.all("indent")] == ["Three."]


def test_links_lead_to_rows_sentences_and_articles_that_exist() -> None:
    root = page(record(doc_id="a/b c?%"), record(doc_id="a"))
    ids = [node.attributes["id"] for node in root.walk() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    targets = {node.attributes["href"] for node in root.all("a")}
    # Those with `=` are searches.
    assert {each for each in targets if "=" not in each} <= {f"#{each}" for each in ids}
    assert not any(char in each for each in ids for char in " \t\n")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True, max_size=5))
def test_anchors_of_different_articles_differ(ids: list[str]) -> None:
    anchors = [article_anchor(each) for each in ids]
    assert len(set(anchors)) == len(ids)
    assert not any(re.search(r"\s", anchor) for anchor in anchors)


# --- Issues, lost entities, the overview ---

NUMBER = Issue("number-mismatch", "error", "ru", "“2” is not in the source", sentences=(1, 2))
BLANK = Issue("wrong-language", "warning", "uk", "looks like Russian (0.98)")
LOST_ISSUE = Issue("lost-entity", "warning", "ko", LOST, entity="5")


def test_issues_stand_on_their_row_with_their_evidence() -> None:
    root = page(record(issues=[NUMBER, BLANK, LOST_ISSUE]))
    rows = root.one("rows").all("row")
    assert ["data-issue" in row.attributes for row in rows] == [False, True, False]
    (note,) = rows[1].one("cell", data_lang="ru").all("note")
    assert words(note) == "error: number mismatch “2” is not in the source"
    (whole,) = root.one("whole").all("note")
    assert words(whole) == "warning: wrong language looks like Russian (0.98)"


def test_a_lost_entity_is_told_once_with_its_reason() -> None:
    root = page(record(issues=[LOST_ISSUE]))
    (note,) = root.one("rows").all("note")
    assert words(note) == f"warning: lost entity Odesa: {LOST}"
    assert note.attributes["data-entity"] == "5"
    across = root.one("entities").one("tr", data_entity="5")
    assert [words(cell) for cell in across.all() if cell.tag in ("td", "th")] == [
        "LOC", "Odesa", f"lost: {LOST}", "Одеський 0.95", "Одесский 0.95",
    ]  # fmt: skip


def test_codes_are_read_as_words_and_sentences_as_they_are() -> None:
    assert worded("below-threshold") == "below threshold"
    assert worded("a ten-year contract") == "a ten-year contract"


def test_an_issue_without_a_place_is_not_dropped() -> None:
    stray = [
        Issue("a", "info", "ko", "sentence 99", sentences=(99,)),
        Issue("b", "info", "ko", "no such entity", entity="nobody"),
        Issue("c", "info", "xx", "no such language", sentences=(0,)),
    ]
    assert [words(note.one("evidence")) for note in page(record(issues=stray)).one("whole").all("note")] == [
        "sentence 99", "no such entity", "no such language",
    ]  # fmt: skip


def test_the_overview_counts() -> None:
    one = record(issues=[NUMBER, LOST_ISSUE], confidence={("ru", "3"): 0.5})
    two = record({"en": "[Oslo]LOC1 waits.", "ko": "[오슬로]LOC1가 기다린다."}, "0-0", doc_id="second")
    root = page(one, two)
    assert table(root, "Languages") == [
        ["English", "2", "5", "6", "–", "–", "–", "–", "source"],
        ["한국어 Korean", "2", "4", "6", "5", "1", "0", "0", "83.3%"],
        ["українська Ukrainian", "1", "3", "5", "5", "0", "0", "0", "100.0%"],
        ["русский Russian", "1", "4", "5", "5", "0", "1", "0", "100.0%"],
    ]
    assert table(root, "Issues") == [
        ["error: number mismatch", "1", "ru 1 in 1 article"],
        ["warning: lost entity", "1", "ko 1 in 1 article"],
    ]
    assert table(root, "Beads")[:2] == [
        # 1-1, 2-2, 2-1, 1-2, 0-1, 1-0: one for one, joined, alone; each with the most frequent first
        ["en-ko", "2", "1", "·", "·", "·", "1", ""],
        ["en-uk", "2", "·", "1", "·", "·", "·", ""],
    ]
    assert words(root.one("masthead").one("summary")) == (
        "15 of 16 entities were carried over (93.7%). Worth a look: 1 lost 1 doubtful 1 other issue"
    )
    assert table(root, "Articles") == [["harbour", "4", "5", "1", "2"], ["second", "1", "1", "0", "0"]]
    assert [words(figure.one("figcaption")) for figure in root.all("figure")[:3]] == [
        "한국어 5 carried over, 1 lost", "українська 5 carried over, 0 lost",
        "русский 5 carried over, 0 lost",
    ]  # fmt: skip


def test_length_ratios_and_throughput_are_those_of_the_beads_and_the_clock() -> None:
    texts = {"en": "abcd| efgh| ijkl", "ko": "ab| efgh| ijklmnopqrstuvwxyz"}
    timed = replace(record(texts, "0-0; 1-1; 2-2"), timings={"align": 0.5, "check": 0.0})
    total = Tally()
    for _ in range(3):
        total.add(tally(timed))
    numbers = overview(total)
    (ratios,) = numbers.ratios
    # 2:4, 4:4 and 18:4, which is above the last edge
    assert [(bin_, count) for bin_, count in enumerate(ratios.bins) if count] == [(3, 3), (6, 3), (19, 3)]
    assert ratios.middle == pytest.approx((0.9, 1.05))
    assert [(each.stage, each.seconds, each.per_second) for each in numbers.stages] == [("align", 1.5, 6.0)]
    assert (numbers.articles, numbers.rows) == (3, 9)


def test_the_histogram_puts_the_threshold_between_two_bins() -> None:
    confidence = {("ko", "1"): 0.0, ("ko", "2"): 0.7499, ("ko", "3"): 0.75, ("ko", "4"): 1.0}
    histogram = overview(tally(record(confidence=confidence))).histograms[0]
    assert histogram.tongue.code == "ko"
    assert [bin_ for bin_, count in enumerate(histogram.kept) if count] == [0, 14, 15, 19]
    assert [bin_ for bin_, count in enumerate(histogram.lost) if count] == [4]
    numbers = page(record(confidence=confidence)).all("histogram")[0].all("number")
    assert [number.text for number in numbers] == ["1", "1", "1", "1", "1"]


def test_demo_quality_is_said_at_the_head_of_the_page_and_of_the_column() -> None:
    demo = Origin("machine", engine="transformers", model="starter:tiny", license="MIT", demo=True)
    root = page(record(origin=demo))
    banner = words(root.one("demo-banner"))
    assert banner.startswith("Demo quality: made by the starter translator, not fit for use.")
    assert "Korean: 1 article by transformers, starter:tiny" in banner
    assert len(root.one("rows").all("demo-tag")) == 3
    assert table(root, "Where the translations")[0] == [
        "한국어", "machine demo quality", "transformers", "starter:tiny", "MIT", "1",
    ]  # fmt: skip
    real = page(record(origin=Origin("machine", engine="transformers", model="m", license="MIT")))
    assert "demo" not in words(real.one("body")).lower()


def test_rejected_inputs_are_listed_with_place_and_reason() -> None:
    rejected = [Rejected("not UTF-8 at byte 7", "in/a.txt"), Rejected("broken JSON", "b.jsonl", 12, "b-12")]
    root = page(rejected=rejected)
    assert table(root, "Rejected inputs") == [
        ["in/a.txt", "–", "not UTF-8 at byte 7"],
        ["b.jsonl:12", "b-12", "broken JSON"],
    ]
    assert "There is no article in this run." in words(root)


def test_languages_that_the_table_does_not_know_are_shown() -> None:
    strange = record({"en": "One.", "tlh": "wa’."}, "0-0")
    text = page(strange).one("cell", data_lang="tlh").one("text")
    assert text.attributes["dir"] == "auto"


# --- Data is data ---

PAYLOAD = (
    "<script>alert(1)</script></script></style></title><img src=x onerror=alert(1)>"
    "\" onmouseover=\"alert(1)' autofocus onfocus='alert(1) "
    "javascript:alert(1) \u202e{{ 7*7 }}{% raw %} &lt;b&gt;"
)


def spiced(spice: Callable[[str], str]) -> Node:
    """Render a page in which every string of the data went through `spice`."""
    texts = {lang: f"{spice('We')} saw {spice('it')} in Oslo." for lang in ("en", spice("ko"))}
    docs = {}
    for lang, text in texts.items():
        mark = Entity(spice("e"), Span(0, len(text) - 1), text[:-1], spice("LOC"))
        lost = Entity(spice("f"), Span(1, 2), text[1:2], spice("PER"))
        docs[lang] = Document(
            spice("doc"), lang, text, (Sentence(Span(0, len(text))),), (mark, lost),
            title=spice("title"), source=spice("archive"), license=spice("free"),
        )  # fmt: skip
    source, target = docs.values()
    origin = Origin("machine", engine=spice("engine"), model=spice("model"), license=spice("MIT"), demo=True)
    first, second = source.entities
    issues = [
        Issue(spice("kind"), "error", target.lang, spice("evidence"), (0,)),
        Issue(spice("kind"), "error", target.lang, spice("evidence"), entity=spice("nobody")),
    ]
    planted = Record(
        id=spice("doc"), source=source, signature=spice("signature"), targets={target.lang: target},
        origins={target.lang: origin},
        beads={f"{source.lang}-{target.lang}": (Bead((0,), (0,)),)},
        tuples=(Tuple({source.lang: (0,), target.lang: (0,)}),),
        projections={target.lang: (
            Projection(first.id, 0.9, spice("method"), entity=target.entities[0]),
            Projection(second.id, 0.1, spice("method"), reason=spice("reason")),
        )},
        issues=tuple(issues),
    )  # fmt: skip
    root = page(
        planted, rejected=[Rejected(spice("why"), spice("path"), 3, spice("id"))], title=spice("Title")
    )
    assert_exact(root, planted)
    return root


def shape(root: Node) -> list[tuple[str, list[str]]]:
    """Return every element with the names of its attributes, but for those that show a hidden character."""
    return [(node.tag, sorted(node.attributes)) for node in root.walk() if "hidden-char" not in node.classes]


def test_planted_markup_adds_no_element_and_no_attribute() -> None:
    harmless = spiced(lambda word: word)
    planted = spiced(lambda word: word + PAYLOAD)
    assert shape(planted) == shape(harmless)
    for one, other in zip(planted.all("script"), harmless.all("script"), strict=True):
        # Of what differs nothing can end the element or be run: it is ASCII without a bracket, and inert.
        assert one.text == other.text or one.attributes["type"] == "application/json"
        assert one.text == other.text or (one.text.isascii() and "<" not in one.text)
    assert [node.text for node in planted.all("style")] == [node.text for node in harmless.all("style")]
    assert planted.one("title").text == "Title" + plain(PAYLOAD)
    assert planted.one("h1").text == "Title" + PAYLOAD
    for node in planted.walk():
        assert not [name for name in node.attributes if name.startswith("on")]
        assert "\u202e" not in "".join(node.attributes.values())


@pytest.mark.parametrize(
    ("source", "followed"),
    [
        ("https://example.org/a?b=1&c=2", True),
        ("http://example.org", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("JAVASCRIPT:alert(1)//https://x", False),
        ("data:text/html,<script>alert(1)</script>", False),
        ("//example.org/x", False),
        ("https://[broken", False),
        ("Written for the paper, p. 3", False),
    ],
)
def test_only_web_addresses_become_links(source: str, followed: bool) -> None:
    byline = page(record(source=source)).one("byline")
    assert source in byline.text
    assert [a.attributes["href"] for a in byline.all("a")] == ([source] if followed else [])


def test_the_page_asks_for_nothing_and_runs_nothing_but_itself() -> None:
    root = page(record())
    assert not [node for node in root.walk() if {"src", "style", "action", "srcset"} & set(node.attributes)]
    assert not root.all("link")
    policy = root.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    for tag in ("script", "style"):
        (text,) = [node.text for node in root.all(tag) if "type" not in node.attributes]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert f"</{tag}" not in text
        assert "http" not in text
        assert "url(" not in text
    assert policy.startswith("default-src 'none'; ")


# --- Colours that can be read (WCAG 2.2, 1.4.3 and 1.4.11) ---


def luminance(colour: Sequence[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_in_both_lights() -> None:
    style = page(record()).one("style").text
    blocks = re.findall(r":root \{(.*?)\}", style, re.S)[:2]
    for block in blocks:
        colours = {
            name: [int(value[i : i + 2], 16) / 255 for i in (0, 2, 4)]
            for name, value in re.findall(r"--([a-z0-9-]+): #([0-9a-f]{6});", block)
        }
        tint = int(re.search(r"--tint: (\d+)%", block)[1]) / 100
        hues = [name for name in colours if name.startswith("hue")]
        assert len(hues) == 10
        pairs = [("ink", "sheet"), ("bad", "bad-wash"), ("doubt", "doubt-wash"), ("info", "info-wash")]
        pairs += [("found-ink", "found")]
        pairs += [(text, back) for text in ("ink", "soft", "bad", "doubt") for back in ("paper", "wash")]
        pairs += [(hue, "paper") for hue in (*hues, "accent")]
        too_weak = {pair: contrast(*(colours[name] for name in pair)) for pair in pairs}
        for hue in hues:
            tinted = [tint * a + (1 - tint) * b for a, b in zip(colours[hue], colours["paper"], strict=True)]
            too_weak["ink", hue] = contrast(colours["ink"], tinted)
            # The small label behind a mention stands on the tint in the full colour.
            too_weak[hue, "tint"] = contrast(colours[hue], tinted)
        assert {pair: ratio for pair, ratio in too_weak.items() if ratio < 4.5} == {}


# --- Files ---


def test_write_report_replaces_the_file_in_one_move(tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    write_report([Shown(record())], [], out, "First")
    write_report([Shown(record())], [], out, "Second")
    assert out.read_bytes().decode("utf-8") == render([record()], [], "Second")
    assert list(out.parent.iterdir()) == [out]


def test_a_report_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(UsageError, match=r"cannot write the report .*page\.html"):
        write_report([Shown(record())], [], tmp_path / "page.html", "Run")
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write the report"):
        write_report([Shown(record())], [], tmp_path / "file" / "page.html", "Run")


def test_one_article_is_also_a_fragment() -> None:
    body = render_body([article_view(record())], label_hues(["LOC", "PER", "ORG"]))
    assert body.html.strip() in render([record()], [], "Run")
    assert_exact(parse(body.html), record())
