"""Compare sentence aligners in one run, on the same texts and the same vectors.

    pip install galechurch sentweave
    python scripts/bench_alignment.py --data FOLDER [--noisy-every N] [--parts quality,skip,overlaps,…]

FOLDER holds `sentences/pairs.jsonl` (rows `{"id", "src_lang", "tgt_lang", "src", "tgt", "gold"}`),
`sentences/nway.jsonl` (`{"id", "sents", "tuples"}`) and `articles/summit.gold.json`. Every text is embedded
once, before an aligner is timed. Tables are printed as Markdown.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import galechurch
import numpy as np
import sentweave
from noisy_pairs import noisy
from numpy.typing import NDArray

from mtalign.align.beads import BeadOptions, align
from mtalign.align.side import SentenceEncoder, prepare
from mtalign.align.tuples import tuples
from mtalign.encode import Encoder, TokenVectors, unit
from mtalign.evaluate.beads import score_beads
from mtalign.evaluate.counts import Counts, total
from mtalign.evaluate.tuples import score_tuples
from mtalign.models import resolve

JsonRow = dict[str, Any]
Beads = set[tuple[tuple[int, ...], tuple[int, ...]]]
Aligner = Callable[[list[str], list[str]], Beads]

PARTS = ("quality", "skip", "overlaps", "encoders", "ways", "size")
SKIPS = (0.0, 0.1, 0.2, 0.3)
SIZES = (1000, 5000, 20000)
SLOWEST = 120.0  # seconds of processor time after which an aligner is not tried on a longer text


# --- Encoders ------------------------------------------------------------------------------------------


class Remembering:
    """An encoder that embeds every text once, and counts the characters that it was asked for."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        self._encoder = encoder
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._tokens: dict[str, TokenVectors] = {}
        self.depth = encoder.depth
        self.asked = 0

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector per text."""
        self.asked += sum(map(len, texts))
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


class Cut:
    """The first layers of an encoder, as an encoder of its own: the mean of the tokens is the vector.

    With no layer at all these are static vectors: a word has the same wherever it stands.
    """

    def __init__(self, encoder: Encoder, depth: int) -> None:
        self._encoder = encoder
        self.depth = depth

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector per text."""
        means = [each.vectors[0].mean(axis=0) for each in self._encoder.token_vectors(texts, [self.depth])]
        return unit(np.array(means, np.float32))

    def token_vectors(self, texts: Sequence[str], layers: Sequence[int]) -> list[TokenVectors]:
        """Return the tokens of each text."""
        return self._encoder.token_vectors(texts, layers)


