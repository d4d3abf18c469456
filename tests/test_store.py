"""The run directory: what is written comes back, and no crash, thief or neighbour spoils it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from corpus import news
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mtalign.errors import StoreError, UsageError
from mtalign.record import Record, Rejected, encode_json
from mtalign.store import (
    MANIFEST,
    Index,
    Made,
    Refused,
    Run,
    Shard,
    Share,
    claim,
    migrate,
    owners,
    resume_key,
    write_atomically,
)

NEWS = [replace(each, content=f"content-{each.id}") for each in news()]
TARGETS = {"targets": ["ko"]}


def write(path: Path, records: Sequence[Record], shard: int = 0) -> Run:
    """Start once and write each record for itself."""
    with claim(path, TARGETS) as start, Shard(path, shard, start) as open_shard:
        for record in records:
            open_shard.commit([Made(record)])
    return Run(path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write(tmp_path / "run", NEWS[:3])


def test_records_come_back_as_they_were(run: Run) -> None:
    assert list(run.records()) == NEWS[:3]
    assert run.manifest["targets"] == ["ko"]
    lines = (run.path / "records" / "00000.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [record.id for record in NEWS[:3]]


def test_timings_come_back_but_are_not_in_the_bytes_of_a_record(tmp_path: Path) -> None:
    timed = replace(NEWS[0], timings={"align": 0.25})
    one, other = write(tmp_path / "a", [timed]), write(tmp_path / "b", NEWS[:1])
    assert list(one.records()) == [timed]
    bytes_of = [(each.path / "records" / "00000.jsonl").read_bytes() for each in (one, other)]
    assert bytes_of[0] == bytes_of[1]


def test_the_later_record_of_an_article_counts_whatever_shard_it_is_in(run: Run) -> None:
    newer, newest = (replace(NEWS[1], signature=name) for name in ("newer", "newest"))
    write(run.path, [newer])
    assert list(run.records()) == [NEWS[0], newer, NEWS[2]]
    write(run.path, [newest, NEWS[3]], shard=1)
    assert list(run.records()) == [NEWS[0], newest, NEWS[2], NEWS[3]]
    write(run.path, [NEWS[1]])
    assert list(run.records()) == NEWS[:4]


def test_the_index_knows_content_and_signature(run: Run) -> None:
    index = Index(run.path)
    known = NEWS[0]
    assert len(index) == 3
    assert index.has(known.id, resume_key(known.content, known.signature))
    assert not index.has(known.id, resume_key("other", known.signature))
    assert not index.has(NEWS[4].id, resume_key(NEWS[4].content, NEWS[4].signature))
    place = index.place(known.id)
    assert place is not None
    assert run.record(place)[0] == known


def records_file(path: Path) -> Path:
    return path / "records" / "00000.jsonl"


def journal_file(path: Path) -> Path:
    return path / "journal" / "00000.jsonl"


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999, 1.0])
def test_a_record_that_the_journal_does_not_know_is_set_aside(run: Run, share: float) -> None:
    line = encode_json(NEWS[3]) + b"\n"
    torn = line[: max(1, int(len(line) * share))]
    with records_file(run.path).open("ab") as stream:
        stream.write(torn)
    assert list(run.records()) == NEWS[:3]
    write(run.path, [NEWS[4]])
    assert list(run.records()) == [*NEWS[:3], NEWS[4]]
    assert (run.path / "torn" / "00000.jsonl").read_bytes() == torn.rstrip(b"\n") + b"\n"


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_torn_journal_line_costs_only_its_records(run: Run, share: float) -> None:
    lines = journal_file(run.path).read_bytes().splitlines(keepends=True)
    torn = lines[-1][: max(1, int(len(lines[-1]) * share))]
    journal_file(run.path).write_bytes(b"".join(lines[:-1]) + torn)
    assert list(run.records()) == NEWS[:2]
    write(run.path, [NEWS[2]])
    assert list(run.records()) == NEWS[:3]


def test_zeros_at_the_end_of_a_journal_are_a_torn_line(run: Run) -> None:
    # What some file systems leave after a power cut: the new length, without the new content.
    with journal_file(run.path).open("ab") as stream:
        stream.write(bytes(100) + b"\n")
    assert list(run.records()) == NEWS[:3]
    write(run.path, [NEWS[3]])
    assert list(run.records()) == NEWS[:4]


def test_a_record_damaged_in_the_middle_is_named(run: Run) -> None:
    data = bytearray(records_file(run.path).read_bytes())
    place = data.index(b"\n") + 1
    data[place + 20] ^= 1
    records_file(run.path).write_bytes(data)
    with pytest.raises(StoreError, match=rf"00000\.jsonl, byte {place}: .*checksum"):
        list(run.records())


def test_a_journal_damaged_in_the_middle_is_named(run: Run) -> None:
    lines = journal_file(run.path).read_bytes().splitlines(keepends=True)
    journal_file(run.path).write_bytes(lines[0] + b"broken\n" + lines[2])
    for use in (lambda: list(run.records()), lambda: write(run.path, NEWS[3:4])):
        with pytest.raises(StoreError, match=f"byte {len(lines[0])}: this line is damaged"):
            use()


def test_records_cut_short_behind_the_journals_back_are_noticed(run: Run) -> None:
    data = records_file(run.path).read_bytes()
    records_file(run.path).write_bytes(data[:-10])
    with pytest.raises(StoreError, match="ends at byte"):
        write(run.path, NEWS[3:4])


def other_process(code: str, *args: object) -> str:
    """Run code in another process and return what it printed."""
    preamble = (
        "import sys, os, pathlib\nfrom mtalign.store import *\nfrom mtalign.errors import StoreError\n"
        "path = pathlib.Path(sys.argv[1])\n"
    )
    return subprocess.run(
        [sys.executable, "-c", preamble + code, *map(str, args)], capture_output=True, text=True, check=True
    ).stdout


CLAIM = """
try:
    with claim(path, {}, Share.parse(sys.argv[2])): print('mine')
