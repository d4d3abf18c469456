"""Measure entity projection: exact spans beside a plain word-alignment baseline, calibration, speed.

    python scripts/train_ranker.py --folds folds.json
    python scripts/bench_projection.py --folds folds.json [--plot docs/reliability.svg] [--list-uner]

With `--folds` every article is projected by weights that never saw it; without, by those that come with
mtalign, which have seen these sets. The baseline takes the target units that the entity's units link to
best, from the first to the last of them, particles at the end left out. Beads are the gold ones.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
from projection_data import Case, read_cases, read_independent
from ranker_examples import FOLDS, fold

from mtalign.alignment import Bead
from mtalign.annotate import natasha_entities
from mtalign.document import Document, Entity, Sentence, Span
from mtalign.encode import Encoder, TokenVectors
from mtalign.evaluate.rows import Row
from mtalign.evaluate.words import Links, WordRow, evaluate_words, to_links
from mtalign.hmm import StatisticalLinks
from mtalign.models import resolve
from mtalign.project.baseline import baseline_span
from mtalign.project.document import Task, project_documents
from mtalign.project.evidence import Evidence, TaggedNames
from mtalign.project.rank import ProjectOptions
from mtalign.project.weights import Weights, read_weights
from mtalign.units import Unit, UnitText, set_aside_aliases, unit_text
from mtalign.words import Linker, TokenEncoder, links_of


class Remembering:
    """An encoder that encodes every text once and says how long that took."""

    def __init__(self, encoder: TokenEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, TokenVectors] = {}
        self.seconds = 0.0

    def token_vectors(self, texts: Sequence[str], layers: Sequence[int]) -> list[TokenVectors]:
        """Return the vectors of each text."""
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            start = time.perf_counter()
            self._known |= dict(zip(new, self._encoder.token_vectors(new, layers), strict=True))
            self.seconds += time.perf_counter() - start
        return [self._known[text] for text in texts]


Hears = Callable[[str], Sequence[Evidence]]


@dataclass(frozen=True)
class Outcome:
    """What became of one mention; `case` and `at` say which sentence it is in and where it begins there."""

    case: str
    at: int
    data: str
    lang: str
    entity: str
    gold: tuple[Span, ...]
    baseline: Span | None
    found: Span | None
    confidence: float
    target: str

    @property
    def adjudicated(self) -> bool:
        """Whether the span is right, or a reader found it as right as the gold (uner_adjudication.json)."""
        return self.right or (self.case, self.at, self.found) in adjudications()

    @property
    def right_but_for_marks(self) -> bool:
        """Whether the span is a gold one if marks at the edges of both are left out.

        Some of the gold takes in the full stop, comma or bracket after a name.
        """
        if not self.found:
            return not self.gold
        return _bare(self.found, self.target) in {_bare(span, self.target) for span in self.gold}

    @property
    def right(self) -> bool:
        """Whether the span is exactly a gold one, or there is none where none should be."""
        return self.found in self.gold if self.found else not self.gold


def _bare(span: Span, text: str) -> Span:
    """Return the span without marks and white space at its edges."""
    start, end = span.start, span.end
    while start < end and not text[start].isalnum():
        start += 1
    while start < end and not text[end - 1].isalnum():
        end -= 1
    return Span(start, end)


# Ways to judge a span, and what they are called in the table.
HOW = {"right": "", "right_but_for_marks": " marks aside", "adjudicated": " adjudicated"}


@cache
def adjudications() -> frozenset[tuple[str, int, Span]]:
    """Return the spans that differ from the gold and were read as right: sentence, mention's start, span."""
    read = json.loads(Path(__file__).with_name("uner_adjudication.json").read_text(encoding="utf-8"))
    return frozenset(
        (each["id"], each["mention"], Span(*each["span"])) for each in read["verdicts"] if each["right"]
    )