class Copies:
    """Gives each copy of a text a shift of its own, the same in every language, so that copies differ.

    The sentences of copy 7 begin with `#7 `. Runs of several sentences have the mean of their vectors.
    """

    def __init__(self, encoder: Remembering) -> None:
        self._encoder = encoder
        self.depth = encoder.depth
        self.seconds = 0.0

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector per text; the processor time that it takes is added to `seconds`."""
        start = time.process_time()
        vectors = self._encode(texts)
        self.seconds += time.process_time() - start
        return vectors

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        # Sentweave fills the end of a text up with words of its own, which belong to no copy.
        parts = [re.findall(r"#(\d+) (.*?)(?= #\d+ |$)", text, re.DOTALL) or [("0", text)] for text in texts]
        singles = self._encoder.encode([sentence.strip() for each in parts for _, sentence in each])
        owners = [number for number, each in enumerate(parts) for _ in each]
        shifts = np.array([shift(int(copy), singles.shape[1]) for each in parts for copy, _ in each])
        sums = np.zeros((len(texts), singles.shape[1]), np.float32)
        np.add.at(sums, owners, singles + shifts)
        return unit(sums)

    def token_vectors(self, texts: Sequence[str], layers: Sequence[int]) -> list[TokenVectors]:
        """Return the tokens of each text."""
        return self._encoder.token_vectors([text.partition(" ")[2] for text in texts], layers)


@cache
def shift(copy: int, dim: int) -> NDArray[np.float32]:
    """Return what is added to the vectors of a copy; those of two sentences of a text are about 0.5 apart."""
    return np.asarray(
        0.25 * unit(np.random.default_rng(copy).standard_normal((1, dim)).astype(np.float32))[0]
    )


# --- Aligners -------------------------------------------------------------------------------------------


def ours(encoder: SentenceEncoder, options: BeadOptions | None = None) -> Aligner:
    """Return the aligner of this package."""

    def run(src: list[str], tgt: list[str]) -> Beads:
        return {(b.left, b.right) for b in align(prepare(src, encoder), prepare(tgt, encoder), options)}

    return run


def aligners(encoder: Remembering | Copies) -> dict[str, Aligner]:
    """Return the aligners by name."""

    def gale_church(src: list[str], tgt: list[str]) -> Beads:
        return {
            (tuple(range(b.source_start, b.source_end)), tuple(range(b.target_start, b.target_end)))
            for b in galechurch.align(src, tgt).beads
        }

    def vecalign(src: list[str], tgt: list[str]) -> Beads:
        found = sentweave.align(src, tgt, sparing(encoder.encode, src, tgt), alignment_max_size=4)
        return {(tuple(b.src_indices), tuple(b.tgt_indices)) for b in found.alignments}

    return {
        "mtalign": ours(encoder),
        "Vecalign's cost (sentweave)": vecalign,
        "Gale-Church (galechurch)": gale_church,
    }


def sparing(
    encode: Callable[[Sequence[str]], NDArray[np.float32]], *sides: Sequence[str]
) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """Return an encoder that embeds no runs of four sentences: no bead of four on two sides has one.

    Sentweave asks for them all the same; they get the mean of their sentences.
    """
    fours = {" ".join(side[i : i + 4]): side[i : i + 4] for side in sides for i in range(len(side) - 3)}

    def run(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.concatenate(
            [unit(encode(fours[t]).mean(axis=0, keepdims=True)) if t in fours else encode([t]) for t in texts]
        )

    return run


def apart(beads: Beads) -> Beads:
    """Split null beads of several sentences: every aligner then counts them alike."""
    return {
        each
        for left, right in beads
        for each in (
            [(left, right)] if left and right else [*(((i,), ()) for i in left), *(((), (j,)) for j in right)]
        )
    }


# --- Measuring ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """Scores in per cent."""

    strict: dict[str, float]
    lax: float
    null_recall: float
    seconds: float

    def cells(self) -> str:
        """Return strict F1 by pair and on average, lax F1, null recall."""
        values = [*self.strict.values(), float(np.mean([*self.strict.values()])), self.lax, self.null_recall]
        return " | ".join(f"{value:.1f}" for value in values)


def measure(rows: Sequence[JsonRow], aligner: Aligner) -> Measured:
    """Align the rows and score the beads; time is processor time, of all threads."""
    start = time.process_time()
    found = [apart(aligner(row["src"], row["tgt"])) for row in rows]
    seconds = time.process_time() - start
    by_pair: dict[str, list[Any]] = defaultdict(list)
    for row, pred in zip(rows, found, strict=True):
        gold = {(tuple(left), tuple(right)) for left, right in row["gold"]}
        by_pair[f"{row['src_lang']}-{row['tgt_lang']}"].append((as_units(gold), as_units(pred)))
    scores = {pair: score_beads(documents) for pair, documents in sorted(by_pair.items())}
    return Measured(
        {pair: 100 * each.strict.f1 for pair, each in scores.items()},
        100 * float(np.mean([each.lax.f1 for each in scores.values()])),
        100 * total(each.nulls for each in scores.values()).recall,
        seconds,
    )


def as_units(beads: Iterable[tuple[tuple[int, ...], tuple[int, ...]]]) -> dict[Any, str]:
    """Return beads as the scorer takes them."""
    return {(frozenset(left), frozenset(right)): f"{len(left)}-{len(right)}" for left, right in beads}


def heading(*names: str) -> None:
    """Print the head of a table."""
    print("\n|", " | ".join(names), "|")
    print("|" + "---|" * len(names), flush=True)


def pair_names(rows: Sequence[JsonRow]) -> list[str]:
    """Return the names of the columns of `Measured.cells`."""
    pairs = sorted({f"{row['src_lang']}-{row['tgt_lang']}" for row in rows})
    return [*pairs, "average", "lax", "nulls found"]


def peak_megabytes(run: Callable[[], Any], encoder: Copies) -> tuple[Any, float, float]:
    """Return what a call returns, its processor seconds without embedding, and how far memory rose."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _status("VmRSS")
    start = time.process_time() - encoder.seconds
    result = run()
    return result, time.process_time() - encoder.seconds - start, _status("VmHWM") - before


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise KeyError(key)


