"""Translation with causal language models: base models by examples, instruction-tuned ones by chat.

The cache of the examples is computed once per language pair and shared by all sentences. Beam search is
not handled. What stood before a sentence is shown to chat models with the instruction, and to base models
after examples that show it too; TranslateGemma's template has no place for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any

from mtalign.errors import ConfigError
from mtalign.languages import LATIN, language, script_share
from mtalign.record import Origin
from mtalign.translate.batching import plan_batches, run_batches
from mtalign.translate.decode import (
    Choice,
    Continuation,
    Item,
    Prefix,
    Shortlist,
    continue_batch,
    logprobs_of,
    read_after,
    read_prefix,
)
from mtalign.translate.engine import (
    Capabilities,
    Decoding,
    Hypothesis,
    Profile,
    check_decoding,
    check_length,
    well_formed,
)
from mtalign.translate.options import Search, TransformersOptions
from mtalign.translate.prompts import (
    chat_instruction,
    few_shot_stem,
    few_shot_tail,
    prompt_version,
    translategemma_content,
)

# Below this even short sentences would have to be cut.
_LEAST_LIMIT = 16
# Logits held at once while translations are scored: 256 MB in float32.
_SCORED_LOGITS = 64_000_000


class CausalEngine:
    """One greedy hypothesis per sentence and, for `candidates` above 1, seeded samples.

    After examples, an output is the rest of a line, written with tokens of the target's script,
    punctuation, digits, short Latin pieces and the tokens of its own source. After a chat template it
    is everything up to the model's end token.
    """

    def __init__(self, model: Any, tokenizer: Any, profile: Profile, options: TransformersOptions) -> None:
        origin = profile.origin
        if options.prompt is None:
            raise ConfigError(
                f"model {origin.model!r} is a causal language model and needs prompt: few-shot (a base "
                "model), prompt: chat (an instruction-tuned one) or prompt: translategemma"
            )
        if options.beam_size > 1:
            raise ConfigError(
                f"beam_size {options.beam_size} with the causal model {origin.model!r}: beams are for "
                "encoder-decoder models; set candidates instead"
            )
        if options.prompt != "few-shot" and not tokenizer.chat_template:
            raise ConfigError(
                f"model {origin.model!r} has no chat template; set prompt: few-shot, or name the "
                "instruction-tuned checkpoint"
            )
        self._model = model
        self._config = model.config.get_text_config()
        self._tokenizer = tokenizer
        self._options = options
        self._few_shot = options.prompt == "few-shot"
        self._stems: dict[tuple[str, str, bool], tuple[int, ...]] = {}
        self._prefixes: dict[tuple[str, str, bool], Prefix] = {}
        self._shortlists: dict[str, Shortlist] = {}
        self.origin = origin
        self.signature = profile.signature
        self.capabilities = profile.capabilities

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
        positions = self._config.max_position_embeddings
        taken = len(self._stem_ids(source, target, shown=self._few_shot))
        limit = self._options.max_source_tokens(min(positions - taken, self._window))
        if limit < _LEAST_LIMIT:
            raise ConfigError(
                f"model {self.origin.model!r} has {positions} positions and attends to {self._window} "
                f"tokens; with {taken} tokens of examples that leaves no room for a sentence"
            )
        return limit

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        """Return the number of tokens that the sentence adds to the prompt."""
        return len(self._tail_ids(sentence, source, target))

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        decoding: Decoding = Decoding(),
        contexts: Sequence[str] | None = None,
    ) -> list[list[Hypothesis]]:
        """Return the candidates of every sentence, in their order, the greedy one first."""
        check_decoding(self, decoding, contexts)
        search = self._options.search(decoding)
        made = [
            self._item(sentence, context, source, target)
            for sentence, context in zip(sentences, contexts or [""] * len(sentences), strict=True)
        ]
        items, shown = [item for item, _ in made], [with_context for _, with_context in made]

        def work(batch: Sequence[int]) -> list[list[Hypothesis]]:
            continued = continue_batch(
                self._model,
                self._prefix(source, target, shown=shown[batch[0]]),
                [items[i] for i in batch],
                choice=self._choice(search),
                shortlist=self._shortlist(target) if self._few_shot else None,
            )
            return [[self._hypothesis(each) for each in continuations] for continuations in continued]

        stems = [len(self._stem_ids(source, target, shown=each)) for each in shown]
        return run_batches(self._batches(items, shown, stems, search.candidates), work)

    def score(
        self, sources: Sequence[str], translations: Sequence[str], source: str, target: str
    ) -> list[list[float]]:
        """Return the log-probability of every token of each translation after its prompt.

        The end of the turn or line is not among them.
        """
        prompts = [self._prompt(sentence, source, target) for sentence in sources]
        read = [self._ids(prompt, special=self._few_shot) for prompt in prompts]
        gap = " " if self._few_shot else ""
        whole = [
            self._ids(prompt + gap + well_formed(translation), special=self._few_shot)
            for prompt, translation in zip(prompts, translations, strict=True)
        ]
        for translation, ids in zip(translations, whole, strict=True):
            check_length(
                "prompt with its translation", translation, len(ids), self._window, self.origin.model
            )

        starts = [_shared(prompt, ids) for prompt, ids in zip(read, whole, strict=True)]
        # The examples are read once for all, unless the tokenizer joins them with what follows.
        stem = self._stem_ids(source, target, shown=False)
        if any(_shared(stem, ids) < len(stem) for ids in read) or min(starts, default=0) <= len(stem):
            stem = ()
        prefix = self._prefix(source, target, shown=False) if stem else read_prefix(self._model, ())
        rows = [ids[len(stem) :] for ids in whole]

        def work(batch: Sequence[int]) -> list[list[float]]:
            import torch

            chosen = [rows[i] for i in batch]
            with torch.inference_mode():
                logits, tokens = read_after(self._model, prefix, chosen)
                logprobs = logprobs_of(logits[:, :-1], tokens[:, 1:]).tolist()
            return [
                line[starts[i] - len(stem) - 1 : len(rows[i]) - 1]
                for line, i in zip(logprobs, batch, strict=True)
            ]

        budget = max(1, _SCORED_LOGITS // self._config.vocab_size)
        return run_batches(plan_batches([len(ids) for ids in rows], budget), work)

    def _item(self, sentence: str, context: str, source: str, target: str) -> tuple[Item, bool]:
        """Return the prompt of a sentence, and whether it follows the examples that show a context.

        A context that does not fit beside its sentence is left out.
        """
        limit = self.limit(source, target)
        ids = self._tail_ids(sentence, source, target)
        check_length("sentence", sentence, len(ids), limit, self.origin.model)
        max_new = self._options.max_new_tokens(len(ids))
        if context:
            longer = self._tail_ids(sentence, source, target, context)
            if len(longer) <= limit:
                return Item(sentence, tuple(longer), max_new), self._few_shot
        return Item(sentence, tuple(ids), max_new), False

    def _batches(
        self, items: Sequence[Item], shown: Sequence[bool], stems: Sequence[int], rows: int
    ) -> list[list[int]]:
        """Plan batches of one stem each, in which padding does not change what a sliding layer sees.

        Padding counts as distance there: beside a longer prompt, a sentence would lose sight of examples
        that it sees when alone. So whatever may outgrow the window goes with its own length only.
        """
        apart: list[Hashable]
        if self._options.batching == "exact":
            apart = list(range(len(items)))
        else:
            fits = [
                stem + len(item.ids) + item.max_new <= self._window
                for stem, item in zip(stems, items, strict=True)
            ]
            apart = [
                (0 if fit else len(item.ids), context)
                for fit, item, context in zip(fits, items, shown, strict=True)
            ]
        lengths = [len(item.ids) for item in items]
        return plan_batches(lengths, self._options.batch_tokens, rows_per_item=rows, apart=apart)

    @property
    def _window(self) -> int:
        """How far back the layer that sees least can see."""
        config = self._config
        return int(getattr(config, "sliding_window", None) or config.max_position_embeddings)

    def _prompt(self, sentence: str, source: str, target: str, context: str = "") -> str:
        sentence = well_formed(sentence)
        if self._few_shot:
            stem = few_shot_stem(source, target, shown=bool(context))
            return stem + few_shot_tail(sentence, source, target, well_formed(context))
        content: object
        if self._options.prompt == "translategemma":
            content = translategemma_content(sentence, source, target)
        else:
            content = chat_instruction(sentence, source, target, well_formed(context))
        text: str = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        return text

    def _tail_ids(self, sentence: str, source: str, target: str, context: str = "") -> list[int]:
        """Return the tokens of a prompt after its stem."""
        ids = self._ids(self._prompt(sentence, source, target, context), special=self._few_shot)
        stem = self._stem_ids(source, target, shown=bool(context))
        if tuple(ids[: len(stem)]) != stem:
            raise ConfigError(
                f"the tokenizer of model {self.origin.model!r} joins the examples with what follows them, "
                "so that they cannot be shared between sentences; use an engine with prompt: chat"
            )
        return ids[len(stem) :]

    def _stem_ids(self, source: str, target: str, *, shown: bool) -> tuple[int, ...]:
        if not self._few_shot:
            return ()
        key = source, target, shown
        if key not in self._stems:
            self._stems[key] = tuple(self._ids(few_shot_stem(source, target, shown=shown)))
        return self._stems[key]

    def _ids(self, text: str, *, special: bool = True) -> list[int]:
        encoded = self._tokenizer(text, add_special_tokens=special, truncation=False, verbose=False)
        ids: list[int] = encoded["input_ids"]
        return ids

    def _prefix(self, source: str, target: str, *, shown: bool) -> Prefix:
        key = source, target, shown
        if key not in self._prefixes:
            self._prefixes[key] = read_prefix(self._model, self._stem_ids(source, target, shown=shown))
        return self._prefixes[key]

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
            [[token] for token in range(self._config.vocab_size)], clean_up_tokenization_spaces=False
        )
        return texts

    @cached_property
    def _stops(self) -> frozenset[int]:
        ends = self._model.generation_config.eos_token_id
        stops = {self._tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
        if self._few_shot:
            stops |= {token for token, text in enumerate(self._vocabulary) if "\n" in text}
        return frozenset(stops)

    def _choice(self, search: Search) -> Choice:
        options = self._options
        return Choice(
            search.candidates,
            options.temperature,
            options.seed,
            self._stops,
            search.no_repeat,
            all_sampled=options.sample,
        )

    def _hypothesis(self, continuation: Continuation) -> Hypothesis:
        text = self._tokenizer.decode(
            continuation.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return Hypothesis(" ".join(text.split()), continuation.score, continuation.complete)


def causal_profile(origin: Origin, signature: str, options: TransformersOptions) -> Profile:
    """Return the profile of an engine, given the part of its signature that is about model and machine."""
    decoding = (
        f"prompt:{options.prompt}-{prompt_version()}|candidates:{options.candidates}"
        f"|sample:{options.sample}|no-repeat:{options.no_repeat}|temperature:{options.temperature}"
        f"|seed:{options.seed}|ratio:{options.max_ratio}|batch:{options.batch_tokens}"
        f"|batching:{options.batching}"
    )
    shown = options.prompt in ("few-shot", "chat")
    capabilities = Capabilities(n_best=True, no_repeat=True, score=True, context=shown)
    return Profile(origin, f"{signature}|{decoding}", capabilities)


def _shared(prompt: Sequence[int], whole: Sequence[int]) -> int:
    """Return how many tokens a prompt and its continuation begin with in common."""
    pairs = enumerate(zip(prompt, whole, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(prompt), len(whole)))


def _may_write(token: str, script: str) -> bool:
    """Say whether a translation may hold this token: the script's own, no letters, or short and Latin.

    Short Latin pieces spell the names that stay Latin; bytes of other characters (U+FFFD when decoded
    alone) are left out.
    """
    letters = [char for char in token if char.isalpha()]
    if not letters:
        return "\ufffd" not in token
    return script_share(token, script) == 1.0 or (len(letters) <= 2 and script_share(token, LATIN) == 1.0)
