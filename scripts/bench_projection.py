"""Measure entity projection: exact spans beside a plain word-alignment baseline, calibration, speed.

    python scripts/train_ranker.py --folds folds.json
    python scripts/bench_projection.py --folds folds.json [--plot FILE.svg] [--list-uner] [--natasha]
    python scripts/bench_projection.py --folds folds.json --score configs/starter.yaml
    python scripts/bench_projection.py --folds folds.json --markers configs/starter.yaml
    python scripts/bench_projection.py --speed

With `--folds` every article is projected by weights that never saw it; without, by those that come with
mtalign, which have seen these sets. The baseline takes the target units that the entity's units link to
best, from the first to the last of them, particles at the end left out. Beads are the gold ones.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
from projection_data import Case, read_cases, read_independent
from projection_outcomes import ACCEPTED, Hears, Outcome, baselines, outcomes, task_of, verdicts
from ranker_examples import FOLDS, fold

from mtalign import config
from mtalign.annotate import natasha_entities
from mtalign.document import Document, Sentence, Span
from mtalign.encode import Encoder, TokenVectors
from mtalign.evaluate.rows import Row
from mtalign.evaluate.words import Links, WordRow, evaluate_words, to_links
from mtalign.hmm import StatisticalLinks
from mtalign.load import Models
from mtalign.models import resolve
from mtalign.project.document import project_documents
from mtalign.project.evidence import (
    LEAST_LIKENESS,
    EngineScores,
    Evidence,
    MarkedTranslations,
    TaggedNames,
    likeness,
    mark,
    marked_words,
)
from mtalign.project.rank import ProjectOptions
from mtalign.project.weights import Weights, read_weights
from mtalign.units import Unit, UnitText
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


# The labels of Universal NER, whose guideline annotates names alone: no adjectives, no common nouns.
NAMES = ("PER", "LOC", "ORG")

# Ways to judge a span, and what they are called in the table.
HOW = {"right": "", "right_but_for_marks": " marks aside", "adjudicated": " adjudicated"}


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
    became = Counter[str]()
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
            became.update(
                fate(one.entity.span if one.entity else None, label, gold)
                for one, label in zip(found, labels, strict=True)
            )
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
    only = ", names alone" if options.names else ""
    print(f"UNER-PUD, exact span and label, F1 over all mentions{only}: {scores}; ceiling {ceiling:.3f}")
    print(", ".join(f"{what} {count}" for what, count in became.most_common()))


def fate(span: Span | None, label: str, gold: Sequence[tuple[Span, str]]) -> str:
    """Say what the gold has where a labelled span was found."""
    if span is None:
        return "lost"
    if (span, label) in gold:
        return "right"
    if any(span == other for other, _ in gold):
        return "other label"
    return "other edges" if any(span.overlaps(other) for other, _ in gold) else "nothing there"


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
        tagged = TaggedNames(natasha_entities, weight)

        def hears(_: str, tagged: TaggedNames = tagged) -> Sequence[Evidence]:
            return [tagged]

        print(f"natasha's names, weight {weight}")
        print_judged(outcomes(russian, linker, folds, options, hears))
        for names in ((), NAMES):
            print_labelled(annotated, linker, folds, replace(options, names=names), hears)


class Asked:
    """A translator that is asked everything once, whatever the weight of what it says."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.scores: dict[tuple[str, str, str], list[float]] = {}
        self.translations: dict[tuple[str, str], str] = {}

    def score(
        self, sources: Sequence[str], translations: Sequence[str], source: str, target: str
    ) -> list[list[float]]:
        """Return the log-probability of every token of each translation."""
        keys = [(target, *pair) for pair in zip(sources, translations, strict=True)]
        if new := [key for key in dict.fromkeys(keys) if key not in self.scores]:
            said, there = [key[1] for key in new], [key[2] for key in new]
            made = self._models.engine(target).score(said, there, source, target)
            self.scores |= dict(zip(new, made, strict=True))
        return [self.scores[key] for key in keys]

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        """Return the first translation of each sentence."""
        keys = [(target, sentence) for sentence in sentences]
        if new := [key for key in dict.fromkeys(keys) if key not in self.translations]:
            made = self._models.engine(target).translate([key[1] for key in new], source, target)
            self.translations |= {key: found[0].text for key, found in zip(new, made, strict=True)}
        return [self.translations[key] for key in keys]

    def marked(self, source: str, mention: Outcome) -> str | None:
        """Return what stands between the marks of a translation, "" without them, None if never asked."""
        document = Document(mention.case, "en", source, (Sentence(Span(0, len(source)), 0),))
        sentence = mark(document, Span(mention.at, mention.at + len(mention.entity)))
        translation = self.translations.get((mention.lang, sentence or ""))
        return None if translation is None else marked_words(translation) or ""


