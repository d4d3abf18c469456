"""What the rest of mtalign knows about a translation engine: a protocol and its result.

An engine turns sentences into n-best lists, one list per sentence, in order. It does not see
paragraphs, split long sentences, choose among its own hypotheses or judge them: `sentences` and
`document` do that for every engine alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mtalign.record import Origin


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

    def check_languages(self, source: str, target: str) -> None:
        """Raise ConfigError or UnknownLanguage unless the model translates `source` into `target`."""
        ...

    def limit(self, source: str, target: str) -> int:
        """Return how many tokens, as `count_tokens` counts them, one sentence may have."""
        ...

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        """Return the number of tokens that the model would read for this sentence."""
        ...

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[list[Hypothesis]]:
        """Return at least one hypothesis per sentence, best first, in the order of the sentences.

        Raises:
            InputError: a sentence is over the limit. It is never truncated: the caller splits it.
        """
        ...