def task_of(cases: Sequence[Case]) -> Task:
    """Make one document of the cases of an article: each case a sentence on either side, and a bead."""
    sides = []
    for texts in ([case.source for case in cases], [case.target for case in cases]):
        starts = np.cumsum([0, *(len(text) + 2 for text in texts)])
        sentences = tuple(
            Sentence(Span(int(at), int(at) + len(text)), n)
            for n, (at, text) in enumerate(zip(starts, texts, strict=False))
        )
        sides.append(("\n\n".join(texts), sentences))
    entities = [
        Entity(
            f"{n}-{mention.entity.id}",
            mention.entity.span.shift(sentence.span.start),
            mention.entity.text,
            mention.entity.label,
        )
        for n, (case, sentence) in enumerate(zip(cases, sides[0][1], strict=True))
        for mention in case.mentions
    ]
    source = Document(cases[0].group, "en", *sides[0], tuple(entities))
    target = Document(cases[0].group, cases[0].lang, *sides[1])
    return Task(source, target, [Bead((n,), (n,)) for n in range(len(cases))])


def outcomes(
    cases: Sequence[Case],
    linker: Linker,
    folds: Sequence[dict[str, Weights]],
    options: ProjectOptions,
    evidence: Hears | None = None,
) -> list[Outcome]:
    """Project all cases, each article by its fold's weights, with other evidence if given."""
    found = []
    for number, weights in enumerate(folds):
        articles = [
            list(own)
            for _, own in groupby(
                (case for case in cases if fold(case.group) == number),
                lambda case: (case.data, case.group, case.lang),
            )
        ]
        # Single sentences go in bundles, as rows of `mtalign project` do.
        for at in range(0, len(articles), 64):
            bundle = articles[at : at + 64]
            for own, made in zip(
                bundle,
                project_documents(
                    [task_of(own) for own in bundle], linker.compare, options, weights, evidence
                ),
                strict=True,
            ):
                by_id = {each.source: each for each in made}
                for n, (case, base) in enumerate(zip(own, baselines(own, linker), strict=True)):
                    start = sum(len(each.target) + 2 for each in own[:n])
                    for mention, plain in zip(case.mentions, base, strict=True):
                        one = by_id[f"{n}-{mention.entity.id}"]
                        span = (
                            Span(one.entity.span.start - start, one.entity.span.end - start)
                            if one.entity and one.entity.span.start >= start
                            else None
                        )
                        found.append(
                            Outcome(
                                case.group,
                                mention.entity.span.start,
                                case.data,
                                case.lang,
                                mention.entity.text,
                                mention.gold,
                                plain,
                                span,
                                one.confidence,
                                case.target,
                            )
                        )
    return found


def print_labelled(
    annotated: Sequence[tuple[Case, tuple[tuple[Span, str], ...]]],
    linker: Linker,
    folds: Sequence[dict[str, Weights]],
    options: ProjectOptions,
    evidence: Hears | None = None,
) -> None:
    """Print F1 of exact span and label, all mentions of either language counted, beside its ceiling.

    The ceiling is what the annotators' own choice of mentions allows: as many of a label as both have.
    """
    right = {"baseline": 0, "mtalign": 0}
    kept = dict(right)
    wanted, most = sum(len(gold) for _, gold in annotated), 0
    for number, weights in enumerate(folds):
        own = [pair for pair in annotated if fold(pair[0].group) == number]
        cases = [case for case, _ in own]
        made = project_documents(
            [task_of([case]) for case in cases], linker.compare, options, weights, evidence
        )
        for (case, gold), found, plain in zip(own, made, baselines(cases, linker), strict=True):
            labels = [mention.entity.label for mention in case.mentions]
            both = Counter(labels) & Counter(label for _, label in gold)
            most += both.total()
            for name, spans in (
                ("mtalign", [one.entity.span if one.entity else None for one in found]),
                ("baseline", plain),
            ):
                answers = {(span, label) for span, label in zip(spans, labels, strict=True) if span}
                kept[name] += len(answers)
                right[name] += len(answers & set(gold))
    mentions = sum(len(case.mentions) for case, _ in annotated)
    scores = ", ".join(f"{name} {2 * right[name] / (kept[name] + wanted):.3f}" for name in right)
    ceiling = 2 * most / (mentions + wanted)
    print(f"UNER-PUD, exact span and label, F1 over all mentions: {scores}; ceiling {ceiling:.3f}")


