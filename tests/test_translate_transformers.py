"""Every kind of model through its engine, on tiny checkpoints with the real tokenizer and model classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import checkpoints
import pytest
import torch
import transformers

from mtalign.errors import ConfigError, InputError, ModelUnavailable, UnknownLanguage
from mtalign.languages import language
from mtalign.models import ModelFiles
from mtalign.translate.engine import Decoding, Engine, Hypothesis
from mtalign.translate.options import TransformersOptions
from mtalign.translate.prompts import examples, few_shot_stem, few_shot_tail
from mtalign.translate.sentences import translate_sentences
from mtalign.translate.transformers import load_engine
from mtalign.translate.translator import Translator

# Random models do not end by themselves: a low ratio keeps the tests short.
_QUICK = TransformersOptions(max_ratio=0.05, batch_tokens=600)

_ENCODER_DECODERS = ("marian", "m2m100", "nllb", "mbart50", "madlad")
_PROMPTS = {"gemma3": "few-shot", "llama_chat": "chat"}
_ALL = (*_ENCODER_DECODERS, *_PROMPTS)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small are slower on several threads, and much slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFiles]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {kind: getattr(checkpoints, kind)(root / kind) for kind in _ALL}


@pytest.fixture(scope="module")
def engines(files: dict[str, ModelFiles]) -> dict[str, Engine]:
    return {kind: load_engine(files[kind], _options(kind)) for kind in _ALL}


def _options(kind: str, **changes: object) -> TransformersOptions:
    return replace(_QUICK, prompt=_PROMPTS.get(kind), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", _ALL)
def test_order_is_kept_and_batching_changes_nothing(engines: dict[str, Engine], kind: str) -> None:
    engine = engines[kind]
    sentences = checkpoints.english(8, seed=1)
    together = engine.translate(sentences, "en", "ru")
    alone = [engine.translate([sentence], "en", "ru")[0] for sentence in sentences]
    assert [each[0].text for each in together] == [each[0].text for each in alone]
    assert [each[0].complete for each in together] == [each[0].complete for each in alone]
    assert [each[0].score for each in together] == pytest.approx([each[0].score for each in alone], abs=1e-3)
    assert len({each[0].text for each in together}) > 1
    assert all("\n" not in each[0].text for each in together)


@pytest.mark.parametrize("kind", _ALL)
def test_the_best_of_several(files: dict[str, ModelFiles], kind: str) -> None:
    engine = load_engine(files[kind], _options(kind, candidates=3))
    sentences = checkpoints.english(3, seed=2)
    groups = engine.translate(sentences, "en", "ru")
    assert [len(group) for group in groups] == [3, 3, 3]
    assert all(hypothesis.score < 0 for group in groups for hypothesis in group)
    if kind in _PROMPTS:
        greedy = load_engine(files[kind], _options(kind)).translate(sentences, "en", "ru")
        assert [group[0].text for group in groups] == [group[0].text for group in greedy]
    else:
        assert all(group == sorted(group, key=lambda each: -each.score) for group in groups)
    assert engine.translate(sentences, "en", "ru") == groups


@pytest.mark.parametrize("kind", _PROMPTS)
def test_samples_do_not_depend_on_the_batch(files: dict[str, ModelFiles], kind: str) -> None:
    engine = load_engine(files[kind], _options(kind, candidates=3, temperature=1.0))
    sentences = checkpoints.english(5, seed=3)
    together = engine.translate(sentences, "en", "ko")
    alone = engine.translate(sentences[2:3], "en", "ko")
    assert [each.text for each in together[2]] == [each.text for each in alone[0]]
    assert len({each.text for each in together[2]}) > 1
    other = load_engine(files[kind], _options(kind, candidates=3, temperature=1.0, seed=1))
    assert [each.text for each in other.translate(sentences[2:3], "en", "ko")[0]] != [
        each.text for each in alone[0]
    ]


@pytest.mark.parametrize("kind", _ALL)
def test_a_sentence_of_3000_tokens_is_never_truncated(engines: dict[str, Engine], kind: str) -> None:
    engine = engines[kind]
    clauses = [each.rstrip(".") for each in checkpoints.english(300, seed=4)]
    count = next(n for n in range(300) if engine.count_tokens("; ".join(clauses[:n]), "en", "ru") > 3000)
    sentence = "; ".join(clauses[:count])
    limit = engine.limit("en", "ru")
    listening = _Listening(engine)
    result = translate_sentences([sentence], "en", "ru", Translator(listening))
    assert " ".join(listening.asked) == sentence
    assert all(engine.count_tokens(part, "en", "ru") <= limit for part in listening.asked)
    assert len(result.texts) == 1
    if limit < 3000:
        assert result.issues[0].kind == "split-sentence"
        with pytest.raises(InputError, match="over the limit"):
            engine.translate([sentence], "en", "ru")


class _Listening:
    """The real engine, and a list of what it was asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.asked: list[str] = []
        self.origin = engine.origin
        self.signature = engine.signature
        self.capabilities = engine.capabilities
        self.score = engine.score
        self.check_languages = engine.check_languages
        self.limit = engine.limit
        self.count_tokens = engine.count_tokens

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        decoding: Decoding = Decoding(),
        contexts: Sequence[str] | None = None,
    ) -> list[list[Hypothesis]]:
        self.asked += sentences
        return self._engine.translate(sentences, source, target, decoding, contexts)


