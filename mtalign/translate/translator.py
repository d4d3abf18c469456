"""An engine and everything that stands around it: what translates sentences into one language."""

from __future__ import annotations

from dataclasses import dataclass

from mtalign.record import Origin
from mtalign.translate.engine import Engine
from mtalign.translate.rerank import Encoder


@dataclass(frozen=True)
class Translator:
    """What translates: `engine` makes the hypotheses, `encoder` helps to choose among them.

    Without an encoder the engine's first hypothesis is taken.
    """

    engine: Engine
    encoder: Encoder | None = None

    @property
    def origin(self) -> Origin:
        """What a record says about the translations."""
        return self.engine.origin
