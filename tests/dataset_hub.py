"""A dataset hub on the loopback interface: enough of the Hugging Face API to push to and to load from.

Commits, branches, pull requests, large files by hash, the parent guard, byte ranges, and faults on order.
It keeps what a real hub keeps and no more: contents by commit, and uploaded objects by SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

# Not a token of anybody's: it opens the stub and nothing else.
TOKEN = "hf_" + "loopbackstub" * 3

Files = dict[str, bytes]
# What goes wrong: a status; the connection breaks before anything is done, or after all of it.
Fault = int | Literal["break", "lose the answer"]


@dataclass
class Repository:
    private: bool
    commits: dict[str, Files] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    large: set[str] = field(default_factory=set)

    def commit(self, branch: str, files: Files) -> str:
        seed = json.dumps([branch, len(self.commits), sorted(files)]).encode()
        name = hashlib.sha1(seed, usedforsecurity=False).hexdigest()
        self.commits[name] = files
        self.branches[branch] = name
        return name

    def at(self, revision: str) -> str | None:
        revision = unquote(revision)
        return self.branches.get(revision, revision if revision in self.commits else None)


@dataclass
class Hub:
    """The state of the stub; tests read it, and order faults."""

    endpoint: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    faults: list[tuple[str, str, Fault]] = field(default_factory=list)

    def order(self, method: str, part: str, *faults: Fault) -> None:
        """Let the next requests of this method whose path holds `part` go wrong, one after the other."""
        self.faults.extend((method, part, fault) for fault in faults)

    def count(self, method: str, part: str) -> int:
        """Return how many requests of this kind came."""
        return sum(each == method and part in path for each, path in self.requests)

    def files(self, repository: str, revision: str = "main") -> Files:
        """Return the files at a revision, large ones by their content."""
        found = self.repositories[repository]
        return found.commits[found.branches[revision]]

    def take_fault(self, method: str, path: str) -> Fault | None:
        for number, (kind, part, fault) in enumerate(self.faults):
            if kind == method and part in path:
                del self.faults[number]
                return fault
        return None


@contextmanager
def serve() -> Iterator[Hub]:
    """Run the stub in a thread and yield its state."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub
    lose = False

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.work()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815  (http.server's names)

    def work(self) -> None:
        body = self.read_body()
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, unquote(path)))
        fault = self.hub.take_fault(self.command, path)
        if isinstance(fault, int):
            self.answer(fault, b"{}", Retry_After="0")
            return
        if fault == "break":
            self.close_connection = True
            return
        self.lose = fault == "lose the answer"
        for pattern, method in _ROUTES:
            if (found := re.fullmatch(pattern, path)) and self.command in method.methods:  # type: ignore[attr-defined]
                signed = path.startswith("/lfs/") or self.headers.get("Authorization") == f"Bearer {TOKEN}"
                if self.command in {"POST", "PUT"} and not signed:
                    self.answer(401, b"{}")
                    return
                method(self, body, *(unquote(each) for each in found.groups() if each is not None))
                return
        self.answer(404, b"{}", X_Error_Code="RepoNotFound")

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        if self.lose:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, value: object, status: int = 200, **headers: str) -> None:
        self.answer(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def repository(self, name: str) -> Repository | None:
        found = self.hub.repositories.get(name)
        if found is None or (found.private and self.headers.get("Authorization") != f"Bearer {TOKEN}"):
            self.json({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
            return None
        return found

    def commit_at(self, name: str, revision: str) -> tuple[Repository, str] | None:
        if (found := self.repository(name)) is None:
            return None
        commit = found.at(revision)
        if commit is None:
            self.json({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
            return None
        return found, commit

    # --- one method per address ---

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        url = f"{self.hub.endpoint}/datasets/{name}"
        if name in self.hub.repositories:
            self.json({"error": "You already created this dataset repo", "url": url}, 409)
            return
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.repositories[name] = Repository(private)
        self.hub.repositories[name].commit("main", {".gitattributes": b"*.parquet filter=lfs\n"})
        self.json({"url": url, "name": name})

    def validate(self, body: bytes) -> None:
        good = json.loads(body)["content"].startswith("---\n")
        self.json({"errors": [] if good else [{"message": "no YAML"}], "warnings": []}, 200 if good else 400)

    def info(self, _: bytes, name: str, revision: str = "main") -> None:
        if found := self.commit_at(name, revision):
            repository, commit = found
            siblings = [{"rfilename": path} for path in repository.commits[commit]]
            self.json({"id": name, "sha": commit, "siblings": siblings, "private": repository.private})

    def branch(self, _: bytes, name: str, branch: str) -> None:
        if (found := self.repository(name)) is None:
            return
        if branch in found.branches:
            self.json({"error": "Reference already exists"}, 409)
            return
        found.branches[branch] = found.branches["main"]
        self.json({})

    def entry(self, repository: Repository, path: str, content: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": blob(content)}
        sha = hashlib.sha256(content).hexdigest()
        if sha in repository.large:
            entry["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 130}
        return entry

    def tree(self, _: bytes, name: str, revision: str, folder: str = "") -> None:
        if (found := self.commit_at(name, revision)) is None:
            return
        repository, commit = found
        below = folder.strip("/") + "/" if folder.strip("/") else ""
        files = {path: each for path, each in repository.commits[commit].items() if path.startswith(below)}
        if below and not files:
            self.json({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
            return
        recursive = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() == "true"
        nested = {path[len(below) :].split("/")[0] for path in files if "/" in path[len(below) :]}
        folders = [{"type": "directory", "path": below + each, "size": 0, "oid": "0" * 40} for each in nested]
        shown = [
            self.entry(repository, path, each)
            for path, each in files.items()
            if recursive or "/" not in path[len(below) :]
        ]
        self.json([*folders, *shown])

    def paths_info(self, body: bytes, name: str, revision: str) -> None:
        if (found := self.commit_at(name, revision)) is None:
            return
        repository, commit = found
        kind = self.headers.get("Content-Type", "")
        asked = json.loads(body)["paths"] if "json" in kind else parse_qs(body.decode())["paths"]
        files = repository.commits[commit]
        entries: list[dict[str, Any]] = []
        for path in asked:
            if path in files:
                entries.append(self.entry(repository, path, files[path]))
            elif any(each.startswith(f"{path}/") for each in files):
                entries.append({"type": "directory", "path": path, "size": 0, "oid": "0" * 40})
        self.json(entries)

    def preupload(self, body: bytes, name: str, revision: str) -> None:
        if (found := self.commit_at(name, revision)) is None:
            return
        repository, commit = found
        files = repository.commits[commit]
        self.json(
            {
                "files": [
                    {
                        "path": each["path"],
                        "uploadMode": "lfs" if each["path"].endswith(".parquet") else "regular",
                        "shouldIgnore": False,
                        **({"oid": remote(repository, files[each["path"]])} if each["path"] in files else {}),
                    }
                    for each in json.loads(body)["files"]
                ]
            }
        )

    def batch(self, body: bytes, name: str) -> None:
        if self.repository(name) is None:
            return
        objects = []
        for each in json.loads(body)["objects"]:
            upload = {"upload": {"href": f"{self.hub.endpoint}/lfs/{each['oid']}?signature=do-not-show"}}
            objects.append({**each, **({} if each["oid"] in self.hub.objects else {"actions": upload})})
        self.json({"transfer": "basic", "objects": objects})

    def put(self, body: bytes, oid: str) -> None:
        assert hashlib.sha256(body).hexdigest() == oid
        self.hub.objects[oid] = body
        self.answer(200, b"")

    def commit(self, body: bytes, name: str, revision: str) -> None:
        if (found := self.commit_at(name, revision)) is None:
            return
        repository, head = found
        lines = [json.loads(line) for line in body.splitlines()]
        header = lines[0]["value"]
        if header.get("parentCommit", head) != head:
            self.json({"error": "A commit has happened since. Please refresh and try again."}, 412)
            return
        files = dict(repository.commits[head])
        for line in lines[1:]:
            kind, value = line["key"], line["value"]
            if kind == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif kind == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
                repository.large.add(value["oid"])
            elif kind == "deletedFile":
                del files[value["path"]]
        answer: dict[str, Any] = {}
        branch = revision
        if "create_pr=1" in urlsplit(self.path).query:
            number = 1 + sum(each.startswith("refs/pr/") for each in repository.branches)
            branch = f"refs/pr/{number}"
            answer["pullRequestUrl"] = f"{self.hub.endpoint}/datasets/{name}/discussions/{number}"
        made = repository.commit(branch, files)
        self.json(
            {"commitUrl": f"{self.hub.endpoint}/datasets/{name}/commit/{made}", "commitOid": made, **answer}
        )

    def resolve(self, _: bytes, name: str, rest: str) -> None:
        if (repository := self.repository(name)) is None:
            return
        for revision in sorted([*repository.branches, *repository.commits], key=len, reverse=True):
            if rest.startswith(f"{revision}/"):
                commit = repository.at(revision)
                assert commit
                path = rest[len(revision) + 1 :]
                break
        else:
            self.json({}, 404, X_Error_Code="RevisionNotFound")
            return
        if path not in repository.commits[commit]:
            self.json({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
            return
        body = repository.commits[commit][path]
        headers = {"ETag": f'"{blob(body)}"', "X_Repo_Commit": commit, "Accept_Ranges": "bytes"}
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(found[1]), min(int(found[2] or len(body)), len(body) - 1)
            headers["Content_Range"] = f"bytes {first}-{last}/{len(body)}"
            self.answer(206, body[first : last + 1], **headers)
            return
        self.answer(200, body, **headers)


def blob(content: bytes) -> str:
    """Return git's name for a content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def remote(repository: Repository, content: bytes) -> str:
    """Return the name under which the hub lists a content: large files have that of SHA-256."""
    sha = hashlib.sha256(content).hexdigest()
    return sha if sha in repository.large else blob(content)


def _route(pattern: str, method: Any, *methods: str) -> tuple[str, Any]:
    method.methods = methods
    return pattern, method


_NAME = "([^/]+/[^/]+)"
_ROUTES = [
    _route("/api/repos/create", _Handler.create, "POST"),
    _route("/api/validate-yaml", _Handler.validate, "POST"),
    _route(f"/api/datasets/{_NAME}", _Handler.info, "GET", "HEAD"),
    _route(f"/api/datasets/{_NAME}/revision/(.+)", _Handler.info, "GET", "HEAD"),
    _route(f"/api/datasets/{_NAME}/branch/(.+)", _Handler.branch, "POST"),
    _route(f"/api/datasets/{_NAME}/tree/([^/]+)(/.*)?", _Handler.tree, "GET"),
    _route(f"/api/datasets/{_NAME}/paths-info/([^/]+)", _Handler.paths_info, "POST"),
    _route(f"/api/datasets/{_NAME}/preupload/([^/]+)", _Handler.preupload, "POST"),
    _route(f"/datasets/{_NAME}.git/info/lfs/objects/batch", _Handler.batch, "POST"),
    _route("/lfs/([0-9a-f]{64})", _Handler.put, "PUT"),
    _route(f"/api/datasets/{_NAME}/commit/([^/]+)", _Handler.commit, "POST"),
    _route(f"/datasets/{_NAME}/resolve/(.+)", _Handler.resolve, "GET", "HEAD"),
]
