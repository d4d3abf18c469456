"""An engine whose model is loaded when there is something to do: a run served from memory loads none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from mtalign.errors import ModelUnavailable
from mtalign.translate.engine import Decoding, Engine, Hypothesis, Profile


class LazyEngine:
    """What `Engine` asks for: what it says of itself at once, the work by an engine that is loaded for it."""

    def __init__(self, profile: Profile, load: Callable[[], Engine]) -> None:
        """Take the profile that the loaded engine will have, and how to load it."""
        self.origin = profile.origin
        self.signature = profile.signature
        self.capabilities = profile.capabilities
        self._load = load
        self._loaded: Engine | None = None
        # One thread may translate while another scores.
        self._loading = Lock()

    @property
    def is_loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._loaded is not None

    @property
    def _engine(self) -> Engine:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._checked(self._load())
            return self._loaded

    def _checked(self, engine: Engine) -> Engine:
        if engine.signature != self.signature:
            # Or what it makes would be remembered as another engine's.
            raise ModelUnavailable(
                f"model {self.origin.model!r} runs as {engine.signature}, not as {self.signature}, which was "
                "noted when it was last loaded; the note is mended now: start again"
            )
        return engine

    def check_languages(self, source: str, target: str) -> None:
        """Raise ConfigError or UnknownLanguage unless the model translates `source` into `target`."""
        self._engine.check_languages(source, target)

    def limit(self, source: str, target: str) -> int:
        """Return how many tokens one sentence may have."""
        return self._engine.limit(source, target)

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        """Return the number of tokens that the model would read for this sentence."""
        return self._engine.count_tokens(sentence, source, target)

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        decoding: Decoding = Decoding(),
        contexts: Sequence[str] | None = None,
    ) -> list[list[Hypothesis]]:
        """Return at least one hypothesis per sentence, best first, in the order of the sentences."""
        return self._engine.translate(sentences, source, target, decoding, contexts)

    def score(
        self, sources: Sequence[str], translations: Sequence[str], source: str, target: str
    ) -> list[list[float]]:
        """Return the log-probability of every token of each translation, given its source."""
        return self._engine.score(sources, translations, source, target)
