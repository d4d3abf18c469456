"""What holds for every engine that runs a model here: nothing truncated, bad input, scores, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import checkpoints
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSeq2SeqLM

from mtalign.errors import ConfigError, InputError, ModelUnavailable, UsageError
from mtalign.models import ModelFiles
from mtalign.translate import ctranslate2, transformers
from mtalign.translate.batching import plan_batches, run_batches
from mtalign.translate.checkpoint import check_embeddings, load_tokenizer
from mtalign.translate.engine import Decoding, Engine, Hypothesis
from mtalign.translate.options import CTranslate2Options, TransformersOptions
from mtalign.translate.sentences import translate_sentences
from mtalign.translate.translator import Translator

_ENCODER_DECODERS = ("marian", "m2m100", "nllb", "mbart50", "madlad")
_PROMPTS = {"gemma3": "few-shot", "llama_chat": "chat"}
_ENGINES = (*_ENCODER_DECODERS, *_PROMPTS, *(f"ctranslate2-{kind}" for kind in _ENCODER_DECODERS))
_QUICK = TransformersOptions(max_ratio=0.05, batch_tokens=600)


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
    return {kind: getattr(checkpoints, kind)(root / kind) for kind in (*_ENCODER_DECODERS, *_PROMPTS)}


@pytest.fixture(scope="module")
def engines(files: dict[str, ModelFiles], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Engine]:
    loaded: dict[str, Engine] = {
        kind: transformers.load_engine(found, replace(_QUICK, prompt=_PROMPTS.get(kind)))  # type: ignore[arg-type]
        for kind, found in files.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTALIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
        for kind in _ENCODER_DECODERS:
            options = CTranslate2Options(max_ratio=0.05, batch_tokens=600, workers=1)
            loaded[f"ctranslate2-{kind}"] = ctranslate2.load_engine(files[kind], options)
    return loaded


class _Listening:
    """The real engine, and a list of what it was asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.asked: list[str] = []
        self.origin, self.signature = engine.origin, engine.signature
        self.capabilities, self.score = engine.capabilities, engine.score
        self.check_languages, self.limit, self.count_tokens = (
            engine.check_languages,
            engine.limit,
            engine.count_tokens,
        )

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


@pytest.mark.parametrize("name", [each for each in _ENGINES if each.startswith("ctranslate2")])
def test_a_sentence_of_3000_tokens_is_never_truncated(engines: dict[str, Engine], name: str) -> None:
    engine = engines[name]
    clauses = [each.rstrip(".") for each in checkpoints.english(300, seed=4)]
    count = next(
        n for n in range(0, 300, 10) if engine.count_tokens("; ".join(clauses[:n]), "en", "ru") > 3000
    )
    sentence = "; ".join(clauses[:count])
    listening = _Listening(engine)
    result = translate_sentences([sentence], "en", "ru", Translator(listening))
    assert " ".join(listening.asked) == sentence
    assert all(engine.count_tokens(part, "en", "ru") <= engine.limit("en", "ru") for part in listening.asked)
    assert result.issues[0].kind == "split-sentence"


@pytest.mark.parametrize("name", _ENGINES)
def test_the_last_word_of_a_long_sentence_is_read(engines: dict[str, Engine], name: str) -> None:
    engine = engines[name]
    room = min(engine.limit("en", "ru"), 1000)
    clauses = "; ".join(checkpoints.english(80, seed=4))
    sentence = clauses[
        : max(n for n in range(0, len(clauses), 400) if _count(engine, clauses[:n]) < room - 20)
    ]
    # Of equal length, so that nothing else makes a difference.
    ends = [f"{sentence} Geneva budget", f"{sentence} budget Geneva"]
    (one,), (other,) = engine.translate(ends, "en", "ru")
    assert one.score != other.score


def _count(engine: Engine, text: str) -> int:
    return engine.count_tokens(text, "en", "ru")


_ODD = {
    "empty": "",
    "space": " \t ",
    "emoji": "😀😀 👩‍👩‍👧",
    "100kB": "Geneva" * 16_667,
    "bidi": "a\u200bb \u202eabc\u202c \u2066def\u2069",
    "surrogate": "lone \ud800 half",
    "html": "<p>bold &amp; <b>brave</b></p>",
    "target": "Привет, мир.",
}


