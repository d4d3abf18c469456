"""Tiny checkpoints of every class that the translation engines serve, made with the real classes.

Tokenizers are trained on sentences of a small grammar and on the few-shot examples; weights are random but
seeded, so that outputs mean nothing and are always the same. One Marian is trained, and translates the
sentences of the grammar.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtalign.models import ModelFiles
from mtalign.translate.prompts import examples

_PARTS = (
    (
        ("the minister", "министр"),
        ("a teacher", "учитель"),
        ("the old captain", "старый капитан"),
        ("our neighbour", "наш сосед"),
        ("the committee", "комитет"),
        ("every second voter", "каждый второй избиратель"),
    ),
    (
        ("welcomed", "приветствовал"),
        ("rejected", "отклонил"),
        ("described", "описал"),
        ("could not find", "не смог найти"),
        ("published", "опубликовал"),
        ("defended", "защитил"),
    ),
    (
        ("the plan", "план"),
        ("two reports", "два доклада"),
        ("a long letter", "длинное письмо"),
        ("the new bridge", "новый мост"),
        ("its own budget", "собственный бюджет"),
        ("the results", "результаты"),
    ),
    (
        ("on Monday", "в понедельник"),
        ("after the vote", "после голосования"),
        ("in Geneva", "в Женеве"),
        ("without a word", "без единого слова"),
        ("for 1,200 people", "для 1200 человек"),
        ("yesterday", "вчера"),
    ),
)
_ALPHABET = (
    "абвгґдеєёжзиіїйклмнопрстуфхцчшщъыьэюя АБВГҐДЕЄЖЗИІКЛМНОПРСТУФХЦЧШ가나다라마바사아자차카타파하는을의에"
)


def pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return different English sentences of different lengths, each with its Russian translation."""
    rng = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        clauses = [[rng.choice(part) for part in _PARTS] for _ in range(rng.randint(1, 4))]
        source, target = (
            joint.join(" ".join(words[side] for words in clause) for clause in clauses)
            for side, joint in enumerate((", and ", ", а "))
        )
        found[source.capitalize() + "."] = target.capitalize() + "."
    return list(found.items())


def english(count: int, seed: int = 0) -> list[str]:
    """Return different English sentences of different lengths."""
    return [source for source, _ in pairs(count, seed)]


def corpus() -> list[str]:
    """Return what the tokenizers are trained on."""
    return [
        *english(200),
        *(target for _, target in pairs(200)),
        *(text for example in examples() for text in example.values()),
        _ALPHABET,
    ]


def _finish(folder: Path, model: Any, tokenizer: Any) -> ModelFiles:
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ModelFiles(name=f"test:{folder.name}", path=folder, fingerprint="seed-0", license="CC0-1.0")


