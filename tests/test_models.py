from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import checkpoints
import pytest
from hub import commit_of, serve

from mtalign import models, starter
from mtalign.errors import MissingExtra, ModelUnavailable
from mtalign.models import resolve
from mtalign.starter import PackedFile, Starter, sha256_of
from mtalign.translate.checkpoint import load_tokenizer

BUILD = """
import sys
from pathlib import Path
from mtalign import models
from mtalign.starter import STARTERS, Starter, PackedFile, sha256_of

def build(inputs, out):
    (out / "model.safetensors").write_bytes(b"weights" * 1000)
    with open(sys.argv[1], "a") as log:
        log.write("built\\n")

packed = PackedFile("mtalign", "errors.py", sha256_of(Path(models.__file__).parent / "errors.py"))
STARTERS["starter:toy"] = Starter("starter:toy", "none", "mit", (packed,), build, 1, False)
print(models.resolve("starter:toy").path)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MTALIGN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def toy(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Starter:  # noqa: ARG001
    """A starter whose recipe is real and small: it copies its checked input."""

    def build(inputs: tuple[Path, ...], out: Path) -> None:
        (out / "model.safetensors").write_bytes(inputs[0].read_bytes())

    source = Path(models.__file__).parent / "errors.py"
    made = Starter(
        "starter:toy", "none", "mit", (PackedFile("mtalign", "errors.py", sha256_of(source)),), build, 1, True
    )
    monkeypatch.setitem(starter.STARTERS, made.name, made)
    return made


def test_a_starter_is_built_once(toy: Starter) -> None:
    first = resolve(toy.name)
    weights = first.path / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert resolve(toy.name) == first
    assert weights.stat().st_mtime_ns == before
    assert (first.license, first.demo) == ("mit", True)


@pytest.mark.parametrize("damage", ["cut", "flip", "remove", "list"])
def test_a_damaged_cache_is_found_and_rebuilt(toy: Starter, damage: str) -> None:
    weights = resolve(toy.name).path / "model.safetensors"
    whole = weights.read_bytes()
    if damage == "cut":
        weights.write_bytes(whole[:-1])
    elif damage == "flip":
        weights.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        os.utime(weights, ns=(0, weights.stat().st_mtime_ns + 1))
    elif damage == "remove":
        weights.unlink()
    else:
        (weights.parent / "mtalign-build.json").write_text("{")
    assert not models.is_built(toy)
    assert (resolve(toy.name).path / "model.safetensors").read_bytes() == whole


def test_an_untouched_copy_with_another_time_is_not_rebuilt(toy: Starter) -> None:
    weights = resolve(toy.name).path / "model.safetensors"
    os.utime(weights, ns=(0, 12345))
    resolve(toy.name)
    assert weights.stat().st_mtime_ns == 12345


def test_another_recipe_has_another_folder(toy: Starter) -> None:
    newer = Starter(toy.name, toy.upstream, toy.license, toy.inputs, toy.build, toy.recipe + 1, toy.demo)
    assert models.starter_folder(newer) != models.starter_folder(toy)


def test_inputs_with_other_bytes_are_refused(toy: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Starter(
        toy.name, "none", "mit", (PackedFile("mtalign", "errors.py", "0" * 64),), toy.build, 1, True
    )
    monkeypatch.setitem(starter.STARTERS, toy.name, wrong)
    with pytest.raises(ModelUnavailable, match="expected 0000"):
        resolve(toy.name)


def test_a_missing_package_names_the_remedy(toy: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Starter(toy.name, "none", "mit", (PackedFile("not_there", "x.bin", ""),), toy.build, 1, True)
    monkeypatch.setitem(starter.STARTERS, toy.name, absent)
    with pytest.raises(MissingExtra, match=r"mtalign\[starter\]"):
        resolve(toy.name)


def test_processes_that_start_at_once_build_once(cache: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [
        subprocess.Popen([sys.executable, "-c", BUILD, str(log)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    paths = {process.communicate()[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0, 0]
    assert len(paths) == 1
    assert paths.pop().startswith(str(cache))
    assert log.read_text() == "built\n"


def test_a_folder_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A model\n")
    first = resolve(str(tmp_path))
    assert first.license == "cc-by-nc-4.0"
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert resolve(str(tmp_path)).fingerprint != first.fingerprint


def test_pickled_weights_are_never_taken(tmp_path: Path) -> None:
    planted = tmp_path / "planted"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(planted),)

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelUnavailable, match=r"no \*\.safetensors; pickled weights are never loaded"):
        resolve(str(folder))
    assert not planted.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/such/folder", "no such folder; write hub:OWNER/NAME"),
        ("starter:nothing", "starter models are starter:e5-small"),
    ],
)
def test_unknown_names_say_what_there_is(name: str, message: str) -> None:
    with pytest.raises(ModelUnavailable, match=message):
        resolve(name)


def test_a_cache_that_cannot_be_written_names_the_variable(
    toy: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MTALIGN_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelUnavailable, match="MTALIGN_CACHE"):
        resolve(toy.name)


RESOLVE = """
import json, sys
from mtalign.errors import ModelUnavailable
from mtalign.models import resolve
try:
    found = resolve(sys.argv[1])
    files = sorted(each.name for each in found.path.iterdir())
    print(json.dumps({"revision": found.revision, "license": found.license, "files": files}))
except ModelUnavailable as error:
    print(json.dumps({"error": str(error)}))
