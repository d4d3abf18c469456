"""Serves the report of a run to this machine's own browser, and writes its reviews into the run.

Only on the loopback interface, only under an address with a random token, only to requests that name this
host (so that no other page can reach it through a name that resolves here), and never with permission for
other origins. There are no user accounts: who has the address may review.
"""

from __future__ import annotations

import logging
import re
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mtalign.errors import InputError, MtalignError, UsageError
from mtalign.report.catalog import Catalog
from mtalign.report.page import render_body, render_index, render_page, site
from mtalign.review import Review, add_reviews, decode_review
from mtalign.store import Run

_LOOPBACK = "127.0.0.1"
_PAGE = re.compile(r"pages/(\d{4,9})\.html")
_FIND = re.compile(r"pages/find-(\d{4,9})\.js")
_LARGEST_POST = 4 << 20
_HTML = "text/html; charset=utf-8"
_SCRIPT = "text/javascript; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
_REVIEW_TYPE = "application/jsonl"

_log = logging.getLogger(__name__)


class ReportServer(ThreadingHTTPServer):
    """The report of one run on a port of this machine; `address` leads to its first page."""

    daemon_threads = True

    def __init__(self, run: Run, title: str, port: int = 0) -> None:
        self.run = run
        self.title = title
        self.catalog = Catalog(run)
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((_LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(f"port {port} cannot be used: {error}; choose another with --port") from error
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def hosts(self) -> tuple[str, str]:
        """What a browser of this machine calls this server."""
        return f"{_LOOPBACK}:{self.server_port}", f"localhost:{self.server_port}"

    @property
    def address(self) -> str:
        """The address of the first page, with the token."""
        return f"http://{self.hosts[0]}/{self.token}/"

    def wait(self) -> None:
        """Return when the whole run has been read."""
        self._reading.join()

    def _read(self) -> None:
        try:
            self.catalog.fill()
        except MtalignError as error:
            _log.error("the run cannot be read to its end: %s", error)

    def page(self, path: str) -> tuple[str, str] | None:
        """Return content type and text of what stands at a path below the token, if there is anything."""
        catalog = self.catalog
        if path == "":
            numbers = site(
                self.title, catalog.total(), self.run.rejects(), served=True, counting=not catalog.complete
            )
            return _HTML, render_index(numbers, catalog.lines(), catalog.pages())
        if match := _PAGE.fullmatch(path):
            page = int(match[1])
            shown = catalog.shown(page)
            if not shown:
                return None
            numbers = site(self.title, catalog.total(), (), served=True)
            body = render_body((each.view() for each in shown), numbers.hues)
            return _HTML, render_page(numbers, body, page, catalog.pages(), "../")
        if match := _FIND.fullmatch(path):
            return _SCRIPT, catalog.find(int(match[1]))
        return None

    def take(self, body: bytes) -> int:
        """Write reviews into the run and return how many were new; all of them or, on an error, none."""
        reviews: list[Review] = [decode_review(line) for line in body.splitlines() if line.strip()]
        new = add_reviews(self.run.path, reviews)
        self.catalog.reviewed(reviews)
        return new


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        path = self._path()
        if path is None:
            return
        found = self.server.page(path)
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, "There is no such page.")
        else:
            self._answer(HTTPStatus.OK, *found)

    def do_POST(self) -> None:
        path = self._path()
        if path is None:
            return
        length = self.headers.get("Content-Length", "")
        origin = self.headers.get("Origin")
        if path != "reviews":
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, "Reviews go to …/reviews.")
        elif origin is not None and origin not in [f"http://{host}" for host in self.server.hosts]:
            self._answer(HTTPStatus.FORBIDDEN, _TEXT, "Reviews are taken from this report's own page only.")
        elif self.headers.get_content_type() != _REVIEW_TYPE:
            self._answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _TEXT, f"Reviews come as {_REVIEW_TYPE}.")
        elif not length.isdecimal() or int(length) > _LARGEST_POST:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TEXT, "Send fewer reviews at a time.")
        else:
            self._take(self.rfile.read(int(length)))

    def _take(self, body: bytes) -> None:
        try:
            new = self.server.take(body)
        except InputError as error:
            self._answer(HTTPStatus.BAD_REQUEST, _TEXT, str(error))
        except UsageError as error:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, str(error))
        else:
            self._answer(HTTPStatus.OK, _TEXT, f"{new} new")

    def _path(self) -> str | None:
        """Return the path below the token; None, with the refusal sent, where the request is not for us."""
        if self.headers.get("Host") not in self.server.hosts:
            self._answer(HTTPStatus.FORBIDDEN, _TEXT, "This report is served to this machine only.")
            return None
        token, slash, path = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, "There is no such page.")
            return None
        return path

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        if status != HTTPStatus.OK:
            # A body that was refused is not read: the connection cannot be used for another request.
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the path holds the token, which belongs in no log."""


def serve(run: Run, title: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve the report of a run until interrupted, which is how it ends well; `announce` gets its address.

    Raises:
        UsageError: the port cannot be used.
    """
    with ReportServer(run, title, port) as server:
        announce(server.address)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