# --- Parts ----------------------------------------------------------------------------------------------


def quality(sets: Mapping[str, Sequence[JsonRow]], encoder: Remembering) -> None:
    """Print F1 of all aligners on clean and on noisy texts."""
    heading("aligner", "texts", *pair_names(sets["clean"]), "cpu-s")
    for name, aligner in aligners(encoder).items():
        for title, rows in sets.items():
            measure(rows[:1], aligner)  # compiles
            found = measure(rows, aligner)
            print(f"| {name} | {title} | {found.cells()} | {found.seconds:.1f} |", flush=True)


def skip(sets: Mapping[str, Sequence[JsonRow]], encoder: Remembering) -> None:
    """Print F1 with the skip score estimated and with constants."""
    heading("skip score", *(f"{title}, strict | nulls found" for title in sets))
    for value in (None, *SKIPS):
        found = [measure(rows, ours(encoder, BeadOptions(skip=value))) for rows in sets.values()]
        cells = [f"{np.mean([*each.strict.values()]):.2f} | {each.null_recall:.1f}" for each in found]
        print(f"| {'estimated' if value is None else value} |", " | ".join(cells), "|", flush=True)


def overlaps(sets: Mapping[str, Sequence[JsonRow]], encoder: Remembering) -> None:
    """Print F1 and the characters embedded by how runs of sentences get their vectors."""
    heading("overlaps", *(f"{title}, strict | characters embedded" for title in sets))
    for kind in ("mean", "hybrid", "text"):
        cells = []
        for rows in sets.values():
            encoder.asked = 0
            found = measure(rows, ours(encoder, BeadOptions(overlaps=kind)))
            single = sum(len(sentence) for row in rows for sentence in row["src"] + row["tgt"])
            cells.append(f"{np.mean([*found.strict.values()]):.2f} | {encoder.asked / single:.2f}")
        print(f"| {kind} |", " | ".join(cells), "|", flush=True)


def encoders(rows: Sequence[JsonRow], encoder: Encoder, whole: Remembering) -> None:
    """Print F1 with several encoders, nothing else changed."""
    half = encoder.depth // 2
    gemma = Encoder(resolve("starter:gemma-3-270m"), layers=12, pooling="tokens")
    names = {
        "e5-small": whole,
        "the first 12 layers of Gemma 3 270M, mean of the tokens": Remembering(gemma),
        f"the first {half} layers of e5-small, mean of the tokens": Remembering(Cut(encoder, half)),
        "the word embeddings of e5-small alone (static)": Remembering(Cut(encoder, 0)),
    }
    heading("encoder", *pair_names(rows))
    for name, each in names.items():
        print(f"| {name} | {measure(rows, ours(each)).cells()} |", flush=True)


def ways(rows: Sequence[JsonRow], summit: Mapping[str, Any], encoder: Remembering) -> None:
    """Print the scores of tuples of four languages, and of the gold sentences of one article."""
    documents, largest = [], 0
    for row in rows:
        sides = {lang: prepare(sentences, encoder) for lang, sentences in row["sents"].items()}
        beads = {(a, b): align(sides[a], sides[b]) for a, b in combinations(sides, 2)}
        found = [each.sents for each in tuples({lang: len(side) for lang, side in sides.items()}, beads)]
        largest = max(largest, *(len(ids) for each in found for ids in each.values()))
        documents.append(
            tuple(
                [{lang: frozenset(ids) for lang, ids in each.items() if ids} for each in side]
                for side in (row["tuples"], found)
            )
        )
    scores = score_tuples(documents, largest)  # type: ignore[arg-type]
    heading("tuples of four languages", "exact F1", "link F1", "largest side")
    print(f"| {len(rows)} documents | {scores.exact.f1:.3f} | {scores.links.f1:.3f} | {largest} |")
    source = [sentence["text"] for sentence in summit["source"]["sentences"]]
    heading("summit article", "strict F1")
    for lang, target in summit["targets"].items():
        gold = {
            tuple(tuple(int(s.split("-")[1]) - 1 for s in side) for side in b)
            for b in summit["alignment"][lang]
        }
        pred = ours(encoder)(source, [sentence["text"] for sentence in target["sentences"]])
        right = len(gold & pred)
        print(f"| en-{lang} | {Counts(right, len(pred), right, len(gold)).f1:.3f} |", flush=True)