def baselines(cases: Sequence[Case], linker: Linker) -> list[list[Span | None]]:
    """Return the baseline's span for every mention of every case."""
    pairs = [units_of(case) for case in cases]
    return [
        [baseline_span(mention.entity.span, *pair, compared) for mention in case.mentions]
        for case, pair, compared in zip(cases, pairs, linker.compare(pairs), strict=True)
    ]


def units_of(case: Case) -> tuple[UnitText, UnitText]:
    """Return both texts in units."""
    source = unit_text(case.source, "en")
    return source, set_aside_aliases(unit_text(case.target, case.lang), source)


def print_natasha(
    cases: Sequence[Case],
    annotated: Sequence[tuple[Case, tuple[tuple[Span, str], ...]]],
    linker: Linker,
    folds: Sequence[dict[str, Weights]],
    options: ProjectOptions,
) -> None:
    """Print the Russian sets without and with natasha's names as evidence, by its weight."""
    russian = [case for case in cases if case.lang == "ru"]
    for weight in (0.0, 0.5, 1.0, 2.0):
        names = TaggedNames(natasha_entities, weight)

        def hears(_: str, names: TaggedNames = names) -> Sequence[Evidence]:
            return [names]

        print(f"natasha's names, weight {weight}")
        print_accuracy(outcomes(russian, linker, folds, options, hears))
        print_labelled(annotated, linker, folds, options, hears)


def print_accuracy(found: Sequence[Outcome]) -> None:
    """Print exact spans by set and language."""
    print(f"{'set':8}{'lang':5}{'mentions':>9}{'baseline':>10}{'mtalign':>9}{'lost':>7}{'precision':>11}")
    for key, own in _by(found, lambda each: (each.data, each.lang)).items():
        judged = [each for each in own if each.gold]
        plain = sum(each.baseline in each.gold for each in judged) / len(judged)
        exact = sum(each.right for each in judged) / len(judged)
        kept = [each for each in own if each.found]
        print(
            f"{key[0]:8}{key[1]:5}{len(judged):9}{plain:10.3f}{exact:9.3f}"
            f"{sum(each.found is None for each in judged) / len(judged):7.3f}"
            f"{sum(each.right for each in kept) / max(len(kept), 1):11.3f}"
        )


def print_calibration(found: Sequence[Outcome]) -> None:
    """Print the reliability table, the expected calibration error and precision at coverage."""
    kept = [each for each in found if each.found]
    print(f"\n{'confidence':12}{'spans':>7}{'mean':>7}{'right':>7}")
    error = 0.0
    for step in range(10):
        own = [each for each in kept if min(int(each.confidence * 10), 9) == step]
        if own:
            mean, right = (
                float(np.mean([getattr(each, name) for each in own])) for name in ("confidence", "right")
            )
            error += abs(mean - right) * len(own) / len(kept)
            print(f"{step / 10:.1f} to {step / 10 + 0.1:.1f}  {len(own):7}{mean:7.3f}{right:7.3f}")
    print(f"expected calibration error {error:.4f}")
    print(f"\nprecision at coverage  {'.80':>7}{'.90':>7}{'.95':>7}")
    for key, own in _by(found, lambda each: (each.data, each.lang)).items():
        judged = sorted(
            (each for each in own if each.gold), key=lambda each: -each.confidence if each.found else 0
        )
        for how in HOW if key[0] == "uner" else ("right",):
            shares = [
                np.mean([getattr(each, how) for each in judged[: int(share * len(judged))]])
                for share in (0.8, 0.9, 0.95)
            ]
            name = key[1] + HOW[how]
            print(f"{key[0]:8}{name:15}" + "".join(f"{share:7.3f}" for share in shares))


