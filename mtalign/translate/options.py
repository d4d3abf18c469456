"""How an engine is run: number format, decoding, batching, prompt; one class of options per engine."""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import Literal
from urllib.parse import urlsplit

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


@dataclass(frozen=True)
class CTranslate2Options(_SearchOptions):
    """How an encoder-decoder model runs in CTranslate2.

    Here `batching: exact` puts sentences of equal length together when the compute type is an integer one,
    and is one sentence at a time when it is not.

    Attributes:
        compute_type: `auto` is int8 on a processor and float16 on an accelerator. Weights are converted to it
            once.
        threads: processor threads that work on one batch; they belong to what is promised to give equal
            results.
        workers: batches worked on at once (0: one for each processor core that may be used). The results do
            not depend on it.
    """

    compute_type: Literal[
        "auto",
        "int8",
        "int8_float32",
        "int8_float16",
        "int8_bfloat16",
        "int16",
        "float16",
        "bfloat16",
        "float32",
    ] = "auto"
    threads: int = 1
    workers: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "threads", least=1)
        require(self, "workers", least=0)


_SYSTEM = "You are a professional translator of news. Answer with the translation only."
_USER = "Translate from {source_language} into {target_language}:\n\n{text}"
_USER_WITH_CONTEXT = (
    "This text, which is not to be translated, comes before:\n{context}\n\n"
    "Translate what follows from {source_language} into {target_language}:\n\n{text}"
)
_FIELDS = frozenset({"source_language", "target_language", "text", "context"})


@dataclass(frozen=True)
class OpenAIOptions:
    """How a server with OpenAI's chat completions is asked (vLLM, the server of llama.cpp, TGI and others).

    Attributes:
        base_url: where the API begins, `http://localhost:8000/v1` for instance; without user and password.
        api_key_env: name of the environment variable that holds the key; the key itself is never in a file.
        license: what the model's terms are called; a server does not say.
        context_tokens: how many tokens prompt and answer may have together, as the server was started.
        max_ratio: answer tokens per byte of the source, on top of a fixed allowance of 16. A token is
            never shorter than a byte, so that bytes are what is counted.
        candidates: hypotheses per sentence: one greedy, the others samples.
        temperature: of the samples.
        seed: of the samples.
        concurrency: requests under way at once.
        timeout: seconds to wait for an answer.
        retries: further attempts after a time-out, a lost connection, an unreadable answer, 408, 429 or 5xx.
        backoff: seconds before the first of them, doubled each time; Retry-After is obeyed.
        logprobs: ask for log-probabilities, which become the score; without them all scores are 0.
        prompt: `template` fills the three texts below; `translategemma` sends text and language codes for
            that model's own template.
        system: the system turn; empty for none.
        user: the user turn, with {source_language}, {target_language} and {text}.
        user_with_context: the user turn where {context} is known; empty to never show it.
    """

    base_url: str
    api_key_env: str = ""
    license: str | None = None
    context_tokens: int = 4096
    max_ratio: float = 1.0
    candidates: int = 1
    temperature: float = 0.5
    seed: int = 0
    concurrency: int = 8
    timeout: float = 120.0
    retries: int = 5
    backoff: float = 1.0
    logprobs: bool = True
    prompt: Literal["template", "translategemma"] = "template"
    system: str = _SYSTEM
    user: str = _USER
    user_with_context: str = _USER_WITH_CONTEXT

    def __post_init__(self) -> None:
        require(self, "context_tokens", "candidates", "concurrency", least=1)
        require(self, "retries", least=0)
        require_positive(self, "max_ratio", "temperature", "timeout", "backoff")
        address = urlsplit(self.base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ConfigError(f"base_url {self.base_url!r} is no http or https address")
        if "@" in address.netloc or address.query or address.fragment:
            raise ConfigError(
                "base_url holds a user, a password or a query, which would be written into records; put the "
                "key into an environment variable and its name into api_key_env"
            )
        _check_template("system", self.system, frozenset())
        _check_template("user", self.user, frozenset({"text"}))
        if self.user_with_context:
            _check_template("user_with_context", self.user_with_context, frozenset({"text", "context"}))


def _check_template(name: str, template: str, needed: frozenset[str]) -> None:
    try:
        found = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise ConfigError(f"{name} is not a template: {error}; write {{{{ for a brace") from error
    if unknown := found - _FIELDS:
        raise ConfigError(f"{name} names {sorted(unknown)}; known are {', '.join(sorted(_FIELDS))}")
    if missing := needed - found:
        raise ConfigError(f"{name} lacks {', '.join(f'{{{field}}}' for field in sorted(missing))}")


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
