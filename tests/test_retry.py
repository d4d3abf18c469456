"""Sentences that fail a check: what is tried, what is kept, what is said about it; terms and context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest
from checkpoints import m2m100
from test_translate import Reverser, document, whole

from mtalign.check import Judge, Limits
from mtalign.config import Config, EncoderConfig, EngineConfig, TermsConfig, TranslatorConfig, load
from mtalign.encode import Encoder
from mtalign.errors import ConfigError
from mtalign.likeness import Likeness
from mtalign.load import Models
from mtalign.record import Origin
from mtalign.segment import segment, split_sentences
from mtalign.translate.document import translate_documents
from mtalign.translate.engine import Capabilities, Decoding, Hypothesis, check_decoding
from mtalign.translate.options import TransformersOptions
from mtalign.translate.prompts import examples
from mtalign.translate.sentences import Translations, translate_sentences
from mtalign.translate.terms import Term, Terms
from mtalign.translate.translator import DEFAULT_LADDER, Rung, Translator

SOURCE = "The minister signed the agreement in Geneva on Monday."
GOOD = "Министр подписал соглашение в Женеве в понедельник."
LOOP = "Министр подписал соглашение в Женеве, соглашение в Женеве, соглашение в Женеве, соглашение в Женеве."
WRONG = "Міністр підписав угоду в Женеві в понеділок, і це було несподівано для всіх."
EVERYTHING = Capabilities(beam=True, n_best=True, no_repeat=True, context=True)


class Phrasebook:
    """An engine that knows its sentences by heart: hypotheses by sentence, or by sentence and decoding.

    What is not in the book comes back as it is.
    """

    signature = "phrasebook:1"

    def __init__(
        self,
        book: Mapping[str | tuple[str, Decoding], Sequence[str]],
        name: str = "phrasebook",
        capabilities: Capabilities = EVERYTHING,
    ) -> None:
        self._book = book
        self.origin = Origin("machine", name, license="mit")
        self.capabilities = capabilities
        self.asked: list[tuple[str, Decoding]] = []
        self.contexts: list[str] = []

    def check_languages(self, source: str, target: str) -> None:
        del source, target

    def limit(self, source: str, target: str) -> int:
        del source, target
        return 40

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
        del source, target
        check_decoding(self, decoding, contexts)
        self.asked += [(sentence, decoding) for sentence in sentences]
        self.contexts += contexts or []
        found = (self._book.get((each, decoding)) or self._book.get(each, [each]) for each in sentences)
        return [[Hypothesis(text, -float(n)) for n, text in enumerate(texts)] for texts in found]

    def score(
        self, sources: Sequence[str], translations: Sequence[str], source: str, target: str
    ) -> NoReturn:
        del sources, translations, source, target
        raise ConfigError("the phrasebook gives no probabilities")


def translate(engine: Phrasebook, *ladder: Rung, sentence: str = SOURCE, **more: object) -> Translations:
    translator = Translator(engine, judge=Judge(Limits()), ladder=ladder, **more)  # type: ignore[arg-type]
    return translate_sentences([sentence], "en", "ru", translator)


def kinds(result: Translations) -> list[str]:
    return [issue.kind for issue in result.issues]


def test_a_good_translation_is_not_tried_again() -> None:
    engine = Phrasebook({SOURCE: [GOOD, WRONG]})
    result = translate(engine, *DEFAULT_LADDER)
    assert (result.texts, result.issues) == ((GOOD,), ())
    assert len(engine.asked) == 1


def test_the_next_hypothesis_at_hand_costs_nothing() -> None:
    engine = Phrasebook({SOURCE: [LOOP, GOOD]})
    assert translate(engine, *DEFAULT_LADDER).texts == (GOOD,)
    assert len(engine.asked) == 1


@pytest.mark.parametrize("rung", [Rung(candidates=2), Rung(no_repeat=3), Rung(beam_size=8)])
def test_each_rung_may_bring_it(rung: Rung) -> None:
    decoding = Decoding(rung.beam_size, rung.candidates, rung.no_repeat)
    engine = Phrasebook({SOURCE: [LOOP], (SOURCE, decoding): [LOOP, GOOD]})
    result = translate(engine, rung, Rung(no_repeat=5))
    assert (result.texts, result.issues) == ((GOOD,), ())
    assert engine.asked == [(SOURCE, Decoding()), (SOURCE, decoding)]


def test_rungs_that_the_engine_cannot_take_are_passed_over() -> None:
    engine = Phrasebook({SOURCE: [LOOP]}, capabilities=Capabilities())
    result = translate(engine, *DEFAULT_LADDER)
    assert len(engine.asked) == 1
    assert "repetition" in kinds(result)


def test_the_fallback_engine_is_asked_last_and_named() -> None:
    engine, fallback = Phrasebook({SOURCE: [SOURCE]}), Phrasebook({SOURCE: [GOOD]}, "other")
    result = translate(engine, *DEFAULT_LADDER, fallback=fallback)
    assert result.texts == (GOOD,)
    assert result.outcomes[0].origin == fallback.origin
    assert [decoding for _, decoding in fallback.asked] == [Decoding()]
    made = translate_documents(
        [document(f"{SOURCE}|")],
        "ru",
        Translator(engine, judge=Judge(Limits()), ladder=DEFAULT_LADDER, fallback=fallback),
        whole,
    )
    assert made[0].origin.others == (fallback.origin,)


def test_the_least_bad_is_kept_and_flagged_with_what_was_tried() -> None:
    short = "Министр подписал."
    engine = Phrasebook({SOURCE: [SOURCE], (SOURCE, Decoding(no_repeat=3)): ["", short]})
    result = translate(engine, Rung(no_repeat=3), Rung(beam_size=8))
    assert result.texts == (short,)
    assert [(each.kind, each.severity) for each in result.issues] == [("length-ratio", "warning")]
    assert "no_repeat 3" in result.issues[0].evidence
    assert "beam_size 8" in result.issues[0].evidence


def test_nothing_is_dropped_when_everything_fails() -> None:
    engine = Phrasebook({SOURCE: [""]})
    result = translate(engine, *DEFAULT_LADDER)
    assert result.texts == (SOURCE,)
    assert kinds(result) == ["empty-output"]


def test_a_rung_must_say_something() -> None:
    with pytest.raises(ConfigError, match="says nothing"):
        Rung()
    with pytest.raises(ConfigError, match="beam_size"):
        Rung(beam_size=0)


def test_candidates_are_ranked(encoder: Encoder) -> None:
    off = "Погода завтра будет тёплой и солнечной почти везде."
    engine = Phrasebook({(SOURCE, Decoding(candidates=3)): [off, GOOD, WRONG], SOURCE: [off]})
    translator = Translator(engine, encoder=encoder, candidates=3)
    assert translate_sentences([SOURCE], "en", "ru", translator).texts == (GOOD,)
    poor = Phrasebook({}, capabilities=Capabilities())
    with pytest.raises(ConfigError, match="candidates 3"):
        translate_sentences([SOURCE], "en", "ru", Translator(poor, candidates=3))
    assert poor.asked == []


def test_what_is_unlike_its_source_is_seen(encoder: Encoder) -> None:
    likeness = Likeness(encoder, examples())
    judge = Judge(Limits(), likeness)
    other = "Футбольный матч закончился вничью после дополнительного времени."
    good, bad = judge.problems([(SOURCE, GOOD), (SOURCE, other)], "en", "ru")
    assert [each.kind for each in good] == []
    assert [each.kind for each in bad] == ["unlike-source"]
    (found,) = judge.problems([(SOURCE, other)], "en", "bg")  # there are no examples in Bulgarian
    assert "unlike-source" not in [each.kind for each in found]
    off = Judge(Limits(likeness=0), likeness)
    assert off.problems([(SOURCE, other)], "en", "ru") == [()]


LINK = "Write to press@bank.example about the central bank."
TERMS = Terms((Term("central bank", (("ru", "центральный банк"),)),), ("email",))


def test_terms_are_masked_and_put_back() -> None:
    engine = Phrasebook({"Write to XQ0 about the XQ1.": ["О теме XQ1 пишите на XQ0."]})
    result = translate(engine, sentence=LINK, terms=TERMS)
    assert result.texts == ("О теме центральный банк пишите на press@bank.example.",)
    assert result.issues == ()


def test_a_lost_placeholder_leads_to_a_translation_without_them() -> None:
    masked = "Write to XQ0 about the XQ1."
    plain = "Напишите на press@bank.example о центральном банке."
    engine = Phrasebook({masked: ["Напишите на адрес."], LINK: [plain]})
    result = translate(engine, *DEFAULT_LADDER, sentence=LINK, terms=TERMS)
    assert [sentence for sentence, _ in engine.asked] == [masked, LINK]
    assert (result.texts, result.issues) == ((plain,), ())


def test_a_lost_term_is_tried_again_and_flagged() -> None:
    engine = Phrasebook(
        {"Write to XQ0 about the XQ1.": ["Пишите."], LINK: ["Напишите письмо на press@bank.example о банке."]}
    )
    result = translate(engine, Rung(no_repeat=3), sentence=LINK, terms=TERMS)
    assert kinds(result) == ["lost-term"]
    assert "центральный банк" in result.issues[0].evidence
    assert "without placeholders, no_repeat 3" in result.issues[0].evidence


def test_a_hypothesis_that_keeps_the_placeholders_is_taken() -> None:
    engine = Phrasebook({"Write to XQ0 about the XQ1.": ["Пишите.", "Пишите на XQ0 про XQ1, пожалуйста."]})
    result = translate(engine, sentence=LINK, terms=TERMS)
    assert result.texts == ("Пишите на press@bank.example про центральный банк, пожалуйста.",)


class LetterCounter(Reverser):
    """A reverser whose tokens are characters."""

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        del source, target
        return len(sentence)


def test_a_sentence_that_a_placeholder_takes_over_the_limit_goes_without() -> None:
    terms = Terms((Term("a", (("ru", "б"),)),))
    result = translate_sentences(["a c"], "en", "ru", Translator(LetterCounter(limit=3), terms=terms))
    assert (result.texts, kinds(result)) == (("c a",), ["lost-term"])
    roomy = translate_sentences(["a c"], "en", "ru", Translator(LetterCounter(limit=5), terms=terms))
    assert (roomy.texts, roomy.issues) == (("c б",), ())


def test_a_sentence_in_the_target_language_is_kept() -> None:
    engine = Phrasebook({})
    translator = Translator(engine, judge=Judge(Limits()), ladder=DEFAULT_LADDER)
    quoted = "Мы ничего не подписывали, сказал министр."
    korean = "장관은 아무것도 서명하지 않았다고 말했다."
    russian = translate_sentences([quoted], "en", "ru", translator)
    assert (russian.texts, kinds(russian)) == ((quoted,), ["already-translated"])
    assert translate_sentences([korean], "en", "ko", translator).texts == (korean,)
    assert engine.asked == []
    translate_sentences([quoted], "en", "uk", translator)
    assert engine.asked


def test_the_sentences_before_are_the_context() -> None:
    engine = Phrasebook({})
    source = document("One.| Two.|\n\nThree.| Four.|")
    translator = Translator(engine, context_sentences=2)
    translate_documents([source, source], "ru", translator, whole)
    assert engine.contexts == ["", "One.", "One. Two.", "Two. Three."]  # the second document is the same
    with pytest.raises(ConfigError, match="sentences before"):
        translate_documents([source], "ru", Translator(Reverser(), context_sentences=2), whole)


BAD = {
    "blank": " \t ",
    "emoji": "😀👍🏽 fine 🇺🇦",
    "no space": "a" * 1500,
    "zero width": "the\u200bminister\u200d \u202ewelcomed\u202c the plan",
    "surrogate": "the minister \ud83d welcomed",
    "html": '<p class="x">The minister &amp; <b>a teacher</b></p>',
    "target": "Министр ничего не подписывал в понедельник.",
    "url": "see https://example.org/a?b=c, `code` and a@b.example",
}


@pytest.fixture(scope="module")
def models(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A tiny real model that knows nothing, with a fallback of the same kind: everything fails somewhere."""
    folder = tmp_path_factory.mktemp("m2m100")
    options = TransformersOptions(max_ratio=0.5)
    config = Config(
        encoder=EncoderConfig(model="starter:e5-small", prefix="query: "),
        terms=TermsConfig(),
        translate={
            "default": TranslatorConfig(
                model=str(m2m100(folder / "a").path),
                options=options,
                ladder=(Rung(no_repeat=3), Rung(fallback=True)),
                fallback=EngineConfig(model=str(m2m100(folder / "b").path), options=options),
            )
        },
    )
    made = Models(config, folder / "memory.sqlite")
    made.__dict__["encoder"] = encoder
    return made


