"""Measure the translation memory: adding, rerunning, and rerunning with several processes at once.

    python scripts/bench_memory.py [SENTENCES] [PROCESSES]

Sentences are made up, of the length of news, one in fifty with an issue. A rerun goes the way that
`mtalign run` goes: `translate_sentences` with a translator whose engine refuses to translate.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mtalign.record import Issue, Origin
from mtalign.translate.engine import Capabilities
from mtalign.translate.memory import Memory, Outcome, Sentence
from mtalign.translate.sentences import translate_sentences
from mtalign.translate.translator import Translator

SENTENCE = "the minister signed an agreement in Geneva on Monday after weeks of talks with its neighbours"
BATCH = 2000


class Refuser:
    """An engine that must not be asked: everything is in the memory."""

    origin = Origin("machine", "refuser")
    capabilities = Capabilities()
    # As long as the signature of a real engine.
    signature = "refuser|" + "x" * 300

    def check_languages(self, source: str, target: str) -> None:
        """Take every language."""

    def limit(self, *_: object) -> int:
        """Take every length."""
        return 512

    def count_tokens(self, sentence: str, *_: object) -> int:
        """Count words."""
        return len(sentence.split())

    def translate(self, *_: object) -> NoReturn:
        """Refuse."""
        raise AssertionError("a sentence was not in the memory")

    def score(self, *_: object) -> NoReturn:
        """Refuse."""
        raise AssertionError("nothing is scored here")


def sentences(count: int) -> list[str]:
    """Return different sentences of 8 to 30 words."""
    rng, words = random.Random(0), SENTENCE.split()
    return [
        " ".join([*rng.choices(words, k=rng.randint(8, 30)), str(number)]).capitalize() + "."
        for number in range(count)
    ]


def rerun(path: Path, texts: Sequence[str]) -> float:
    """Return the seconds that it takes to serve all texts from the memory, in batches."""
    with Memory(path) as memory:
        translator = Translator(Refuser(), memory=memory)
        began = time.perf_counter()
        for start in range(0, len(texts), BATCH):
            translate_sentences(texts[start : start + BATCH], "en", "ru", translator)
        return time.perf_counter() - began


def main() -> None:
    """Print sentences per second, and the size of the file."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    texts = sentences(count)
    issue = Issue("length-ratio", "warning", "ru", "120 characters became 20 (tried too: no_repeat 3)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.sqlite"
        with Memory(path) as memory:
            signature = Translator(Refuser(), memory=memory).signature
            outcomes = [
                (Sentence(text), Outcome(text[::-1], (issue,) if n % 50 == 0 else (), -0.5123456789))
                for n, text in enumerate(texts)
            ]
            began = time.perf_counter()
            for start in range(0, count, BATCH):
                memory.add(outcomes[start : start + BATCH], "en", "ru", signature)
            added = time.perf_counter() - began
        print(f"{count:,} sentences, {path.stat().st_size / count:,.0f} bytes each")
        print(f"added:   {count / added:,.0f} sentences/s")
        print(f"rerun:   {count / rerun(path, texts):,.0f} sentences/s")
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            seconds = pool.starmap(rerun, [(path, texts)] * processes)
        total = sum(count / each for each in seconds)
        print(f"rerun by {processes} processes at once: {total:,.0f} sentences/s together")


if __name__ == "__main__":
    main()