def _sentencepiece(folder: Path, name: str, size: int = 400) -> tuple[Path, list[tuple[str, float]]]:
    """Train a unigram model; return its file and its pieces with scores, control symbols left out."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.model"
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus()),
            model_writer=file,
            vocab_size=size,
            character_coverage=1.0,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    pieces = [
        (processor.id_to_piece(i), processor.get_score(i))
        for i in range(processor.get_piece_size())
        if not processor.is_control(i) and not processor.is_unknown(i)
    ]
    return path, pieces


def _vocabulary(path: Path, tokens: Sequence[str]) -> Path:
    path.write_text(json.dumps({token: i for i, token in enumerate(dict.fromkeys(tokens))}), encoding="utf-8")
    return path


_SMALL = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "init_std": 0.4,
}


def marian(folder: Path, *, tags: Sequence[str] = ()) -> ModelFiles:
    """A Marian model from English into Russian or, with `tags`, into the languages that they name."""
    model, tokenizer = _marian(folder, tags, _SMALL)
    return _finish(folder, model, tokenizer)


def _marian(folder: Path, tags: Sequence[str], sizes: Mapping[str, Any]) -> tuple[Any, Any]:
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    source, source_pieces = _sentencepiece(folder / "spm", "source")
    target, target_pieces = _sentencepiece(folder / "spm", "target", size=300)
    pieces = [piece for piece, _ in [*source_pieces, *target_pieces]]
    vocabulary = _vocabulary(folder / "spm" / "vocab.json", ["</s>", "<unk>", *tags, *pieces, "<pad>"])
    tokenizer = MarianTokenizer(
        str(source),
        str(target),
        str(vocabulary),
        source_lang="en",
        target_lang="zle" if tags else "ru",
    )
    pad = tokenizer.pad_token_id
    config = MarianConfig(
        **sizes,
        vocab_size=len(tokenizer.get_vocab()),
        max_position_embeddings=512,
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=0,
    )
    torch.manual_seed(0)
    model = MarianMTModel(config)
    # As in the real ones: nothing but the start of the decoder is padding.
    model.generation_config.bad_words_ids = [[pad]]
    return model, tokenizer


def trained_marian(folder: Path) -> ModelFiles:
    """A Marian with one layer on each side that translates sentences of one or two clauses of `pairs`.

    Its training takes about 15 seconds of processor time.
    """
    import torch

    # Embeddings are scaled as in the real ones: beside the positions they would hardly be heard otherwise.
    wide = {"d_model": 64, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "init_std": 0.125}
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    more = {"scale_embedding": True, "dropout": 0.0}
    model, tokenizer = _marian(folder, (), {**_SMALL, **wide, **heads, **more})
    texts = [pair for pair in pairs(4000, seed=1) if pair[0].count(", and ") < 2]
    sources = tokenizer([source for source, _ in texts])["input_ids"]
    targets = tokenizer(text_target=[target for _, target in texts])["input_ids"]
    order = sorted(range(len(texts)), key=lambda i: len(sources[i]))
    batches = [order[i : i + 32] for i in range(0, len(order), 32)]
    rng = random.Random(0)
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-3, betas=(0.9, 0.98))
    steps, rise = 230, 40
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / rise, (steps - step) / (steps - rise))
    )
    pad = tokenizer.pad_token_id
    model.train()
    for _ in range(steps):
        batch = rng.choice(batches)
        inputs = tokenizer.pad({"input_ids": [sources[i] for i in batch]}, return_tensors="pt")
        labels = tokenizer.pad({"input_ids": [targets[i] for i in batch]}, return_tensors="pt")["input_ids"]
        loss = model(**inputs, labels=labels.masked_fill(labels == pad, -100)).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            # The decoder starts with padding, which is nothing in the real ones and in CTranslate2.
            model.get_input_embeddings().weight[pad] = 0.0
    return _finish(folder, model, tokenizer)


def m2m100(folder: Path) -> ModelFiles:
    """An M2M100 model for its hundred languages."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

    spm, pieces = _sentencepiece(folder / "spm", "spm")
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *(piece for piece, _ in pieces)]
    vocabulary = _vocabulary(folder / "spm" / "vocab.json", tokens)
    tokenizer = M2M100Tokenizer(str(vocabulary), str(spm), src_lang="en", model_max_length=1024)
    config = M2M100Config(**_SMALL, vocab_size=len(tokens) + 108, max_position_embeddings=1024)
    torch.manual_seed(0)
    return _finish(folder, M2M100ForConditionalGeneration(config), tokenizer)


