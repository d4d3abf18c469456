"""Disturb runs and show that nothing is lost, doubled or torn: the figures of docs/reliability.md.

    python scripts/chaos.py [--articles 300] [--kills 100] [--seed 0] [--only kills]

A run of short articles is made once undisturbed and then under every disturbance, with the tiny checkpoints
of the tests: real model classes with random weights. Afterwards its record files must be the undisturbed
ones byte for byte. Processes are forked from this one, which has imported everything: a start costs little.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import toys
from loopback import chat_server

from mtalign import batch
from mtalign.cli import main as mtalign
from mtalign.store import Run

# Few articles a group and few a shard, so that there are many moments between two commits, and work for more
# than one process.
TOGETHER = "1500"
batch.BLOCK_INPUTS = 16


@dataclass(frozen=True)
class Scene:
    """The inputs and the configuration that all runs here have."""

    folder: Path
    inputs: Path
    config: Path
    ids: list[str]

    def arguments(self, run: Path, *more: str) -> list[str]:
        """Return the command line of a run."""
        options = [
            "--to",
            "ru",
            "-c",
            str(self.config),
            "-o",
            str(run),
            "--together",
            TOGETHER,
            "--no-memory",
        ]
        return ["mtalign", "run", str(self.inputs), *options, *more]


def start(arguments: list[str], log: Path, prepare: Callable[[], object] = lambda: None) -> int:
    """Run a command in a forked process; return its id."""
    if pid := os.fork():
        return pid
    try:
        with log.open("ab") as stream:
            for descriptor in (1, 2):
                os.dup2(stream.fileno(), descriptor)
        prepare()
        sys.argv = arguments
        mtalign()
    except SystemExit as leaving:
        os._exit(leaving.code if isinstance(leaving.code, int) else 1)
    except BaseException:
        import traceback

        traceback.print_exc()
    os._exit(70)


def finish(pid: int) -> int:
    """Wait for a process; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def record_files(run: Path) -> dict[str, bytes]:
    """Return the files of records by name."""
    return {each.name: each.read_bytes() for each in sorted((run / "records").iterdir())}


def compare(run: Path, expected: dict[str, bytes], scene: Scene) -> str:
    """Say how a run differs from the undisturbed one."""
    ids = [record.id for record in Run(run).records()]
    lost = len(set(scene.ids) - set(ids))
    doubled = len(ids) - len(set(ids))
    same = "the same bytes" if record_files(run) == expected else "OTHER BYTES"
    rejected = Run(run).rejects()
    why = f" ({rejected[0].reason})" if rejected else ""
    return f"{same}, {lost} lost, {doubled} doubled, {len(rejected)} rejected{why}"


def undisturbed(scene: Scene) -> tuple[dict[str, bytes], float]:
    """Make the run that all others are compared with; return its record files and its seconds."""
    before = time.monotonic()
    code = finish(start(scene.arguments(scene.folder / "undisturbed"), scene.folder / "log"))
    took = time.monotonic() - before
    assert code == 0, (scene.folder / "log").read_text()
    return record_files(scene.folder / "undisturbed"), took


def kills(scene: Scene, expected: dict[str, bytes], took: float, count: int, rng: random.Random) -> str:
    """Kill a run at random moments and start it again, until it has been killed `count` times and is done."""
    killed = runs = torn = 0
    verdicts = set()
    # Half of the kills should fall into the work, not into the loading that every start begins with.
    before = time.monotonic()
    assert finish(start(scene.arguments(scene.folder / "one", "--limit", "1"), scene.folder / "log")) == 0
    loading = time.monotonic() - before
    while killed < count:
        run = scene.folder / f"killed-{runs}"
        runs += 1
        while True:
            pid = start(scene.arguments(run), scene.folder / "log")
            if killed < count:
                time.sleep(rng.uniform(0, loading + took / 25))
                os.kill(pid, signal.SIGKILL)
            code = finish(pid)
            if code == 0:
                break
            assert code == -signal.SIGKILL, (scene.folder / "log").read_text()[-3000:]
            killed += 1
        torn += sum(1 for _ in run.glob("torn/*"))
        verdicts.add(compare(run, expected, scene))
    found = "; ".join(sorted(verdicts))
    return f"killed {killed} times over {runs} runs, {torn} with unfinished lines set aside: {found}"


def killed_workers(scene: Scene, expected: dict[str, bytes], took: float, rng: random.Random) -> str:
    """Kill worker processes of a run in two processes; nobody starts it again."""
    run = scene.folder / "workers"
    pid = start(scene.arguments(run, "--workers", "2"), scene.folder / "log")
    killed = 0
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        time.sleep(rng.uniform(took / 4, took / 2))
        children = Path(f"/proc/{pid}/task/{pid}/children")
        if killed < 3 and children.exists() and (own := [int(each) for each in children.read_text().split()]):
            workers = [each for each in own if "spawn_main" in command_line(each)]
            if workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(workers), signal.SIGKILL)
                    killed += 1
    return f"{killed} of its workers killed: {compare(run, expected, scene)}"


