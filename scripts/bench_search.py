"""What search costs at 100,000 passages, beside FAISS; and what the sentences around a sentence are worth.

Usage: python scripts/bench_search.py ROWS.jsonl [--cache VECTORS.npy] [--passages 100000] [--queries 200]

ROWS are rows of n languages (`id`, `sents`, `tuples`). Their real sentences are encoded once by the starter
encoder. The passages of the second part are synthetic: each vector is a real one with noise added (cosine
to the real one about .9), each text a real one. Queries are real sentences with less noise (about .97).
Gold are the ten nearest of all vectors, compared in single precision without what languages have in common.
One thread, as far as the libraries can be told; run it under `taskset -c 0`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from mtalign import search
from mtalign.encode import Encoder
from mtalign.evaluate.search import Sentence, evaluate_index, questions, score_search
from mtalign.models import resolve
from mtalign.search import Passage
from mtalign.search.build import with_neighbours
from mtalign.search.common import Language, basis, take_off
from mtalign.search.query import MODES, KnownQueries, Mode

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from corpus import NEWS, record  # tests/corpus.py

Floats = NDArray[np.float32]


class Given:
    """An encoder that has the vectors of passages in their order, and of queries by their text."""

    signature = "given vectors"

    def __init__(self, vectors: Floats, queries: Mapping[str, Floats]) -> None:
        self._vectors = vectors
        self._queries = queries
        self._next = 0

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return the vectors in the order in which they are asked for; the first call is for the size."""
        if list(texts) == ["size"]:
            return self._vectors[:1]
        self._next += len(texts)
        return self._vectors[self._next - len(texts) : self._next]

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        """Return the vectors of queries."""
        return np.stack([self._queries[each] for each in texts])


