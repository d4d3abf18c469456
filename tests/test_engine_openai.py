"""The client for OpenAI-compatible servers, against a server on the loopback interface."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from checkpoints import english

from mtalign.config import TranslatorConfig
from mtalign.errors import ConfigError, InputError, ModelUnavailable, UnknownLanguage
from mtalign.translate.engine import Decoding
from mtalign.translate.memory import Memory
from mtalign.translate.openai import OpenAIEngine, load_engine
from mtalign.translate.options import OpenAIOptions
from mtalign.translate.sentences import translate_sentences
from mtalign.translate.translator import Translator


@dataclass(frozen=True)
class Reply:
    """What the server answers: a status, headers and a body; `hang` keeps the client waiting first."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang: threading.Event | None = None


Answer = Callable[[int, dict[str, Any]], Reply]


@dataclass
class Server:
    """The address, and the requests so far: their headers and bodies."""

    url: str
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(server.bodies)
                server.bodies.append(body)
                server.headers.append(dict(self.headers))
            reply = answer(number, body) if self.path == "/v1/chat/completions" else Reply(404)
            if reply.hang:
                reply.hang.wait(20)
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:
                pass  # the client has gone

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{httpd.server_port}/v1")
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def said(*texts: str, finish: str = "stop", logprobs: tuple[float, ...] = ()) -> Reply:
    """Return a proper answer with these texts."""
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": text},
            "finish_reason": finish,
            "logprobs": {"content": [{"token": "?", "logprob": each} for each in logprobs]}
            if logprobs
            else None,
        }
        for i, text in enumerate(texts)
    ]
    return Reply(body=json.dumps({"id": "1", "object": "chat.completion", "choices": choices}).encode())


