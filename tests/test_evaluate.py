from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from corpus import news
from hypothesis import given
from hypothesis import strategies as st

from mtalign.errors import InputError, UsageError
from mtalign.evaluate import (
    EntityRow,
    EntityScores,
    SentenceRow,
    SentenceScores,
    TranslationRow,
    alignment_row,
    evaluate_entities,
    evaluate_entities_files,
    evaluate_search_files,
    evaluate_sentences,
    evaluate_sentences_files,
    evaluate_translation,
    evaluate_translation_files,
    evaluate_words_files,
    projection_rows,
    score_search,
    to_rows,
    translation_row,
)
from mtalign.evaluate.counts import Counts, f1_interval

Bead = list[list[int]]


def beads(notation: str) -> list[Bead]:
    """`0-0,1; 1-; -2`: beads, their sentences separated by commas, a side left empty for none."""
    sides = (bead.strip().split("-") for bead in notation.split(";"))
    return [[[int(n) for n in side.split(",") if n] for side in bead] for bead in sides]


def pair(notation: str, **more: object) -> dict[str, object]:
    return {"id": "d", "src_lang": "en", "tgt_lang": "ko", "beads": beads(notation), **more}


def score_pairs(gold: list[dict[str, object]], pred: list[dict[str, object]]) -> SentenceScores:
    return evaluate_sentences(to_rows(gold, SentenceRow, "gold"), to_rows(pred, SentenceRow, "pred"))