@pytest.mark.parametrize("name", _ENGINES)
def test_bad_input_gives_one_line_each_and_harms_no_other(engines: dict[str, Engine], name: str) -> None:
    engine = engines[name]
    good = checkpoints.english(1)[0]
    odd = [text for kind, text in _ODD.items() if kind != "100kB"]
    translator = Translator(engine)
    result = translate_sentences([good, *odd, good], "en", "ru", translator)
    assert len(result.texts) == len(odd) + 2
    assert all(len(text.splitlines()) <= 1 for text in result.texts)
    assert [bool(text) for text in result.texts] == [bool(text.strip()) for text in [good, *odd, good]]
    assert result.texts[0] == result.texts[-1] == translate_sentences([good], "en", "ru", translator).texts[0]
    direct = engine.translate(odd, "en", "ru")
    assert [len(group) for group in direct] == [1] * len(odd)


@pytest.mark.parametrize("name", ["marian", "madlad", "llama_chat", "ctranslate2-marian", "ctranslate2-nllb"])
def test_a_hundred_kilobytes_without_a_space(engines: dict[str, Engine], name: str) -> None:
    listening = _Listening(engines[name])
    result = translate_sentences([_ODD["100kB"]], "en", "ru", Translator(listening))
    # Equal parts are translated once, so that they need not add up.
    assert all(part in _ODD["100kB"] for part in listening.asked)
    assert result.texts[0]
    assert result.issues[0].kind == "split-sentence"


@pytest.mark.parametrize("name", _ENGINES)
def test_scores_are_log_probabilities_of_the_given_translation(engines: dict[str, Engine], name: str) -> None:
    engine = engines[name]
    sources = checkpoints.english(3, seed=6)
    texts = ["Да.", "Министр отклонил план, а учитель описал мост.", ""]
    scores = engine.score(sources, texts, "en", "ru")
    assert len(scores[1]) > len(scores[0]) > len(scores[2])
    assert all(value <= 0 for row in scores for value in row)
    alone = [engine.score([a], [b], "en", "ru")[0] for a, b in zip(sources, texts, strict=True)]
    for row, other in zip(scores, alone, strict=True):
        assert row == pytest.approx(other, abs=0.05 if name.startswith("ctranslate2") else 1e-3)
    with pytest.raises(InputError, match="over the limit"):
        engine.score(["a"], ["слово " * 40_000], "en", "ru")


@pytest.mark.parametrize(
    "options",
    [{}, {"beam_size": 3}, {"sample": True, "temperature": 0.7}],
    ids=["greedy", "beams", "samples"],
)
def test_a_score_is_that_of_the_search(trained_marian: ModelFiles, options: dict[str, object]) -> None:
    engine = transformers.load_engine(trained_marian, TransformersOptions(**options))  # type: ignore[arg-type]
    sources = checkpoints.english(10, seed=12)
    found = [group[0] for group in engine.translate(sources, "en", "ru")]
    scores = engine.score(sources, [each.text for each in found], "en", "ru")
    means = [sum(row) / len(row) for row in scores]
    # A few outputs are written with other pieces than the tokenizer reads them with.
    close = [abs(mean - each.score) < 1e-4 for mean, each in zip(means, found, strict=True)]
    assert sum(close) >= 7


# What stands in front of the text, and the token that the output begins with.
_INTO_RUSSIAN = {
    "marian": ("", None),
    "m2m100": ("", "__ru__"),
    "nllb": ("", "rus_Cyrl"),
    "mbart50": ("", "ru_RU"),
    "madlad": ("<2ru> ", None),
}


@pytest.mark.parametrize("kind", _ENCODER_DECODERS)
@pytest.mark.parametrize("no_repeat", [0, 1])
def test_tokens_and_scores_are_those_of_plain_transformers(
    files: dict[str, ModelFiles], engines: dict[str, Engine], kind: str, no_repeat: int
) -> None:
    """`generate` as documented, a sentence at a time, and how likely the model finds its own choices."""
    front, start = _INTO_RUSSIAN[kind]
    tokenizer = load_tokenizer(files[kind])
    model = AutoModelForSeq2SeqLM.from_pretrained(files[kind].path)
    model.generation_config.forced_eos_token_id = None
    sources = checkpoints.english(4, seed=14)
    made = engines[kind].translate(sources, "en", "ru", Decoding(no_repeat=no_repeat))
    for source, (ours,) in zip(sources, made, strict=True):
        inputs = tokenizer(front + source, return_tensors="pt")
        theirs = model.generate(
            **inputs,
            max_new_tokens=_QUICK.max_new_tokens(inputs["input_ids"].shape[1]),
            num_beams=1,
            no_repeat_ngram_size=no_repeat,
            forced_bos_token_id=start and tokenizer.convert_tokens_to_ids(start),
            output_logits=True,
            return_dict_in_generate=True,
        )
        logprobs = model.compute_transition_scores(theirs.sequences, theirs.logits, normalize_logits=True)[0]
        # The language is given, not chosen.
        given = 1 if start else 0
        text = tokenizer.decode(theirs.sequences[0, 1 + given :], skip_special_tokens=True)
        assert ours.text == " ".join(text.split())
        assert ours.score == pytest.approx(float(logprobs[given:].mean()), abs=1e-4)


