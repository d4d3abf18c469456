"""Rates of encoders and translation models on this machine's device, for the arithmetic of docs/scaling.md.

    python scripts/bench_device.py [--sentences 4096]

Weights are random and sizes are those of real models, which is all that a rate depends on; outputs have a
fixed number of tokens. Sentences are those of the project's news corpus, over and over. Seconds are of the
wall clock, loading and a first small batch not counted. Runs on the processor too, where a few dozen
sentences are enough.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bench_translate import make_model

ROOT = Path(__file__).parents[1]
_OUTPUT_TOKENS = 32
# Name: layers, width. The vocabulary is left small, since an encoder only looks vectors up in it.
_ENCODERS = {"multilingual-e5-small": (12, 384), "LaBSE, multilingual-e5-base": (12, 768)}
# Name: layers on either side, width, vocabulary. Feed-forward layers are four times as wide.
_TRANSLATORS = {
    "OPUS-MT (6 + 6 layers, 512)": (6, 512, 62_000),
    "M2M100 418M, NLLB 600M (12 + 12, 1024)": (12, 1024, 128_000),
}


def main() -> None:
    """Measure and print a table."""
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=ROOT / "tests" / "data" / "news.jsonl")
    parser.add_argument("--sentences", type=int, default=4096)
    parser.add_argument("--batch-tokens", type=int, default=16_384)
    arguments = parser.parse_args()
    sentences = read_sentences(arguments.corpus, arguments.sentences)
    device = (
        torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    )
    print(
        f"{device}, torch {torch.__version__}, {len(sentences)} sentences of "
        f"{sum(map(len, sentences)) / len(sentences):.0f} characters"
    )
    print("| model | number format | sentences/s |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, sizes) in enumerate(_ENCODERS.items()):
            folder = Path(scratch) / f"encoder{number}"
            make_encoder(folder, sentences, *sizes)
            for dtype in ("float32", "bfloat16"):
                report(name, dtype, encoder(folder, dtype, arguments.batch_tokens), sentences)
        for number, (name, (layers, width, vocabulary)) in enumerate(_TRANSLATORS.items()):
            folder = Path(scratch) / f"translator{number}"
            make_model(folder, arguments.corpus, layers=layers, width=width, vocabulary=vocabulary)
            for dtype in ("float32", "bfloat16"):
                report(name, dtype, translator(folder, dtype, arguments.batch_tokens), sentences)


def report(name: str, dtype: str, work: Callable[[Sequence[str]], object], sentences: Sequence[str]) -> None:
    """Time one model on all sentences and print its row."""
    work(sentences[: max(1, min(64, len(sentences) // 8))])
    start = time.perf_counter()
    work(sentences)
    print(f"| {name} | {dtype} | {len(sentences) / (time.perf_counter() - start):.1f} |", flush=True)


def read_sentences(corpus: Path, count: int) -> list[str]:
    """Return `count` English sentences of a corpus of segmented articles, repeated where it is shorter."""
    rows = (json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines())
    texts = [each["text"] for row in rows for each in row["sentences"]["en"]]
    return list(islice(cycle(texts), count))


def encoder(folder: Path, dtype: Any, batch_tokens: int) -> Callable[[Sequence[str]], object]:
    """Return what turns sentences into vectors."""
    from mtalign.encode import Encoder
    from mtalign.models import ModelFiles

    files = ModelFiles(name="bench:encoder", path=folder, fingerprint="random", license="CC0-1.0")
    return Encoder(files, dtype=dtype, batch_tokens=batch_tokens).encode


def translator(folder: Path, dtype: Any, batch_tokens: int) -> Callable[[Sequence[str]], object]:
    """Return what translates sentences, greedily, into outputs of a fixed length."""
    from mtalign.models import ModelFiles
    from mtalign.translate.options import TransformersOptions
    from mtalign.translate.transformers import load_engine

    class Fixed(TransformersOptions):
        def max_new_tokens(self, source_tokens: int) -> int:
            del source_tokens
            return _OUTPUT_TOKENS

    files = ModelFiles(name="bench:marian", path=folder, fingerprint="random", license="CC0-1.0")
    engine = load_engine(files, Fixed(dtype=dtype, batch_tokens=batch_tokens))
    return lambda sentences: engine.translate(sentences, "en", "ru")


def make_encoder(folder: Path, sentences: Sequence[str], layers: int, width: int) -> None:
    """Write a BERT with random weights and a tokenizer trained on the sentences."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(
        sentences,
        trainers.BpeTrainer(vocab_size=4000, special_tokens=[*special.values()], show_progress=False),
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **special).save_pretrained(
        folder
    )
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64 if width > 384 else 12,
    )
    torch.manual_seed(0)
    BertModel(config).eval().save_pretrained(folder)


if __name__ == "__main__":
    main()
