"""Pushing to a hub, against a stub of one: what arrives, what is kept, what goes wrong and is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dataset_hub
import pytest
import yaml
from corpus import news
from dataset_hub import TOKEN, Hub

from mtalign.errors import UsageError
from mtalign.publish import Published, publish
from mtalign.publish.hub import Pushed, Target, push
from mtalign.store import Writer

REPOSITORY = "somebody/news"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with dataset_hub.serve() as found:
        # The client reads its environment when it is first imported, which another test may have done.
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", found.endpoint)
        template = f"{found.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-login"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield found


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish(news()[:3], tmp_path_factory.mktemp("hub") / "news", name="Three articles")


def push_now(dataset: Published, target: Target = Target(REPOSITORY)) -> Pushed:  # noqa: B008  (frozen)
    return push(dataset.path, dataset.files, target, sleep=lambda _: None)


def contents(dataset: Published) -> dict[str, bytes]:
    return {file: (dataset.path / file).read_bytes() for file in dataset.files}


def environment(hub: Hub, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HF_ENDPOINT": hub.endpoint,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(home),
    }


def test_everything_arrives_in_one_commit_and_a_second_push_has_nothing_to_do(
    dataset: Published, hub: Hub
) -> None:
    pushed = push_now(dataset)
    files = hub.files(REPOSITORY)
    assert {path: files[path] for path in dataset.files} == contents(dataset)
    assert pushed.changed
    assert hub.repositories[REPOSITORY].branches["main"] == pushed.commit
    uploads = hub.count("PUT", "/lfs/")
    assert uploads == len({each for path, each in files.items() if path.endswith(".parquet")})
    again = push_now(dataset)
    assert (again.changed, again.commit) == (False, pushed.commit)
    assert (hub.count("PUT", "/lfs/"), hub.count("POST", "/commit/")) == (uploads, 1)


def test_the_command_pushes_every_config_loads_and_the_token_is_nowhere(hub: Hub, tmp_path: Path) -> None:
    with Writer(tmp_path / "run", {"models": []}) as run:
        run.add(news()[0])
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from mtalign.cli import main; main()"),
            *("-v", "publish", "run", "-o", "dataset", "--json"),
            *("--push", REPOSITORY, "--private"),
        ],
        cwd=tmp_path,
        env=environment(hub, tmp_path / "home"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["pushed"]["repository"] == REPOSITORY
    assert TOKEN not in done.stdout + done.stderr
    assert "signature=" not in done.stdout + done.stderr
    assert hub.repositories[REPOSITORY].private
    code = f"""
import json
from datasets import get_dataset_config_names, load_dataset
found = {{}}
for config in get_dataset_config_names({REPOSITORY!r}):
    whole = load_dataset({REPOSITORY!r}, config)
    for split, rows in load_dataset({REPOSITORY!r}, config, streaming=True).items():
        assert list(rows) == list(whole[split]), (config, split)
        found.setdefault(config, {{}})[split] = whole[split].num_rows