def write_jsonl(path: Path, *rows: Mapping[str, object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


# --- sentences ---------------------------------------------------------------------------------------


def test_strict_and_lax_by_hand() -> None:
    # 0-0 and the null 4- are exactly right.
    scores = score_pairs([pair("0-0; 1,2-1; 3-2; 5-3; 4-")], [pair("0-0; 1-1; 2-2; 3,5-3; 4-")]).pairs[
        "en-ko"
    ]
    assert scores.strict == Counts(right=2, predicted=5, found=2, gold=5)
    # Without nulls 4 predicted, 4 gold. Lax right: 0-0, 1-1 (in 1,2-1), 3,5-3 (in 5-3); not 2-2.
    # Gold found: 0-0, 1,2-1, 5-3; not 3-2, whose sentence 3 went elsewhere and 2 came from elsewhere.
    assert scores.lax == Counts(right=3, predicted=4, found=3, gold=4)
    assert scores.nulls == Counts(1, 1, 1, 1)


def test_vecalign_convention_differs_only_in_null_beads() -> None:
    scores = score_pairs([pair("0-0; 1-1; 2-; 3-2")], [pair("0-0; 1-; -1; 2-; 3-2")]).pairs["en-ko"]
    # Ours, strict: right 0-0, 2-, 3-2 of 5 predicted and 4 gold.
    assert (scores.strict.precision, scores.strict.recall) == (3 / 5, 3 / 4)
    # Vecalign's script: precision over all 5 predicted, recall over the 3 gold beads that are not null.
    theirs = scores.vecalign()
    assert (theirs["strict_precision"], theirs["strict_recall"]) == (3 / 5, 2 / 3)
    assert (theirs["lax_precision"], theirs["lax_recall"]) == (3 / 5, 2 / 3)
    # Ours, lax: the two predicted beads that are not null are both right.
    assert (scores.lax.precision, scores.lax.recall) == (1.0, 2 / 3)


def test_counts_are_added_up_over_documents() -> None:
    gold = [pair("0-0; 1-1; 2-2"), pair("0-0", id="e")]
    pred = [pair("0-0; 1-1; 2-2"), pair("0-; -0", id="e")]
    scores = score_pairs(gold, pred).pairs["en-ko"]
    assert (scores.documents, scores.strict.precision, scores.strict.recall) == (2, 3 / 5, 3 / 4)
    assert scores.strict_interval.low <= scores.strict.f1 <= scores.strict_interval.high


def test_bead_type_table() -> None:
    kinds = score_pairs([pair("0-0; 1,2-1; 3-; -2")], [pair("0-0; 1-1; 2-; 3-; -2")]).pairs["en-ko"].kinds
    table = {kind: (each.gold, each.found, each.predicted) for kind, each in kinds.items()}
    assert table == {"0-1": (1, 1, 1), "1-0": (1, 1, 2), "1-1": (1, 1, 2), "2-1": (1, 0, 0)}
    assert list(table) == ["0-1", "1-0", "1-1", "2-1"]


def test_both_bead_forms_and_both_keys() -> None:
    gold = {"id": "d", "src": ["A.", "B."], "tgt": ["가.", "나."], "gold": beads("0-0; 1-1")}
    pred = {"id": "d", "beads": [{"src": [0], "tgt": [0], "score": 0.4}, {"src": [1], "tgt": [1]}]}
    assert score_pairs([gold], [pred]).pairs["all"].strict.f1 == 1.0


def test_a_prediction_that_carries_the_gold_along_is_scored_on_its_own_beads() -> None:
    gold = {"id": "d", "gold": beads("0-0; 1-1")}
    assert score_pairs([gold], [gold | {"beads": beads("0-; 1-; -0; -1")}]).pairs["all"].strict.f1 == 0.0


def test_the_same_id_in_several_pairs() -> None:
    gold = [pair("0-0; 1-1"), pair("0-0; 1-1", tgt_lang="uk")]
    named = score_pairs(gold, [pair("0-0; 1-1", tgt_lang="uk"), pair("0,1-0,1")])
    assert (named.pairs["en-uk"].strict.f1, named.pairs["en-ko"].strict.f1) == (1.0, 0.0)
    # Without languages the rows of an id are taken in order, as the aligner writes them.
    in_order = score_pairs(
        gold, [{"id": "d", "beads": beads("0-0; 1-1")}, {"id": "d", "beads": beads("0,1-0,1")}]
    )
    assert (in_order.pairs["en-ko"].strict.f1, in_order.pairs["en-uk"].strict.f1) == (1.0, 0.0)


def test_a_pair_named_the_other_way_round_is_turned() -> None:
    turned = pair("0-0; 1-1,2", src_lang="ko", tgt_lang="en")
    assert score_pairs([pair("0-0; 1,2-1")], [turned]).pairs["en-ko"].strict.f1 == 1.0


def nway(
    sents: dict[str, str], tuples: list[dict[str, list[int]]] | None, **more: object
) -> dict[str, object]:
    """A row of n languages; `|` marks the sentence boundaries."""
    split = {lang: [each.strip() for each in text.split("|")] for lang, text in sents.items()}
    return {"id": "d", "sents": split, "tuples": tuples, **more}


def test_tuples_and_links_by_hand() -> None:
    sents = {"en": "A. | B. | C.", "ko": "가. | 나. | 다.", "uk": "А. | Б."}
    gold = nway(sents, [{"en": [0], "ko": [0], "uk": [0]}, {"en": [1, 2], "ko": [1], "uk": [1]}, {"ko": [2]}])
    pred = nway(
        sents, [{"en": [0], "ko": [0], "uk": [0]}, {"en": [1], "ko": [1], "uk": [1]}, {"en": [2], "ko": [2]}]
    )
    scores = score_pairs([gold], [pred]).tuples
    assert scores is not None
    assert scores.exact == Counts(1, 3, 1, 3)
    # Gold links: 3 + (2 en-ko, 2 en-uk, 1 ko-uk) = 8. Predicted: 3 + 3 + 1 = 7, of which all but the last.
    assert scores.links == Counts(6, 7, 6, 8)
    assert scores.largest == 1


def test_a_language_left_out_of_a_tuple_is_an_empty_one() -> None:
    sents = {"en": "A. | B.", "ko": "가."}
    gold = nway(sents, [{"en": [0], "ko": [0]}, {"en": [1], "ko": []}])
    pred = nway(sents, [{"en": [0], "ko": [0]}, {"en": [1]}])
    scores = score_pairs([gold], [pred]).tuples
    assert scores is not None
    assert scores.exact.f1 == 1.0


def test_other_segmentations_are_compared_on_characters() -> None:
    gold = nway(
        {"en": "Rain fell. | It stopped. | Good.", "ko": "비가 왔다. | 그쳤다. 좋다."},
        None,
        beads={"en-ko": beads("0-0; 1,2-1")},
    )
    same = nway(
        {"en": "Rain  fell. | It stopped. Good.", "ko": "비가 왔다. | 그쳤다. | 좋다."},
        None,
        beads={"en-ko": beads("0-0; 1-1,2")},
    )
    scores = score_pairs([gold], [same])
    assert scores.pairs["en-ko"].strict.f1 == 1.0
    assert "units:characters" in scores.signature
    assert scores.pairs["en-ko"].kinds["2-1"].found == 1
    cut_elsewhere = nway(
        {"en": "Rain fell. It | stopped. Good.", "ko": "비가 왔다. | 그쳤다. | 좋다."},
        None,
        beads={"en-ko": beads("0-0; 1-1,2")},
    )
    moved = score_pairs([gold], [cut_elsewhere]).pairs["en-ko"]
    assert (moved.strict.f1, moved.lax.f1) == (0.0, 1.0)


def test_links_between_other_segmentations_count_character_pairs() -> None:
    gold = nway({"en": "ab | c", "ko": "가 | 나"}, [{"en": [0], "ko": [0]}, {"en": [1], "ko": [1]}])
    pred = nway({"en": "a | bc", "ko": "가 | 나"}, [{"en": [0], "ko": [0]}, {"en": [1], "ko": [1]}])
    scores = score_pairs([gold], [pred]).tuples
    assert scores is not None
    assert scores.links == Counts(2, 3, 2, 3)  # a-가 and c-나 are right, b-나 should be b-가


@pytest.mark.parametrize(
    ("gold", "pred", "message"),
    [
        (pair("0-0"), pair("0-0", id="other"), r"1 of 1 gold rows have no prediction: d \(en-ko\)"),
        (pair("0-0; 1-1"), pair("0-0"), r"pred, row 1: .*missing \[1\]"),
        (pair("0-0"), pair("0-0; 0-1"), r"pred, row 1: .*twice \[0\]"),
        (pair("0-0"), {"id": "d", "src_lang": "en", "tgt_lang": "ko"}, "no 'beads', 'gold' or 'tuples'"),
        (pair("0-0", src=["Hello."], tgt=["네."]), pair("0-0", src=["Help."], tgt=["네."]), "'p.' where"),
        (pair("0-0"), {"id": [7]}, "pred, row 1: not a usable row"),
        (pair("0-0"), {"id": "d", "beads": {"en": beads("0-0")}}, "'en' is no pair of languages"),
    ],
)
def test_unusable_predictions_are_named(
    gold: dict[str, object], pred: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score_pairs([gold], [pred])


def test_a_row_given_twice_is_an_error() -> None:
    with pytest.raises(InputError, match=r"pred, row 2: 'd' in en-ko stands there a second time"):
        score_pairs([pair("0-0")], [pair("0-0"), pair("0-0")])


def test_missing_ids_are_all_listed(tmp_path: Path) -> None:
    gold = write_jsonl(tmp_path / "gold.jsonl", pair("0-0", id="a"), pair("0-0", id="b"), pair("0-0", id="c"))
    pred = write_jsonl(tmp_path / "pred.jsonl", pair("0-0", id="b"), pair("0-0", id="beyond the gold"))
    with pytest.raises(InputError, match=r"2 of 3 gold rows have no prediction: a \(en-ko\), c \(en-ko\)"):
        evaluate_sentences_files(gold, pred)


def test_a_broken_line_is_named_by_file_and_line(tmp_path: Path) -> None:
    gold = write_jsonl(tmp_path / "gold.jsonl", pair("0-0"))
    pred = tmp_path / "pred.jsonl"
    pred.write_text('\n{"id": "d", "beads": [[[0], [0]]]\n', encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"{pred}:2: not a usable row")):
        evaluate_sentences_files(gold, pred)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot read"), (b"", "no rows"), (b"\xff", "UTF-8")]
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "gold.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        evaluate_sentences_files(path, path)


STEPS = st.lists(st.sampled_from([(1, 1), (1, 0), (0, 1), (2, 1), (1, 2)]), min_size=1, max_size=8)


def walk(steps: list[tuple[int, int]]) -> dict[str, object]:
    """The monotone alignment whose beads have these sizes, in this order."""
    found, at = [], [0, 0]
    for left, right in steps:
        found.append([list(range(at[0], at[0] + left)), list(range(at[1], at[1] + right))])
        at = [at[0] + left, at[1] + right]
    return {"id": "d", "beads": found, "src": ["a."] * at[0], "tgt": ["b."] * at[1]}


@given(STEPS)
def test_the_gold_itself_scores_one(steps: list[tuple[int, int]]) -> None:
    scores = score_pairs([walk(steps)], [walk(steps)]).pairs["all"]
    assert scores.strict.f1 == scores.lax.f1 == 1.0


@given(STEPS.flatmap(lambda steps: st.tuples(st.just(steps), st.permutations(steps))))
def test_swapping_gold_and_prediction_swaps_precision_and_recall(
    both: tuple[list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    one, other = (walk(steps) for steps in both)
    there, back = (score_pairs([a], [b]).pairs["all"] for a, b in ((one, other), (other, one)))
    assert (there.strict.precision, there.strict.recall) == (back.strict.recall, back.strict.precision)
    assert (there.lax.precision, there.lax.recall) == (back.lax.recall, back.lax.precision)
    assert there.lax.found >= there.strict.found - there.nulls.found


def test_a_record_scores_one_against_itself() -> None:
    rows = to_rows([alignment_row(record) for record in news()], SentenceRow, "run")
    scores = evaluate_sentences(rows, rows)
    assert set(scores.pairs) == {"en-ko", "en-uk", "en-ru", "ko-uk", "ko-ru", "uk-ru"}
    assert all(each.strict.f1 == 1.0 for each in scores.pairs.values())
    assert scores.tuples is not None
    assert scores.tuples.exact.f1 == scores.tuples.links.f1 == 1.0
    json.dumps(scores.as_dict())


def test_development_gold_reads_and_agrees_with_itself(shared_data: Path) -> None:
    for name in ("pairs", "nway"):
        path = shared_data / "sentences" / f"{name}.jsonl"
        scores = evaluate_sentences_files(path, path)
        assert all(each.strict.f1 == 1.0 for each in scores.pairs.values())


def test_the_interval_is_seeded_and_as_wide_as_the_documents_differ() -> None:
    alike = [Counts(9, 10, 9, 10)] * 20
    assert f1_interval(alike).low == f1_interval(alike).high == pytest.approx(0.9)
    mixed = [Counts(10, 10, 10, 10)] * 10 + [Counts(5, 10, 5, 10)] * 10
    assert f1_interval(mixed) == f1_interval(mixed)
    assert f1_interval(mixed).low < 0.72
    assert f1_interval(mixed).high > 0.78


# --- entities ----------------------------------------------------------------------------------------


def entity_row(notation: str, *, lost: str = "", **more: object) -> dict[str, object]:
    """`1:[0,4]LOC 2:[6,9]PER`: source id, span, label."""
    found = re.findall(r"(\w+):\[(\d+),(\d+)\](\w*)", notation)
    return {
        "id": "d",
        "tgt_lang": "ko",
        "entities": [
            {"source": s, "start": int(a), "end": int(b), "label": label} for s, a, b, label in found
        ],
        "lost": [{"source": source, "reason": "below threshold"} for source in lost.split()],
        **more,
    }


def score_rows(gold: list[dict[str, object]], pred: list[dict[str, object]]) -> EntityScores:
    return evaluate_entities(to_rows(gold, EntityRow, "gold"), to_rows(pred, EntityRow, "pred"))


def test_spans_by_hand() -> None:
    gold = entity_row("1:[0,4]LOC 2:[6,10]PER 3:[12,20]ORG 4:[22,24]LOC", lost="5")
    pred = entity_row("1:[0,4] 2:[6,9] 3:[18,24] 5:[30,32] 9:[40,44]", lost="4")
    scores = score_rows([gold], [pred])
    # 1 exact; 2 shares 3 of 4; 3 shares 2 of 12; 4 lost; 5 has no counterpart in the gold; 9 is not judged.
    assert scores.overall.exact == Counts(right=1, predicted=4, found=1, gold=4)
    assert scores.overall.relaxed == Counts(right=2, predicted=4, found=2, gold=4)
    assert (scores.overall.lost, scores.overall.lost_rate, scores.unjudged) == (1, 0.25, 1)
    by_label = {
        label: (each.exact.found, each.mentions, each.lost) for label, each in scores.by_label.items()
    }
    assert by_label == {"LOC": (1, 2, 1), "ORG": (0, 1, 0), "PER": (0, 1, 0)}


def test_a_mention_without_any_answer_counts_as_lost() -> None:
    assert score_rows([entity_row("1:[0,4] 2:[5,9]")], [entity_row("1:[0,4]")]).overall.lost == 1


def test_relaxed_starts_at_half() -> None:
    half = score_rows([entity_row("1:[0,4]")], [entity_row("1:[0,2]")]).overall
    less = score_rows([entity_row("1:[0,5]")], [entity_row("1:[0,2]")]).overall
    assert (half.relaxed.found, less.relaxed.found) == (1, 0)


def test_an_alternative_span_is_as_good() -> None:
    gold = entity_row("")
    gold["entities"] = [{"source": "1", "start": 0, "end": 3, "alt": [[0, 9]]}]
    assert score_rows([gold], [entity_row("1:[0,9]")]).overall.exact.f1 == 1.0


def test_rows_are_joined_by_language() -> None:
    gold = [entity_row("1:[0,4]"), entity_row("1:[7,9]", tgt_lang="uk")]
    pred = [entity_row("1:[7,9]", tgt_lang="uk"), entity_row("1:[1,4]")]
    scores = score_rows(gold, pred)
    exact = {lang: each.exact.f1 for lang, each in scores.by_language.items()}
    assert exact == {"ko": 0.0, "uk": 1.0}


@pytest.mark.parametrize(
    ("pred", "message"),
    [
        (entity_row("1:[0,4]", id="other"), r"no prediction: d \(ko\)"),
        (entity_row("1:[0,4]", tgt_lang="uk"), r"no prediction: d \(ko\)"),
        (entity_row("1:[0,4] 1:[5,6]"), "source mention '1' stands twice"),
        (entity_row("1:[0,4]", lost="1"), "source mention '1' stands twice"),
        (entity_row("1:[0,4]", tgt="다른 글"), "offsets cannot be compared"),
        (entity_row("1:[4,1]"), "negative or reversed"),
    ],
)
def test_unusable_spans_are_named(pred: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        score_rows([entity_row("1:[0,4]", tgt="서울은 크다")], [pred])


def test_a_records_spans_score_one_against_themselves(tmp_path: Path) -> None:
    rows = [row for record in news() for row in projection_rows(record)]
    path = write_jsonl(tmp_path / "rows.jsonl", *rows)
    scores = evaluate_entities_files(path, path)
    assert scores.overall.exact.f1 == 1.0
    assert scores.overall.lost == 0
    assert sum(len(row["lost"]) for row in rows) > 0  # type: ignore[arg-type]
    assert set(scores.by_language) == {"ko", "uk", "ru"}
    json.dumps(scores.as_dict())


# --- words, translation, search ----------------------------------------------------------------------


def test_word_links_by_hand(tmp_path: Path) -> None:
    # Sentence 1: sure 0-0 1-1, possible 1-2; predicted 0-0 1-2 3-3. Sentence 2: all right.
    (tmp_path / "gold.tsv").write_text("a b\tв г\t0-0 1-1 1?2\nx\tу\t0-0\n", encoding="utf-8")
    (tmp_path / "pred.txt").write_text("0-0 1-2 3-3\n0-0\n", encoding="utf-8")
    scores = evaluate_words_files(tmp_path / "gold.tsv", tmp_path / "pred.txt")
    assert scores.links == Counts(right=3, predicted=4, found=2, gold=3)
    assert scores.aer == pytest.approx(1 - (2 + 3) / (4 + 3))
    json.dumps(scores.as_dict())


def test_word_links_from_jsonl_and_aer_of_sure_links(tmp_path: Path) -> None:
    gold = write_jsonl(tmp_path / "gold.jsonl", {"id": "x", "links": "0-0 1-1"})
    pred = write_jsonl(tmp_path / "pred.jsonl", {"id": "x", "links": [[0, 0, 0.9], [1, 0, 0.3], [2, 2, 0.2]]})
    scores = evaluate_words_files(gold, pred)
    assert scores.aer == pytest.approx(1 - scores.links.f1)
    broken = write_jsonl(tmp_path / "broken.jsonl", {"id": "x", "links": "0:0"})
    with pytest.raises(InputError, match=r"broken\.jsonl:1: '0:0' is no link"):
        evaluate_words_files(gold, broken)


def test_translation_scores_are_sacrebleus(tmp_path: Path) -> None:
    from sacrebleu.metrics import CHRF

    reference, output = "Київ просить допомоги.", "Київ просить про допомогу."
    gold = write_jsonl(
        tmp_path / "gold.jsonl", {"id": "1", "translations": {"uk": reference, "ko": "서울은 크다."}}
    )
    pred = write_jsonl(
        tmp_path / "pred.jsonl", {"id": "1", "translations": {"uk": output, "ko": "서울은 크다."}}
    )
    scores = evaluate_translation_files(gold, pred).languages
    assert scores["uk"].chrf.score == CHRF().corpus_score([output], [[reference]]).score
    assert scores["uk"].chrf_pp.score < scores["uk"].chrf.score < 100
    assert "nw:2" in scores["uk"].chrf_pp.signature
    assert scores["uk"].bleu is not None
    assert "tok:13a" in scores["uk"].bleu.signature
    assert scores["ko"].chrf.score == 100
    assert scores["ko"].bleu is None or "tok:ko-mecab" in scores["ko"].bleu.signature


def test_a_missing_translation_is_an_error() -> None:
    gold = to_rows([{"id": "1", "translations": {"uk": "Так.", "ru": "Да."}}], TranslationRow, "gold")
    pred = to_rows([{"id": "1", "translations": {"uk": "Так."}}], TranslationRow, "pred")
    with pytest.raises(InputError, match="'1' has no translation into 'ru'"):
        evaluate_translation(gold, pred)


def test_translation_rows_of_records() -> None:
    rows = to_rows([translation_row(record) for record in news()], TranslationRow, "run")
    assert {lang: s.chrf.score for lang, s in evaluate_translation(rows, rows).languages.items()} == {
        "ko": pytest.approx(100),
        "uk": pytest.approx(100),
        "ru": pytest.approx(100),
    }


def test_search_scores_by_hand() -> None:
    ranked = {"a": ["x", "y", "z"], "b": ["p", "q", "r"], "c": []}
    relevant = {"a": {"x", "z"}, "b": {"r"}, "c": {"s"}}
    scores = score_search(ranked, relevant, ks=(1, 3))
    assert scores.recall == {1: pytest.approx((1 / 2 + 0 + 0) / 3), 3: pytest.approx((1 + 1 + 0) / 3)}
    assert scores.success == {1: pytest.approx(1 / 3), 3: pytest.approx(2 / 3)}
    assert scores.mrr == pytest.approx((1 + 1 / 3 + 0) / 3)


def test_search_files(tmp_path: Path) -> None:
    gold = write_jsonl(tmp_path / "gold.jsonl", {"id": "q", "relevant": ["a:ko:1"]})
    pred = write_jsonl(tmp_path / "pred.jsonl", {"id": "q", "ranked": ["a:ko:0", "a:ko:1"]})
    assert evaluate_search_files(gold, pred).mrr == 0.5
    with pytest.raises(InputError, match="no prediction: q"):
        evaluate_search_files(gold, write_jsonl(tmp_path / "other.jsonl", {"id": "r", "ranked": []}))
    with pytest.raises(InputError, match="has no relevant passage"):
        score_search({"q": []}, {"q": []})