except StoreError as error: print(error)
"""


def test_two_writers_do_not_share_a_share(tmp_path: Path) -> None:
    with claim(tmp_path / "run", {}, Share(1, 2)):
        said = other_process(CLAIM, tmp_path / "run", "1/1")
        assert f"another mtalign is writing to {tmp_path / 'run'}: process {os.getpid()}" in said
        assert "part 1/2" in said
        assert "another mtalign" in other_process(CLAIM, tmp_path / "run", "3/4")
        assert other_process(CLAIM, tmp_path / "run", "2/2") == "mine\n"
        assert other_process(CLAIM, tmp_path / "run", "4/4") == "mine\n"
        assert [each.pid for each in owners(tmp_path / "run")] == [os.getpid()]
    assert other_process(CLAIM, tmp_path / "run", "1/1") == "mine\n"
    assert Run(tmp_path / "run").manifest["starts"] == 4


def test_all_parts_of_a_run_need_the_same_configuration(tmp_path: Path) -> None:
    with claim(tmp_path / "run", {"config": 1, "targets": ["ko"]}, Share(1, 2)):
        said = other_process(CLAIM.replace("{}", "{'config': 2, 'targets': ['ko']}"), tmp_path / "run", "2/2")
    assert "with another config" in said


def test_the_claim_of_a_process_that_was_killed_is_void(tmp_path: Path) -> None:
    path = tmp_path / "run"
    code = "import signal\nwith claim(path, {}): os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(subprocess.CalledProcessError):
        other_process(code, path)
    assert len(list((path / "claims").glob("*.json"))) == 1
    assert owners(path) == []
    assert other_process(CLAIM, path, "1/1") == "mine\n"


def test_a_process_id_that_somebody_else_has_now_is_no_owner(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with claim(path, {}):
        (file,) = (path / "claims").glob("*.json")
        claimed = json.loads(file.read_text())
        kept = json.dumps({**claimed, "born": "1"})
    file.with_name("host-1.json").write_text(kept)
    assert owners(path) == []


def test_an_owner_on_another_machine_lives_while_it_touches_its_claim(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with claim(path, {}):
        (file,) = (path / "claims").glob("*.json")
        foreign = json.dumps({**json.loads(file.read_text()), "host": "elsewhere"})
    elsewhere = file.with_name("elsewhere-1.json")
    elsewhere.write_text(foreign)
    assert "on elsewhere" in other_process(CLAIM, path, "1/1")
    silent = time.time() - 3600
    os.utime(elsewhere, (silent, silent))
    assert other_process(CLAIM, path, "1/1") == "mine\n"
    assert not elsewhere.exists()


def test_a_shard_is_held_against_other_processes(tmp_path: Path) -> None:
    code = "try:\n    with Shard(path, 0, 2): pass\nexcept StoreError as error: print(error)"
    with claim(tmp_path / "run", {}) as start, Shard(tmp_path / "run", 0, start):
        assert "another process is writing" in other_process(code, tmp_path / "run")


shares = st.integers(1, 12).flatmap(lambda count: st.builds(Share, st.integers(1, count), st.just(count)))


@given(shares, shares)
def test_shares_overlap_where_a_shard_is_in_both(one: Share, other: Share) -> None:
    both = any(one.has(shard) and other.has(shard) for shard in range(one.count * other.count))
    assert one.overlaps(other) == both


@given(st.integers(1, 12), st.integers(0, 1000))
def test_every_shard_is_in_one_share(count: int, shard: int) -> None:
    assert sum(Share(index + 1, count).has(shard) for index in range(count)) == 1


@pytest.mark.parametrize("text", ["", "2", "0/2", "3/2", "a/b", "-1/2", "1/0", "1/2/3"])
def test_a_share_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="for example 2/8"):
        Share.parse(text)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(StoreError, match="not a run directory"), claim(tmp_path, TARGETS):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_is_no_run_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=MANIFEST):
        Run(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema": 99}'])
def test_a_manifest_that_is_none_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(StoreError, match=r"manifest|version 99"):
        Run(tmp_path)


def test_a_full_disk_costs_only_what_was_being_written(run: Run) -> None:
    """The file size limit stands for the disk: the system refuses the write in the middle of it."""
    room = records_file(run.path).stat().st_size + 1000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        with pytest.raises(StoreError, match=r"cannot be written.*start the same command again"):
            write(run.path, NEWS[3:4])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(run.records()) == NEWS[:3]
    write(run.path, NEWS[3:4])
    assert list(run.records()) == NEWS[:4]


def old_run(path: Path) -> list[Record]:
    """Write a run directory as version 1 did: with timings, a replaced record, a reject and a torn line."""
    path.mkdir()
    stale = replace(NEWS[1], signature="stale")
    timed = [replace(each, timings={"align": 0.5}) for each in NEWS[:3]]
    lines = [encode_json(each) + b"\n" for each in (timed[0], stale, timed[2], timed[1])]
    (path / "records.jsonl").write_bytes(b"".join(lines) + b'{"id":"torn')
    (path / "rejects.jsonl").write_bytes(encode_json(Rejected("bad", "a.jsonl", 3)) + b"\n")
    (path / MANIFEST).write_text(json.dumps({"targets": ["ko"]}))
    return timed


def test_an_old_run_directory_is_refused_with_the_way_out(tmp_path: Path) -> None:
    old_run(tmp_path / "run")
    for use in (lambda: Run(tmp_path / "run"), lambda: claim(tmp_path / "run", {}).__enter__()):
        with pytest.raises(StoreError, match="mtalign run --migrate -o"):
            use()


def test_an_old_run_directory_is_brought_up_to_date(tmp_path: Path) -> None:
    expected = old_run(tmp_path / "run")
    assert migrate(tmp_path / "run") == 3
    run = Run(tmp_path / "run")
    assert list(run.records()) == expected
    assert run.rejects() == [Rejected("bad", "a.jsonl", 3)]
    assert not (tmp_path / "run" / "records.jsonl").exists()
    assert migrate(tmp_path / "run") == 0
    assert list(run.records()) == expected


def test_a_migration_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    expected = old_run(tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    migrate(tmp_path / "copy")
    shutil.copytree(tmp_path / "copy" / "records", tmp_path / "run" / "records")
    assert migrate(tmp_path / "run") == 3
    assert list(Run(tmp_path / "run").records()) == expected


def test_rejects_are_replaced_as_a_whole(run: Run) -> None:
    bad, worse = Refused("bad", "a.jsonl", 3), Refused("worse", "b.jsonl", 1, "x", "00ff")
    with Shard(run.path, 0, 2) as shard:
        shard.write_rejects([bad, worse])
        assert shard.rejects() == [bad, worse]
        assert run.rejects() == [Rejected("bad", "a.jsonl", 3), Rejected("worse", "b.jsonl", 1, "x")]
        shard.write_rejects([])
    assert run.rejects() == []


def test_an_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    write_atomically(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new \ud800")
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["f.json"]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=12), st.data())
def test_wherever_the_bytes_end_what_was_committed_before_is_read(
    tmp_path_factory: pytest.TempPathFactory, commits: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Cut both files anywhere after a commit: exactly the records up to a whole journal line count."""
    path = tmp_path_factory.mktemp("cut") / "run"
    states: list[tuple[int, int, list[Record]]] = []
    written: list[Record] = []
    with claim(path, TARGETS) as start, Shard(path, 0, start) as shard:
        states.append((0, 0, []))
        for first, size in commits:
            made = [
                replace(
                    NEWS[(first + n) % 5],
                    id=f"{len(written) + n}",
                    source=replace(NEWS[(first + n) % 5].source, id=f"{len(written) + n}"),
                    targets={
                        k: replace(v, id=f"{len(written) + n}")
                        for k, v in NEWS[(first + n) % 5].targets.items()
                    },
                )
                for n in range(size)
            ]
            shard.commit([Made(each) for each in made])
            written += made
            states.append(
                (records_file(path).stat().st_size, journal_file(path).stat().st_size, list(written))
            )
    which = data.draw(st.integers(0, len(states) - 1))
    more = states[min(which + 1, len(states) - 1)]
    records_end = data.draw(st.integers(states[which][0], more[0]))
    journal_end = data.draw(st.integers(states[which][1], max(states[which][1], more[1] - 1)))
    os.truncate(records_file(path), records_end)
    os.truncate(journal_file(path), journal_end)
    assert list(Run(path).records()) == states[which][2]
    write(path, written[len(states[which][2]) :])
    assert list(Run(path).records()) == written