@pytest.mark.parametrize("kind", _ALL)
@pytest.mark.parametrize(
    "sentence",
    [
        "A",
        "<b>bold</b>",
        "Привет, мир.",
        "a\u200bb \u202eabc\u202c",
        "word " * 40,
        "x" * 300,
        "</s> <pad> ok",
    ],
)
def test_odd_sentences_give_one_line(engines: dict[str, Engine], kind: str, sentence: str) -> None:
    result = translate_sentences([sentence], "en", "ru", Translator(engines[kind]))
    assert len(result.texts) == 1
    assert result.texts[0].strip()
    assert len(result.texts[0].splitlines()) == 1


@pytest.mark.parametrize(
    ("kind", "target", "needle"),
    [
        ("marian", "uk", "from en into ru"),
        ("m2m100", "de", None),
        ("nllb", "de", None),
        ("mbart50", "be", "Belarusian"),
        ("madlad", "de", "<2de>"),
        ("gemma3", "de", "few-shot examples in de"),
        ("llama_chat", "de", None),
    ],
)
def test_languages_are_validated(
    engines: dict[str, Engine], kind: str, target: str, needle: str | None
) -> None:
    if needle is None:
        engines[kind].check_languages("en", target)
    else:
        with pytest.raises(ConfigError, match=needle):
            engines[kind].check_languages("en", target)
    with pytest.raises(UnknownLanguage):
        engines[kind].check_languages("en", "tlh")


def test_a_multilingual_marian_is_told_the_target(tmp_path: Path) -> None:
    engine = load_engine(checkpoints.marian(tmp_path, tags=[">>rus<<", ">>ukr<<"]), _QUICK)
    sentence = checkpoints.english(1)
    russian, ukrainian = (engine.translate(sentence, "en", target) for target in ("ru", "uk"))
    assert russian != ukrainian
    assert engine.count_tokens(sentence[0], "en", "ru") == engine.count_tokens(sentence[0], "en", "uk")
    with pytest.raises(ConfigError, match=r">>kor<<.*it knows >>rus<< >>ukr<<"):
        engine.check_languages("en", "ko")


@pytest.mark.parametrize("kind", ["m2m100", "nllb", "mbart50", "madlad"])
def test_the_target_language_reaches_the_model(engines: dict[str, Engine], kind: str) -> None:
    sentences = checkpoints.english(4, seed=5)
    outputs = [[each[0] for each in engines[kind].translate(sentences, "en", to)] for to in ("ru", "ko")]
    assert outputs[0] != outputs[1]


def test_few_shot_output_is_written_in_the_target_script(engines: dict[str, Engine]) -> None:
    texts = [each[0].text for each in engines["gemma3"].translate(checkpoints.english(6), "en", "ko")]
    letters = {char for text in texts for char in text if char.isalpha()}
    assert letters
    assert not any("а" <= char <= "я" for char in letters)


