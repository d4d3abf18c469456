"""Translation with encoder-decoder checkpoints of transformers, each with its own way to name a language.

Marian (one direction, or `>>xxx<<` in front), M2M100, NLLB-200, mBART-50 (language tokens around the
text) and T5 (`<2xx>` in front). A T5 that wants its task in words (`translate English to …`) is not
handled.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtalign.errors import ConfigError, InputError
from mtalign.languages import LANGUAGES, Language, language
from mtalign.record import Origin
from mtalign.translate.batching import plan_batches
from mtalign.translate.engine import Hypothesis
from mtalign.translate.options import TransformersOptions

if TYPE_CHECKING:
    import torch

# What a model with relative positions (T5) is given at the most: such models have no hard limit, and
# translate badly beyond the lengths that they were trained on.
_RELATIVE_POSITIONS_LIMIT = 512
# Logits held at once while hypotheses are scored: 256 MB in float32.
_SCORED_LOGITS = 64_000_000


@dataclass(frozen=True)
class _Coding:
    """How a checkpoint is told the languages: the tokenizer's source, text in front, the first token."""

    source: str | None = None
    front: str = ""
    first_token: int | None = None


class EncoderDecoderEngine:
    """Greedy or beam search; the n-best hypotheses are the best beams, scored by the model itself."""

    def __init__(
        self, model: Any, tokenizer: Any, origin: Origin, signature: str, options: TransformersOptions
    ) -> None:
        # A checkpoint may force its end token at the length limit, which would hide that the output was
        # cut. Both settings are taken away at the source: generate() fills gaps from here.
        model.generation_config.forced_eos_token_id = None
        model.generation_config.max_length = None
        self._model = model
        self._tokenizer = tokenizer
        self._options = options
        self._beams = max(options.beam_size, options.candidates)
        self.origin = origin
        self.signature = (
            f"{signature}|beams:{self._beams}|candidates:{options.candidates}"
            f"|no-repeat:{options.no_repeat}|ratio:{options.max_ratio}|batch:{options.batch_tokens}"
        )

    def check_languages(self, source: str, target: str) -> None:
        """Raise ConfigError or UnknownLanguage unless the model translates `source` into `target`."""
        self._coding(source, target)

    def limit(self, source: str, target: str) -> int:
        """Return how many tokens one sentence may have."""
        self._coding(source, target)
        return self._positions()

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        """Return the number of tokens that the model would read for this sentence."""
        return len(self._encode([sentence], self._coding(source, target))[0])

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[list[Hypothesis]]:
        """Return `candidates` hypotheses per sentence, best first, in the order of the sentences."""
        coding = self._coding(source, target)
        ids = self._encode(sentences, coding)
        limit = self._positions()
        for sentence, tokens in zip(sentences, ids, strict=True):
            if len(tokens) > limit:
                raise InputError(
                    f"a sentence of {len(tokens)} tokens is over the limit of {limit} of model "
                    f"{self.origin.model!r}; split it first: {sentence[:60]!r}"
                )
        results: list[list[Hypothesis]] = [[] for _ in sentences]
        lengths = [len(tokens) for tokens in ids]
        for batch in plan_batches(lengths, self._options.batch_tokens, rows_per_item=self._beams):
            for index, hypotheses in zip(batch, self._generate([ids[i] for i in batch], coding), strict=True):
                results[index] = hypotheses
        return results

    def _generate(self, batch: list[list[int]], coding: _Coding) -> list[list[Hypothesis]]:
        import torch

        inputs = self._tokenizer.pad(
            {"input_ids": batch}, padding=True, padding_side="right", return_tensors="pt"
        ).to(self._model.device)
        room = self._positions() - 2
        allowed = [min(room, self._options.max_new_tokens(len(ids))) for ids in batch]
        count = self._options.candidates
        settings = copy.deepcopy(self._model.generation_config)
        settings.update(
            num_beams=self._beams,
            num_return_sequences=count,
            do_sample=False,
            no_repeat_ngram_size=self._options.no_repeat or settings.no_repeat_ngram_size,
            max_new_tokens=max(allowed),
            forced_bos_token_id=coding.first_token or settings.forced_bos_token_id,
        )
        with torch.inference_mode():
            sequences = self._model.generate(**inputs, generation_config=settings)
            limits = torch.tensor(allowed, device=sequences.device).repeat_interleave(count)
            counted = self._counted(sequences[:, 1:], limits)
            scores = self._scores(inputs, sequences, counted)
        hypotheses = [
            self._hypothesis(ids[:length], score, coding)
            for ids, length, score in zip(
                sequences[:, 1:].tolist(), counted.sum(1).tolist(), scores, strict=True
            )
        ]
        groups = [hypotheses[i : i + count] for i in range(0, len(hypotheses), count)]
        return [sorted(group, key=lambda each: -each.score) for group in groups]

    def _hypothesis(self, ids: list[int], score: float, coding: _Coding) -> Hypothesis:
        complete = ids[-1] == self._end_token
        if ids[0] == coding.first_token:
            del ids[0]
        text = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Hypothesis(" ".join(text.split()), score, complete)

    @property
    def _end_token(self) -> int:
        token: int = self._tokenizer.eos_token_id
        return token

    def _counted(self, outputs: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
        """Say which output tokens belong to a hypothesis: up to its end token and its own length limit.

        What follows in a row is padding, or what a longer neighbour in the batch gave it room for.
        """
        import torch

        ends = (outputs == self._end_token).long()
        before_end = ends.cumsum(1) - ends == 0
        return before_end & (torch.arange(outputs.shape[1], device=outputs.device) < limits[:, None])

    def _scores(self, inputs: Any, sequences: torch.Tensor, counted: torch.Tensor) -> list[float]:
        """Return the mean log-probability of the counted tokens of each output, by reading it once more."""
        import torch

        rows, width = sequences.shape
        repeats = rows // inputs["input_ids"].shape[0]
        step = max(1, _SCORED_LOGITS // (width * self._model.config.vocab_size))
        scores: list[float] = []
        for start in range(0, rows, step):
            part = slice(start, start + step)
            source = torch.arange(rows, device=sequences.device)[part] // repeats
            logits = self._model(
                input_ids=inputs["input_ids"][source],
                attention_mask=inputs["attention_mask"][source],
                decoder_input_ids=sequences[part, :-1],
            ).logits.float()
            logprobs = logits.log_softmax(-1).gather(2, sequences[part, 1:, None])[..., 0]
            scores += ((logprobs * counted[part]).sum(1) / counted[part].sum(1)).tolist()
        return scores

    def _positions(self) -> int:
        """Return how many tokens the encoder reads at the most."""
        config = self._model.config
        hard = getattr(config, "max_position_embeddings", None) or _RELATIVE_POSITIONS_LIMIT
        # A tokenizer without a limit of its own says 1e30.
        return int(min(hard, self._tokenizer.model_max_length))

    def _encode(self, sentences: Sequence[str], coding: _Coding) -> list[list[int]]:
        if not sentences:
            return []
        if coding.source is not None:
            self._tokenizer.src_lang = coding.source
        texts = [coding.front + sentence for sentence in sentences]
        ids: list[list[int]] = self._tokenizer(texts, truncation=False, verbose=False)["input_ids"]
        return ids

    def _coding(self, source: str, target: str) -> _Coding:
        """Return how this checkpoint is told to translate `source` into `target`, or raise ConfigError."""
        rows = language(source), language(target)
        kind = self._model.config.model_type
        if kind == "marian":
            return self._marian_coding(*rows)
        if kind in ("t5", "mt5", "umt5"):
            return _Coding(front=f"{self._known_token(rows[1], rows[1].t5)} ")
        if kind == "mbart":
            return self._tagged_coding(*rows, [row.mbart for row in rows])
        if kind == "m2m_100" and self._id("eng_Latn") is not None:
            return self._tagged_coding(*rows, [row.nllb for row in rows])
        if kind == "m2m_100":
            self._known_token(rows[0], _m2m_token(rows[0]))
            token = self._known_token(rows[1], _m2m_token(rows[1]))
            return _Coding(source=rows[0].m2m, first_token=self._id(token))
        raise ConfigError(
            f"model {self.origin.model!r} is of the kind {kind!r}; known encoder-decoder kinds are marian, "
            "m2m_100 (M2M100, NLLB-200), mbart and t5"
        )

    def _tagged_coding(self, source: Language, target: Language, tokens: list[str | None]) -> _Coding:
        code = self._known_token(source, tokens[0])
        return _Coding(source=code, first_token=self._id(self._known_token(target, tokens[1])))

    def _marian_coding(self, source: Language, target: Language) -> _Coding:
        for row, said in (
            (source, getattr(self._tokenizer, "source_lang", None)),
            (target, getattr(self._tokenizer, "target_lang", None)),
        ):
            if said in LANGUAGES and said != row.code:
                raise ConfigError(
                    f"model {self.origin.model!r} translates from {self._tokenizer.source_lang} into "
                    f"{self._tokenizer.target_lang}, not from {source.code} into {target.code}"
                )
        tags = [token for token in self._tokenizer.get_vocab() if token.startswith(">>")]
        if not tags:
            return _Coding()
        long_code = target.nllb.partition("_")[0]
        for code in (long_code, target.nllb, target.code):
            if f">>{code}<<" in tags:
                return _Coding(front=f">>{code}<< ")
        raise ConfigError(
            f"model {self.origin.model!r} does not know >>{long_code}<< ({target.english}); "
            f"it knows {' '.join(sorted(tags)[:20])}"
        )

    def _known_token(self, row: Language, token: str | None) -> str:
        if token is None or self._id(token) is None:
            raise ConfigError(
                f"model {self.origin.model!r} does not know {row.english} ({row.code!r}): "
                f"its vocabulary has no token {token!r}"
            )
        return token

    def _id(self, token: str) -> int | None:
        found: int = self._tokenizer.convert_tokens_to_ids(token)
        return None if found == self._tokenizer.unk_token_id else found


def _m2m_token(row: Language) -> str | None:
    return row.m2m and f"__{row.m2m}__"
