"""Speed and memory of the translation engines, as ratios to transformers one sentence at a time.

    python scripts/bench_translate.py

The model is a Marian of the size of OPUS-MT (6 + 6 layers, 512 wide, 62,000 tokens) with random weights that
never end an output, so that every sentence gets the same number of tokens and only the engine makes the
difference. Speed is output tokens per second of processor time, on one thread, loading not counted. Every
case runs in a process of its own, whose peak memory is given.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_VOCABULARY = 62_000
_OUTPUT_TOKENS = 32
_BUDGET = 1024
# Case: which sentences it gets, as a step through them. One by one is slow, and its rate does not change.
_CASES = {
    "transformers one by one": 10,
    "transformers float32": 1,
    "transformers bfloat16": 1,
    "CTranslate2 float32": 1,
    "CTranslate2 int8 exact": 1,
    "CTranslate2 int8 fast": 1,
    "bare translate_batch int8": 1,
    "CTranslate2 int8 fast, a tenth": 10,
}


def main() -> None:
    """Run every case, or the one that --case names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--corpus", type=Path, default=ROOT.parent / "shared" / "data" / "corpus" / "news.jsonl"
    )
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--case", help="one case only, as JSON")
    parser.add_argument("--folder", type=Path, help="where the model is, with --case")
    arguments = parser.parse_args()
    sentences = read_sentences(arguments.corpus, arguments.sentences)
    if arguments.case:
        print(json.dumps(measure(arguments.case, arguments.folder, sentences)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "marian"
        make_model(folder, sentences)
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "MTALIGN_CACHE": f"{scratch}/cache",
        }
        command = [sys.executable, __file__, "--corpus", str(arguments.corpus), "--folder", str(folder)]
        command += ["--sentences", str(arguments.sentences), "--case"]
        # Conversions come first, so that no case pays for its own.
        for case in ("convert", *_CASES):
            done = subprocess.run([*command, case], env=environment, check=True, stdout=subprocess.PIPE)
            if case != "convert":
                report(case, json.loads(done.stdout.splitlines()[-1]))


def report(case: str, found: dict[str, float], first: dict[str, float] = {}) -> None:  # noqa: B006
    """Print a line of the table; `first` keeps the case that the others are compared with."""
    if not first:
        first.update(found)
        print("| case | sentences | speed | peak MB |\n|---|---|---|---|")
    ratio = found["tokens"] / found["seconds"] / (first["tokens"] / first["seconds"])
    print(f"| {case} | {found['sentences']:.0f} | {ratio:.1f} | {found['peak_mb']:.0f} |", flush=True)


def read_sentences(corpus: Path, count: int) -> list[str]:
    """Return the first English sentences of a corpus of segmented articles, each once."""
    rows = (json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines())
    texts = (each["text"] for row in rows for each in row["sentences"]["en"])
    return list(islice(dict.fromkeys(text for text in texts if any(map(str.isalpha, text))), count))


def make_model(folder: Path, sentences: Sequence[str]) -> None:
    """Write a Marian with random weights and a tokenizer trained on the sentences, filled up with names."""
    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir()
    model_file, vocabulary_file = folder / "source.spm", folder / "vocabulary.json"
    with model_file.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=file,
            vocab_size=4000,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model_file))
    pieces = [processor.id_to_piece(i) for i in range(3, processor.get_piece_size())]
    more = [f"unused{i}" for i in range(_VOCABULARY - len(pieces) - 3)]
    tokens = ["</s>", "<unk>", *pieces, *more, "<pad>"]
    vocabulary_file.write_text(json.dumps({token: i for i, token in enumerate(tokens)}), encoding="utf-8")
    tokenizer = MarianTokenizer(
        str(model_file), str(model_file), str(vocabulary_file), source_lang="en", target_lang="ru"
    )
    pad = tokenizer.pad_token_id
    config = MarianConfig(
        vocab_size=len(tokens),
        d_model=512,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_ffn_dim=2048,
        max_position_embeddings=512,
        scale_embedding=True,
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=0,
    )
    torch.manual_seed(0)
    model = MarianMTModel(config).eval()
    model.final_logits_bias[0, [0, pad]] = -1e4  # never the end, never padding
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def measure(case: str, folder: Path, sentences: Sequence[str]) -> dict[str, float]:
    """Load what a case needs, translate, and return output tokens, processor seconds and peak memory."""
    from mtalign.models import ModelFiles
    from mtalign.translate import ctranslate2
    from mtalign.translate.sentences import translate_sentences
    from mtalign.translate.translator import Translator

    files = ModelFiles(name="bench:marian", path=folder, fingerprint="random", license="CC0-1.0")
    if case == "convert":
        for compute_type in ("int8", "float32"):
            ctranslate2.converted(files, compute_type)
        return {}
    chosen = sentences[:: _CASES[case]]
    if case.startswith("bare"):
        run = bare(files)
    else:
        engine = load(case, files)

        def run(texts: Sequence[str]) -> None:
            translate_sentences(texts, "en", "ru", Translator(engine))

    run(sentences[:1])
    start = time.process_time()
    run(chosen)
    return {
        "sentences": len(chosen),
        "tokens": len(chosen) * _OUTPUT_TOKENS,
        "seconds": time.process_time() - start,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def load(case: str, files: Any) -> Any:
    """Return the engine of a case, with a fixed output length."""
    from mtalign.translate import ctranslate2, transformers
    from mtalign.translate.options import CTranslate2Options, TransformersOptions

    batching: Any = "exact" if "exact" in case or "one by one" in case else "fast"
    if case.startswith("transformers"):
        import torch

        torch.set_num_threads(1)

        class Fixed(TransformersOptions):
            def max_new_tokens(self, source_tokens: int) -> int:
                del source_tokens
                return _OUTPUT_TOKENS

        dtype: Any = "bfloat16" if "bfloat16" in case else "float32"
        return transformers.load_engine(files, Fixed(dtype=dtype, batch_tokens=_BUDGET, batching=batching))

    class FixedToo(CTranslate2Options):
        def max_new_tokens(self, source_tokens: int) -> int:
            del source_tokens
            return _OUTPUT_TOKENS

    compute_type: Any = "float32" if "float32" in case else "int8"
    options = FixedToo(compute_type=compute_type, batch_tokens=_BUDGET, batching=batching, workers=1)
    return ctranslate2.load_engine(files, options)


def bare(files: Any) -> Any:
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


if __name__ == "__main__":
    main()