def killed_actors(scene: Scene, expected: dict[str, bytes], took: float, rng: random.Random) -> str:
    """Kill the processes of actors of a run on a Ray cluster of this machine; nobody starts it again."""
    try:
        import ray  # noqa: F401
    except ImportError:
        return "left out: Ray is not installed"
    run, log = scene.folder / "ray", scene.folder / "log"
    pid = start(scene.arguments(run, "--runner", "ray", "--workers", "2"), log)
    killed = 0
    code = None
    while code is None:
        time.sleep(rng.uniform(took / 8, took / 4))
        done, status = os.waitpid(pid, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if done else None
        if code is None and killed < 3 and any(run.glob("journal/*")):
            # An actor that has a process of its own names it after what it runs.
            actors = [int(each.name) for each in Path("/proc").glob("[0-9]*")]
            actors = [each for each in actors if "BlockActor" in command_line(each) and each != pid]
            if actors:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(actors), signal.SIGKILL)
                    killed += 1
    assert code == 0, log.read_text()[-3000:]
    return f"exit code {code}, {killed} of its actors killed: {compare(run, expected, scene)}"


def command_line(pid: int) -> str:
    """Return the command line of a process, "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def full_disk(scene: Scene, expected: dict[str, bytes]) -> str:
    """Let no file grow beyond a limit, which is raised start by start, as a disk that is cleaned up."""
    run = scene.folder / "full"
    largest = max(map(len, expected.values()))
    codes = []
    for share in (0.2, 0.4, 0.6, 0.8):
        room = int(largest * share)

        def limited(room: int = room) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

        codes.append(finish(start(scene.arguments(run), scene.folder / "log", limited)))
    codes.append(finish(start(scene.arguments(run), scene.folder / "log")))
    return f"exit codes {codes}: {compare(run, expected, scene)}"


def bad_server(scene: Scene, rng: random.Random) -> str:
    """Translate by a server that answers half of the requests with 429, 500 or nothing, then by none."""
    row = json.loads(scene.config.read_text())
    config = scene.folder / "served.yaml"
    troubles = [200] * 3 + [429, 500, None]
    outcomes = []
    for name, status in {
        "healthy": lambda _: 200,
        "half": lambda _: rng.choice(troubles),
        "away": lambda _: 500,
    }.items():
        with chat_server(status=status) as address:
            options = {**address, "retries": 8 if name == "half" else 2, "backoff": 0.01}
            served = {"engine": "openai", "model": "served", "options": options, "ladder": []}
            config.write_text(json.dumps({**row, "translate": {"default": served}}))
            command = scene.arguments(scene.folder / name, "-c", str(config))
            code = finish(start(command, scene.folder / "log"))
        run = scene.folder / name
        texts = {record.id: record.targets["ru"].text for record in Run(run).records()}
        outcomes.append((code, texts, [each.reason for each in Run(run).rejects()]))
    healthy, half, away = outcomes
    same = "the same translations" if half[:2] == healthy[:2] else "OTHER TRANSLATIONS"
    return (
        f"exit codes {[each[0] for each in outcomes]}: {same}; {len(away[1])} done without it, {away[2][:1]}"
    )


def read_only(scene: Scene) -> str:
    """Write where one may not."""
    closed = scene.folder / "closed"
    closed.mkdir(mode=0o555)
    log = scene.folder / "log-read-only"
    code = finish(start(scene.arguments(closed / "run"), log, drop_capabilities))
    return f"exit code {code}: {log.read_text().strip().splitlines()[-1].replace(str(scene.folder), '…')}"


def drop_capabilities() -> None:
    """Make this process obey file modes even where it is root's (Linux only)."""
    import ctypes

    version_3 = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if ctypes.CDLL(None).capset(version_3, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError("capabilities cannot be dropped here")


def vanished_model(scene: Scene, expected: dict[str, bytes], took: float) -> str:
    """Take the model folder away while a run uses it, start again without it, then put it back."""
    run, models = scene.folder / "vanished", scene.folder / "translator"
    pid = start(scene.arguments(run), scene.folder / "log")
    time.sleep(took / 3)
    models.rename(models.with_name("hidden"))
    codes = [finish(pid), finish(start([*scene.arguments(scene.folder / "none")], scene.folder / "log"))]
    models.with_name("hidden").rename(models)
    codes.append(finish(start(scene.arguments(run), scene.folder / "log")))
    return f"exit codes {codes} (as it vanishes, without it, with it again): {compare(run, expected, scene)}"


def two_runs(scene: Scene, expected: dict[str, bytes], took: float) -> str:
    """Start the same run twice."""
    run = scene.folder / "twice"
    first = start(scene.arguments(run), scene.folder / "log")
    time.sleep(took / 4)
    second = finish(start(scene.arguments(run), scene.folder / "log"))
    return f"exit codes {finish(first)} and {second}: {compare(run, expected, scene)}"


def clock_backwards(scene: Scene, expected: dict[str, bytes], took: float) -> str:
    """Set the clock back by a day at every look at it, in a run that is killed half way and goes on."""
    run = scene.folder / "clock"

    def patched() -> None:
        real, looks = time.time, iter(range(1, 1 << 30))
        time.time = lambda: real() - 86_400 * next(looks)

    pid = start(scene.arguments(run), scene.folder / "log", patched)
    time.sleep(took / 2)
    os.kill(pid, signal.SIGKILL)
    finish(pid)
    code = finish(start(scene.arguments(run), scene.folder / "log", patched))
    return f"exit code {code}: {compare(run, expected, scene)}"


def changing_input(scene: Scene, took: float) -> str:
    """Append an article to the input while it is read, and put half of one behind it."""
    run = scene.folder / "changing"
    before = scene.inputs.read_bytes()
    pid = start(scene.arguments(run), scene.folder / "log")
    time.sleep(took / 3)
    with scene.inputs.open("ab") as stream:
        stream.write(b'{"id": "late", "text": "Late news."}\n{"id": "half", "te')
    codes = [finish(pid), finish(start(scene.arguments(run), scene.folder / "log"))]
    late = {record.id for record in Run(run).records()} - set(scene.ids)
    reasons = [each.reason[:40] for each in Run(run).rejects()]
    scene.inputs.write_bytes(before)
    return f"exit codes {codes}; new articles done: {sorted(late)}; rejected: {reasons}"


def two_signals(scene: Scene, expected: dict[str, bytes], took: float) -> str:
    """Interrupt once, go on, interrupt twice, go on."""
    run = scene.folder / "signals"
    codes = []
    for signals in (1, 2):
        pid = start(scene.arguments(run), scene.folder / "log")
        time.sleep(took / 4)
        for _ in range(signals):
            os.kill(pid, signal.SIGTERM)
            time.sleep(0.05)
        codes.append(finish(pid))
    codes.append(finish(start(scene.arguments(run), scene.folder / "log")))
    return f"exit codes {codes}: {compare(run, expected, scene)}"


def main() -> None:
    """Run everything and print a line for each disturbance."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--articles", type=int, default=300)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one disturbance, for example kills")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    rng = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    rows = toys.articles(options.articles)
    config = subprocess_config(folder)
    inputs = toys.write_articles(folder / "in.jsonl", rows)
    scene = Scene(folder, inputs, config, [str(row["id"]) for row in rows])
    warm_up(scene)
    expected, took = undisturbed(scene)
    size = sum(map(len, expected.values()))
    print(f"undisturbed: {options.articles} articles in {took:.1f} s, {size} bytes of records", flush=True)
    disturbances: dict[str, Callable[[], str]] = {
        "kills": lambda: kills(scene, expected, took, options.kills, rng),
        "killed workers": lambda: killed_workers(scene, expected, took, rng),
        "killed actors": lambda: killed_actors(scene, expected, took, rng),
        "full disk": lambda: full_disk(scene, expected),
        "bad server": lambda: bad_server(scene, rng),
        "read-only folder": lambda: read_only(scene),
        "vanished model": lambda: vanished_model(scene, expected, took),
        "two runs": lambda: two_runs(scene, expected, took),
        "clock backwards": lambda: clock_backwards(scene, expected, took),
        "changing input": lambda: changing_input(scene, took),
        "signals": lambda: two_signals(scene, expected, took),
    }
    for name, disturb in disturbances.items():
        if options.only not in {None, name}:
            continue
        before = time.monotonic()
        print(f"{name}: {disturb()} [{time.monotonic() - before:.0f} s]", flush=True)
    shutil.rmtree(folder)


def warm_up(scene: Scene) -> None:
    """Do an article in this process, so that whatever is imported or compiled on first use is there."""
    sys.argv = scene.arguments(scene.folder / "warm", "--limit", "2")
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        mtalign()


def subprocess_config(folder: Path) -> Path:
    """Make the models in another process, so that this one has used no library that dislikes forks."""
    pid = os.fork()
    if pid == 0:
        toys.config(folder)
        os._exit(0)
    assert finish(pid) == 0
    return folder / "toy.yaml"


if __name__ == "__main__":
    main()
