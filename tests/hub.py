"""A model hub on the loopback interface: enough of the Hugging Face API to fetch one repository."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

Files = Mapping[str, bytes]


def commit_of(revision: str) -> str:
    """Return the 40 hexadecimal digits that stand for a revision."""
    return hashlib.sha1(revision.encode(), usedforsecurity=False).hexdigest()


@contextmanager
def serve(
    repository: str,
    revisions: Mapping[str, Files],
    conversions: Mapping[int, str] | None = None,
    license: str | None = None,
) -> Iterator[str]:
    """Serve a repository and yield the endpoint.

    Args:
        repository: OWNER/NAME.
        revisions: files by revision (`main`, `refs/pr/4`).
        conversions: author of each open pull request, by its number.
        license: what the hub says that the card says.
    """
    commits = {commit_of(revision): files for revision, files in revisions.items()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            api = f"/api/models/{repository}"
            if path == f"{api}/discussions":
                self.answer(200, json.dumps(discussions()).encode(), Content_Type="application/json")
            elif (
                path.startswith(f"{api}/revision/") and (name := path.partition("/revision/")[2]) in revisions
            ):
                self.answer(200, json.dumps(info(name)).encode(), Content_Type="application/json")
            elif path.startswith(f"{api}/tree/") and (commit := path.partition("/tree/")[2]) in commits:
                self.answer(200, json.dumps(tree(commit)).encode(), Content_Type="application/json")
            elif path.startswith(f"/{repository}/resolve/"):
                commit, _, file = path.partition("/resolve/")[2].partition("/")
                if file in commits.get(commit, {}):
                    body = commits[commit][file]
                    self.answer(200, body, ETag=f'"{hashlib.sha256(body).hexdigest()}"', X_Repo_Commit=commit)
                else:
                    self.answer(404, b"", X_Error_Code="EntryNotFound")
            else:
                self.answer(404, b"{}", X_Error_Code="RepoNotFound")

    def info(name: str) -> dict[str, object]:
        siblings = [{"rfilename": file, "size": len(body)} for file, body in revisions[name].items()]
        found = {"id": repository, "sha": commit_of(name), "siblings": siblings, "private": False}
        return found | ({"cardData": {"license": license}} if license else {})

    def tree(commit: str) -> list[dict[str, object]]:
        files = commits[commit].items()
        return [
            {"type": "file", "path": name, "size": len(body), "oid": commit_of(name)} for name, body in files
        ]

    def discussions() -> dict[str, object]:
        found = [
            {
                "num": number,
                "title": "Adding `safetensors` variant of this model",
                "status": "open",
                "author": {"name": author},
                "createdAt": "2026-01-01T00:00:00.000Z",
                "isPullRequest": True,
                "repo": {"name": repository, "type": "model"},
            }
            for number, author in (conversions or {}).items()
        ]
        return {"discussions": found, "count": len(found), "start": 0}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