def nllb(folder: Path) -> ModelFiles:
    """An NLLB-200 model: M2M100's architecture, a BPE tokenizer and codes such as `kor_Hang`."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    vocabulary, merges = _bpe(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer = NllbTokenizer(vocab=vocabulary, merges=merges, src_lang="eng_Latn")
    config = M2M100Config(**_SMALL, vocab_size=len(tokenizer), max_position_embeddings=1024)
    torch.manual_seed(0)
    return _finish(folder, M2M100ForConditionalGeneration(config), tokenizer)


def mbart50(folder: Path) -> ModelFiles:
    """An mBART-50 model with its fifty language codes."""
    import torch
    from transformers import MBart50Tokenizer, MBartConfig, MBartForConditionalGeneration

    _, pieces = _sentencepiece(folder / "spm", "spm")
    controls = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0)]
    tokenizer = MBart50Tokenizer(vocab=[*controls, *pieces], src_lang="en_XX")
    config = MBartConfig(
        **_SMALL,
        vocab_size=len(tokenizer),
        max_position_embeddings=1024,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
    )
    torch.manual_seed(0)
    return _finish(folder, MBartForConditionalGeneration(config), tokenizer)


def madlad(folder: Path, languages: Sequence[str] = ("ko", "uk", "ru")) -> ModelFiles:
    """A T5 with `<2xx>` tokens in its vocabulary, as MADLAD-400 has them."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    _, pieces = _sentencepiece(folder / "spm", "spm")
    controls = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tags = [(f"<2{code}>", 0.0) for code in languages]
    tokenizer = T5Tokenizer(vocab=[*controls, *tags, *pieces], extra_ids=0)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=1,
        num_heads=2,
        initializer_factor=2.0,
        decoder_start_token_id=0,
    )
    torch.manual_seed(0)
    return _finish(folder, T5ForConditionalGeneration(config), tokenizer)


def _bpe(specials: Sequence[str], size: int = 1500) -> tuple[dict[str, int], list[tuple[str, str]]]:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import Metaspace
    from tokenizers.trainers import BpeTrainer

    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Metaspace()
    trainer = BpeTrainer(vocab_size=size, special_tokens=list(specials), show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def gemma3(folder: Path, *, window: int = 4096, positions: int = 32768) -> ModelFiles:
    """A base Gemma 3 with one sliding and one full layer."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, GemmaTokenizer

    byte_tokens = [f"<0x{i:02X}>" for i in range(256)]
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *byte_tokens, "\n", "\n\n"]
    vocabulary, merges = _bpe(specials)
    tokenizer = GemmaTokenizer(vocab=vocabulary, merges=merges)
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        sliding_window=window,
        layer_types=["sliding_attention", "full_attention"],
        initializer_range=0.4,
        max_position_embeddings=positions,
    )
    torch.manual_seed(0)
    return _finish(folder, Gemma3ForCausalLM(config), tokenizer)


_CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def llama_chat(folder: Path) -> ModelFiles:
    """An instruction-tuned Llama (by its looks): byte-level BPE and a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.trainers import BpeTrainer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    specials = ["<|begin|>", "<|end|>", "<|pad|>", "<|user|>", "<|assistant|>"]
    bpe = Tokenizer(BPE())
    bpe.pre_tokenizer = ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=800,
        special_tokens=specials,
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(corpus(), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = _CHAT
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.4,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    torch.manual_seed(0)
    return _finish(folder, LlamaForCausalLM(config), tokenizer)


def name_tagger(folder: Path) -> ModelFiles:
    """A token classifier (BERT, WordPiece, BILOU) with a window of 62 tokens that knows a few names.

    Without training: the embedding of a name's first piece points to its tag, and the layers add nothing.
    """
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import BertProcessing
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    tags = ["O", "U-LOC", "B-PER", "L-PER", "B-LOC", "L-LOC", "U-PER", "I-PER", "I-LOC"]
    names = {"Ky": "U-LOC", "Київ": "U-LOC", "Paris": "U-LOC", "Olena": "B-PER", "Ivan": "L-PER"}
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    letters = sorted({char for text in [*english(50), "“”;,.'()"] for char in text if not char.isspace()})
    pieces = [*specials, *names, "##iv", "##ivna", *letters, *(f"##{char}" for char in letters)]
    vocabulary = {piece: n for n, piece in enumerate(pieces)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        id2label=dict(enumerate(tags)),
        label2id={tag: n for n, tag in enumerate(tags)},
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.fill_(1.0)
        embeddings = model.bert.embeddings.word_embeddings.weight
        embeddings[:, 0] = 1.0
        for piece, tag in names.items():
            embeddings[vocabulary[piece]] = 0.0
            embeddings[vocabulary[piece], tags.index(tag)] = 1.0
        model.classifier.weight[:, : len(tags)] = torch.eye(len(tags))
    return _finish(folder, model, fast)