def sentence_of(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[0]["text"]


def shout(_: int, body: dict[str, Any]) -> Reply:
    """Translate by capital letters."""
    return said(sentence_of(body).rpartition("\n")[2].upper())


def engine(server: Server, **options: Any) -> OpenAIEngine:
    return load_engine(
        "test-model", OpenAIOptions(server.url, **{"backoff": 0.01, "timeout": 20.0, **options})
    )


def test_a_translation() -> None:
    with serving(shout) as server:
        made = engine(server, system="Be brief.").translate(["Good  morning"], "en", "ru")
    assert [[each.text for each in group] for group in made] == [["GOOD MORNING"]]
    assert made[0][0].complete
    (body,) = server.bodies
    assert body["model"] == "test-model"
    assert body["temperature"] == 0
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["messages"][1]["content"] == "Translate from English into Russian:\n\nGood  morning"
    assert "Authorization" not in server.headers[0]


def test_order_is_kept_when_answers_come_out_of_order() -> None:
    last_came = threading.Event()
    sentences = english(4)

    def answer(_: int, body: dict[str, Any]) -> Reply:
        reply = shout(0, body)
        if sentence_of(body).endswith(sentences[-1]):
            last_came.set()
            return reply
        return replace(reply, hang=last_came)

    with serving(answer) as server:
        made = engine(server, concurrency=4).translate(sentences, "en", "ru")
    assert [group[0].text for group in made] == [sentence.upper() for sentence in sentences]


def test_no_more_requests_at_once_than_allowed() -> None:
    under_way, most = 0, 0
    lock = threading.Lock()

    def answer(_: int, body: dict[str, Any]) -> Reply:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        reply = shout(0, body)
        with lock:
            under_way -= 1
        return reply

    with serving(answer) as server:
        engine(server, concurrency=2).translate(english(20), "en", "ru")
    assert 1 <= most <= 2
    assert len(server.bodies) == 20


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(500, b"oops"),
        Reply(503),
        Reply(429, headers={"Retry-After": "0"}),
        Reply(429, headers={"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}),
        Reply(429, headers={"Retry-After": "Tue, 02 Jan 2024 00:00:00 -0000"}),
        Reply(429, headers={"Retry-After": "soon"}),
        Reply(200, b'{"choices": ['),
        Reply(200, b'{"error": "try again"}'),
        Reply(200, b'{"choices": []}'),
        Reply(200, b"<html>"),
        Reply(200, b"no gzip", {"Content-Encoding": "gzip"}),
        Reply(200, b'{"choices": [{"message": {"content": "\xff"}}]}'),
    ],
    ids=lambda reply: f"{reply.status}-{reply.body[:12]!r}{reply.headers.get('Retry-After', '')[-6:]}",
)
def test_trouble_that_passes(trouble: Reply) -> None:
    with serving(lambda number, body: trouble if number < 2 else shout(number, body)) as server:
        made = engine(server).translate(["Hello"], "en", "ru")
    assert made[0][0].text == "HELLO"
    assert len(server.bodies) == 3


def test_retry_after_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []
    wait = threading.Event.wait

    def noted(event: threading.Event, timeout: float | None = None) -> bool:
        waits.append(timeout)
        return wait(event, 0 if timeout == 7.0 else timeout)

    trouble = Reply(429, headers={"Retry-After": "7"})
    with serving(lambda number, body: trouble if number == 0 else shout(number, body)) as server:
        asked = engine(server)
        monkeypatch.setattr(threading.Event, "wait", noted)
        made = asked.translate(["Hello"], "en", "ru")
        monkeypatch.undo()
    assert made[0][0].text == "HELLO"
    assert 7.0 in waits


def test_a_time_out() -> None:
    never = threading.Event()
    with serving(lambda number, body: Reply(hang=never) if number == 0 else shout(number, body)) as server:
        made = engine(server, timeout=0.3).translate(["Hello"], "en", "ru")
        never.set()
    assert made[0][0].text == "HELLO"


def test_trouble_that_stays() -> None:
    with serving(lambda *_: Reply(503, b"overloaded")) as server:
        asked = engine(server, retries=2, concurrency=2)
        with pytest.raises(ModelUnavailable, match=r"3 attempts.*status 503: overloaded"):
            asked.translate(english(50), "en", "ru")
    assert len(server.bodies) < 50, "the others must not go on against a server that is away"


def test_what_a_server_answered_before_it_died_is_kept(tmp_path: Path) -> None:
    sentences = english(60)
    dead = threading.Event()

    def answer(number: int, body: dict[str, Any]) -> Reply:
        if number == 40:
            dead.set()
        return Reply(500) if dead.is_set() else shout(number, body)

    with serving(answer) as server, Memory(tmp_path / "memory.sqlite") as memory:
        once = Translator(engine(server, concurrency=1, retries=0), memory=memory)
        with pytest.raises(ModelUnavailable):
            translate_sentences(sentences, "en", "ru", once)
        assert [each.entries for each in memory.groups()] == [32]
        dead.clear()
        server.bodies.clear()
        again = Translator(engine(server, concurrency=1), memory=memory)
        made = translate_sentences(sentences, "en", "ru", again)
    assert made.texts == tuple(each.upper() for each in sentences)
    assert len(server.bodies) == 60 - 32


def test_connection_refused() -> None:
    with serving(shout) as server:
        pass
    with pytest.raises(ModelUnavailable, match="2 attempts"):
        engine(server, retries=1).translate(["Hello"], "en", "ru")


@pytest.mark.parametrize(
    ("status", "error", "needle"),
    [
        (400, InputError, "refuses a sentence"),
        (401, ConfigError, "refuses the key"),
        (404, ConfigError, "does not serve model 'test-model'"),
        (301, ConfigError, "at this address"),
        (402, ConfigError, "status 402"),
        (413, InputError, "refuses a sentence"),
    ],
)
def test_refusals_are_not_repeated(status: int, error: type[Exception], needle: str) -> None:
    with serving(lambda *_: Reply(status, b"no")) as server:
        asked = engine(server)
        with pytest.raises(error, match=needle):
            asked.translate(["Hello"], "en", "ru")
    assert len(server.bodies) == 1


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda *_: Reply(401, b"bad key sk-secret-7")) as server:
        with pytest.raises(ConfigError, match="MY_KEY is not set"):
            engine(server, api_key_env="MY_KEY")
        monkeypatch.setenv("MY_KEY", "sk-secret-7")
        asked = engine(server, api_key_env="MY_KEY")
        with pytest.raises(ConfigError) as caught:
            asked.translate(["Hello"], "en", "ru")
    assert server.headers[0]["Authorization"] == "Bearer sk-secret-7"
    assert "secret" not in str(caught.value) + asked.signature + repr(asked.origin)