def print_scores(
    cases: Sequence[Case],
    linker: Linker,
    folds: Sequence[dict[str, Weights]],
    options: ProjectOptions,
    translator: Asked,
) -> None:
    """Print UNER-PUD and every twentieth news article by the weight of the translator's scores."""
    news = dict.fromkeys(case.group for case in cases if case.data == "news")
    some = {"uner", *list(news)[::20]}
    chosen = [case for case in cases if case.data in some or case.group in some]
    for weight in (0.0, 0.5, 1.0, 2.0):
        scores = EngineScores(translator, weight, options.accept)
        print(f"the translator's scores, weight {weight}")
        print_judged(outcomes(chosen, linker, folds, options, lambda _, scores=scores: [scores]))
    print(f"{len(translator.scores)} spans scored")


def print_markers(
    cases: Sequence[Case],
    linker: Linker,
    folds: Sequence[dict[str, Weights]],
    options: ProjectOptions,
    translator: Asked,
) -> None:
    """Print what becomes of marks in translation, and spans by the weight of the marked words.

    Every mention of the summit article and of every fifth sentence of NTREX is marked, sure ones too. The
    last weight is so high that the marked words decide wherever they are like a span.
    """
    summit = [case for case in cases if case.data == "summit"]
    chosen = summit + [case for case in cases if case.data == "ntrex"][::5]
    for weight in (0.0, 1.0, 2.0, 50.0):
        marks = MarkedTranslations(translator.translate, weight, below=2.0)
        print(f"marked translations, weight {weight}")
        found = outcomes(chosen, linker, folds, options, lambda _, marks=marks: [marks])
        print_judged(found)
    sources = {(case.lang, case.target): case.source for case in chosen}
    for lang in ("ko", "uk", "ru"):
        counts = Counter[str]()
        for each in found:
            if each.lang == lang:
                said = translator.marked(sources[lang, each.target], each)
                counts["marked"] += said is not None
                counts["whole"] += bool(said)
                if said and each.found and likeness(said, each.found.of(each.target)) >= LEAST_LIKENESS:
                    counts["like"] += 1
                    counts["right"] += each.right
        print(
            f"en-{lang}: {counts['marked']} mentions marked, {counts['whole']} pairs of marks survive, "
            f"{counts['like']} say a span, {counts['right']} the right one"
        )


def print_judged(found: Sequence[Outcome]) -> None:
    """Print exact spans by set and language, and precision at coverage."""
    print_accuracy(found)
    print_coverage(found)


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
    print_coverage(found)


def print_coverage(found: Sequence[Outcome]) -> None:
    """Print precision at coverage: how many of the surest mentions have a right span."""
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
    """Print every span that differs from the gold, surest first, with its rank and what the readers said."""
    judged = sorted(
        (each for each in found if each.gold and each.data == data),
        key=lambda each: -each.confidence if each.found else 0,
    )
    print(f"{len(judged)} mentions; the surest 90 % are {int(0.9 * len(judged))}")
    for rank, each in enumerate(judged, 1):
        if not each.right:
            said = each.found.of(each.target) if each.found else None
            wanted = [span.of(each.target) for span in each.gold]
            place = f"{each.case} {each.at} {(each.found.start, each.found.end) if each.found else None}"
            verdict = (
                "marks only" if each.right_but_for_marks else "read as right" if each.adjudicated else ""
            )
            print(f"{rank} {each.confidence:.2f} {place} {each.entity!r} gold {wanted} {said!r} {verdict}")


