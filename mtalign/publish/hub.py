"""Pushing a dataset folder to the Hugging Face Hub: one commit, retried, resumable, and guarded.

Large files are uploaded first and known to the hub by their hash, so that a push that was cut off sends only
what is not there yet. Then one commit names them all; it says on which commit it builds, so that nobody's
work is overwritten. The token comes from the environment (HF_TOKEN) or the hub's own login, and only the
hub's client ever holds it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from mtalign import __version__
from mtalign.errors import UsageError
from mtalign.publish.existing import CARD, is_own_file, merged

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi

ATTEMPTS = 5
_LONGEST_WAIT = 300.0
_TRANSIENT = {408, 429, 500, 502, 503, 504}
_DATASET = "dataset"
_PAGE = 500
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Target:
    """Where to push.

    Attributes:
        repository: OWNER/NAME.
        private: make the repository private when it is created, and refuse to push to a public one.
        revision: the branch; made from `main` where there is none.
        create_pr: open a pull request against the branch in place of committing to it.
        parent: the commit that the branch is expected to be at; None takes whatever it is at now.
    """

    repository: str
    private: bool = False
    revision: str = "main"
    create_pr: bool = False
    parent: str | None = None


@dataclass(frozen=True)
class Pushed:
    """What the hub answered: the commit, its address, the pull request's, and whether anything was new."""

    repository: str
    commit: str
    address: str
    pull_request: str | None
    changed: bool


