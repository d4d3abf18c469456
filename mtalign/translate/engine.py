"""What the rest of mtalign knows about a translation engine: a protocol and its types.

An engine turns sentences into n-best lists, one list per sentence, in order, and scores translations
that others made. It does not see paragraphs, split long sentences, choose among its own hypotheses or
judge them: `sentences` and `document` do that for every engine alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mtalign.errors import ConfigError, InputError
from mtalign.record import Origin

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Hypothesis:
    """One translation of one sentence.

    `score` is the mean log-probability per token in the engine's own eyes: comparable between the
    hypotheses of one engine only. `complete` is false when the output stopped at the length limit
    and not because the model ended it.
    """

    text: str
    score: float
    complete: bool = True


@dataclass(frozen=True)
class Decoding:
    """How one call decodes where it differs from the engine's own options; None keeps those.

    `candidates` is the number of hypotheses wanted, `no_repeat` the n of the n-grams that may not come twice.
    """

    beam_size: int | None = None
    candidates: int | None = None
    no_repeat: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("beam_size", 1), ("candidates", 1), ("no_repeat", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} is {value}; it must be {least} or more")


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do beyond one translation per sentence.

    `portion` is for one that gains nothing from more sentences in a call: so many are translated at a time,
    and remembered before the next.
    """

    beam: bool = False
    n_best: bool = False
    no_repeat: bool = False
    score: bool = False
    context: bool = False
    portion: int | None = None


@dataclass(frozen=True)
class Profile:
    """What an engine says of itself, which is known before its model is loaded (see `Engine`)."""

    origin: Origin
    signature: str
    capabilities: Capabilities


class Engine(Protocol):
    """Translates sentences one by one in meaning, in batches in practice.

    `signature` holds everything that can change the output: model, decoding, number format, library
    versions. `origin` is what a record says about the translation.
    """

    @property
    def origin(self) -> Origin:
        """Where this engine's translations come from."""
        ...

    @property
    def signature(self) -> str:
        """Everything that can change the output, in one line."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked of this engine."""
        ...

    def check_languages(self, source: str, target: str) -> None:
        """Raise ConfigError or UnknownLanguage unless the model translates `source` into `target`."""
        ...

    def limit(self, source: str, target: str) -> int:
        """Return how many tokens, as `count_tokens` counts them, one sentence may have."""
        ...

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        """Return the number of tokens that the model would read for this sentence."""
        ...

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        decoding: Decoding = Decoding(),
        contexts: Sequence[str] | None = None,
    ) -> list[list[Hypothesis]]:
        """Return at least one hypothesis per sentence, best first, in the order of the sentences.

        Args:
            sentences: what to translate, each within the limit.
            source: language code of the sentences.
            target: language code of the translations.
            decoding: where this call differs from the engine's options.
            contexts: what stood before each sentence in its document ("" at its start); an engine without
                that capability never gets it. A context that does not fit beside its sentence is left out.

        Raises:
            InputError: a sentence is over the limit. It is never truncated: the caller splits it.
            ConfigError: `decoding` or `contexts` ask for what the engine's capabilities do not cover.
        """
        ...

    def score(
        self, sources: Sequence[str], translations: Sequence[str], source: str, target: str
    ) -> list[list[float]]:
        """Return the log-probability of every token of each translation, given its source (teacher forcing).

        The token that ends a translation is one of them where the engine's models have such a token.

        Raises:
            InputError: a source or a translation is over the limit.
            ConfigError: `capabilities.score` is false.
        """
        ...


def check_decoding(engine: Engine, decoding: Decoding, contexts: Sequence[str] | None) -> None:
    """Raise ConfigError where a call asks for what the engine's capabilities do not cover."""
    can = engine.capabilities
    for wanted, able, name in (
        ((decoding.beam_size or 1) > 1, can.beam, f"beam_size {decoding.beam_size}"),
        ((decoding.candidates or 1) > 1, can.n_best, f"candidates {decoding.candidates}"),
        ((decoding.no_repeat or 0) > 0, can.no_repeat, f"no_repeat {decoding.no_repeat}"),
        (contexts is not None, can.context, "the sentences before as context"),
    ):
        if wanted and not able:
            raise ConfigError(
                f"the engine {engine.origin.engine} with model {engine.origin.model!r} cannot take {name}"
            )


def check_length(what: str, text: str, tokens: int, limit: int, model: str | None) -> None:
    """Raise InputError for a text that is over a model's limit: nothing is ever truncated."""
    if tokens > limit:
        raise InputError(
            f"a {what} of {tokens} tokens is over the limit of {limit} of model {model!r}; "
            f"split it first: {text[:60]!r}"
        )


def well_formed(text: str) -> str:
    """Return the text with U+FFFD for lone surrogates, which no tokenizer and no protocol can carry."""
    return _SURROGATE.sub("\ufffd", text)