"""
CARD = b"---\nlicense: apache-2.0\n---\n# A model\n"
PICKLED = {"config.json": b"{}", "README.md": CARD, "pytorch_model.bin": b"pickle"}
SAFE = {"config.json": b"{}", "README.md": CARD, "model.safetensors": b"weights", "code.py": b"evil()"}


def fetched(endpoint: str, name: str, home: Path, script: str = RESOLVE) -> dict[str, object]:
    """Resolve a model in a process of its own, since the hub client reads its endpoint when imported."""
    env = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    env["MTALIGN_CACHE"] = str(home / "mtalign")
    done = subprocess.run(
        [sys.executable, "-c", script, name], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_a_model_of_the_hub_comes_with_its_commit_and_licence(tmp_path: Path) -> None:
    with serve("owner/name", {"main": SAFE}) as endpoint:
        found = fetched(endpoint, "hub:owner/name", tmp_path)
    assert found["revision"] == commit_of("main")
    assert found["license"] == "apache-2.0"
    assert found["files"] == ["README.md", "config.json", "model.safetensors"]
    again = fetched("http://127.0.0.1:9", "hub:owner/name", tmp_path)
    assert again == found


def test_a_pinned_revision_is_taken(tmp_path: Path) -> None:
    with serve("owner/name", {"main": PICKLED, "v2": SAFE}) as endpoint:
        assert fetched(endpoint, "hub:owner/name@v2", tmp_path)["revision"] == commit_of("v2")
        missing = fetched(endpoint, "hub:owner/name@main", tmp_path)
    assert "pickled weights are never loaded" in str(missing["error"])


def test_the_hubs_own_conversion_is_taken_where_main_is_pickled(tmp_path: Path) -> None:
    revisions = {"main": PICKLED, "refs/pr/4": SAFE, "refs/pr/7": SAFE}
    with serve("owner/name", revisions, {4: "SFconvertbot", 7: "stranger"}) as endpoint:
        found = fetched(endpoint, "hub:owner/name", tmp_path)
    assert found["revision"] == commit_of("refs/pr/4")
    again = fetched("http://127.0.0.1:9", "hub:owner/name", tmp_path)
    assert again == found


LOOK_UP = """
import json, sys
from mtalign.models import Absent, look_up
found = look_up(sys.argv[1])
print(json.dumps({"absent": isinstance(found, Absent)} | {key: str(vars(found)[key]) for key in vars(found)}))
"""


def test_a_model_is_looked_up_without_being_fetched(tmp_path: Path) -> None:
    revisions = {"main": PICKLED, "refs/pr/4": SAFE}
    with serve("owner/name", revisions, {4: "SFconvertbot"}, license="mit") as endpoint:
        before = fetched(endpoint, "hub:owner/name", tmp_path, LOOK_UP)
        whole = sum(len(SAFE[file]) for file in ("config.json", "README.md", "model.safetensors"))
        assert (before["absent"], before["bytes"], before["license"]) == (True, str(whole), "mit")
        assert before["revision"] == commit_of("refs/pr/4")
        assert not list(tmp_path.rglob("config.json"))
        fetched(endpoint, "hub:owner/name", tmp_path)
        after = fetched(endpoint, "hub:owner/name", tmp_path, LOOK_UP)
        assert (after["absent"], after["revision"]) == (False, commit_of("refs/pr/4"))
    assert fetched("http://127.0.0.1:9", "hub:owner/name", tmp_path, LOOK_UP) == after
    (weights,) = tmp_path.rglob("snapshots/*/model.safetensors")
    weights.unlink()
    with serve("owner/name", revisions, {4: "SFconvertbot"}) as endpoint:
        assert fetched(endpoint, "hub:owner/name", tmp_path, LOOK_UP)["bytes"] == str(len(b"weights"))


SHOW = """
import sys
from mtalign.cli import main
sys.argv[1:] = ["models", "show", sys.argv[1], "--json"]
main()
"""


def test_a_model_is_shown_without_being_fetched(tmp_path: Path) -> None:
    with serve("owner/name", {"main": SAFE}, license="mit") as endpoint:
        shown = fetched(endpoint, "hub:owner/name", tmp_path, SHOW)
    assert (shown["license"], shown["revision"]) == ("mit", commit_of("main"))
    assert shown["to_fetch"] == sum(len(body) for file, body in SAFE.items() if file != "code.py")
    assert not list(tmp_path.rglob("config.json"))


def test_a_conversion_by_a_stranger_is_not_taken(tmp_path: Path) -> None:
    with serve("owner/name", {"main": PICKLED, "refs/pr/7": SAFE}, {7: "stranger"}) as endpoint:
        found = fetched(endpoint, "hub:owner/name", tmp_path)
        planned = fetched(endpoint, "hub:owner/name", tmp_path, LOOK_UP)
    assert "pickled weights are never loaded" in str(found["error"])
    assert "pickled weights are never loaded" in str(planned["problem"])


def test_an_unknown_repository_is_named(tmp_path: Path) -> None:
    with serve("owner/name", {"main": SAFE}) as endpoint:
        found = fetched(endpoint, "hub:owner/other", tmp_path)
    assert "the hub knows no such repository" in str(found["error"])


def test_a_tokenizer_that_reads_gemma_otherwise_is_refused(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(checkpoints.gemma3(tmp_path / "gemma"))
    with pytest.raises(ModelUnavailable, match=r"transformers>=5\.24"):
        starter.check_tokenizer(tokenizer)
