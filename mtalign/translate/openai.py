"""Translation by a server that speaks OpenAI's chat completions: vLLM, llama.cpp's server, TGI and others.

One request per sentence, several at once, each tried again when the server is busy or away. A sentence is
measured in bytes, of which no token has less than one, so that a request always fits. Beam search, n-gram
blocking and scoring of given translations are not part of that interface and not handled.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from mtalign.errors import ConfigError, InputError, ModelUnavailable
from mtalign.languages import language
from mtalign.record import Origin
from mtalign.translate.batching import run_batches
from mtalign.translate.engine import (
    Capabilities,
    Decoding,
    Hypothesis,
    check_decoding,
    check_length,
    well_formed,
)
from mtalign.translate.options import OpenAIOptions
from mtalign.translate.prompts import translategemma_content

if TYPE_CHECKING:
    import httpx

# Tokens that a server's chat template may add around the turns; TranslateGemma's writes the instruction too.
_TEMPLATE_TOKENS = {"template": 64, "translategemma": 256}
_LEAST_LIMIT = 16
# Rounds of requests in one portion: enough that waiting for its last ones costs little.
_PORTION = 16
_LONGEST_WAIT = 60.0
_BUSY = frozenset({408, 429})
# What a server says to one request and not to all: bad, too large, not to be processed.
_UNFIT = frozenset({400, 413, 422})


class _TokenProbability(msgspec.Struct):
    logprob: float


class _Logprobs(msgspec.Struct):
    content: list[_TokenProbability] | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Answer(msgspec.Struct):
    """What is read of an answer; everything else in it is ignored."""

    choices: list[_Choice]


class OpenAIEngine:
    """One greedy answer per sentence and, for `candidates` above 1, seeded samples."""

    def __init__(self, model: str, options: OpenAIOptions, client: httpx.Client, key: str | None) -> None:
        self._model = model
        self._options = options
        self._client = client
        self._key = key
        # Set when a request has failed for good: the others stop waiting for a server that is not there.
        self._failed = threading.Event()
        self.origin = Origin("machine", "openai", model, options.license)
        shown = options.prompt == "template" and bool(options.user_with_context)
        portion = _PORTION * options.concurrency
        self.capabilities = Capabilities(n_best=True, context=shown, portion=portion)
        asked = {name: value for name, value in asdict(options).items() if name not in _NOT_OUTPUT}
        digest = hashlib.sha256(repr(sorted(asked.items())).encode()).hexdigest()[:12]
        # What a server runs cannot be seen from here: a new model under an old name keeps its signature.
        self.signature = f"openai:{options.base_url}|model:{model}|options:{digest}"

    def check_languages(self, source: str, target: str) -> None:
        """Raise UnknownLanguage unless both languages have a row; what the model knows is not checked."""
        language(source), language(target)

    def limit(self, source: str, target: str) -> int:
        """Return how many bytes one sentence may have, so that it, its prompt and its answer fit."""
        options = self._options
        turns = [options.system, max(options.user, options.user_with_context, key=len)]
        if options.prompt == "translategemma":
            turns = []
        filled = "".join(turn.format_map(_fields(source, target)) for turn in turns)
        taken = _TEMPLATE_TOKENS[options.prompt] + len(filled.encode())
        limit = int((options.context_tokens - taken - 16) / (1 + options.max_ratio))
        if limit < _LEAST_LIMIT:
            raise ConfigError(
                f"context_tokens {options.context_tokens}: the prompt takes up to {taken}, which leaves no "
                "room for a sentence and its translation"
            )
        return limit

    def count_tokens(self, sentence: str, source: str, target: str) -> int:
        """Return the number of bytes: the most tokens that any tokenizer can make of the sentence."""
        del source, target
        return len(well_formed(sentence).encode())

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        decoding: Decoding = Decoding(),
        contexts: Sequence[str] | None = None,
    ) -> list[list[Hypothesis]]:
        """Return the hypotheses of every sentence, the greedy one first.

        Raises:
            ModelUnavailable: the server cannot be reached, or keeps failing.
            ConfigError: it refuses the key or does not know the model.
            InputError: a sentence is over the limit, or the server refuses it.
        """
        check_decoding(self, decoding, contexts)
        limit = self.limit(source, target)
        for sentence in sentences:
            size = self.count_tokens(sentence, source, target)
            check_length("sentence", sentence, size, limit, self._model)
        shown = contexts or [""] * len(sentences)
        count = self._options.candidates if decoding.candidates is None else decoding.candidates
        self._failed.clear()

        def work(batch: Sequence[int]) -> list[list[Hypothesis]]:
            return [self._hypotheses(sentences[i], shown[i], source, target, count) for i in batch]

        return run_batches([[i] for i in range(len(sentences))], work, workers=self._options.concurrency)

    def score(
        self, sources: Sequence[str], translations: Sequence[str], source: str, target: str
    ) -> list[list[float]]:
        """Raise ConfigError: chat completions do not score a given answer."""
        del sources, translations, source, target
        raise ConfigError(
            f"the server of model {self._model!r} cannot score given translations; use engine: transformers "
            "or ctranslate2 for that"
        )

    def _hypotheses(
        self, sentence: str, context: str, source: str, target: str, count: int
    ) -> list[Hypothesis]:
        options = self._options
        size = self.count_tokens(sentence, source, target)
        request = {
            "model": self._model,
            "messages": self._messages(sentence, context, source, target),
            "max_tokens": int(options.max_ratio * size) + 16,
            "temperature": 0.0,
        }
        if options.logprobs:
            request["logprobs"] = True
        if options.prompt == "translategemma":
            # vLLM reads the codes beside the text, llama.cpp's server reads them here.
            codes = {"source_lang_code": source, "target_lang_code": target}
            request["chat_template_kwargs"] = codes
        found = self._ask(request, sentence)[:1]
        while (left := count - len(found)) > 0:
            # Some servers give one answer whatever n says: they are asked again, with another seed.
            seed = options.seed + len(found) - 1
            samples = {"temperature": options.temperature, "seed": seed, "n": left}
            found += self._ask(request | samples, sentence)[:left]
        return found

    def _messages(self, sentence: str, context: str, source: str, target: str) -> list[dict[str, Any]]:
        options = self._options
        if options.prompt == "translategemma":
            return [
                {"role": "user", "content": translategemma_content(well_formed(sentence), source, target)}
            ]
        size = self.count_tokens(sentence, source, target)
        spare = (self.limit(source, target) - size) * (1 + options.max_ratio)
        shown = context if self.count_tokens(context, source, target) <= spare else ""
        turns = [("system", options.system), ("user", options.user_with_context if shown else options.user)]
        fields = _fields(source, target, well_formed(sentence), well_formed(shown))
        return [{"role": role, "content": turn.format_map(fields)} for role, turn in turns if turn]

    def _ask(self, request: dict[str, Any], sentence: str) -> list[Hypothesis]:
        """Send one request until it is answered or hope is gone."""
        import httpx

        options = self._options
        problem = ""
        for attempt in range(options.retries + 1):
            asked_to_wait = None
            try:
                response = self._client.post("chat/completions", json=request)
            except httpx.TimeoutException:
                problem = f"no answer within {options.timeout:g} s"
            except httpx.RequestError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if response.is_success:
                    try:
                        return [_hypothesis(each) for each in _choices(response.content)]
                    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                        problem = f"an answer that is not a chat completion ({error})"
                else:
                    problem = f"status {response.status_code}: {self._said(response)}"
                    self._refuse(response.status_code, problem, sentence)
                    asked_to_wait = _retry_after(response.headers.get("Retry-After"))
            if attempt < options.retries:
                # A little chance, so that requests turned away together do not come back together.
                wait = options.backoff * 2**attempt * (1 + random.random() / 4)  # noqa: S311
                if self._failed.wait(min(_LONGEST_WAIT, max(wait, asked_to_wait or 0.0))):
                    break
        self._failed.set()
        raise ModelUnavailable(
            f"the server {options.base_url} gave no translation in {options.retries + 1} attempts; the last: "
            f"{problem}"
        )

    def _refuse(self, status: int, problem: str, sentence: str) -> None:
        """Raise what a status means that will not change by asking again."""
        where = f"the server {self._options.base_url}"
        if status in (401, 403):
            raise ConfigError(
                f"{where} refuses the key in {self._options.api_key_env or '(no api_key_env)'}: {problem}"
            )
        if status in _UNFIT:
            raise InputError(f"{where} refuses a sentence: {problem}; the sentence: {sentence[:60]!r}")
        if status not in _BUSY and status < 500:
            raise ConfigError(f"{where} does not serve model {self._model!r} at this address: {problem}")

    def _said(self, response: httpx.Response) -> str:
        """Return the beginning of what a server says, without the key: some repeat it."""
        text = " ".join(response.text.split())
        return (text.replace(self._key, "***") if self._key else text)[:200]


# Options that decide how a translation is fetched, and not what it says.
_NOT_OUTPUT = frozenset(
    {"api_key_env", "license", "concurrency", "timeout", "retries", "backoff", "base_url"}
)


def load_engine(model: str, options: OpenAIOptions) -> OpenAIEngine:
    """Return the engine for a model on a server; nothing is sent yet.

    Args:
        model: what the server calls the model.
        options: where the server is and how it is asked.

    Raises:
        ConfigError: the environment variable with the key is not set.
    """
    import httpx

    key = api_key(options)
    client = httpx.Client(
        base_url=options.base_url.rstrip("/") + "/",
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=options.timeout,
        limits=httpx.Limits(max_connections=options.concurrency),
    )
    return OpenAIEngine(model, options, client, key)


def api_key(options: OpenAIOptions) -> str | None:
    """Return the key from the environment, or None where none is wanted.

    Raises:
        ConfigError: the variable is not set.
    """
    if not options.api_key_env:
        return None
    key = os.environ.get(options.api_key_env)
    if not key:
        raise ConfigError(
            f"api_key_env: the environment variable {options.api_key_env} is not set; export the key of "
            f"{options.base_url} in it"
        )
    return key


def _fields(source: str, target: str, text: str = "", context: str = "") -> dict[str, str]:
    return {
        "source_language": language(source).english,
        "target_language": language(target).english,
        "text": text,
        "context": context,
    }


def _choices(body: bytes) -> list[_Choice]:
    answer = msgspec.json.decode(body, type=_Answer)
    if not answer.choices:
        raise msgspec.ValidationError("it has no choices")
    return answer.choices


def _hypothesis(choice: _Choice) -> Hypothesis:
    content = (choice.logprobs.content if choice.logprobs else None) or []
    score = sum(each.logprob for each in content) / len(content) if content else 0.0
    text = " ".join((choice.message.content or "").split())
    return Hypothesis(text, score, complete=choice.finish_reason != "length")


def _retry_after(stated: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for: it holds a number or a date."""
    if stated is None:
        return None
    try:
        return max(0.0, float(stated))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(stated)
    except ValueError:
        return None
    if date.tzinfo is None:  # -0000 says that the zone is not known
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())