def push(
    folder: Path, files: Iterable[str], target: Target, *, sleep: Callable[[float], None] = time.sleep
) -> Pushed:
    """Push the files of a dataset folder; the prose and configs of a card that is there already are kept.

    Files of mtalign's that the new dataset no longer has are deleted, other people's files are left alone.

    Args:
        folder: the dataset.
        files: the paths to push, relative to the folder.
        target: where to push.
        sleep: waits that many seconds between two attempts.

    Raises:
        UsageError: there is no token; the hub refuses it; the repository is public and `private` was asked
            for; somebody else pushed in the meantime; or the hub cannot be reached after several attempts.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise UsageError(
            "pushing needs a token of the hub: set HF_TOKEN, or log in with `hf auth login`, and try again"
        )
    session = _Session(HfApi(library_name="mtalign", library_version=__version__), target, sleep)
    session.make_repository()
    parent = session.head()
    if target.parent is not None and target.parent != parent:
        raise _moved(target, target.parent)
    there = session.files(parent)
    additions = _additions(folder, files, session.card(parent) if CARD in there else None)
    stale = {path for path in there if is_own_file(path)} - set(additions)
    session.upload(list(additions.values()))
    commit = session.commit(additions, sorted(stale), parent)
    return Pushed(target.repository, commit.oid, commit.commit_url, commit.pr_url, commit.oid != parent)


def _additions(folder: Path, files: Iterable[str], card: str | None) -> dict[str, CommitOperationAdd]:
    from huggingface_hub import CommitOperationAdd

    found = {path: CommitOperationAdd(path, folder / path) for path in sorted(files) if path != CARD}
    # Configs of people in the folder stay there, as their files do: only what is there as well is named.
    text = merged(card or "", (folder / CARD).read_text(encoding="utf-8"))
    return {**found, CARD: CommitOperationAdd(CARD, text.encode("utf-8"))}


class _Session:
    """One push: every call to the hub, retried, its errors turned into ours."""

    def __init__(self, api: HfApi, target: Target, sleep: Callable[[float], None]) -> None:
        self._api = api
        self._target = target
        self._sleep = sleep

    def make_repository(self) -> None:
        """Create repository and branch where they are missing."""
        name, branch = self._target.repository, self._target.revision
        self._call(
            lambda: self._api.create_repo(
                name, repo_type=_DATASET, private=self._target.private or None, exist_ok=True
            )
        )
        if self._target.private and not self._call(
            lambda: self._api.repo_info(name, repo_type=_DATASET).private
        ):
            raise UsageError(
                f"{name} is public, and --private was asked for; make it private on the hub first, or leave "
                "--private out"
            )
        if branch != "main":
            self._call(
                lambda: self._api.create_branch(name, branch=branch, repo_type=_DATASET, exist_ok=True)
            )

    def head(self) -> str:
        """Return the commit that the branch is at."""
        info = self._call(
            lambda: self._api.repo_info(
                self._target.repository, repo_type=_DATASET, revision=self._target.revision
            )
        )
        return str(info.sha)

    def card(self, commit: str) -> str:
        """Return the card as it is at a commit that has one."""
        with TemporaryDirectory() as scratch:
            path = self._call(
                lambda: self._api.hf_hub_download(
                    self._target.repository, CARD, repo_type=_DATASET, revision=commit, local_dir=scratch
                )
            )
            return Path(path).read_text(encoding="utf-8")

    def files(self, commit: str) -> list[str]:
        """Return the paths of all files at a commit."""
        return self._call(
            lambda: self._api.list_repo_files(self._target.repository, repo_type=_DATASET, revision=commit)
        )

    def upload(self, additions: list[CommitOperationAdd]) -> None:
        """Send the large files; what the hub has by its hash is not sent again."""
        self._call(
            lambda: self._api.preupload_lfs_files(
                self._target.repository,
                additions,
                repo_type=_DATASET,
                revision=self._target.revision,
                create_pr=self._target.create_pr,
                free_memory=False,
            )
        )

    def commit(self, additions: dict[str, CommitOperationAdd], stale: list[str], parent: str) -> CommitInfo:
        """Make the commit on top of `parent`.

        When a commit's answer is lost, the guard keeps a second one from being made; it is then looked up
        whether the first arrived. For a pull request nothing can be looked up, so it is not repeated.
        """
        from huggingface_hub import CommitInfo, CommitOperationDelete
        from huggingface_hub.errors import HfHubHTTPError

        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *additions.values(),
            *(CommitOperationDelete(path) for path in stale),
        ]
        tries = 0

        def send() -> CommitInfo:
            nonlocal tries
            tries += 1
            return self._api.create_commit(
                self._target.repository,
                operations,
                commit_message=f"Dataset written by mtalign {__version__}",
                repo_type=_DATASET,
                revision=self._target.revision,
                create_pr=self._target.create_pr,
                parent_commit=parent,
            )

        try:
            return self._call(send, repeat_lost=not self._target.create_pr)
        except HfHubHTTPError as error:
            if _status(error) != 412:
                raise
            if tries > 1 and (arrived := self._arrived(additions, stale)):
                address = f"{self._api.endpoint}/datasets/{self._target.repository}/commit/{arrived}"
                return CommitInfo(address, commit_message="", commit_description="", oid=arrived)
            raise _moved(self._target, parent) from error

    def _arrived(self, additions: dict[str, CommitOperationAdd], stale: list[str]) -> str | None:
        """Return the commit that the branch is at, if it holds just what was to be committed."""
        from huggingface_hub import RepoFile

        head = self.head()
        there = set(self.files(head))
        infos = self._call(
            lambda: self._api.get_paths_info(
                self._target.repository, sorted(additions), repo_type=_DATASET, revision=head
            )
        )
        hashes = {
            info.path: info.lfs.sha256 if info.lfs else info.blob_id
            for info in infos
            if isinstance(info, RepoFile)
        }
        same = all(hashes.get(path) in _hashes(addition) for path, addition in additions.items())
        return head if same and not there.intersection(stale) else None

    def _call(self, call: Callable[[], ResultT], repeat_lost: bool = True) -> ResultT:
        """Make one call, again after a while where that may help.

        A 412 is let through: what it means is the caller's to say.

        Raises:
            UsageError: everything else that the hub or the connection refuses.
        """
        from huggingface_hub.errors import HfHubHTTPError

        # The client's HTTP library changes with its version; its errors share this root.
        transport: type[BaseException] = HfHubHTTPError.__mro__[1]
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return call()
            except (HfHubHTTPError, transport, RuntimeError, OSError) as error:
                cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
                status = _status(cause)
                if status == 412:
                    raise
                again = status in _TRANSIENT if status else isinstance(cause, transport)
                if status != 429 and not repeat_lost:
                    again = False
                if not again or attempt == ATTEMPTS:
                    raise _refused(self._target, cause, status) from error
                self._sleep(_wait(cause, attempt))
            except ValueError as error:
                raise UsageError(f"the hub does not take the dataset: {error}") from error
        raise AssertionError("unreachable: the last attempt returns or raises")


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def _wait(error: BaseException, attempt: int) -> float:
    """Return how many seconds the hub asks for, else ever more."""
    response = getattr(error, "response", None)
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    return min(_LONGEST_WAIT, float(asked) if asked.isdigit() else 2.0 ** (attempt - 1))


def _hashes(addition: CommitOperationAdd) -> set[str]:
    """Return the two names that the hub may know a content by: SHA-256, and that of git."""
    with addition.as_file() as stream:
        content = stream.read()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return {hashlib.sha256(content).hexdigest(), blob.hexdigest()}


def _moved(target: Target, parent: str) -> UsageError:
    return UsageError(
        f"{target.repository} at {target.revision} is no longer at commit {parent[:12]}: somebody else "
        "pushed in the meantime (412), and nothing of theirs was overwritten; look at their change and push "
        "again, what is uploaded already is not sent twice"
    )


def _refused(target: Target, error: BaseException, status: int | None) -> UsageError:
    """Say what the hub answered, without addresses: those of an upload can hold a signature."""
    where = f"{target.repository} at {target.revision}"
    if status in {401, 403, 404}:
        return UsageError(
            f"the hub does not let this token write to {where} ({status}); check the name, and that the "
            "token may write there (hf auth whoami)"
        )
    if status is not None:
        said = getattr(error, "server_message", None)
        return UsageError(
            f"the hub refused {where} with status {status}{f': {said}' if said else ''}; what is uploaded "
            "already is not sent twice, push again later"
        )
    return UsageError(
        f"the connection to the hub broke while pushing to {where} ({type(error).__name__}); what is "
        "uploaded already is not sent twice, push again. With --create-pr, look first whether the pull "
        "request is there"
    )