def test_several_candidates_are_one_greedy_and_samples() -> None:
    def answer(_: int, body: dict[str, Any]) -> Reply:
        if body["temperature"] == 0:
            return said("greedy", logprobs=(-0.5, -1.5))
        return said(*(f"sample {i}" for i in range(body["n"])))

    with serving(answer) as server:
        asked = engine(server)
        (group,) = asked.translate(["Hello"], "en", "ru", Decoding(candidates=3))
    assert [(each.text, each.score) for each in group] == [
        ("greedy", -1.0),
        ("sample 0", 0.0),
        ("sample 1", 0.0),
    ]
    assert server.bodies[1]["seed"] == 0


def test_a_server_that_gives_one_answer_at_a_time_is_asked_again() -> None:
    def answer(_: int, body: dict[str, Any]) -> Reply:
        return said("greedy" if body["temperature"] == 0 else f"sample {body['seed']}")

    with serving(answer) as server:
        (group,) = engine(server, seed=7).translate(["Hello"], "en", "ru", Decoding(candidates=4))
    assert [each.text for each in group] == ["greedy", "sample 7", "sample 8", "sample 9"]
    assert [body.get("n") for body in server.bodies] == [None, 3, 2, 1]


def test_a_cut_answer_is_not_complete() -> None:
    with serving(lambda *_: said("Half a sen", finish="length")) as server:
        result = translate_sentences(["A whole sentence."], "en", "ru", Translator(engine(server)))
    assert [issue.kind for issue in result.issues] == ["cut-output"]


def test_an_empty_answer_is_replaced_and_reported() -> None:
    reply = b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'
    with serving(lambda *_: Reply(body=reply)) as server:
        result = translate_sentences(["A whole sentence."], "en", "ru", Translator(engine(server)))
    assert (result.texts, result.issues[0].kind) == (("A whole sentence.",), "empty-output")


def test_what_stood_before_is_shown_where_it_fits() -> None:
    with serving(shout) as server:
        asked = engine(server, context_tokens=1000)
        assert asked.capabilities.context
        asked.translate(["It rained."], "en", "ru", contexts=["Monday was grey."])
        asked.translate(["It rained."], "en", "ru", contexts=["Monday was grey. " * 100])
        asked.translate(["It rained."], "en", "ru", contexts=[""])
    shown = [body["messages"][-1]["content"] for body in server.bodies]
    assert "Monday was grey." in shown[0]
    assert shown[1] == shown[2]