def test_bad_input_becomes_something_defined(models: Models) -> None:
    sentences = list(BAD.values())
    made = translate_sentences(sentences, "en", "ru", models.translator("ru"))
    text = dict(zip(BAD, made.texts, strict=True))
    found = {name: {i.kind for i in made.issues if i.sentences == (n,)} for n, name in enumerate(BAD)}
    assert all(each or name == "blank" for name, each in text.items())
    assert all("\ud83d" not in each and "\n" not in each for each in text.values())
    assert found["blank"] == set()
    assert "split-sentence" in found["no space"]
    assert (text["target"], found["target"]) == (BAD["target"], {"already-translated"})
    # Random weights translate nothing: whatever is not right is said.
    assert found["html"]
    assert translate_sentences(sentences, "en", "ru", models.translator("ru")) == made


def test_an_article_through_a_model_that_fails_everywhere(models: Models) -> None:
    source = segment(
        document("Talks in Geneva|\n\n- The minister welcomed the plan.|\n- Nobody came.|\n\n  (Photo)|")
    )
    (made,) = translate_documents([source], "ko", models.translator("ko"), split_sentences)
    assert len(made.beads) == len(source.sentences)
    assert len(made.scores) == len(source.sentences)
    flagged = {j for issue in made.issues for j in issue.sentences}
    assert flagged
    assert flagged <= set(range(len(made.document.sentences)))
    assert any("tried too" in issue.evidence for issue in made.issues)


