"""Sentences and documents through an engine: layout, order, limits, duplicates, beads, nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtalign.alignment import Bead
from mtalign.document import Document, Sentence, Span
from mtalign.encode import Encoder
from mtalign.errors import ConfigError, InputError, InvalidDocument
from mtalign.record import Origin
from mtalign.segment import segment, split_sentences
from mtalign.translate.batching import plan_batches
from mtalign.translate.document import Translated, translate_documents
from mtalign.translate.engine import Capabilities, Decoding, Hypothesis, check_decoding
from mtalign.translate.limits import split_at_clauses
from mtalign.translate.rerank import length_surprise, rank, repetition
from mtalign.translate.sentences import translate_sentences
from mtalign.translate.translator import Translator


class Reverser:
    """An engine for one invented language pair: it reverses the order of the words.

    A token is a word. It refuses what is over its limit and says nothing to a sentence of silence.
    """

    origin = Origin("machine", "reverser")
    signature = "reverser:1"
    capabilities = Capabilities()

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self.asked: list[str] = []

    def check_languages(self, source: str, target: str) -> None:
        if source == target:
            raise ConfigError(f"the reverser does not translate {source} into itself")

    def limit(self, source: str, target: str) -> int:
        del source, target
        return self._limit

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        del source, target
        return len(sentence.split())

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        decoding: Decoding = Decoding(),
        contexts: Sequence[str] | None = None,
    ) -> list[list[Hypothesis]]:
        check_decoding(self, decoding, contexts)
        self.asked += sentences
        for sentence in sentences:
            if self.count_tokens(sentence, source, target) > self._limit:
                raise InputError(f"over the limit: {sentence!r}")
        return [[Hypothesis(self._reversed(sentence), 0.0)] for sentence in sentences]

    def score(
        self, sources: Sequence[str], translations: Sequence[str], source: str, target: str
    ) -> NoReturn:
        del sources, translations, source, target
        raise ConfigError("the reverser gives no probabilities")

    def _reversed(self, sentence: str) -> str:
        return "" if set(sentence.split()) == {"silence"} else " ".join(reversed(sentence.split()))


def translate(
    source: Document, target: str, engine: Reverser, split: Callable[[str, str], Sequence[Span]]
) -> Translated:
    (made,) = translate_documents([source], target, Translator(engine), split)
    return made


def whole(text: str, lang: str) -> list[Span]:
    """Take every text for one sentence."""
    del lang
    return [Span(0, len(text))]


def document(marked: str, lang: str = "en") -> Document:
    """Build a document from a text in which `|` marks sentence boundaries."""
    text, sentences, start = marked.replace("|", ""), [], 0
    for piece in marked.split("|"):
        end = start + len(piece)
        if piece.strip():
            lead, tail = len(piece) - len(piece.lstrip()), len(piece) - len(piece.rstrip())
            sentences.append(Sentence(Span(start + lead, end - tail), text[:start].count("\n\n")))
        start = end
    return Document("test", lang, text, tuple(sentences))


def test_layout_is_kept_and_beads_follow_from_it() -> None:
    source = document("\n  A headline|\n\n\tOne two.|  Three four.|\n \n- five|\n\n\n")
    made = translate(source, "ru", Reverser(), whole)
    assert made.document.text == "\n  headline A\n\n\ttwo. One  four. Three\n \n- five\n\n\n"
    assert made.document.sentence_texts() == ["headline A", "two. One", "four. Three", "- five"]
    assert [each.paragraph for each in made.document.sentences] == [
        each.paragraph for each in source.sentences
    ]
    assert made.beads == tuple(Bead((i,), (i,), 1.0) for i in range(4))
    assert made.issues == ()


def test_a_sentence_may_become_two() -> None:
    made = translate(
        document("b. A|\n\nc"),
        "ru",
        Reverser(),
        lambda text, _: [Span(0, 1), Span(2, 4)] if len(text) == 4 else [Span(0, 1)],
    )
    assert made.document.sentence_texts() == ["A", "b.", "c"]
    assert made.beads == (Bead((0,), (0, 1), 1.0), Bead((1,), (2,), 1.0))


_words = st.text("abc.,;—“”[]0123😀é\u0301\u200d", min_size=1, max_size=6)
_blanks = st.text(" \t\n\u00a0", max_size=4)
_marked = st.lists(st.tuples(_blanks, st.lists(_words, min_size=1, max_size=5)), max_size=8)


@given(_marked, _blanks, st.integers(1, 4))
def test_every_sentence_and_every_blank_survives(
    content: list[tuple[str, list[str]]], tail: str, limit: int
) -> None:
    marked = "|".join(blank + " ".join(words) for blank, words in content) + "|" + tail
    source = document(marked)
    made = translate(source, "ru", Reverser(limit), whole)
    assert len(made.document.sentences) == len(source.sentences) == len(made.beads)
    assert _gaps(made.document) == _gaps(source)
    for before, after in zip(source.sentence_texts(), made.document.sentence_texts(), strict=True):
        assert sorted(after.split()) == sorted(before.split())


def _gaps(document: Document) -> list[str]:
    ends = [0, *(each.span.end for each in document.sentences)]
    starts = [*(each.span.start for each in document.sentences), len(document.text)]
    return [document.text[end:start] for end, start in zip(ends, starts, strict=True)]


def test_with_the_real_segmenter(shared_data: Path) -> None:
    text = (shared_data / "articles" / "nato-kursk.txt").read_text(encoding="utf-8")
    source = segment(Document("nato", "en", text))
    made = translate(source, "uk", Reverser(limit=40), split_sentences)
    assert len(made.beads) == len(source.sentences)
    assert made.document.text.count("\n\n") == text.count("\n\n")
    assert {issue.kind for issue in made.issues} == {"split-sentence"}


def test_text_without_sentences_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="segment it"):
        translate(Document("test", "en", "Some text."), "ru", Reverser(), whole)


def test_empty_document() -> None:
    made = translate(Document("test", "en", " \n"), "ru", Reverser(), whole)
    assert (made.document.text, made.beads) == (" \n", ())


def test_the_title_is_translated_too() -> None:
    source = Document("test", "en", "a b", (Sentence(Span(0, 3)),), title="Big news")
    made = translate(source, "ru", Reverser(), whole)
    assert (made.document.title, made.document.sentence_texts()) == ("news Big", ["b a"])


def test_duplicates_are_translated_once_and_order_is_kept() -> None:
    engine = Reverser()
    result = translate_sentences(["a b", "c  d", "a b", "c d", "e"], "en", "ru", Translator(engine))
    assert result.texts == ("b a", "d c", "b a", "d c", "e")
    assert engine.asked == ["a b", "c d", "e"]


@pytest.mark.parametrize("sentence", ["", " ", "😀😀", "600,000", "* * *", "—", "\u200b"])
def test_a_sentence_without_letters_is_copied(sentence: str) -> None:
    engine = Reverser()
    result = translate_sentences([sentence], "en", "ru", Translator(engine))
    assert (result.texts, result.issues, engine.asked) == ((sentence.strip(),), (), [])


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("- first point", "- point first"),
        ("• first  point", "• point first"),
        ("— first point", "— point first"),
        ("12. first point", "12. point first"),
        ("(b) first point", "(b) point first"),
        ("## first point", "## point first"),
        ("J. Smith", "Smith J."),
        ("1990. first", "first 1990."),
        ("-first point", "point -first"),
        ("a) 5", "5 a)"),
    ],
)
def test_what_marks_an_item_of_a_list_is_not_left_to_the_engine(source: str, made: str) -> None:
    assert translate_sentences([source], "en", "ru", Translator(Reverser())).texts == (made,)


def test_a_point_is_translated_once_whatever_its_bullet() -> None:
    engine = Reverser(limit=2)
    result = translate_sentences(["- a b; c d", "a b; c d", "* a b; c d"], "en", "ru", Translator(engine))
    assert result.texts == ("- b; a d c", "b; a d c", "* b; a d c")
    assert engine.asked == ["a b;", "c d"]


def test_an_empty_output_is_replaced_by_the_source_and_reported() -> None:
    result = translate_sentences(["a b", "silence"], "en", "ru", Translator(Reverser()))
    assert result.texts == ("b a", "silence")
    assert [(i.kind, i.severity, i.sentences) for i in result.issues] == [("empty-output", "error", (1,))]


def test_a_long_sentence_is_translated_in_parts_and_reported() -> None:
    result = translate_sentences(["one two, three four; five six"], "en", "ru", Translator(Reverser(limit=2)))
    assert result.texts == ("two, one four; three six five",)
    assert [(i.kind, i.severity, i.sentences) for i in result.issues] == [("split-sentence", "info", (0,))]


def test_an_unknown_direction_is_refused_before_work() -> None:
    engine = Reverser()
    with pytest.raises(ConfigError):
        translate_sentences(["a"], "ru", "ru", Translator(engine))
    assert engine.asked == []


def _parts(text: str, limit: int) -> str:
    return "|".join(span.of(text) for span in split_at_clauses(text, lambda t: len(t.split()), limit))


@pytest.mark.parametrize(
    ("limit", "marked"),
    [
        (9, "He said, she said; they all said so."),
        (7, "He said, she said;|they all said so."),
        (4, "Nobody came,|and everyone left early"),
        (3, "no marks at|all in here"),
    ],
)
def test_cuts_at_the_strongest_boundary_near_the_middle(limit: int, marked: str) -> None:
    assert _parts(marked.replace("|", " "), limit) == marked


@given(st.text(max_size=80), st.integers(1, 10))
def test_parts_fit_and_only_white_space_is_left_out(text: str, limit: int) -> None:
    spans = split_at_clauses(text, len, limit)
    assert all(0 < len(span) <= limit for span in spans)
    kept = "".join(span.of(text) for span in spans)
    assert "".join(kept.split()) == "".join(text.split())
    assert spans == sorted(spans)


def test_a_hundred_kilobytes_without_a_space() -> None:
    text = "xé" * 50_000
    spans = split_at_clauses(text, len, 500)
    assert "".join(span.of(text) for span in spans) == text
    assert max(len(span) for span in spans) <= 500


def test_characters_stay_whole() -> None:
    text = "e\u0301" * 8
    assert all(not span.of(text).startswith("\u0301") for span in split_at_clauses(text, len, 3))


def test_a_limit_below_one_character_is_an_error() -> None:
    with pytest.raises(InputError, match="too small"):
        split_at_clauses("ab", lambda text: 3 * len(text), 2)


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 200), st.integers(1, 4))
def test_batches_hold_every_item_once_within_the_budget(lengths: list[int], budget: int, rows: int) -> None:
    batches = plan_batches(lengths, budget, rows_per_item=rows)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * rows * max(lengths[i] for i in batch) <= budget
    flat = [lengths[i] for batch in batches for i in batch]
    assert flat == sorted(flat, reverse=True)


def test_ranking_prefers_a_translation(encoder: Encoder) -> None:
    sentence = "The minister signed the agreement on Monday in Geneva."
    good = Hypothesis("Министр подписал соглашение в понедельник в Женеве.", -2.0)
    copied = Hypothesis(sentence, -0.1)
    off = Hypothesis("Погода завтра будет тёплой и солнечной.", -0.5)
    loop = Hypothesis("Министр подписал соглашение" + " соглашение" * 9, -0.2)
    cut = Hypothesis(good.text, 0.0, complete=False)
    empty = Hypothesis("", 0.0)
    ranked = rank([sentence], [[empty, cut, copied, loop, off, good]], "en", "ru", encoder=encoder)
    assert ranked[0][0] == good
    assert {ranked[0][-1], ranked[0][-2]} == {cut, empty}


def test_ranking_asks_no_encoder_where_there_is_no_choice() -> None:
    class Never:
        def encode(self, texts: Sequence[str]) -> np.ndarray:
            raise AssertionError(f"asked for {len(texts)} vectors")

    only = [[Hypothesis("a", 0.0)], [Hypothesis("b", 0.0)]]
    assert rank(["x", "y"], only, "en", "ru", encoder=Never()) == only


def test_repetition_and_length() -> None:
    assert repetition("The minister signed the agreement on Monday.") < 0.2
    assert repetition("시장은 시장은 시장은 시장은 시장은 시장은 시장은") > 0.6
    assert repetition("") == 0.0
    sentence = "The minister signed the agreement on Monday."
    assert length_surprise(sentence, "장관은 월요일에 협정에 서명했다.", "en", "ko") < 0.1
    assert length_surprise(sentence, "Да.", "en", "ru") == 1.0


def test_many_documents_become_what_each_would_alone() -> None:
    sources = [
        document("\n  A headline|\n\n\tOne two.|  Three four five.|"),
        Document("blank", "en", " \n"),
        Document("titled", "en", "silence", (Sentence(Span(0, 7)),), title="one two three four five"),
        document("Один два.|  silence|", lang="uk"),
        document("One two.|\n\nsilence| again"),
    ]
    engine = Reverser(limit=3)
    together = translate_documents(sources, "ru", Translator(engine), whole)
    assert len(engine.asked) == len(set(engine.asked)) + 1  # silence, in two source languages
    assert together == [translate(source, "ru", Reverser(limit=3), whole) for source in sources]
    assert [[(i.kind, i.sentences) for i in each.issues] for each in together] == [
        [],
        [],
        [("empty-output", (0,)), ("split-sentence", ())],
        [("empty-output", (1,))],
        [("empty-output", (1,))],
    ]
    assert together[2].issues[1].evidence.startswith("title: ")


class Echo(Reverser):
    """An engine that says everything as it is."""

    def _reversed(self, sentence: str) -> str:
        return sentence


_SENTENCES = st.sampled_from(
    [
        "The port reopened on Monday.",
        "Nobody was hurt, said the harbour master.",
        "“We will rebuild,” she said.",
        "Ships came from Busan (see the map).",
    ]
)
_BLOCKS = st.one_of(
    st.lists(_SENTENCES, min_size=1, max_size=3).map(" ".join),
    st.sampled_from(["STORM CLOSES PORT", "What we know so far", "(Photo: a harbour at dusk)", "* * *"]),
    st.lists(st.sampled_from(["- first point", "• second point", "1. third point"]), min_size=1).map(
        "\n".join
    ),
)
_BREAKS = st.sampled_from(["\n\n", "\n \n", "\n\n\n", "\n\n  ", "\r\n\r\n", "\n\n\t"])


@given(_SENTENCES, st.lists(st.tuples(_BREAKS, _BLOCKS), max_size=6), _blanks, _blanks)
def test_paragraphs_bullets_headlines_and_captions_survive_exactly(
    first: str, rest: list[tuple[str, str]], lead: str, tail: str
) -> None:
    text = lead + first + "".join(gap + block for gap, block in rest) + tail
    source = segment(Document("layout", "en", text))
    made = translate(source, "ru", Echo(), whole)
    assert made.document.text == text
    assert made.document.sentences == source.sentences


def test_a_title_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="title is not valid Unicode"):
        Document("test", "en", "Fine.", title="not \udc80 fine")
