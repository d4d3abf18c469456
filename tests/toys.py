"""A run that costs next to nothing: a tiny encoder and a tiny translator, with random weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from checkpoints import english, m2m100

ALPHABET = "abcdefghijklmnopqrstuvwxyzабвгґдеєёжзиіїйклмнопрстуфхцчшщъыьэюя0123456789.,!?-"


def encoder(folder: Path) -> Path:
    """Make a BERT with eight narrow layers that reads text letter by letter; return its folder."""
    import torch
    from tokenizers import Tokenizer, normalizers
    from tokenizers.models import WordPiece
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *ALPHABET, *(f"##{letter}" for letter in ALPHABET)]
    tokenizer = Tokenizer(
        WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=8,
        num_attention_heads=2,
        max_position_embeddings=512,
    )
    torch.manual_seed(0)
    BertModel(config).eval().save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=512,
    ).save_pretrained(folder)
    return folder


def config(folder: Path) -> Path:
    """Make both models under a folder, and a configuration file that names them; return the file."""
    translator = m2m100(folder / "translator").path
    row = {
        "encoder": {"model": str(encoder(folder / "encoder"))},
        "translate": {
            "default": {
                "model": str(translator),
                "options": {"max_ratio": 0.5, "beam_size": 1},
                "ladder": [],
            }
        },
    }
    path = folder / "toy.yaml"
    path.write_text(json.dumps(row))  # JSON is YAML
    return path


def articles(count: int, sentences: int = 2) -> list[dict[str, object]]:
    """Return rows of short articles, no two alike, with an entity in each."""
    texts = english(count * sentences, seed=7)
    rows: list[dict[str, object]] = []
    for number in range(count):
        own = texts[number * sentences : (number + 1) * sentences]
        first = own[0].split()[1]
        start = own[0].index(first)
        entity = {"id": "e", "start": start, "end": start + len(first), "label": "PER"}
        rows.append({"id": f"article-{number:05d}", "text": " ".join(own), "entities": [entity]})
    return rows


def write_articles(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
