"""Text to tokens and back for encoder-decoder checkpoints, each with its own way to name a language.

Marian (one direction, or `>>xxx<<` in front), M2M100, NLLB-200, mBART-50 (language tokens around the
text) and T5 (`<2xx>` in front). A T5 that wants its task in words (`translate English to …`) is not
handled. Every language code is looked up in the vocabulary: one that is not there would become `<unk>`
without a word, and the output some other language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtalign.errors import ConfigError
from mtalign.languages import LANGUAGES, Language, language
from mtalign.translate.engine import check_length, well_formed

# What a model with relative positions (T5) is given at the most: such models have no hard limit, and
# translate badly beyond the lengths that they were trained on.
_RELATIVE_POSITIONS_LIMIT = 512
_T5_KINDS = ("t5", "mt5", "umt5")
KINDS = ("marian", "m2m_100", "mbart", *_T5_KINDS)


@dataclass(frozen=True)
class Coding:
    """How a checkpoint is told the languages: the tokenizer's two, text in front, the first output token."""

    source: str | None = None
    target: str | None = None
    front: str = ""
    first_token: int | None = None


class Codec:
    """The tokenizer of an encoder-decoder checkpoint, told the languages in the checkpoint's own way."""

    def __init__(self, tokenizer: Any, config: Any, model: str) -> None:
        """Wrap a tokenizer of transformers.

        Args:
            tokenizer: the checkpoint's.
            config: the checkpoint's configuration.
            model: the checkpoint's name, for messages.

        Raises:
            ConfigError: checkpoints of this kind are not known here.
        """
        if config.model_type not in KINDS:
            raise ConfigError(
                f"model {model!r} is of the kind {config.model_type!r}; known encoder-decoder kinds are "
                "marian, m2m_100 (M2M100, NLLB-200), mbart and t5"
            )
        if config.model_type == "mbart" and not type(tokenizer).__name__.startswith("MBart50"):
            raise ConfigError(
                f"model {model!r} is an mBART of the first kind, which puts its language codes elsewhere; "
                "take an mBART-50"
            )
        self._tokenizer = tokenizer
        self._kind = config.model_type
        self._model = model
        positions = getattr(config, "max_position_embeddings", None) or _RELATIVE_POSITIONS_LIMIT
        # A tokenizer without a limit of its own says 1e30.
        self.limit = int(min(positions, tokenizer.model_max_length))
        self.end_token: int = tokenizer.eos_token_id
        # Asked for with every sentence that is measured, and found by going through the vocabulary.
        self._codings: dict[tuple[str, str], Coding] = {}

    def coding(self, source: str, target: str) -> Coding:
        """Return how this checkpoint is told to translate `source` into `target`.

        Raises:
            ConfigError: it does not know one of the languages.
            UnknownLanguage: neither does mtalign.
        """
        if (source, target) not in self._codings:
            self._codings[source, target] = self._find_coding(source, target)
        return self._codings[source, target]

    def _find_coding(self, source: str, target: str) -> Coding:
        rows = language(source), language(target)
        if self._kind == "marian":
            return self._marian_coding(*rows)
        if self._kind in _T5_KINDS:
            return Coding(front=f"{self._known_token(rows[1], rows[1].t5)} ")
        if self._kind == "mbart":
            return self._tagged_coding(*rows, [row.mbart for row in rows])
        if self._id("eng_Latn") is not None:
            return self._tagged_coding(*rows, [row.nllb for row in rows])
        tokens = [self._known_token(row, row.m2m and f"__{row.m2m}__") for row in rows]
        return Coding(rows[0].m2m, rows[1].m2m, first_token=self._id(tokens[1]))

    def encode(self, sentences: Sequence[str], coding: Coding) -> list[list[int]]:
        """Return the tokens that the encoder reads, language and end tokens among them."""
        if not sentences:
            return []
        if coding.source is not None:
            self._tokenizer.src_lang = coding.source
        texts = [coding.front + well_formed(sentence) for sentence in sentences]
        ids: list[list[int]] = self._tokenizer(texts, truncation=False, verbose=False)["input_ids"]
        return ids

    def encode_within_limit(self, sentences: Sequence[str], coding: Coding) -> list[list[int]]:
        """Return what `encode` does.

        Raises:
            InputError: a sentence is over the limit.
        """
        ids = self.encode(sentences, coding)
        for sentence, tokens in zip(sentences, ids, strict=True):
            check_length("sentence", sentence, len(tokens), self.limit, self._model)
        return ids

    def encode_targets(self, translations: Sequence[str], coding: Coding) -> list[list[int]]:
        """Return the tokens that the decoder writes after its language token: the text and the end token.

        Raises:
            InputError: a translation is over the limit.
        """
        if not translations:
            return []
        if coding.target is not None:
            self._tokenizer.tgt_lang = coding.target
        texts = [well_formed(text) for text in translations]
        ids: list[list[int]] = self._tokenizer(text_target=texts, truncation=False, verbose=False)[
            "input_ids"
        ]
        for text, tokens in zip(translations, ids, strict=True):
            if coding.first_token is not None and tokens[0] == coding.first_token:
                del tokens[0]
            # Two positions are taken by the tokens that start the output.
            check_length("translation", text, len(tokens), self.limit - 2, self._model)
        return ids

    def decode(self, ids: Sequence[int], coding: Coding) -> str:
        """Return the text of an output, on one line."""
        written = ids[1:] if ids and ids[0] == coding.first_token else ids
        text = self._tokenizer.decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return " ".join(text.split())

    def _tagged_coding(self, source: Language, target: Language, tokens: list[str | None]) -> Coding:
        codes = [self._known_token(row, token) for row, token in zip((source, target), tokens, strict=True)]
        return Coding(codes[0], codes[1], first_token=self._id(codes[1]))

    def _marian_coding(self, source: Language, target: Language) -> Coding:
        for row, said in (
            (source, getattr(self._tokenizer, "source_lang", None)),
            (target, getattr(self._tokenizer, "target_lang", None)),
        ):
            if said in LANGUAGES and said != row.code:
                raise ConfigError(
                    f"model {self._model!r} translates from {self._tokenizer.source_lang} into "
                    f"{self._tokenizer.target_lang}, not from {source.code} into {target.code}"
                )
        tags = [token for token in self._tokenizer.get_vocab() if token.startswith(">>")]
        if not tags:
            return Coding()
        long_code = target.nllb.partition("_")[0]
        for code in (long_code, target.nllb, target.code):
            if f">>{code}<<" in tags:
                return Coding(front=f">>{code}<< ")
        raise ConfigError(
            f"model {self._model!r} does not know >>{long_code}<< ({target.english}); "
            f"it knows {' '.join(sorted(tags)[:20])}"
        )

    def _known_token(self, row: Language, token: str | None) -> str:
        if token is None or self._id(token) is None:
            raise ConfigError(
                f"model {self._model!r} does not know {row.english} ({row.code!r}): "
                f"its vocabulary has no token {token!r}"
            )
        return token

    def _id(self, token: str) -> int | None:
        found: int = self._tokenizer.convert_tokens_to_ids(token)
        return None if found == self._tokenizer.unk_token_id else found


class CodecEngine:
    """What an engine on a codec knows of languages and lengths, whatever runs the model."""

    _codec: Codec

    def check_languages(self, source: str, target: str) -> None:
        """Raise ConfigError or UnknownLanguage unless the model translates `source` into `target`."""
        self._codec.coding(source, target)

    def limit(self, source: str, target: str) -> int:
        """Return how many tokens one sentence may have."""
        self._codec.coding(source, target)
        return self._codec.limit

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        """Return the number of tokens that the model would read for this sentence."""
        return len(self._codec.encode([sentence], self._codec.coding(source, target))[0])
