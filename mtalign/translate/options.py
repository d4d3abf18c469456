"""How a transformers model is run: number format, decoding, batching, prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mtalign.errors import ConfigError


@dataclass(frozen=True)
class TransformersOptions:
    """Everything about a run of a transformers model that its weights do not say.

    Attributes:
        dtype: number format; `auto` is bfloat16 on an accelerator and float32 on a processor.
        beam_size: beams of an encoder-decoder model; 1 is greedy. Causal models take 1 only.
        candidates: hypotheses per sentence. From an encoder-decoder model they are the best beams; from a
            causal model one is greedy and the others are seeded samples.
        batch_tokens: source tokens per batch, padding and every candidate or beam counted.
        max_ratio: output tokens per source token, on top of a fixed allowance of 16.
        no_repeat: no output holds the same n tokens twice (0: it may). Against loops of small models; in a
            good model's output repetitions are meant.
        prompt: how a causal model is asked: by examples (base models) or by its chat template.
        temperature: of the samples.
        seed: of the samples.
    """

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    beam_size: int = 1
    candidates: int = 1
    batch_tokens: int = 2048
    max_ratio: float = 2.0
    no_repeat: int = 0
    prompt: Literal["few-shot", "chat"] | None = None
    temperature: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("beam_size", "candidates", "batch_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.no_repeat < 0:
            raise ConfigError(f"no_repeat is {self.no_repeat}; it must be 0 or more")
        for name in ("max_ratio", "temperature"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be above 0")

    def max_new_tokens(self, source_tokens: int) -> int:
        """Return how many tokens the output for a source of this length may have."""
        return int(self.max_ratio * source_tokens) + 16

    def max_source_tokens(self, room: int) -> int:
        """Return the longest source that leaves space for its output in `room` tokens for both."""
        return int((room - 16) / (1 + self.max_ratio))
