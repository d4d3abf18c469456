from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from corpus import news
from msgspec.structs import replace

from mtalign.errors import StoreError
from mtalign.record import Rejected
from mtalign.store import MANIFEST, RECORDS, TORN, Run, Writer, write_atomically

RECORDS_OF_NEWS = news()
MANIFEST_OF_TEST = {"targets": ["ko"]}


def written(path: Path) -> Run:
    with Writer(path, MANIFEST_OF_TEST) as writer:
        for record in RECORDS_OF_NEWS[:3]:
            writer.add(record)
    return Run(path)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    run = written(tmp_path / "run")
    assert list(run.records()) == RECORDS_OF_NEWS[:3]
    assert run.manifest["targets"] == ["ko"]
    assert run.done().keys() == {record.id for record in RECORDS_OF_NEWS[:3]}


def test_the_later_record_of_an_article_counts(tmp_path: Path) -> None:
    written(tmp_path / "run")
    newer = replace(RECORDS_OF_NEWS[1], signature="newer")
    with Writer(tmp_path / "run", MANIFEST_OF_TEST) as writer:
        writer.add(newer)
    assert list(Run(tmp_path / "run").records()) == [RECORDS_OF_NEWS[0], newer, RECORDS_OF_NEWS[2]]


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_torn_last_line_is_set_aside_and_only_its_article_is_undone(tmp_path: Path, share: float) -> None:
    written(tmp_path / "run")
    file = tmp_path / "run" / RECORDS
    lines = file.read_bytes().splitlines(keepends=True)
    torn = lines[-1][: max(1, int(len(lines[-1]) * share))]
    file.write_bytes(b"".join(lines[:-1]) + torn)
    assert [record.id for record in Run(tmp_path / "run").records()] == [r.id for r in RECORDS_OF_NEWS[:2]]
    with Writer(tmp_path / "run", MANIFEST_OF_TEST) as writer:
        writer.add(RECORDS_OF_NEWS[2])
    assert list(Run(tmp_path / "run").records()) == RECORDS_OF_NEWS[:3]
    assert (tmp_path / "run" / TORN).read_bytes() == torn + b"\n"


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    written(tmp_path / "run")
    file = tmp_path / "run" / RECORDS
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + b"{broken\n" + lines[2])
    with pytest.raises(StoreError, match=f"byte {len(lines[0])}"):
        list(Run(tmp_path / "run").records())


def test_two_writers_do_not_share_a_directory(tmp_path: Path) -> None:
    other = (
        "import sys, pathlib; from mtalign.store import Writer; from mtalign.errors import StoreError\n"
        "try:\n"
        "    with Writer(pathlib.Path(sys.argv[1]), {}): pass\n"
        "except StoreError as error: print(error)\n"
    )
    with Writer(tmp_path / "run", MANIFEST_OF_TEST):
        said = subprocess.run(
            [sys.executable, "-c", other, str(tmp_path / "run")], capture_output=True, text=True, check=True
        )
    assert "another mtalign is writing" in said.stdout


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(StoreError, match="not a run directory"), Writer(tmp_path, MANIFEST_OF_TEST):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_is_no_run_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=MANIFEST):
        Run(tmp_path)


def test_rejects_of_a_file_read_again_are_forgotten(tmp_path: Path) -> None:
    with Writer(tmp_path / "run", MANIFEST_OF_TEST) as writer:
        writer.reject(Rejected("bad", "a.jsonl", 3))
        writer.reject(Rejected("worse", "b.jsonl", 1, "x"))
    with Writer(tmp_path / "run", MANIFEST_OF_TEST) as writer:
        writer.forget_rejects(["a.jsonl"])
        writer.reject(Rejected("still bad", "a.jsonl", 4))
    assert Run(tmp_path / "run").rejects() == [
        Rejected("worse", "b.jsonl", 1, "x"),
        Rejected("still bad", "a.jsonl", 4),
    ]


def test_an_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    write_atomically(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new \ud800")
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["f.json"]
