"""Translation with causal language models: base models by examples, instruction-tuned ones by chat.

The cache of the examples is computed once per language pair and shared by all sentences. Beam search
and templates with language codes of their own (TranslateGemma) are not handled.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from mtalign.errors import ConfigError, InputError
from mtalign.languages import LATIN, language, script_share
from mtalign.record import Origin
from mtalign.translate.batching import plan_batches
from mtalign.translate.decode import (
    Continuation,
    Decoding,
    Item,
    Prefix,
    Shortlist,
    continue_batch,
    read_prefix,
)
from mtalign.translate.engine import Hypothesis
from mtalign.translate.options import TransformersOptions
from mtalign.translate.prompts import chat_instruction, few_shot_stem, few_shot_tail, prompt_version

# Below this even short sentences would have to be cut.
_LEAST_LIMIT = 16


class CausalEngine:
    """One greedy hypothesis per sentence and, for `candidates` above 1, seeded samples.

    After examples, an output is the rest of a line, written with tokens of the target's script,
    punctuation, digits, short Latin pieces and the tokens of its own source. After a chat template it
    is everything up to the model's end token.
    """

    def __init__(
        self, model: Any, tokenizer: Any, origin: Origin, signature: str, options: TransformersOptions
    ) -> None:
        if options.prompt is None:
            raise ConfigError(
                f"model {origin.model!r} is a causal language model and needs prompt: few-shot (a base "
                "model) or prompt: chat (an instruction-tuned one)"
            )
        if options.beam_size > 1:
            raise ConfigError(
                f"beam_size {options.beam_size} with the causal model {origin.model!r}: beams are for "
                "encoder-decoder models; set candidates instead"
            )
        if options.prompt == "chat" and not tokenizer.chat_template:
            raise ConfigError(
                f"model {origin.model!r} has no chat template; set prompt: few-shot, or name the "
                "instruction-tuned checkpoint"
            )
        self._model = model
        self._tokenizer = tokenizer
        self._options = options
        self._few_shot = options.prompt == "few-shot"
        self._stems: dict[tuple[str, str], tuple[int, ...]] = {}
        self._prefixes: dict[tuple[str, str], Prefix] = {}
        self._shortlists: dict[str, Shortlist] = {}
        self.origin = origin
        self.signature = (
            f"{signature}|prompt:{options.prompt}-{prompt_version()}|candidates:{options.candidates}"
            f"|no-repeat:{options.no_repeat}|temperature:{options.temperature}|seed:{options.seed}|ratio:{options.max_ratio}"
            f"|batch:{options.batch_tokens}"
        )

    def check_languages(self, source: str, target: str) -> None:
        """Raise ConfigError or UnknownLanguage unless there is a prompt from `source` into `target`."""
        language(source), language(target)
        if self._few_shot:
            few_shot_stem(source, target)

    def limit(self, source: str, target: str) -> int:
        """Return how many tokens one sentence may have.

        Prompt, sentence and output share the model's positions, and sentence and output must lie within
        what every layer attends to (the sliding window of Gemma 3).
        """
        config = self._model.config
        positions = config.max_position_embeddings
        taken = len(self._stem_ids(source, target))
        limit = self._options.max_source_tokens(min(positions - taken, self._window))
        if limit < _LEAST_LIMIT:
            raise ConfigError(
                f"model {self.origin.model!r} has {positions} positions and attends to {self._window} "
                f"tokens; with {taken} tokens of examples that leaves no room for a sentence"
            )
        return limit

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        """Return the number of tokens that the sentence adds to the prompt."""
        return len(self._prompt_ids(sentence, source, target)) - len(self._stem_ids(source, target))

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[list[Hypothesis]]:
        """Return `candidates` hypotheses per sentence, in their order, the greedy one first."""
        stem = len(self._stem_ids(source, target))
        limit = self.limit(source, target)
        items = []
        for sentence in sentences:
            ids = self._prompt_ids(sentence, source, target)[stem:]
            if len(ids) > limit:
                raise InputError(
                    f"a sentence of {len(ids)} tokens is over the limit of {limit} of model "
                    f"{self.origin.model!r}; split it first: {sentence[:60]!r}"
                )
            items.append(Item(sentence, tuple(ids), self._options.max_new_tokens(len(ids))))
        results: list[list[Hypothesis]] = [[] for _ in sentences]
        for batch in self._batches(items, stem):
            continued = continue_batch(
                self._model,
                self._prefix(source, target),
                [items[i] for i in batch],
                decoding=self._decoding,
                shortlist=self._shortlist(target) if self._few_shot else None,
            )
            for index, continuations in zip(batch, continued, strict=True):
                results[index] = [self._hypothesis(each) for each in continuations]
        return results

    def _batches(self, items: Sequence[Item], stem: int) -> list[list[int]]:
        """Plan batches in which padding does not change what a sliding layer sees.

        Padding counts as distance there: beside a longer prompt, a sentence would lose sight of examples
        that it sees when alone. So whatever may outgrow the window goes with its own length only.
        """
        groups: dict[int, list[int]] = {}
        for index, item in enumerate(items):
            fits = stem + len(item.ids) + item.max_new <= self._window
            groups.setdefault(0 if fits else len(item.ids), []).append(index)
        batches = []
        for group in groups.values():
            planned = plan_batches(
                [len(items[i].ids) for i in group],
                self._options.batch_tokens,
                rows_per_item=self._options.candidates,
            )
            batches += [[group[i] for i in batch] for batch in planned]
        return batches

    @property
    def _window(self) -> int:
        """How far back the layer that sees least can see."""
        config = self._model.config
        return int(getattr(config, "sliding_window", None) or config.max_position_embeddings)

    def _prompt_ids(self, sentence: str, source: str, target: str) -> list[int]:
        if not self._few_shot:
            turn = {"role": "user", "content": chat_instruction(sentence, source, target)}
            text = self._tokenizer.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
            return self._ids(text, special=False)
        stem = self._stem_ids(source, target)
        ids = self._ids(few_shot_stem(source, target) + few_shot_tail(sentence, target))
        if tuple(ids[: len(stem)]) != stem:
            raise ConfigError(
                f"the tokenizer of model {self.origin.model!r} joins the examples with what follows them, "
                "so that they cannot be shared between sentences; use an engine with prompt: chat"
            )
        return ids

    def _stem_ids(self, source: str, target: str) -> tuple[int, ...]:
        if not self._few_shot:
            return ()
        if (source, target) not in self._stems:
            self._stems[source, target] = tuple(self._ids(few_shot_stem(source, target)))
        return self._stems[source, target]

    def _ids(self, text: str, *, special: bool = True) -> list[int]:
        encoded = self._tokenizer(text, add_special_tokens=special, truncation=False, verbose=False)
        ids: list[int] = encoded["input_ids"]
        return ids

    def _prefix(self, source: str, target: str) -> Prefix:
        if (source, target) not in self._prefixes:
            self._prefixes[source, target] = read_prefix(self._model, self._stem_ids(source, target))
        return self._prefixes[source, target]

    def _shortlist(self, target: str) -> Shortlist:
        if target not in self._shortlists:
            script = language(target).script
            self._shortlists[target] = Shortlist(
                self._model, self._vocabulary, lambda text: _may_write(text, script)
            )
        return self._shortlists[target]

    @cached_property
    def _vocabulary(self) -> list[str]:
        """The text of every token."""
        texts: list[str] = self._tokenizer.batch_decode(
            [[token] for token in range(self._model.config.vocab_size)], clean_up_tokenization_spaces=False
        )
        return texts

    @cached_property
    def _decoding(self) -> Decoding:
        ends = self._model.generation_config.eos_token_id
        stops = {self._tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
        if self._few_shot:
            stops |= {token for token, text in enumerate(self._vocabulary) if "\n" in text}
        options = self._options
        return Decoding(
            options.candidates, options.temperature, options.seed, frozenset(stops), options.no_repeat
        )

    def _hypothesis(self, continuation: Continuation) -> Hypothesis:
        text = self._tokenizer.decode(
            continuation.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return Hypothesis(" ".join(text.split()), continuation.score, continuation.complete)


def _may_write(token: str, script: str) -> bool:
    """Say whether a translation may hold this token: the script's own, no letters, or short and Latin.

    Short Latin pieces spell the names that stay Latin; bytes of other characters (U+FFFD when decoded
    alone) are left out.
    """
    letters = [char for char in token if char.isalpha()]
    if not letters:
        return "\ufffd" not in token
    return script_share(token, script) == 1.0 or (len(letters) <= 2 and script_share(token, LATIN) == 1.0)
