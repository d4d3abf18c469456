"""Compare sentence aligners on the same pairs and the same vectors.

    pip install galechurch sentweave
    python scripts/bench_alignment.py PAIRS.jsonl [--every 1]

Rows are `{"id", "src_lang", "tgt_lang", "src", "tgt", "gold"}`. Each aligner runs once for its compiled
parts, then over all rows; embedding is done before and not counted.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import galechurch
import numpy as np
import sentweave
from numpy.typing import NDArray

from mtalign.align.beads import align
from mtalign.align.side import prepare
from mtalign.encode import Encoder, TokenVectors
from mtalign.models import resolve

Beads = set[tuple[tuple[int, ...], tuple[int, ...]]]


class Remembering:
    """An encoder that embeds every text once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._tokens: dict[str, TokenVectors] = {}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector per text."""
        new = sorted({*texts} - self._vectors.keys())
        if new:
            self._vectors.update(zip(new, self._encoder.encode(new), strict=True))
        return np.array([self._vectors[text] for text in texts])

    def token_vectors(self, texts: Sequence[str], layers: Sequence[int]) -> list[TokenVectors]:
        """Return the tokens of each text."""
        new = sorted({*texts} - self._tokens.keys())
        if new:
            self._tokens.update(zip(new, self._encoder.token_vectors(new, layers), strict=True))
        return [self._tokens[text] for text in texts]


def aligners(encoder: Remembering) -> dict[str, Callable[[list[str], list[str]], Beads]]:
    """Return the aligners by name."""

    def ours(src: list[str], tgt: list[str]) -> Beads:
        return {(b.left, b.right) for b in align(prepare(src, encoder), prepare(tgt, encoder))}

    def gale_church(src: list[str], tgt: list[str]) -> Beads:
        return {
            (tuple(range(b.source_start, b.source_end)), tuple(range(b.target_start, b.target_end)))
            for b in galechurch.align(src, tgt).beads
        }

    def vecalign(src: list[str], tgt: list[str]) -> Beads:
        found = sentweave.align(src, tgt, encoder.encode, alignment_max_size=4)
        return {(tuple(b.src_indices), tuple(b.tgt_indices)) for b in found.alignments}

    return {"mtalign": ours, "Vecalign's cost (sentweave)": vecalign, "Gale-Church (galechurch)": gale_church}


def apart(beads: Beads) -> Beads:
    """Split null beads of several sentences: every aligner then counts them alike."""
    return {
        each
        for left, right in beads
        for each in (
            [(left, right)] if left and right else [*(((i,), ()) for i in left), *(((), (j,)) for j in right)]
        )
    }


def main() -> None:
    """Embed, align, print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th row")
    options = parser.parse_args()
    lines = options.pairs.read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines][:: options.every]
    encoder = Remembering(Encoder(resolve("starter:e5-small"), prefix="query: "))
    pairs = sorted({f"{row['src_lang']}-{row['tgt_lang']}" for row in rows})
    print("| aligner |", " | ".join(pairs), "| average | cpu-s |")
    for name, aligner in aligners(encoder).items():
        for row in rows:
            aligner(row["src"], row["tgt"])
        counts: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(3, np.int64))
        start = time.process_time()
        found = [apart(aligner(row["src"], row["tgt"])) for row in rows]
        seconds = time.process_time() - start
        for row, pred in zip(rows, found, strict=True):
            gold = {(tuple(left), tuple(right)) for left, right in row["gold"]}
            counts[f"{row['src_lang']}-{row['tgt_lang']}"] += [len(gold & pred), len(pred), len(gold)]
        scores = [200 * counts[p][0] / (counts[p][1] + counts[p][2]) for p in pairs]
        cells = [f"{score:.1f}" for score in [*scores, float(np.mean(scores))]]
        print(f"| {name} |", " | ".join(cells), f"| {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
