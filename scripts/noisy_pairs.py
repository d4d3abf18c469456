"""Make a noisy version of aligned pairs: foreign sentences among those of both sides.

    python scripts/noisy_pairs.py PAIRS.jsonl -o NOISY.jsonl [--share 0.3] [--seed 1]

Rows are `{"id", "src_lang", "tgt_lang", "src", "tgt", "gold"}`. Sentences of other documents of the same
language are put between the beads of each side, singly or in runs of up to three, until they make up
`share` of its sentences; each becomes a null bead of the gold. The two sides of a row draw from different
documents, so that no foreign sentence has its translation among the foreign ones of the other side.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

JsonRow = dict[str, Any]
Stock = dict[tuple[str, int], list[tuple[str, str]]]  # by language and half of the documents
LONGEST_RUN = 3


def noisy(rows: list[JsonRow], share: float, seed: int) -> list[JsonRow]:
    """Return the rows with foreign sentences; the same rows and seed give the same noise."""
    random_source = random.Random(seed)
    number = {doc: n for n, doc in enumerate(sorted({row["id"] for row in rows}))}
    stock: Stock = defaultdict(list)
    for row in rows:
        for side in ("src", "tgt"):
            key = (row[f"{side}_lang"], number[row["id"]] % 2)
            stock[key] += [(row["id"], sentence) for sentence in row[side]]
    return [_noisy_row(row, share, stock, random_source) for row in rows]


def _noisy_row(row: JsonRow, share: float, stock: Stock, source: random.Random) -> JsonRow:
    gold = [tuple(map(tuple, bead)) for bead in row["gold"]]
    foreign: dict[str, dict[int, list[str]]] = {}
    for half, side in enumerate(("src", "tgt")):
        wanted = round(len(row[side]) * share / (1 - share))
        places: dict[int, list[str]] = defaultdict(list)
        while wanted > 0:
            run = min(wanted, source.randint(1, LONGEST_RUN))
            place = source.randint(0, len(gold))
            wanted -= run
            while run:
                doc, sentence = source.choice(stock[row[f"{side}_lang"], half])
                if doc != row["id"] and sentence not in row[side]:
                    places[place].append(sentence)
                    run -= 1
        foreign[side] = places
    sides: dict[str, list[str]] = {"src": [], "tgt": []}
    beads: list[list[list[int]]] = []
    for place in range(len(gold) + 1):
        for number, side in enumerate(("src", "tgt")):
            for sentence in foreign[side][place]:
                bead: list[list[int]] = [[], []]
                bead[number] = [len(sides[side])]
                sides[side].append(sentence)
                beads.append(bead)
        if place < len(gold):
            bead = [[], []]
            for number, side in enumerate(("src", "tgt")):
                for index in gold[place][number]:
                    bead[number].append(len(sides[side]))
                    sides[side].append(row[side][index])
            beads.append(bead)
    return {**row, **sides, "gold": beads}


def main() -> None:
    """Read, add noise, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.pairs.read_text(encoding="utf-8").splitlines()]
    made = noisy(rows, options.share, options.seed)
    lines = (json.dumps(row, ensure_ascii=False) for row in made)
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