def test_scores_are_those_of_the_whole_prompt(
    files: dict[str, ModelFiles], engines: dict[str, Engine]
) -> None:
    """The examples are read once for all sentences: what is read after them must not notice."""
    sources = checkpoints.english(4, seed=7)
    translations = ["Да.", "Министр отклонил план.", "Учитель описал мост, а министр молчал.", "Нет"]
    path = files["gemma3"].path
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    found = engines["gemma3"].score(sources, translations, "en", "ru")
    for source, translation, scores in zip(sources, translations, found, strict=True):
        prompt = few_shot_stem("en", "ru") + few_shot_tail(source, "en", "ru")
        ids = tokenizer(f"{prompt} {translation}", return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            logprobs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        expected = logprobs.gather(1, ids[0, 1:, None])[-len(scores) :, 0].tolist()
        assert len(scores) >= len(translation.split())
        assert scores == pytest.approx(expected, abs=1e-3)


def test_examples_that_fill_the_positions_are_refused(tmp_path: Path) -> None:
    engine = load_engine(checkpoints.gemma3(tmp_path, positions=256), _options("gemma3"))
    with pytest.raises(ConfigError, match="no room for a sentence"):
        engine.limit("en", "ru")


def test_a_sentence_beyond_the_sliding_window_is_not_padded(tmp_path: Path) -> None:
    engine = load_engine(checkpoints.gemma3(tmp_path, window=256), _options("gemma3"))
    sentences = checkpoints.english(8, seed=6)
    together = engine.translate(sentences, "en", "ru")
    assert [each[0].text for each in together] == [
        engine.translate([sentence], "en", "ru")[0][0].text for sentence in sentences
    ]


def test_examples_are_complete() -> None:
    assert 6 <= len(examples()) <= 10
    assert all(set(example) == {"en", "ko", "uk", "ru"} for example in examples())
    assert all(text == text.strip() and "\n" not in text for each in examples() for text in each.values())
    assert few_shot_stem("en", "ko").endswith("\n\nEnglish:")


@pytest.mark.parametrize("source", ["en", "ko", "uk", "ru"])
def test_examples_show_what_stood_before_and_do_not_translate_it(source: str) -> None:
    target = "en" if source == "ru" else "ru"
    before, sentence = "It rained all night.", "The river rose."
    prompt = few_shot_stem(source, target, shown=True) + few_shot_tail(sentence, source, target, before)
    blocks = [block.split("\n") for block in prompt.split("\n\n")]
    names = [f"{language(lang).name.capitalize()}:" for lang in (source, target)]
    assert [[line.split(" ")[0] for line in block][-2:] for block in blocks] == [names] * len(blocks)
    assert 2 <= sum(len(block) == 3 for block in blocks[:-1]) < len(blocks) - 1
    assert blocks[-1] == [f"[…]: {before}", f"{names[0]} {sentence}", names[1]]


def test_origin_and_signature(files: dict[str, ModelFiles], engines: dict[str, Engine]) -> None:
    origin = engines["marian"].origin
    assert (origin.kind, origin.engine, origin.model) == ("machine", "transformers", "test:marian")
    assert (origin.license, origin.demo) == ("CC0-1.0", False)
    signatures = {engine.signature for engine in engines.values()}
    assert len(signatures) == len(_ALL)
    beams = load_engine(files["marian"], _options("marian", beam_size=4))
    assert beams.signature not in signatures
    assert "seed-0" in beams.signature


@pytest.mark.parametrize(
    ("kind", "changes", "needle"),
    [
        ("marian", {"prompt": "chat"}, "takes no prompt"),
        ("gemma3", {"prompt": None}, "needs prompt"),
        ("gemma3", {"prompt": "chat"}, "no chat template"),
        ("gemma3", {"beam_size": 4}, "set candidates"),
    ],
)
def test_options_that_do_not_fit(
    files: dict[str, ModelFiles], kind: str, changes: dict[str, object], needle: str
) -> None:
    with pytest.raises(ConfigError, match=needle):
        load_engine(files[kind], replace(_options(kind), **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"beam_size": 0}, {"max_ratio": 0.0}, {"temperature": -1.0}])
def test_impossible_options(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        TransformersOptions(**changes)  # type: ignore[arg-type]


def test_a_folder_without_weights(files: dict[str, ModelFiles], tmp_path: Path) -> None:
    for path in files["marian"].path.iterdir():
        if path.is_file() and path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_engine(replace(files["marian"], path=tmp_path), _QUICK)