def print_mistakes(found: Sequence[Outcome], data: str) -> None:
    """Print the wrong spans among the surest 90 %, so that a person can judge gold and span."""
    judged = sorted(
        (each for each in found if each.gold and each.data == data),
        key=lambda each: -each.confidence if each.found else 0,
    )
    for each in judged[: int(0.9 * len(judged))]:
        if not each.right:
            said = each.found.of(each.target) if each.found else None
            wanted = [span.of(each.target) for span in each.gold]
            place = f"{each.case} {each.at} {(each.found.start, each.found.end) if each.found else None}"
            verdict = (
                "marks only" if each.right_but_for_marks else "read as right" if each.adjudicated else ""
            )
            print(f"{each.confidence:.2f} {place} {each.entity!r} gold {wanted} found {said!r} {verdict}")


def reliability_svg(found: Sequence[Outcome]) -> str:
    """Draw the reliability plot: per tenth of confidence, how many spans are right; area by their number."""
    kept = [each for each in found if each.found]
    side, edge = 300, 40
    drawn = []
    for step in range(10):
        own = [each for each in kept if min(int(each.confidence * 10), 9) == step]
        if own:
            x = edge + side * float(np.mean([each.confidence for each in own]))
            y = edge + side * (1 - float(np.mean([each.right for each in own])))
            radius = 2 + 14 * (len(own) / len(kept)) ** 0.5
            drawn.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{len(own)}</title></circle>'
            )
    low, high = edge, edge + side
    ticks = "".join(
        f'<text x="{edge + side * n / 5:.0f}" y="{high + 16}" text-anchor="middle">{n / 5:g}</text>'
        f'<text x="{low - 6}" y="{high - side * n / 5 + 4:.0f}" text-anchor="end">{n / 5:g}</text>'
        for n in range(6)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side + 2 * edge} {side + 2 * edge}" '
        'width="380" font-family="sans-serif" font-size="11" role="img" '
        'aria-label="Share of right spans against confidence">'
        f'<rect x="{low}" y="{low}" width="{side}" height="{side}" fill="white" stroke="#888"/>'
        f'<path d="M{low} {high}L{high} {low}" stroke="#888" stroke-dasharray="4 4"/>'
        f'<g fill="#2a6fb0" fill-opacity=".75">{"".join(drawn)}</g><g fill="#333">{ticks}'
        f'<text x="{(low + high) / 2}" y="{high + 34}" text-anchor="middle">confidence</text>'
        f'<text x="12" y="{(low + high) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 12 {(low + high) / 2})">share that is right</text></g></svg>\n'
    )


def _by(found: Sequence[Outcome], key) -> dict[tuple[str, str], list[Outcome]]:  # type: ignore[no-untyped-def]
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for each in found:
        groups[key(each)].append(each)
    return groups


def print_speed(cases: Sequence[Case], linker: Linker, encoder: Remembering) -> None:
    """Print milliseconds a pair beyond the encoder: units, links, features, ranking."""
    articles = [list(own) for _, own in groupby(cases, lambda case: (case.group, case.lang))]
    before, start = encoder.seconds, time.process_time()
    project_documents([task_of(own) for own in articles], linker.compare)
    taken = time.process_time() - start - (encoder.seconds - before)
    print(f"{len(cases)} pairs to {cases[0].lang}: {1000 * taken / len(cases):.1f} ms of processor a pair")


def print_words(path: Path, corpus: Path, encoder: TokenEncoder) -> None:
    """Print F1 of word links on XL-WA en-ru, given tokens as units; at last with links from a corpus."""
    rows = _tabbed(path)
    pairs = [(_tokens(left, "en"), _tokens(right, "ru")) for left, right, _ in rows]
    plain = Linker(encoder).link(pairs)
    learnt = StatisticalLinks([(left.split(), right.split()) for left, right, *_ in _tabbed(corpus)])
    helped = Linker(encoder, statistics={("en", "ru"): learnt}).link(pairs)
    gold = [_links(number, links) for number, (_, _, links) in enumerate(rows)]
    for name, ruled, matrices in (
        ("plain", False, plain),
        ("with the function-word rule", True, plain),
        (f"and with links from {corpus.name}", True, helped),
    ):
        found = [
            links_of(matrix, source if ruled else None)
            for matrix, (source, _) in zip(matrices, pairs, strict=True)
        ]
        pred = [
            _links(number, " ".join(f"{each.source}-{each.target}" for each in links))
            for number, links in enumerate(found)
        ]
        scores = evaluate_words(gold, pred)
        print(f"word links, {path.name}, {name}: F1 {scores.links.f1:.4f}, AER {scores.aer:.4f}")