def unit(vectors: Floats) -> Floats:
    """Return vectors of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def noisy(vectors: Floats, size: float, seed: int) -> Floats:
    """Return vectors with noise of the given length added."""
    noise = np.random.default_rng(seed).standard_normal(vectors.shape, np.float32)
    return unit(vectors + size * unit(noise))


def neighbours(passages: list[Passage], vectors: Floats) -> None:
    """Print success and recall for weights of the neighbouring sentences, before and after taking off."""
    langs = np.array([each.lang for each in passages])
    every = sorted(set(langs.tolist()))
    for weight in (0.0, 0.1, 0.2, 0.3):
        mixed = with_neighbours(passages, vectors, weight)
        for off in (False, True):
            there, asked = without_language(passages, mixed, vectors) if off else (mixed, vectors)
            scores = asked @ there.T
            np.fill_diagonal(scores, -1)  # nobody searches for the sentence that he has
            for what, targets in (("pairs", [[each] for each in every]), ("unfiltered", [every])):
                found = [success_and_recall(passages, langs, scores, own) for own in targets]
                first, recall = (np.concatenate([each[n] for each in found]) for n in (0, 1))
                show(
                    what,
                    neighbours=weight,
                    taken_off=off,
                    queries=len(first),
                    **{
                        "success@1": round(float(first.mean()), 4),
                        "recall@10": round(float(recall.mean()), 4),
                    },
                )


def success_and_recall(
    passages: list[Passage], langs: NDArray[np.str_], scores: Floats, targets: list[str]
) -> tuple[Floats, Floats]:
    """Return success@1 and recall@10 of every sentence that has counterparts among the target languages."""
    among = np.flatnonzero(np.isin(langs, targets))
    groups: dict[str, set[int]] = {}
    for place in among.tolist():
        groups.setdefault(passages[place].group, set()).add(place)
    first, recall = [], []
    for place, row in enumerate(scores[:, among]):
        own = groups.get(passages[place].group, set())
        wanted = {each for each in own if langs[each] != langs[place]}
        if wanted and targets != [langs[place]]:
            best = among[np.argsort(-row)[:10]].tolist()
            first.append(best[0] in wanted)
            recall.append(len(wanted & set(best)) / len(wanted))
    return np.asarray(first, np.float32), np.asarray(recall, np.float32)


def pairs(rows: Path, passages: list[Passage], vectors: Floats, asked: int) -> None:
    """Print the scores of every mode in every pair, as `mtalign evaluate search --index` does."""
    encoder = Given(vectors, dict(zip([each.text for each in passages], vectors, strict=True)))
    gold = [Sentence(each.id, each.lang, each.group, each.text) for each in passages]
    with TemporaryDirectory() as folder:
        search.build(search.of_rows(rows), encoder, Path(folder) / "index")
        index = search.open(Path(folder) / "index", encoder)

        def ask(mode: str, text: str, langs: tuple[str, ...], k: int) -> list[str]:
            filters = search.Filters(langs=langs)
            return [name for name, _ in index.rank(text, mode=mode, filters=filters, k=k)]  # type: ignore[arg-type]

        scores = evaluate_index(questions(gold, asked), MODES, ask)
    for mode, found in scores.modes.items():
        for pair, each in found.items():
            shown = {"recall@1": each.recall[1], "recall@10": each.recall[10], "success@1": each.success[1]}
            rounded = {name: round(value, 3) for name, value in {**shown, "mrr": each.mrr}.items()}
            print(json.dumps({"mode": mode, "pair": pair, "queries": each.queries, **rounded}), flush=True)
        print(json.dumps({"mode": mode, "ms": scores.milliseconds[mode]}), flush=True)


def articles(passages: list[Passage], count: int) -> Iterator[list[Passage]]:
    """Yield that many passages as articles of 20, texts repeated; no two are neighbours."""
    for start in range(0, count, 20):
        yield [
            replace(
                passages[n % len(passages)],
                id=f"a{start}:{lang}:{2 * n}",
                article=f"a{start}",
                sentence=2 * n,
            )
            for n in range(start, min(count, start + 20))
            if (lang := passages[n % len(passages)].lang)
        ]


def measure(name: str, ask: Callable[[int], set[int]], gold: list[set[int]], **more: object) -> None:
    """Print latency and recall@10 of a way to ask."""
    took, recall = [], []
    for number, wanted in enumerate(gold):
        start = time.perf_counter()
        found = ask(number)
        took.append((time.perf_counter() - start) * 1000)
        recall.append(len(wanted & found) / len(wanted))
    print(
        json.dumps(
            {
                "what": name,
                "p50_ms": round(float(np.median(took)), 1),
                "p95_ms": round(float(np.percentile(took, 95)), 1),
                "recall@10": round(float(np.mean(recall)), 4),
                **more,
            }
        ),
        flush=True,
    )


def without_language(passages: list[Passage], *vectors: Floats) -> list[Floats]:
    """Return copies of vectors without what those of a language have in common; the first are of passages."""
    langs = np.array([passages[n % len(passages)].lang for n in range(len(vectors[0]))])
    means = {lang: vectors[0][langs == lang] for lang in np.unique(langs).tolist()}
    directions = basis({lang: Language(len(own), tuple(own.mean(axis=0))) for lang, own in means.items()})
    copies = [each.copy() for each in vectors]
    for each in copies:
        take_off(each, directions)
    return copies


def timed(ask: Callable[[int], object], asked: int) -> dict[str, float]:
    """Return the milliseconds that questions took, on the clock and of processor time (all threads)."""
    took = []
    for number in range(asked):
        start, used = time.perf_counter(), time.process_time()
        ask(number)
        took.append(((time.perf_counter() - start) * 1000, (time.process_time() - used) * 1000))
    wall, processor = (np.percentile(each, (50, 95)) for each in zip(*took, strict=True))
    names = ("p50_ms", "p95_ms", "processor_p50_ms", "processor_p95_ms")
    return {name: round(float(each), 1) for name, each in zip(names, [*wall, *processor], strict=True)}


def show(what: str, **more: object) -> None:
    """Print a line of results."""
    print(json.dumps({"what": what, **more}), flush=True)


def large(passages: list[Passage], vectors: Floats, count: int, asked: int) -> None:
    """Print build time, size, latency and recall at `count` passages: FAISS flat, exact, approximate."""
    made = noisy(vectors[np.arange(count) % len(vectors)], 0.48, 1)
    picked = np.random.default_rng(2).choice(len(vectors), asked, replace=False)
    queries = noisy(vectors[picked], 0.25, 3)
    compared, wanted = without_language(passages, made, queries)
    gold = [set(row) for row in np.argsort(-(wanted @ compared.T), axis=1)[:, :10].tolist()]

    def recall(found: Callable[[int], set[int]]) -> float:
        return round(float(np.mean([len(own & found(n)) / len(own) for n, own in enumerate(gold)])), 4)

    try:
        import faiss
    except ImportError:
        print("faiss-cpu is not installed: no comparison with it")
    else:
        faiss.omp_set_num_threads(1)
        start = time.perf_counter()
        flat = faiss.IndexFlatIP(compared.shape[1])
        flat.add(compared)
        seconds = round(time.perf_counter() - start, 1)
        times = timed(lambda n: flat.search(wanted[n : n + 1], 10), asked)
        found = recall(lambda n: set(flat.search(wanted[n : n + 1], 10)[1][0].tolist()))
        mb = round(compared.nbytes / 1e6)
        show("faiss flat", build_s=seconds, mb=mb, **times, **{"recall@10": found})
    texts = [passages[n].text for n in picked]
    words = [max(each.split(), key=len) for each in texts]
    known = dict(zip([*texts, *words], [*queries, *queries], strict=True))
    korean = search.Filters(langs=("ko",))
    for name, limit in (("exact", count), ("approximate", count - 1)):
        with TemporaryDirectory() as folder:
            out = Path(folder) / "index"
            encoder = Given(made, known)
            start = time.perf_counter()
            search.build(articles(passages, count), encoder, out, exact_up_to=limit)
            seconds = round(time.perf_counter() - start, 1)
            mb = round(sum(each.stat().st_size for each in out.rglob("*") if each.is_file()) / 1e6)
            start = time.perf_counter()
            index = search.open(out, encoder)
            index.rank(texts[0])
            first = round(time.perf_counter() - start, 1)

            def numbers(n: int, index: search.Index = index) -> set[int]:
                return {int(each.rsplit(":", 1)[1]) // 2 for each, _ in index.rank(texts[n], mode="dense")}

            show(f"{name}, all", build_s=seconds, mb=mb, open_and_first_query_s=first)
            show(f"{name}, dense", **timed(numbers, asked), **{"recall@10": recall(numbers)})
            for mode in MODES:
                for kind, queried in (("sentences", texts), ("words", words)):
                    for filters in (search.Filters(), korean):
                        ask = partial(rank, index, queried, mode, filters)
                        langs = "in " + (",".join(filters.langs) or "all")
                        show(f"{name}, {mode}, {kind}, {langs}", **timed(ask, asked))


def rank(index: search.Index, texts: Sequence[str], mode: Mode, filters: search.Filters, n: int) -> None:
    """Ask for one of the texts."""
    index.rank(texts[n], mode=mode, filters=filters)


def names(news: Path, asked: int) -> None:
    """Print the scores of names: a mention in one language, and the passages in others that name the same."""
    records = [record(json.loads(line)) for line in news.read_text(encoding="utf-8").splitlines()]
    called = {f"{each.id}:{entity.id}": entity.text for each in records for entity in each.source.entities}
    gold: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    forms: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for passage in chain.from_iterable(search.of_records(records)):
        for mention in passage.mentions:
            name = called[f"{passage.article}:{mention.id}"]
            gold[passage.lang][name].add(passage.id)
            forms[passage.lang][name].add(mention.text)
    encoder = Encoder(resolve("starter:e5-small"), prefix="query: ")
    drawn = np.random.default_rng(0)
    queries = [
        (lang, str(name), min(forms[lang][name]))
        for lang in sorted(forms)
        for name in drawn.permutation(sorted(forms[lang]))[:asked]
    ]
    with TemporaryDirectory() as folder:
        search.build(search.of_records(records), encoder, Path(folder) / "index")
        known = KnownQueries(encoder, [text for _, _, text in queries])
        index = search.open(Path(folder) / "index", known)
        for mode in MODES:
            ranked: dict[str, dict[str, list[str]]] = defaultdict(dict)
            for lang, name, text in queries:
                for target in sorted(gold):
                    if gold[target][name]:
                        filters = search.Filters(langs=(target,))
                        best = [each for each, _ in index.rank(text, mode=mode, filters=filters)]
                        ranked[f"{lang}-{target}"][name] = best
            for pair, answers in sorted(ranked.items()):
                wanted = gold[pair.split("-")[1]]
                scores = score_search(answers, {name: wanted[name] for name in answers})
                rounded = {"success@1": scores.success[1], "recall@10": scores.recall[10], "mrr": scores.mrr}
                show(
                    f"names, {mode}, {pair}",
                    queries=len(answers),
                    **{k: round(v, 3) for k, v in rounded.items()},
                )


def main() -> None:
    """Print one line of JSON per measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path)
    parser.add_argument("--cache", type=Path, help="keep the vectors of the real sentences here")
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--news", type=Path, default=NEWS, help="articles with linked mentions")
    parser.add_argument("--parts", nargs="+", default=["neighbours", "pairs", "names", "large"])
    arguments = parser.parse_args()
    passages = [each for article in search.of_rows(arguments.rows) for each in article]
    if arguments.cache and arguments.cache.exists():
        vectors = np.load(arguments.cache)
    else:
        encoder = Encoder(resolve("starter:e5-small"), prefix="query: ")
        vectors = encoder.encode([each.text for each in passages])
        if arguments.cache:
            np.save(arguments.cache, vectors)
    if "neighbours" in arguments.parts:
        neighbours(passages, vectors)
    if "pairs" in arguments.parts:
        pairs(arguments.rows, passages, vectors, arguments.queries)
    if "names" in arguments.parts:
        names(arguments.news, 60)
    if "large" in arguments.parts:
        large(passages, vectors, arguments.passages, arguments.queries)


if __name__ == "__main__":
    main()