@pytest.mark.parametrize("name", _ENGINES)
def test_a_call_may_ask_for_what_the_engine_can(engines: dict[str, Engine], name: str) -> None:
    engine = engines[name]
    sources = checkpoints.english(2, seed=5)
    assert engine.capabilities.n_best
    groups = engine.translate(sources, "en", "ru", Decoding(candidates=3, no_repeat=2))
    assert [len(group) for group in groups] == [3, 3]
    assert [len(group) for group in engine.translate(sources, "en", "ru")] == [1, 1]
    if not engine.capabilities.beam:
        with pytest.raises(ConfigError, match="beam_size"):
            engine.translate(sources, "en", "ru", Decoding(beam_size=2))
    if engine.capabilities.context:
        before = engine.translate(sources, "en", "ru", contexts=["It rained all Monday."] * 2)
        assert before != engine.translate(sources, "en", "ru", contexts=["", ""])
        assert engine.translate(sources, "en", "ru", contexts=["long " * 5000] * 2) == engine.translate(
            sources, "en", "ru"
        )
    else:
        with pytest.raises(ConfigError, match="context"):
            engine.translate(sources, "en", "ru", contexts=["", ""])


@pytest.mark.parametrize("kind", ["marian", "madlad", "llama_chat"])
def test_samples_are_repeatable_and_do_not_depend_on_the_batch(
    files: dict[str, ModelFiles], kind: str
) -> None:
    options = replace(_QUICK, sample=True, temperature=1.5, candidates=3, prompt=_PROMPTS.get(kind))  # type: ignore[arg-type]
    engine = transformers.load_engine(files[kind], options)
    sources = checkpoints.english(4, seed=3)
    together = engine.translate(sources, "en", "ru")
    alone = engine.translate(sources[2:3], "en", "ru")
    assert {each.text for each in together[2]} == {each.text for each in alone[0]}
    assert len({each.text for each in together[2]}) > 1
    other = transformers.load_engine(files[kind], replace(options, seed=1))
    assert {each.text for each in other.translate(sources[2:3], "en", "ru")[0]} != {
        each.text for each in alone[0]
    }
    with pytest.raises(ConfigError, match="sample"):
        replace(options, beam_size=2)


def test_translategemma_uses_its_own_template(files: dict[str, ModelFiles], tmp_path: Path) -> None:
    """A chat model with a template that, like TranslateGemma's, takes nothing but text with two codes."""
    checkpoints.llama_chat(tmp_path)
    template = (
        "{% set part = messages[0]['content'][0] %}<|user|>{{ part['source_lang_code'] }} to "
        "{{ part['target_lang_code'] }}: {{ part['text'] }}<|end|><|assistant|>"
    )
    (tmp_path / "chat_template.jinja").write_text(template)
    found = replace(files["llama_chat"], path=tmp_path)
    engine = transformers.load_engine(found, replace(_QUICK, prompt="translategemma"))
    sources = checkpoints.english(2)
    into_russian, into_korean = (engine.translate(sources, "en", target) for target in ("ru", "ko"))
    assert into_russian != into_korean
    assert not engine.capabilities.context


@pytest.mark.parametrize("kind", ["marian", "llama_chat"])
def test_exact_batching_in_transformers_is_one_by_one(files: dict[str, ModelFiles], kind: str) -> None:
    options = replace(_QUICK, batching="exact", prompt=_PROMPTS.get(kind))  # type: ignore[arg-type]
    engine = transformers.load_engine(files[kind], options)
    sources = checkpoints.english(10, seed=2)
    assert engine.translate(sources, "en", "ru") == [engine.translate([s], "en", "ru")[0] for s in sources]


def test_bfloat16(trained_marian: ModelFiles) -> None:
    engine = transformers.load_engine(trained_marian, TransformersOptions(dtype="bfloat16"))
    pairs = [pair for pair in checkpoints.pairs(60, seed=7) if ", and " not in pair[0]]
    made = engine.translate([source for source, _ in pairs], "en", "ru")
    right = [group[0].text == target for group, (_, target) in zip(made, pairs, strict=True)]
    assert sum(right) >= 0.6 * len(pairs)
    assert "bfloat16" in engine.signature


