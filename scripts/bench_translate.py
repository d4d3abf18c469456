"""Speed and memory of the translation engines, as ratios to transformers one sentence at a time.

    python scripts/bench_translate.py [--corpus NEWS.jsonl] [--rounds 3]

The model is a Marian of the size of OPUS-MT (6 + 6 layers, 512 wide, 62,000 tokens) with random weights. It
never ends an output, so that every sentence gets 40 tokens and only the engine makes the difference. Greedy,
one thread, loading not counted. Speed is output tokens per second of processor time; every case runs in a
process of its own, whose largest size is given.

The whole path is then compared with a bare `translate_batch` in one process, in turns, as machines are never
quiet. What checks cost depends on what they read, so a human translation takes the place of each output. Once
more without: the model's own outputs are all unlike their sources, which is the most that checks can cost.

At last ten times the articles: the corpus five times, every sentence with a number of its own, and short
outputs. Takes about nine minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from mtalign.batch import TOGETHER
from mtalign.document import Document
from mtalign.segment import segment, split_sentences

DATA = Path(__file__).resolve().parents[2] / "shared/data"
_VOCABULARY = 62_000
_PIECES = 6_000
_OUTPUT_TOKENS = 40
_BUDGET = 2048
_SENTENCES = 200
_FEW_ARTICLES = 60
_FEW_TOKENS = 8
# Case: which of the sentences it gets, as a step through them. One by one is slow, and its rate is even.
_ENGINES = {
    "transformers one by one": 20,
    "transformers float32, token budget": 1,
    "transformers bfloat16, token budget": 1,
    "CTranslate2 float32, fast": 1,
    "CTranslate2 int8, exact": 1,
    "CTranslate2 int8, fast": 1,
    "bare translate_batch, int8": 1,
}


def main() -> None:
    """Run everything, or the one case that --case names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=DATA / "corpus/news.jsonl")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison in turns")
    parser.add_argument("--case", help="one case only, as JSON")
    parser.add_argument("--folder", type=Path, help="where the model is, with --case")
    arguments = parser.parse_args()
    if arguments.case:
        found = measure(arguments.case, arguments.folder, arguments.corpus, arguments.rounds)
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "marian"
        make_model(folder, arguments.corpus)
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        command = [sys.executable, __file__, "--corpus", str(arguments.corpus), "--folder", str(folder)]
        command += ["--rounds", str(arguments.rounds), "--case"]

        def ask(case: str) -> dict[str, float]:
            done = subprocess.run([*command, case], env=environment, check=True, stdout=subprocess.PIPE)
            found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
            return found

        # Conversions come first, so that no case pays for its own.
        ask("convert")
        report_engines(ask)
        report_turns(ask("turns"))
        report_growth(ask("growth"))


def report_engines(ask: Callable[[str], dict[str, float]]) -> None:
    """Print the table of the engines."""
    print("| case | sentences | speed | peak MB |\n|---|---|---|---|")
    first = 0.0
    for case in _ENGINES:
        found = ask(case)
        speed = found["sentences"] / found["seconds"]
        first = first or speed
        print(
            f"| {case} | {found['sentences']:.0f} | {speed / first:.1f} | {found['peak_mb']:.0f} |",
            flush=True,
        )


def report_turns(seconds: dict[str, float]) -> None:
    """Print what the whole path costs beside the bare call."""
    bare = seconds["bare translate_batch"]
    print("\n| in turns, in one process | ms a sentence | speed, bare = 1 |\n|---|---|---|")
    for case, each in seconds.items():
        print(f"| {case} | {1000 * each / _SENTENCES:.2f} | {bare / each:.2f} |", flush=True)


def report_growth(found: dict[str, float]) -> None:
    """Print what ten times the articles cost."""
    print("\n| articles | seconds | peak MB |\n|---|---|---|")
    print(f"| {_FEW_ARTICLES}, mean of ten runs | {found['few']:.2f} | {found['few_mb']:.0f} |")
    print(f"| {10 * _FEW_ARTICLES} | {found['many']:.2f} | {found['many_mb']:.0f} |")
    print(f"ten times the articles cost {found['many'] / found['few']:.2f} times as much")