def test_models_are_named_with_their_licences(models: Models) -> None:
    used = {each.role: each.license for each in models.find(["ko"])}
    assert used == {"encoder": "mit", "translator ko": None, "fallback ko": None}
    assert models.signature(["ko"]).count("#") == 3  # a fingerprint each


def test_a_bad_glossary_is_found_out_before_anything_is_written(models: Models, tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_text("source\tko\tcase\nbank\t은행\tmaybe\n", encoding="utf-8")
    terms = TermsConfig(glossary=tmp_path / "terms.tsv")
    chosen = Models(models.config.model_copy(update={"terms": terms}))
    for look in (chosen.find, chosen.survey):
        assert look([])
        with pytest.raises(ConfigError, match=r"terms\.tsv, line 2: case"):
            look(["ko"])


def test_everything_around_an_engine_is_set_in_yaml(tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_text("source\tko\nbank\t은행\n", encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text(
        f"""
encoder: {{model: starter:e5-small}}
terms: {{glossary: {tmp_path / "terms.tsv"}, protect: [url, quantity]}}
translate:
  ko:
    model: some/folder
    candidates: 3
    weights: {{cosine: 2, script: 0}}
    ladder: [{{no_repeat: 4}}, {{fallback: true, beam_size: 2}}]
    fallback: {{engine: ctranslate2, model: other/folder, options: {{beam_size: 2}}}}
    context: previous
    context_sentences: 2
""",
        encoding="utf-8",
    )
    config = load(path)
    chosen = config.translate["ko"]
    assert chosen.ladder == (Rung(no_repeat=4), Rung(beam_size=2, fallback=True))
    assert chosen.weights.cosine == 2
    assert chosen.fallback
    assert chosen.fallback.engine == "ctranslate2"
    assert Models(config).terms == Terms((Term("bank", (("ko", "은행"),)),), ("url", "quantity"))
    path.write_text(
        path.read_text(encoding="utf-8").replace("no_repeat: 4", "no_repeat: 0"), encoding="utf-8"
    )
    with pytest.raises(ConfigError, match="says nothing"):
        load(path)


def test_the_memory_is_no_part_of_what_makes_a_record(models: Models, tmp_path: Path) -> None:
    elsewhere = Models(models.config, tmp_path / "other.sqlite")
    assert elsewhere.signature(["ko"]) == models.signature(["ko"])
    assert elsewhere.signature([]) != models.signature(["ko"])