def size(rows: Sequence[JsonRow], encoder: Remembering) -> None:
    """Print F1, processor time and memory on long texts: documents of one pair in a row, copied."""
    copies = Copies(encoder)
    heading("sentences", "aligner", "strict F1", "cpu-s without embedding", "MB above the start")
    too_slow = set()
    small = joined(rows, 300)
    for aligner in long_aligners(copies, small["src"], small["tgt"]).values():
        aligner()  # compiled parts are ready from here on
    for count in SIZES:
        row = joined(rows, count)
        for name, aligner in long_aligners(copies, row["src"], row["tgt"]).items():
            if name in too_slow:
                print(
                    f"| {len(row['src']):,} x {len(row['tgt']):,} | {name} | not tried: too slow | | |",
                    flush=True,
                )
                continue
            found, seconds, megabytes = peak_megabytes(aligner, copies)
            gold = {(tuple(left), tuple(right)) for left, right in row["gold"]}
            f1 = score_beads([(as_units(gold), as_units(apart(found)))]).strict.f1
            print(
                f"| {len(row['src']):,} x {len(row['tgt']):,} | {name} | {100 * f1:.1f} | {seconds:.1f} "
                f"| {megabytes:.0f} |",
                flush=True,
            )
            if seconds > SLOWEST:
                too_slow.add(name)


def long_aligners(encoder: Copies, src: list[str], tgt: list[str]) -> dict[str, Callable[[], Beads]]:
    """Return the aligners of one long text; vectors are ready before, except for those of overlaps."""
    left, right = prepare(src, encoder), prepare(tgt, encoder)
    others = aligners(encoder)
    return {
        "mtalign": lambda: {(b.left, b.right) for b in align(left, right)},
        "Vecalign's cost (sentweave)": lambda: others["Vecalign's cost (sentweave)"](src, tgt),
        "Gale-Church (galechurch)": lambda: others["Gale-Church (galechurch)"](src, tgt),
    }


def joined(rows: Sequence[JsonRow], count: int) -> JsonRow:
    """Return documents of English and Russian in a row, copied until there are `count` source sentences."""
    chosen = [row for row in rows if (row["src_lang"], row["tgt_lang"]) == ("en", "ru")]
    src: list[str] = []
    tgt: list[str] = []
    gold: list[list[list[int]]] = []
    number = 0
    while len(src) < count:
        row = chosen[number % len(chosen)]
        gold += [[[i + len(src) for i in a], [j + len(tgt) for j in b]] for a, b in row["gold"]]
        copy = number // len(chosen)
        src += [f"#{copy} {sentence}" for sentence in row["src"]]
        tgt += [f"#{copy} {sentence}" for sentence in row["tgt"]]
        number += 1
    return {"src": src, "tgt": tgt, "gold": gold}


def read(path: Path) -> list[JsonRow]:
    """Return the rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Embed, align, print tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--noisy-every", type=int, default=1, help="every n-th four of the noisy rows")
    parser.add_argument("--parts", default=",".join(PARTS))
    options = parser.parse_args()
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"no such part: {sorted(unknown)}; there are {', '.join(PARTS)}")
    pairs = read(options.data / "sentences" / "pairs.jsonl")
    every = options.noisy_every
    noise = [row for n, row in enumerate(noisy(pairs, 0.3, seed=1)) if n // 4 % every == 0]
    sets = {"clean": pairs, "30 % noise": noise}
    print(", ".join(f"{len(rows)} pairs of texts {title}" for title, rows in sets.items()))
    encoder = Encoder(resolve("starter:e5-small"), prefix="query: ")
    whole = Remembering(encoder)
    if "overlaps" in parts:
        overlaps(sets, whole)
    if "quality" in parts:
        quality(sets, whole)
    if "skip" in parts:
        skip(sets, whole)
    if "encoders" in parts:
        some = sorted({row["id"] for row in pairs})[::8]
        encoders([row for row in pairs if row["id"] in some], encoder, whole)
    if "ways" in parts:
        summit = json.loads((options.data / "articles" / "summit.gold.json").read_text(encoding="utf-8"))
        ways(read(options.data / "sentences" / "nway.jsonl"), summit, whole)
    if "size" in parts:
        size(pairs, whole)


if __name__ == "__main__":
    main()
