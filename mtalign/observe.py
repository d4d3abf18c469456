"""What a run says while it works: a log for machines, a metrics file, and a picture of where time went."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from html import escape
from io import FileIO
from pathlib import Path
from typing import Any

from mtalign.batch import Progress
from mtalign.store import LOGS, append, write_atomically, writing

_METRICS_EVERY = 5.0
_COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#edc948", "#9c755f")


class Observer:
    """Writes down what happens in one start of a run; use as a context manager.

    Args:
        run: the run directory; the log goes to `logs/00001.jsonl`, by the number of the start.
        start: that number.
        total: how many inputs there are.
        metrics: a file in Prometheus' text format, replaced every few seconds.
        show: called with the name of every article that is done or refused.
    """

    def __init__(
        self, run: Path, start: int, total: int, metrics: Path | None, show: Callable[[str], None]
    ) -> None:
        self._run = run
        self._path = run / LOGS / f"{start:05d}.jsonl"
        self._total = total
        self._metrics = metrics
        self._show = show
        self._counts: Counter[str] = Counter()
        self._begun = time.monotonic()
        self._written = float("-inf")
        self.timings: Counter[str] = Counter()

    def __enter__(self) -> Observer:
        with writing(self._run):
            self._path.parent.mkdir(exist_ok=True)
            self._log = FileIO(self._path, "a")
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._write_metrics()
        self._log.close()

    @property
    def elapsed(self) -> float:
        """Seconds since the start, by a clock that never goes back."""
        return time.monotonic() - self._begun

    def event(self, name: str, **fields: Any) -> None:
        """Append one line to the log."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        row = {"time": now, "elapsed": round(self.elapsed, 3), "event": name, **fields}
        with writing(self._run):
            append(self._log, json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")

    def tell(self, progress: Progress) -> None:
        """Take in what a worker says."""
        self.timings.update(progress.timings)
        self._counts.update(
            done=len(progress.done), rejected=len(progress.refused), sentences=progress.sentences
        )
        if progress.done:
            timings = {stage: round(seconds, 3) for stage, seconds in progress.timings.items()}
            self.event(
                "group",
                shard=progress.block,
                articles=progress.done,
                sentences=progress.sentences,
                seconds=timings,
            )
        for each in progress.refused:
            self.event(
                "reject", shard=progress.block, id=each.id, path=each.path, line=each.line, reason=each.reason
            )
        for name in (*progress.done, *(each.id or each.path for each in progress.refused)):
            self._show(name)
        if self._metrics and self.elapsed - self._written >= _METRICS_EVERY:
            self._write_metrics()

    def _write_metrics(self) -> None:
        if self._metrics is None:
            return
        self._written = self.elapsed
        with writing(self._metrics.parent):
            write_atomically(self._metrics, self._prometheus())

    def _prometheus(self) -> str:
        lines = [
            "# HELP mtalign_inputs Inputs of this run.",
            "# TYPE mtalign_inputs gauge",
            f"mtalign_inputs {self._total}",
            "# HELP mtalign_articles_total Articles finished since this start.",
            "# TYPE mtalign_articles_total counter",
            *(
                f'mtalign_articles_total{{state="{state}"}} {self._counts[state]}'
                for state in ("done", "rejected")
            ),
            "# HELP mtalign_sentences_total Source sentences of the articles done since this start.",
            "# TYPE mtalign_sentences_total counter",
            f"mtalign_sentences_total {self._counts['sentences']}",
            "# HELP mtalign_stage_seconds_total Seconds of work, by stage, over all workers.",
            "# TYPE mtalign_stage_seconds_total counter",
            *(
                f'mtalign_stage_seconds_total{{stage="{stage}"}} {seconds:.3f}'
                for stage, seconds in sorted(self.timings.items())
            ),
            "# HELP mtalign_elapsed_seconds Seconds since this start.",
            "# TYPE mtalign_elapsed_seconds gauge",
            f"mtalign_elapsed_seconds {self.elapsed:.3f}",
        ]
        return "\n".join(lines) + "\n"


def profile_svg(timings: Mapping[str, float], elapsed: float, title: str) -> str:
    """Return a picture of where time went: a bar a stage, longest first, and what no stage accounts for.

    Args:
        timings: seconds by stage, over all workers.
        elapsed: seconds of the whole run; since stages overlap, and workers do, they may add up to more.
        title: what stands above.
    """
    rest = elapsed - sum(timings.values())
    rows = sorted(timings.items(), key=lambda each: -each[1])
    if rest > 0:
        rows.append(("starting, reading, loading models, writing", rest))
    most = max((seconds for _, seconds in rows), default=0.0) or 1.0
    whole = sum(seconds for _, seconds in rows) or 1.0
    height = 64 + 26 * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="760" height="{height}" fill="#fff"/>',
        f'<text x="16" y="26" font-size="15" font-weight="bold">{escape(title)}: {elapsed:.1f} s</text>',
    ]
    for number, (stage, seconds) in enumerate(rows):
        y = 44 + 26 * number
        colour = _COLOURS[number % len(_COLOURS)]
        width = max(1.0, 300 * seconds / most)
        parts += [
            f'<text x="276" y="{y + 14}" text-anchor="end">{escape(stage)}</text>',
            f'<rect x="286" y="{y}" width="{width:.1f}" height="18" fill="{colour}"/>',
            f'<text x="{294 + width:.1f}" y="{y + 14}">{seconds:.2f} s, {100 * seconds / whole:.1f} %</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