def test_a_long_sentence_is_split_and_every_part_arrives() -> None:
    clauses = [sentence.rstrip(".") for sentence in english(300, seed=4)]
    sentence = "; ".join(clauses)
    with serving(shout) as server:
        asked = engine(server)
        assert asked.count_tokens(sentence, "en", "ru") > 3000 > asked.limit("en", "ru")
        result = translate_sentences([sentence], "en", "ru", Translator(asked))
        with pytest.raises(InputError, match="over the limit"):
            asked.translate([sentence], "en", "ru")
    assert result.texts[0] == sentence.upper()
    assert result.issues[0].kind == "split-sentence"
    room = OpenAIOptions(server.url).context_tokens
    for body in server.bodies:
        prompt = sum(len(turn["content"].encode()) for turn in body["messages"])
        assert prompt + body["max_tokens"] <= room


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "   ",
        "😀",
        "xé" * 50_000,
        "a\u200bb \u202eabc\u202c",
        "lone \ud800 half",
        "<b>bold</b>",
        "Привет, мир.",
    ],
    ids=["empty", "space", "emoji", "100kB", "bidi", "surrogate", "html", "target"],
)
def test_odd_sentences(sentence: str) -> None:
    with serving(shout) as server:
        result = translate_sentences([sentence], "en", "ru", Translator(engine(server)))
        direct = engine(server).translate([sentence[:100]], "en", "ru")
    assert len(result.texts) == len(direct) == 1
    assert "".join(result.texts[0].split()) == "".join(sentence.replace("\ud800", "\ufffd").upper().split())


def test_translategemma_gets_text_and_codes() -> None:
    with serving(shout) as server:
        asked = engine(server, prompt="translategemma")
        asked.translate(["Good morning"], "en", "ko")
    (body,) = server.bodies
    codes = {"source_lang_code": "en", "target_lang_code": "ko"}
    content = [{"type": "text", "text": "Good morning", **codes}]
    assert body["messages"] == [{"role": "user", "content": content}]
    assert body["chat_template_kwargs"] == codes
    assert not asked.capabilities.context


def test_what_it_cannot_do() -> None:
    with serving(shout) as server:
        asked = engine(server)
    for decoding in (Decoding(beam_size=2), Decoding(no_repeat=3)):
        with pytest.raises(ConfigError, match="cannot take"):
            asked.translate(["Hello"], "en", "ru", decoding)
    assert not asked.capabilities.score
    with pytest.raises(ConfigError, match="cannot score"):
        asked.score(["Hello"], ["Привет"], "en", "ru")
    with pytest.raises(UnknownLanguage):
        asked.check_languages("en", "tlh")
    with pytest.raises(ConfigError, match="no room"):
        engine(server, context_tokens=200).limit("en", "ru")


def test_the_signature_holds_what_decides_the_output() -> None:
    base = OpenAIOptions("http://localhost:8000/v1")
    signature = load_engine("m", base).signature
    assert load_engine("m", replace(base, concurrency=2, timeout=3.0)).signature == signature
    others = [
        replace(base, base_url="http://localhost:8001/v1"),
        replace(base, user="{text}"),
        replace(base, seed=1),
    ]
    assert (
        len({signature, load_engine("n", base).signature, *(load_engine("m", o).signature for o in others)})
        == 5
    )


@pytest.mark.parametrize(
    ("options", "needle"),
    [
        ({"base_url": "localhost:8000"}, "no http"),
        ({"base_url": "http://me:secret@host/v1"}, "api_key_env"),
        ({"user": "Translate"}, r"lacks \{text\}"),
        ({"user": "{text} {language}"}, "names .*language"),
        ({"user": "{text} {"}, "not a template"),
        ({"user_with_context": "{text}"}, r"lacks \{context\}"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_options_are_checked(options: dict[str, Any], needle: str) -> None:
    with pytest.raises(ConfigError, match=needle):
        OpenAIOptions(**{"base_url": "http://localhost/v1", **options})


def test_in_a_configuration() -> None:
    chosen = TranslatorConfig.model_validate(
        {"engine": "openai", "model": "m", "options": {"base_url": "http://localhost/v1"}}
    )
    assert isinstance(chosen.options, OpenAIOptions)
    assert hash(chosen) == hash(chosen.model_copy())
    with pytest.raises(ValueError, match=r"openai has no option .*beam_size"):
        TranslatorConfig.model_validate({"engine": "openai", "model": "m", "options": {"beam_size": 4}})
    with pytest.raises(ValueError, match="base_url"):
        TranslatorConfig.model_validate({"engine": "openai", "model": "m"})