print(json.dumps(found))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(hub, tmp_path / "home"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(loaded.stdout.splitlines()[-1]) == json.loads(done.stdout)["rows"]
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes(), path


def test_a_pull_request_leaves_the_branch_alone(dataset: Published, hub: Hub) -> None:
    push_now(dataset)
    before = hub.files(REPOSITORY)
    changed = publish(news()[:1], dataset.path.with_name("one"), name="One article")
    pushed = push_now(changed, Target(REPOSITORY, create_pr=True))
    assert pushed.pull_request == f"{hub.endpoint}/datasets/{REPOSITORY}/discussions/1"
    assert hub.files(REPOSITORY) == before
    assert (
        hub.files(REPOSITORY, "refs/pr/1")["sentences/train-00000-of-00001.parquet"]
        == (changed.path / "sentences/train-00000-of-00001.parquet").read_bytes()
    )


def test_a_branch_is_made_where_it_is_missing(dataset: Published, hub: Hub) -> None:
    push_now(dataset, Target(REPOSITORY, revision="v2"))
    assert "croissant.json" in hub.files(REPOSITORY, "v2")
    assert list(hub.files(REPOSITORY)) == [".gitattributes"]


def test_people_s_prose_configs_and_files_are_kept_and_stale_tables_go(dataset: Published, hub: Hub) -> None:
    push_now(dataset)
    files = dict(hub.files(REPOSITORY))
    card = files["README.md"].decode()
    theirs = {"config_name": "glossary", "data_files": "glossary.csv"}
    head, text = card[4:].split("\n---\n", 1)
    edited = yaml.safe_load(head)
    edited["configs"].append(theirs)
    edited["pretty_name"] = "Our news"
    edited["tags"].append("energy")
    files["README.md"] = (
        f"---\n{yaml.safe_dump(edited)}\n---\n{text}\n## Thanks\n\nTo everybody.\n"
    ).encode()
    files["glossary.csv"] = b"a,b\n"
    files["pairs-en-de/train-00000-of-00001.parquet"] = b"old"
    hub.repositories[REPOSITORY].commit("main", files)
    assert push_now(dataset).changed
    now = hub.files(REPOSITORY)
    _, head, text = now["README.md"].decode().split("---\n", 2)
    found = yaml.safe_load(head)
    assert found["configs"][-1] == theirs
    assert found["configs"][:-1] == yaml.safe_load(card.split("---\n", 2)[1])["configs"]
    assert (found["pretty_name"], found["tags"][-1]) == ("Our news", "energy")
    assert text.rstrip().endswith("## Thanks\n\nTo everybody.")
    assert text.count("## What is in it") == 1
    assert now["glossary.csv"] == b"a,b\n"
    assert "pairs-en-de/train-00000-of-00001.parquet" not in now


def test_what_people_put_into_the_folder_is_not_pushed_and_not_named(hub: Hub, tmp_path: Path) -> None:
    out = tmp_path / "news"
    publish(news()[:1], out, name="One article")
    readme = out / "README.md"
    extra = "configs:\n- config_name: mine\n  data_files: mine.parquet\n"
    readme.write_text(readme.read_text(encoding="utf-8").replace("configs:\n", extra), encoding="utf-8")
    (out / "mine.parquet").write_bytes(b"private")
    made = publish(news()[:1], out, name="One article")
    assert "config_name: mine" in readme.read_text(encoding="utf-8")
    for _ in range(2):
        push_now(made)
        files = hub.files(REPOSITORY)
        assert "mine.parquet" not in files
        assert "mine" not in [
            each["config_name"]
            for each in yaml.safe_load(files["README.md"].decode().split("---\n")[1])["configs"]
        ]


# --- what goes wrong --------------------------------------------------------------------------------


def test_a_broken_connection_is_repeated_and_sends_only_what_is_missing(dataset: Published, hub: Hub) -> None:
    hub.order("PUT", "/lfs/", "break")
    hub.order("POST", "/preupload/", "break")
    push_now(dataset)
    tables = {each for path, each in contents(dataset).items() if path.endswith(".parquet")}
    assert hub.count("PUT", "/lfs/") == len(tables) + 1
    assert set(hub.objects.values()) == tables


def test_a_card_that_cannot_be_fetched_is_not_taken_for_a_missing_one(dataset: Published, hub: Hub) -> None:
    push_now(dataset)
    before = hub.files(REPOSITORY)
    hub.order("HEAD", "/README.md", 403)
    changed = publish(news()[:1], dataset.path.with_name("third"), name="One article")
    with pytest.raises(UsageError, match="hub"):
        push_now(changed)
    assert hub.files(REPOSITORY) == before


def test_a_push_that_was_given_up_is_resumed(dataset: Published, hub: Hub) -> None:
    hub.order("POST", "/commit/", *[503] * 5)
    with pytest.raises(UsageError, match=r"status 503.*not sent twice"):
        push_now(dataset)
    uploads = hub.count("PUT", "/lfs/")
    assert list(hub.files(REPOSITORY)) == [".gitattributes"]
    assert push_now(dataset).changed
    assert hub.count("PUT", "/lfs/") == uploads


def test_a_rate_limit_is_waited_out_for_as_long_as_the_hub_asks(dataset: Published, hub: Hub) -> None:
    waits: list[float] = []
    hub.order("POST", "/commit/", 429, 429)
    push(dataset.path, dataset.files, Target(REPOSITORY), sleep=waits.append)
    assert waits == [0.0, 0.0]
    assert "croissant.json" in hub.files(REPOSITORY)


def test_a_lost_answer_does_not_make_a_second_commit(dataset: Published, hub: Hub) -> None:
    hub.order("POST", "/commit/", "lose the answer")
    pushed = push_now(dataset)
    assert pushed.commit == hub.repositories[REPOSITORY].branches["main"]
    assert len(hub.repositories[REPOSITORY].commits) == 2


def test_a_lost_answer_does_not_make_a_second_pull_request(dataset: Published, hub: Hub) -> None:
    hub.order("POST", "/commit/", "lose the answer")
    with pytest.raises(UsageError, match="look first whether the pull request is there"):
        push_now(dataset, Target(REPOSITORY, create_pr=True))
    assert [each for each in hub.repositories[REPOSITORY].branches if "pr" in each] == ["refs/pr/1"]


def test_nobody_s_work_is_overwritten(dataset: Published, hub: Hub) -> None:
    first = push_now(dataset)
    theirs = hub.repositories[REPOSITORY].commit("main", {**hub.files(REPOSITORY), "note.txt": b"theirs"})
    with pytest.raises(UsageError, match=rf"no longer at commit {first.commit[:12]}.*412"):
        push_now(dataset, Target(REPOSITORY, parent=first.commit))
    assert hub.repositories[REPOSITORY].branches["main"] == theirs


def test_a_change_between_reading_and_committing_is_a_412_and_explained(
    dataset: Published, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_now(dataset)
    changed = publish(news()[:1], dataset.path.with_name("other"), name="One article")
    validate = dataset_hub._Handler.validate

    def meanwhile(handler: dataset_hub._Handler, body: bytes) -> None:
        hub.repositories[REPOSITORY].commit("main", {**hub.files(REPOSITORY), "note.txt": b"theirs"})
        validate(handler, body)

    meanwhile.methods = ("POST",)  # type: ignore[attr-defined]
    routes = [(a, meanwhile if b is validate else b) for a, b in dataset_hub._ROUTES]
    monkeypatch.setattr(dataset_hub, "_ROUTES", routes)
    with pytest.raises(UsageError, match=r"somebody else pushed in the meantime \(412\)"):
        push_now(changed)
    assert hub.files(REPOSITORY)["note.txt"] == b"theirs"


@pytest.mark.usefixtures("hub")
def test_a_public_repository_is_no_place_for_private_data(dataset: Published) -> None:
    push_now(dataset)
    with pytest.raises(UsageError, match="is public, and --private was asked for"):
        push_now(dataset, Target(REPOSITORY, private=True))


def test_no_token_and_a_wrong_one(dataset: Published, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(UsageError, match=r"does not let this token write.*401") as refused:
        push_now(dataset)
    assert "hf_wrong" not in str(refused.value)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UsageError, match="HF_TOKEN, or log in"):
        push_now(dataset)
    assert not hub.repositories