def test_a_model_that_runs_with_other_weights_than_its_file_is_refused(tmp_path: Path) -> None:
    """Trained with an output layer of its own, under a configuration that ties it to the embeddings."""
    from transformers import MarianMTModel

    found = checkpoints.marian(tmp_path)
    _rewrite(tmp_path, lambda tensors: tensors | {"lm_head.weight": tensors["model.shared.weight"] * 2 + 1})
    model = MarianMTModel.from_pretrained(tmp_path)
    model.lm_head.weight = model.model.shared.weight
    with pytest.raises(ModelUnavailable, match=r"replaced 'lm_head\.weight'"):
        check_embeddings(model, found)
    model.model.shared.weight.data[0, 0] = float("nan")
    with pytest.raises(ModelUnavailable, match="not finite"):
        check_embeddings(model, found)


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    found = checkpoints.marian(tmp_path)
    name = "model.decoder.layers.0.fc1.weight"
    _rewrite(tmp_path, lambda tensors: {key: value for key, value in tensors.items() if key != name})
    with pytest.raises(ModelUnavailable, match="lacks 1 tensors"):
        transformers.load_engine(found, _QUICK)


def _rewrite(folder: Path, change: object) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})  # type: ignore[operator]


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3)), max_size=30),
    st.integers(1, 200),
    st.integers(1, 5),
)
def test_what_is_kept_apart_and_what_does_not_fit(
    items: list[tuple[int, int]], budget: int, room: int
) -> None:
    """Work that fails above `room` items is halved until it fits; every result finds its item."""
    batches = plan_batches([length for length, _ in items], budget, apart=[key for _, key in items])
    assert all(len({items[i][1] for i in batch}) == 1 for batch in batches)

    def work(batch: Sequence[int]) -> list[int]:
        if len(batch) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return [index * 10 for index in batch]

    for workers in (1, 3):
        assert run_batches(batches, work, workers=workers) == [i * 10 for i in range(len(items))]


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("CUDA failed with error out of memory"), RuntimeError("std::bad_alloc")],
)
def test_one_sentence_that_does_not_fit_is_an_error(error: Exception) -> None:
    def work(_: Sequence[int]) -> list[int]:
        raise error

    with pytest.raises(UsageError, match="not enough memory for a single sentence"):
        run_batches([[0, 1], [2]], work)


# Two engines, a batch of everything, and then little memory: as it is, and where nothing is tried again.
SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
import torch
from mtalign.models import ModelFiles
from mtalign.translate import batching, ctranslate2, transformers
from mtalign.translate.options import CTranslate2Options, TransformersOptions

torch.set_num_threads(1)
files = ModelFiles("trained", Path(sys.argv[1]), "0")
everything = {"batch_tokens": 10**9, "max_ratio": 0.01}
engines = [
    transformers.load_engine(files, TransformersOptions(**everything)),
    ctranslate2.load_engine(files, CTranslate2Options(**everything, workers=1)),
]
sentences = ["The minister welcomed the plan on Monday, and a teacher rejected two reports in Geneva."] * 800
alone = [engine.translate(sentences[:1], "en", "ru")[0][0].text for engine in engines]
status = Path("/proc/self/status").read_text().split("VmSize:")[1]
room = int(status.split()[0]) * 1024 + (5 << 20)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
for engine, text in zip(engines, alone):
    made = engine.translate(sentences, "en", "ru")
    assert [group[0].text for group in made] == [text] * len(sentences)
batching._OUT_OF_MEMORY = ()
for engine in engines:
    try:
        engine.translate(sentences, "en", "ru")
    except RuntimeError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is set as Linux does")
def test_batches_that_really_run_out_of_memory_are_halved(trained_marian: ModelFiles, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY, str(trained_marian.path)],
        env={**os.environ, "MTALIGN_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["RuntimeError", "RuntimeError"]


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    calls: list[Sequence[int]] = []

    def work(batch: Sequence[int]) -> list[int]:
        calls.append(batch)
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        run_batches([[0, 1]], work)
    assert calls == [[0, 1]]


def test_a_configuration_names_the_engine(tmp_path: Path) -> None:
    from mtalign.config import load

    path = tmp_path / "c.yaml"
    content = {
        "encoder": {"model": "starter:e5-small"},
        "translate": {"ru": {"engine": "ctranslate2", "model": "x", "options": {"batching": "exact"}}},
    }
    path.write_text(json.dumps(content))
    chosen = load(path).translate["ru"]
    assert chosen.options == CTranslate2Options(batching="exact")
    content["translate"]["ru"]["options"]["batchng"] = "fast"  # type: ignore[index]
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"(?s)translate\.ru\.options.*batchng"):
        load(path)
