"""A server of OpenAI's chat completions on the loopback interface, slow or unreliable as one asks for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

_CYRILLIC = str.maketrans("abcdefghijklmnoprstuvwyz", "абсдефгхийклмнопрстувуыз")
_FAST_AGAIN = {"Retry-After": "0"}


@contextmanager
def chat_server(
    seconds: float = 0.0, status: Callable[[int], int | None] = lambda _: 200
) -> Iterator[dict[str, Any]]:
    """Serve translations that are their sources in Cyrillic letters; yield the options of an engine.

    Args:
        seconds: how long every answer takes; no processor is used meanwhile.
        status: of the answer to the n-th request; None hangs up without one.
    """
    numbers = count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            code = status(next(numbers))
            if code is None:
                self.close_connection = True
                return
            time.sleep(seconds)
            sentence = body["messages"][-1]["content"].rpartition("\n")[2]
            message = {"role": "assistant", "content": sentence.lower().translate(_CYRILLIC)}
            choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
            answer = {"id": "1", "object": "chat.completion", "choices": [choice]} if code == 200 else {}
            content = json.dumps(answer).encode()
            self.send_response(code)
            for name, value in {**_FAST_AGAIN, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield {"base_url": f"http://127.0.0.1:{httpd.server_port}/v1", "concurrency": 8, "logprobs": False}
    finally:
        httpd.shutdown()
        httpd.server_close()