def print_readers() -> None:
    """Print how far the two readers of spans that differ from the gold of UNER-PUD agree."""
    said = [(each["first"], each["second"] in ACCEPTED) for each in verdicts()]
    agreed, both = sum(a == b for a, b in said), sum(a and b for a, b in said)
    print(
        f"two readers on {len(said)} spans that differ from the gold: agree on {agreed}, accept {both} both"
    )


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
    project_documents([task_of(articles[0])], linker.compare)  # loads what the language needs
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
    first = cases[0]
    encoder.token_vectors([first.source, first.target], (5, 6, 7))
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
    aligner.get_word_aligns(first.source.split(), first.target.split())
    start = time.perf_counter()
    for case in cases:
        aligner.get_word_aligns(case.source.split(), case.target.split())
    theirs = len(cases) / (time.perf_counter() - start)
    print(f"simalign, pair by pair: {theirs:.1f} pairs a second; ours is {ours / theirs:.1f} times that")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--encoder", default="starter:e5-small")
    parser.add_argument("--folds", type=Path)
    parser.add_argument("--consistency", type=float, default=ProjectOptions().consistency)
    parser.add_argument("--plot", type=Path, help="write the reliability plot here (SVG)")
    parser.add_argument(
        "--list-uner", action="store_true", help="list spans of UNER-PUD that differ from the gold"
    )
    parser.add_argument("--natasha", action="store_true", help="measure natasha's names as evidence")
    parser.add_argument("--score", type=Path, metavar="CONFIG", help="measure only its translators' scores")
    parser.add_argument("--markers", type=Path, metavar="CONFIG", help="measure only its marked translations")
    parser.add_argument("--speed", action="store_true", help="measure only speed, beside simalign's")
    options = parser.parse_args()
    cases = read_cases(options.data)
    files = resolve(options.encoder)
    encoder = Encoder(files)
    remembering = Remembering(encoder)
    linker, chosen = Linker(remembering), ProjectOptions(consistency=options.consistency)
    weights = read_folds(options.folds)
    if options.score or options.markers:
        translator = Asked(Models(config.load(options.score or options.markers)))
        measure = print_scores if options.score else print_markers
        measure(cases, linker, weights, chosen, translator)
        return
    if options.speed:
        news = [case for case in cases if case.data == "news"]
        for lang in ("ko", "uk"):
            print_speed([case for case in news if case.lang == lang][:200], linker, remembering)
        print_rates(news[:200], encoder, str(files.path))
        return
    found = outcomes(cases, linker, weights, chosen)
    print_accuracy(found)
    print_calibration(found)
    annotated = read_independent(options.data)
    for names in ((), NAMES):
        print_labelled(annotated, linker, weights, replace(chosen, names=names))
    if options.natasha:
        print_natasha(cases, annotated, linker, weights, chosen)
    if options.plot:
        options.plot.write_text(reliability_svg(found), encoding="utf-8")
    if options.list_uner:
        print_mistakes(found, "uner")
        print_readers()
    words = options.data / "words/xlwa_en-ru.dev.tsv"
    if words.exists():
        print_words(words, options.data / "words/xlwa_en-ru.train.tsv", remembering)


def read_folds(path: Path | None) -> list[dict[str, Weights]]:
    """Return each fold's weights, or those that come with mtalign."""
    if path is None:
        return [read_weights()] * FOLDS
    return msgspec.json.decode(path.read_bytes(), type=list[dict[str, Weights]])


if __name__ == "__main__":
    main()