def _tabbed(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def _links(number: int, links: str) -> Row[Links]:
    return Row(to_links(WordRow(str(number), links), str(number)), str(number))


def _tokens(text: str, lang: str) -> UnitText:
    return UnitText(lang, text, tuple(Unit(Span(*match.span())) for match in re.finditer(r"\S+", text)))


def print_rates(cases: Sequence[Case], encoder: Encoder, folder: str) -> None:
    """Print pairs a second through the encoder, batched, beside simalign's on layer 7 of the same weights."""
    start = time.perf_counter()
    encoder.token_vectors([text for case in cases for text in (case.source, case.target)], (5, 6, 7))
    ours = len(cases) / (time.perf_counter() - start)
    print(f"encoder, batched: {ours:.1f} pairs a second")
    try:
        from simalign import SentenceAligner
    except ImportError:
        print("simalign is not installed: pip install simalign")
        return
    aligner = SentenceAligner(model=folder, token_type="bpe", matching_methods="a", device="cpu", layer=7)
    start = time.perf_counter()
    for case in cases:
        aligner.get_word_aligns(case.source.split(), case.target.split())
    theirs = len(cases) / (time.perf_counter() - start)
    print(f"simalign, pair by pair: {theirs:.1f} pairs a second; ours is {ours / theirs:.1f} times that")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--encoder", default="starter:e5-small")
    parser.add_argument("--folds", type=Path)
    parser.add_argument("--consistency", type=float, default=ProjectOptions().consistency)
    parser.add_argument("--plot", type=Path, help="write the reliability plot here (SVG)")
    parser.add_argument("--list-uner", action="store_true", help="list the sure mistakes on UNER-PUD")
    parser.add_argument("--natasha", action="store_true", help="measure natasha's names as evidence")
    options = parser.parse_args()
    cases = read_cases(options.data)
    files = resolve(options.encoder)
    encoder = Encoder(files)
    remembering = Remembering(encoder)
    linker, chosen = Linker(remembering), ProjectOptions(consistency=options.consistency)
    weights = read_folds(options.folds)
    found = run(cases, remembering, options.folds, chosen)
    annotated = read_independent(options.data)
    print_labelled(annotated, linker, weights, chosen)
    if options.natasha:
        print_natasha(cases, annotated, linker, weights, chosen)
    if options.plot:
        options.plot.write_text(reliability_svg(found), encoding="utf-8")
    if options.list_uner:
        print_mistakes(found, "uner")
    words = options.data / "words/xlwa_en-ru.dev.tsv"
    if words.exists():
        print_words(words, options.data / "words/xlwa_en-ru.train.tsv", remembering)
    print_rates([case for case in cases if case.data == "news"][:60], encoder, str(files.path))


def read_folds(path: Path | None) -> list[dict[str, Weights]]:
    """Return each fold's weights, or those that come with mtalign."""
    if path is None:
        return [read_weights()] * FOLDS
    return msgspec.json.decode(path.read_bytes(), type=list[dict[str, Weights]])


def run(
    cases: Sequence[Case], encoder: Remembering, folds: Path | None, options: ProjectOptions
) -> list[Outcome]:
    """Project, print the tables, and return what became of every mention."""
    linker = Linker(encoder)
    found = outcomes(cases, linker, read_folds(folds), options)
    print_accuracy(found)
    print_calibration(found)
    print()
    for lang in ("ko", "uk"):
        print_speed(
            [case for case in cases if (case.data, case.lang) == ("news", lang)][:200], linker, encoder
        )
    return found


if __name__ == "__main__":
    main()
