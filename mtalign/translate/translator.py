"""An engine and everything that stands around it: what translates sentences into one language."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from functools import cached_property
from typing import Protocol

from mtalign.errors import ConfigError
from mtalign.record import Issue, Origin
from mtalign.translate.engine import Capabilities, Decoding, Engine
from mtalign.translate.memory import Memory
from mtalign.translate.rerank import Encoder, RankWeights
from mtalign.translate.terms import Terms


@dataclass(frozen=True)
class Rung(Decoding):
    """One step of the ladder that a failing sentence goes up: how it is decoded again, and by which engine.

    Attributes:
        beam_size: beams, where the engine has beams.
        candidates: hypotheses, where the engine has several; the next best may be the better one.
        no_repeat: n of the n-grams that may not come twice, where the engine can forbid them.
        fallback: ask the fallback engine, where one is configured.
    """

    fallback: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not any(astuple(self)):
            raise ConfigError(
                "a rung of the ladder says nothing; give candidates, no_repeat, beam_size or fallback"
            )

    def covered(self, capabilities: Capabilities) -> bool:
        """Say whether an engine can do what the rung asks for."""
        return (
            (self.beam_size is None or capabilities.beam)
            and (self.candidates is None or capabilities.n_best)
            and (self.no_repeat is None or capabilities.no_repeat)
        )

    def __str__(self) -> str:
        named = {
            "candidates": self.candidates,
            "no_repeat": self.no_repeat,
            "beam_size": self.beam_size,
            "fallback": self.fallback or None,
        }
        return " ".join(
            name if value is True else f"{name} {value}" for name, value in named.items() if value is not None
        )


DEFAULT_LADDER = (Rung(candidates=4), Rung(no_repeat=3), Rung(beam_size=8), Rung(fallback=True))


class Judge(Protocol):
    """Says what is wrong with translations, sentence by sentence."""

    def problems(
        self, pairs: Sequence[tuple[str, str]], source: str, target: str
    ) -> Sequence[tuple[Issue, ...]]:
        """Return what is wrong with each pair of a sentence and its translation, neither of them empty."""
        ...

    def already_in(self, sentence: str, source: str, target: str) -> bool:
        """Say whether a sentence of a text in `source` is in the target language already."""
        ...


@dataclass(frozen=True)
class Translator:
    """What translates into one language.

    Attributes:
        engine: makes the hypotheses.
        encoder: helps to choose among them; without one the engine's order stands.
        weights: what counts how much in that choice.
        candidates: hypotheses wanted for every sentence; None leaves that to the engine's own options.
        judge: says what is wrong with a translation; without one only what is empty, cut off or lacks a term.
        ladder: what a failing sentence goes up.
        fallback: the engine for the rungs that name it.
        terms: what is said in a given way, and what is not translated.
        context_sentences: how many sentences before each one the engine sees.
        memory: what was translated before.
        identity: what the encoder and the judge are, for the signature.
    """

    engine: Engine
    encoder: Encoder | None = None
    weights: RankWeights = field(default_factory=RankWeights)
    candidates: int | None = None
    judge: Judge | None = None
    ladder: tuple[Rung, ...] = ()
    fallback: Engine | None = None
    terms: Terms = field(default_factory=Terms)
    context_sentences: int = 0
    memory: Memory | None = None
    identity: str = ""

    @property
    def origin(self) -> Origin:
        """What a record says about translations by the engine itself."""
        return self.engine.origin

    @cached_property
    def signature(self) -> str:
        """Everything that can change a translation, in one line: what the memory knows it by.

        The context is not in it: it is looked up together with the sentence.
        """
        choice = repr((self.weights, self.candidates, self.ladder))
        parts = [
            self.engine.signature,
            f"choice:{hashlib.sha256(choice.encode()).hexdigest()[:8]}",
            f"terms:{self.terms.signature}",
        ]
        if self.fallback:
            parts.append(f"fallback:[{self.fallback.signature}]")
        return "|".join([*parts, self.identity] if self.identity else parts)

    def check(self, source: str, target: str) -> None:
        """Find out before any work whether these languages and settings can be served.

        Raises:
            ConfigError: an engine does not translate between the languages, or cannot do what is asked of it
                for every sentence.
            UnknownLanguage: a language is not known to an engine.
        """
        self.engine.check_languages(source, target)
        if self.fallback and any(rung.fallback for rung in self.ladder):
            self.fallback.check_languages(source, target)
        model = self.engine.origin.model or self.engine.origin.engine
        if (self.candidates or 1) > 1 and not self.engine.capabilities.n_best:
            raise ConfigError(f"candidates {self.candidates}: {model!r} makes one hypothesis; leave it out")
        if self.context_sentences and not self.engine.capabilities.context:
            raise ConfigError(
                f"context: {model!r} cannot use the sentences before; leave it out, or take a chat model"
            )