def read_documents(corpus: Path, mark: str = "") -> list[Document]:
    """Return the English articles of the corpus, a line a paragraph; a mark stands before each full stop."""
    found = []
    for line in corpus.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        paragraphs: dict[int, list[str]] = {}
        for each in row["sentences"]["en"]:
            text = f"{each['text'][:-1]}{mark}{each['text'][-1]}"
            paragraphs.setdefault(each["paragraph"], []).append(text)
        text = "\n\n".join(" ".join(sentences) for sentences in paragraphs.values())
        found.append(Document(row["id"], "en", text))
    return found


def first_sentences(documents: Sequence[Document], count: int) -> list[Document]:
    """Return as many documents as hold `count` sentences, the last one cut."""
    chosen = []
    for document in documents:
        spans = [each.span for each in segment(document).sentences][:count]
        if not spans:
            break
        chosen.append(Document(document.id, document.lang, document.text[: spans[-1].end]))
        count -= len(spans)
    return chosen


def make_model(
    folder: Path, corpus: Path, *, layers: int = 6, width: int = 512, vocabulary: int = _VOCABULARY
) -> None:
    """Write a Marian with random weights and a tokenizer trained on the corpus, filled up with names.

    `layers` are those of either side, `width` is that of a token's vector.
    """
    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir()
    rows = [json.loads(line)["sentences"] for line in corpus.read_text(encoding="utf-8").splitlines()]
    pieces = {}
    for lang in ("en", "ru"):
        with (folder / f"{lang}.spm").open("wb") as file:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter([each["text"] for row in rows for each in row[lang]]),
                model_writer=file,
                vocab_size=_PIECES,
                hard_vocab_limit=False,
                minloglevel=2,
            )
        processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{lang}.spm"))
        pieces[lang] = [processor.id_to_piece(i) for i in range(3, processor.get_piece_size())]
    known = ["</s>", "<unk>", *dict.fromkeys([*pieces["ru"], *pieces["en"]])]
    tokens = [*known, *(f"unused{i}" for i in range(vocabulary - len(known) - 1)), "<pad>"]
    vocabulary_file = folder / "vocabulary.json"
    vocabulary_file.write_text(json.dumps({token: i for i, token in enumerate(tokens)}), encoding="utf-8")
    spm = [str(folder / f"{lang}.spm") for lang in ("en", "ru")]
    tokenizer = MarianTokenizer(*spm, str(vocabulary_file), source_lang="en", target_lang="ru")
    pad = tokenizer.pad_token_id
    config = MarianConfig(
        vocab_size=len(tokens),
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=width // 64,
        decoder_attention_heads=width // 64,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_position_embeddings=512,
        scale_embedding=True,
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=0,
    )
    torch.manual_seed(0)
    model = MarianMTModel(config).eval()
    model.final_logits_bias[0, :2] = -1e4  # never the end
    model.final_logits_bias[0, 2 + len(pieces["ru"]) :] = -1e4  # Russian alone
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def measure(case: str, folder: Path, corpus: Path, rounds: int) -> dict[str, float]:
    """Load what a case needs, do it, and return what it took."""
    from mtalign.models import ModelFiles, resolve
    from mtalign.translate import ctranslate2

    encoder = resolve("starter:e5-small") if case == "turns" else None
    # The conversions go where the model is, and with it.
    os.environ["MTALIGN_CACHE"] = str(folder.parent / "cache")
    files = ModelFiles(name="bench:marian", path=folder, fingerprint="random", license="CC0-1.0")
    documents = read_documents(corpus)
    chosen = first_sentences(documents, _SENTENCES)
    sentences = [text for each in chosen for text in segment(each).sentence_texts()]
    if case == "convert":
        for compute_type in ("int8", "float32"):
            ctranslate2.converted(files, compute_type)
        return {}
    if encoder:
        return in_turns(files, encoder, chosen, corpus, rounds)
    if case == "growth":
        again = [read_documents(corpus, f" {n}") for n in range(2, 1 + 10 * _FEW_ARTICLES // len(documents))]
        return growth(files, [document for each in (documents, *again) for document in each])
    texts = sentences[:: _ENGINES[case]]
    run = engine_run(case, files)
    run(texts[:1])
    seconds = timed(lambda: run(texts))
    return {"sentences": len(texts), "seconds": seconds, "peak_mb": peak_mb()}


def timed(run: Callable[[], object]) -> float:
    """Return the processor seconds that something takes."""
    began = time.process_time()
    run()
    return time.process_time() - began


def peak_mb() -> float:
    """Return the largest size of this process so far; ru_maxrss would be inherited from the one before it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024


def engine_run(case: str, files: Any) -> Callable[[Sequence[str]], None]:
    """Return what translates sentences in a case; each must have the fixed length in the end."""
    import torch

    torch.set_num_threads(1)
    if case == "transformers one by one":
        return one_by_one(files)
    if case.startswith("bare"):
        return bare(files)
    engine = load(case, files)

    def run(texts: Sequence[str]) -> None:
        found = engine.translate(texts, "en", "ru")
        if any(each[0].complete for each in found):
            raise RuntimeError("an output ended before its length limit")

    return run


def load(case: str, files: Any, length: int = _OUTPUT_TOKENS) -> Any:
    """Return the engine of a case, whose outputs have `length` tokens."""
    from mtalign.translate import ctranslate2, transformers
    from mtalign.translate.options import CTranslate2Options, TransformersOptions

    if case.startswith("transformers"):

        class Fixed(TransformersOptions):
            def max_new_tokens(self, source_tokens: int) -> int:
                del source_tokens
                return length

        dtype: Any = "bfloat16" if "bfloat16" in case else "float32"
        return transformers.load_engine(files, Fixed(dtype=dtype, batch_tokens=_BUDGET))

    class FixedToo(CTranslate2Options):
        def max_new_tokens(self, source_tokens: int) -> int:
            del source_tokens
            return length

    compute_type: Any = "float32" if "float32" in case else "int8"
    batching: Any = "exact" if "exact" in case else "fast"
    options = FixedToo(compute_type=compute_type, batch_tokens=_BUDGET, batching=batching, workers=1)
    return ctranslate2.load_engine(files, options)


def one_by_one(files: Any) -> Callable[[Sequence[str]], None]:
    """Return transformers as its documentation uses it: tokenise, generate, decode, a sentence at a time."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(files.path)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(files.path).eval()

    def run(texts: Sequence[str]) -> None:
        for text in texts:
            with torch.inference_mode():
                inputs = tokenizer(text, return_tensors="pt")
                (ids,) = model.generate(**inputs, max_new_tokens=_OUTPUT_TOKENS, num_beams=1)
            tokenizer.decode(ids, skip_special_tokens=True)

    return run


def bare(files: Any) -> Callable[[Sequence[str]], None]:
    """Return CTranslate2 as its documentation uses it: tokenise, translate_batch, decode."""
    import ctranslate2
    import transformers

    from mtalign.translate.ctranslate2 import converted

    tokenizer = transformers.AutoTokenizer.from_pretrained(files.path)
    translator = ctranslate2.Translator(
        str(converted(files, "int8")), compute_type="int8", inter_threads=1, intra_threads=1
    )

    def run(texts: Sequence[str]) -> None:
        results = translator.translate_batch(
            [tokenizer.convert_ids_to_tokens(ids) for ids in tokenizer(list(texts))["input_ids"]],
            beam_size=1,
            max_batch_size=_BUDGET,
            batch_type="tokens",
            max_decoding_length=_OUTPUT_TOKENS,
        )
        for result in results:
            tokenizer.decode(tokenizer.convert_tokens_to_ids(result.hypotheses[0]), skip_special_tokens=True)

    return run


class HumanOutputs:
    """An engine that does the work of another, and then hands in the human translations that it is given.

    Into whichever language: the other one translates into Russian.
    """

    def __init__(self, engine: Any, translations: Mapping[str, str]) -> None:
        self._engine = engine
        self._translations = translations

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def check_languages(self, source: str, target: str) -> None:
        """Take every target."""

    def limit(self, source: str, target: str) -> int:
        """Return that of the engine."""
        del target
        return int(self._engine.limit(source, "ru"))

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        """Return that of the engine."""
        del target
        return int(self._engine.count_tokens(sentence, source, "ru"))

    def translate(self, sentences: Sequence[str], source: str, target: str, *more: Any) -> list[list[Any]]:
        """Return the hypotheses of the engine with other texts."""
        del target
        found = self._engine.translate(sentences, source, "ru", *more)
        return [
            [replace(each, text=self._translations.get(sentence, each.text)) for each in hypotheses]
            for sentence, hypotheses in zip(sentences, found, strict=True)
        ]


def human_translations(corpus: Path, lang: str) -> dict[str, str]:
    """Return the translation of each English sentence: all of its bead."""
    found = {}
    for line in corpus.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for bead in row["beads"]:
            text = " ".join(row["sentences"][lang][i]["text"] for i in bead[lang])
            found |= {row["sentences"]["en"][i]["text"]: text for i in bead["en"] if text}
    return found


def whole_path(
    engine: Any, documents: Sequence[Document], memory_path: Path, judge: Any, lang: str = "ru"
) -> None:
    """Take articles from text to checked translations, in groups as a run takes them.

    Without a ladder: what random weights write fails the checks, and would all be done again.
    """
    from mtalign.translate.document import translate_documents
    from mtalign.translate.memory import Memory
    from mtalign.translate.terms import Terms
    from mtalign.translate.translator import Translator

    terms = Terms((), ("url", "email", "handle", "code"))
    with Memory(memory_path) as memory:
        translator = Translator(engine, judge=judge, terms=terms, memory=memory)
        group: list[Document] = []
        for number, document in enumerate(documents, 1):
            group.append(segment(document))
            if sum(len(each.text) for each in group) >= TOGETHER or number == len(documents):
                translate_documents(group, lang, translator, split_sentences)
                group = []


def in_turns(
    files: Any, encoder: Any, documents: Sequence[Document], corpus: Path, rounds: int
) -> dict[str, float]:
    """Return the median seconds of the bare call, the whole path, and its rerun."""
    import torch

    from mtalign.check import Judge, Limits
    from mtalign.encode import Encoder
    from mtalign.likeness import Likeness
    from mtalign.translate.prompts import examples

    torch.set_num_threads(1)
    engine, alone = load("CTranslate2 int8, fast", files), bare(files)
    # Its scale belongs to loading. It remembers no vectors, so that no turn profits from the one before.
    likeness = Likeness(Encoder(encoder, prefix="query: "), examples())
    sentences = [text for each in documents for text in segment(each).sentence_texts()]
    good = {}
    for lang in ("ru", "uk", "ko"):
        known = human_translations(corpus, lang)
        stand_in = sum(each in known for each in sentences) / len(sentences)
        print(f"{lang}: {stand_in:.0%} of the outputs replaced by human translations", file=sys.stderr)
        good[lang] = HumanOutputs(engine, known)

    def turn(scratch: Path) -> dict[str, float]:
        def path(engine: Any, name: str, lang: str = "ru", **limits: float) -> float:
            judge = Judge(Limits(**limits), likeness)
            return timed(lambda: whole_path(engine, documents, scratch / name, judge, lang))

        return {
            "bare translate_batch": timed(lambda: alone(sentences)),
            **{f"whole path, {lang}": path(each, lang, lang) for lang, each in good.items()},
            "whole path, ru, rerun from memory": path(good["ru"], "ru"),
            "whole path, ru, without likeness": path(good["ru"], "text", likeness=0),
            "whole path, nonsense for outputs": path(engine, "nonsense"),
        }

    turns = []
    for _ in range(rounds + 1):
        with tempfile.TemporaryDirectory() as scratch:
            turns.append(turn(Path(scratch)))
    # The first turn fills caches.
    return {name: median(each[name] for each in turns[1:]) for name in turns[0]}


def growth(files: Any, documents: Sequence[Document]) -> dict[str, float]:
    """Return seconds and peak memory of few articles, ten times, and of all of them together."""
    from mtalign.check import Judge, Limits

    engine, judge = load("CTranslate2 int8, fast", files, _FEW_TOKENS), Judge(Limits(likeness=0))
    with tempfile.TemporaryDirectory() as scratch:

        def run(chosen: Sequence[Document]) -> float:
            place = Path(tempfile.mkdtemp(dir=scratch)) / "memory.sqlite"
            return timed(lambda: whole_path(engine, chosen, place, judge))

        run(documents[:1])
        parts = [documents[i : i + _FEW_ARTICLES] for i in range(0, len(documents), _FEW_ARTICLES)]
        few = [run(parts[0])]
        few_mb = peak_mb()
        few += [run(each) for each in parts[1:]]
        return {"few": sum(few) / len(few), "few_mb": few_mb, "many": run(documents), "many_mb": peak_mb()}


if __name__ == "__main__":
    main()
