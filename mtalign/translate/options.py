"""How an engine is run: number format, decoding, batching, prompt; one class of options per engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mtalign.errors import ConfigError
from mtalign.translate.engine import Decoding

Batching = Literal["fast", "exact"]


@dataclass(frozen=True)
class _SearchOptions:
    """What the engines that run a model here have in common.

    Attributes:
        beam_size: beams; 1 is greedy. Causal models take 1 only.
        candidates: hypotheses per sentence. From a beam search they are the best beams.
        no_repeat: no output holds the same n tokens twice (0: it may). Against loops of small models; in a
            good model's output repetitions are meant.
        max_ratio: output tokens per source token, on top of a fixed allowance of 16.
        batch_tokens: source tokens per batch, padding and every candidate or beam counted.
        batching: `fast` puts sentences of similar length together and pads them; `exact` gives what the
            sentences would get one by one.
    """

    beam_size: int = 1
    candidates: int = 1
    no_repeat: int = 0
    max_ratio: float = 2.0
    batch_tokens: int = 2048
    batching: Batching = "fast"

    def __post_init__(self) -> None:
        require(self, "beam_size", "candidates", "batch_tokens", least=1)
        require(self, "no_repeat", least=0)
        require_positive(self, "max_ratio")

    def search(self, decoding: Decoding) -> Search:
        """Return how one call decodes: what it asks for, and these options where it asks for nothing."""
        candidates = self.candidates if decoding.candidates is None else decoding.candidates
        beams = self.beam_size if decoding.beam_size is None else decoding.beam_size
        no_repeat = self.no_repeat if decoding.no_repeat is None else decoding.no_repeat
        return Search(max(beams, candidates), candidates, no_repeat)

    def max_new_tokens(self, source_tokens: int) -> int:
        """Return how many tokens the output for a source of this length may have."""
        return int(self.max_ratio * source_tokens) + 16

    def max_source_tokens(self, room: int) -> int:
        """Return the longest source that leaves space for its output in `room` tokens for both."""
        return int((room - 16) / (1 + self.max_ratio))


@dataclass(frozen=True)
class Search:
    """What one call searches with: beams (never fewer than candidates), candidates, repeated n-grams."""

    beams: int
    candidates: int
    no_repeat: int


@dataclass(frozen=True)
class TransformersOptions(_SearchOptions):
    """Everything about a run of a transformers model that its weights do not say.

    Here `batching: exact` means one sentence at a time: results are the same, bit by bit, only for batches
    of one shape. From a causal model one candidate is greedy and the others are samples.

    Attributes:
        dtype: number format; `auto` is bfloat16 on an accelerator and float32 on a processor.
        sample: every hypothesis is drawn at `temperature` instead of being searched for.
        prompt: how a causal model is asked: by examples (base models), by its chat template, or by the
            template of TranslateGemma, which takes language codes.
        temperature: of the samples.
        seed: of the samples.
    """

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    sample: bool = False
    prompt: Literal["few-shot", "chat", "translategemma"] | None = None
    temperature: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "temperature")
        if self.sample and self.beam_size > 1:
            raise ConfigError(f"sample and beam_size {self.beam_size}: samples are drawn, not searched for")


def require(options: object, *names: str, least: int) -> None:
    """Raise ConfigError for a named option below `least`."""
    for name in names:
        if getattr(options, name) < least:
            raise ConfigError(f"{name} is {getattr(options, name)}; it must be {least} or more")


def require_positive(options: object, *names: str) -> None:
    """Raise ConfigError for a named option that is not above 0."""
    for name in names:
        if getattr(options, name) <= 0:
            raise ConfigError(f"{name} is {getattr(options, name)}; it must be above 0")
