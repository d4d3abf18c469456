"""Translate lines of a test set with a preset, through the whole translator, to measure on.

    python scripts/starter_translations.py NTREX.jsonl OUT.jsonl [--lines 150] [--config configs/starter.yaml]
        [--together 10]

The lines are spread evenly over the file; more lines later add to those that are there. OUT gets a row for
each line: its document and number, the source, the translations and their engine scores. What OUT holds
already is not done again, so the work can be stopped and taken up at any time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtalign import config
from mtalign.load import Models
from mtalign.translate.sentences import translate_sentences

TARGETS = ("ko", "uk", "ru")


def main() -> None:
    """Translate what is missing, a few lines at a time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("lines_file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lines", type=int, default=150)
    parser.add_argument("--config", type=Path, default=Path("configs/starter.yaml"))
    parser.add_argument("--together", type=int, default=10, help="lines a step; on a GPU, hundreds")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.lines_file.read_text(encoding="utf-8").splitlines()]
    done = {(row["doc"], row["line"]) for row in read_rows(arguments.out)}
    wanted = [rows[i] for i in spread(len(rows), arguments.lines) if _key(rows[i]) not in done]
    models = Models(config.load(arguments.config), arguments.out.with_suffix(".memory.sqlite"))
    for start in range(0, len(wanted), arguments.together):
        chunk = wanted[start : start + arguments.together]
        texts = [row["en"].strip() for row in chunk]
        made = {
            lang: translate_sentences(texts, "en", lang, models.translator(lang)).outcomes for lang in TARGETS
        }
        with arguments.out.open("a", encoding="utf-8") as out:
            for i, row in enumerate(chunk):
                found = {lang: {"text": made[lang][i].text, "score": made[lang][i].score} for lang in TARGETS}
                made_row = {"doc": row["doc"], "line": row["line"], "en": texts[i], **found}
                out.write(json.dumps(made_row, ensure_ascii=False) + "\n")
        print(f"{start + len(chunk)} of {len(wanted)} lines", flush=True)


def spread(count: int, wanted: int) -> Iterator[int]:
    """Yield indices that lie evenly, so that the first of many wanted are those of few."""
    seen = set()
    golden = 0.6180339887498949
    for step in range(100 * count):
        index = int((step * golden) % 1 * count)
        if index not in seen:
            seen.add(index)
            yield index
        if len(seen) >= min(wanted, count):
            return


def _key(row: Mapping[str, object]) -> tuple[object, object]:
    return row["doc"], row["line"]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the file, none if there is no such file yet."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
