"""Finds what looks wrong in a translated article, and repairs nothing.

Every bead of a source and a target text goes through a list of checks: pure functions that return an
issue or None. They look at language, script, copied text, loops, length and numbers. Sentences without
a counterpart and lost entities are read off the beads and projections. An issue is something for a person
to look at; the limits are set so that on human translations few beads raise one (`Limits`). Not handled:
meaning, grammar, terminology; numbers in languages that `mtalign.numbers` cannot read.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Any

from mtalign.alignment import Bead
from mtalign.document import Document
from mtalign.errors import InvalidAlignment
from mtalign.languages import ARABIC, CYRILLIC, HAN, HANGUL, LATIN, language, script_share
from mtalign.numbers import can_read, compare_numbers
from mtalign.record import Issue, Projection, Severity

if TYPE_CHECKING:
    from mtalign.likeness import Likeness

# The languages that news translated here is confused with, and the few to choose from for a short text.
LANGUAGES_TO_TELL_APART = frozenset({"en", "ko", "uk", "ru", "be", "bg", "sr", "mk", "ja", "zh", "kk", "pl"})
LANGUAGES_OF_SHORT_TEXT = frozenset({"en", "ko", "uk", "ru"})

# Characters per character of English, by script. The first three are medians over human translations of
# news; the others are rough, and the document's own ratio soon outweighs them.
TYPICAL_LENGTH = {LATIN: 1.0, CYRILLIC: 1.04, HANGUL: 0.51, HAN: 0.4, ARABIC: 0.9}

# The variance of the logarithm of that ratio, after n characters of source: _SPREAD**2 + _SHORTNESS / n.
# Fitted to the same translations. So many beads are needed for a document's own ratio to weigh half.
_SPREAD = 0.1
_SHORTNESS = 1.7
_BEADS_FOR_HALF = 8


@dataclass(frozen=True)
class Limits:
    """From where on a bead is an issue.

    With the defaults each kind is raised by less than 2 % of the beads of human translations of news
    (`scripts/bench_checks.py`, which also plants faults and counts those found).

    `language_confidence`: how sure the identifier must be of another language, 0 to 1.
    `least_letters`: a shorter text is judged neither by its language nor by its script.
    `short_text_words`: under this many words only the few likeliest languages are told apart.
    `script_share`: least share of the letters that must be in the script of the language, 0 to 1.
    `copy_similarity`: share of the words that a copy has in common with its source, 0 to 1.
    `copy_run`: so many words of the source in a row make a copy, whatever surrounds them.
    `repeats`: the same three words, or the same letters on end, so many times make a loop.
    `length_deviation`: how far the logarithm of the length ratio may be off, in standard deviations.
    `likeness`: how near a translation that was made here must be to its source (`Judge`).
    """

    language_confidence: float = 0.7
    least_letters: int = 12
    short_text_words: int = 5
    script_share: float = 0.3
    copy_similarity: float = 0.85
    copy_run: int = 6
    repeats: int = 3
    length_deviation: float = 3.0
    likeness: float = 0.4


@dataclass(frozen=True)
class Pair:
    """The two texts of a bead, with what is usual between the documents that they come from.

    `ratio` is the length of the target to be expected for a source of length 1, in characters.
    """

    source: str
    target: str
    source_lang: str
    target_lang: str
    sentences: tuple[int, ...]
    ratio: float

    def issue(self, kind: str, severity: Severity, evidence: str) -> Issue:
        """Return an issue placed at the target sentences of the bead."""
        return Issue(kind, severity, self.target_lang, evidence, self.sentences)

    @cached_property
    def source_words(self) -> list[str]:
        """The words of the source as they are written."""
        return _WORD.findall(self.source)

    @cached_property
    def target_words(self) -> list[str]:
        """The words of the target as they are written."""
        return _WORD.findall(self.target)

    @property
    def names_only(self) -> bool:
        """Whether the source is so short and so full of capitals that it may be all names."""
        return len(self.source_words) < _LONGEST_LIST_OF_NAMES and _ordinary(self.source_words) < _FEW


Check = Callable[[Pair, Limits], "Issue | None"]

_WORD = re.compile(r"[^\W\d_]+(?:['’ʼ-][^\W\d_]+)*")
_LOOP = re.compile(r"(\S{2,30}?)\1{2,}")
_FEW = 3
_LONGEST_LIST_OF_NAMES = 6
_QUOTED = 80
# A sentence with this share of its letters in a script is in a language of that script, but for names.
_ALL_BUT_NAMES = 0.8


def untranslated_copy(pair: Pair, limits: Limits) -> Issue | None:
    """The source again, as a whole or for many words on end; names and numbers alone may stay as they are."""
    if pair.names_only or not pair.target_words:
        return None
    source = [word.casefold() for word in pair.source_words]
    target = [word.casefold() for word in pair.target_words]
    common = (Counter(source) & Counter(target)).total()
    if 2 * common >= limits.copy_similarity * (len(source) + len(target)):
        return pair.issue("untranslated-copy", "error", _quote(pair.target))
    runs = set(_runs(target, limits.copy_run))
    for run, words in zip(
        _runs(source, limits.copy_run), _runs(pair.source_words, limits.copy_run), strict=True
    ):
        if run in runs and _ordinary(words) >= _FEW:
            return pair.issue("untranslated-copy", "error", _quote(" ".join(words)))
    return None


def wrong_script(pair: Pair, limits: Limits) -> Issue | None:
    """Hardly any letters of the script in which the language is written."""
    letters = sum(map(str.isalpha, pair.target))
    script = language(pair.target_lang).script
    share = script_share(pair.target, script)
    if pair.names_only or letters < limits.least_letters or share >= limits.script_share:
        return None
    return pair.issue("wrong-script", "error", f"{share:.0%} {script} letters: {_quote(pair.target)}")


def wrong_language(pair: Pair, limits: Limits) -> Issue | None:
    """Another language, as py3langid sees it. Hangul needs no guess: one language alone is written in it."""
    words = pair.target_words
    letters = sum(map(len, words))
    if (
        language(pair.target_lang).script == HANGUL
        or letters < limits.least_letters
        or _ordinary(words) < _FEW
    ):
        return None
    candidates = LANGUAGES_OF_SHORT_TEXT if len(words) < limits.short_text_words else LANGUAGES_TO_TELL_APART
    found, confidence = _identify(pair.target, candidates | {pair.source_lang, pair.target_lang})
    if found == pair.target_lang or confidence < limits.language_confidence:
        return None
    return pair.issue("wrong-language", "error", f"{found} ({confidence:.2f}): {_quote(pair.target)}")


def repetition(pair: Pair, limits: Limits) -> Issue | None:
    """The same few words or letters again and again, and more often than in the source."""
    most, times = _most_repeated(pair.target_words)
    if times >= limits.repeats and times > _most_repeated(pair.source_words)[1]:
        return pair.issue("repetition", "error", f"{times} times: {_quote(most)}")
    for loop in _LOOP.finditer(pair.target):
        times = len(loop.group()) // len(loop.group(1))
        if times >= limits.repeats and _WORD.search(loop.group(1)) and loop.group() not in pair.source:
            return pair.issue("repetition", "error", f"{times} times: {_quote(loop.group(1))}")
    return None


def length_ratio(pair: Pair, limits: Limits) -> Issue | None:
    """Much shorter or longer than usual for the languages and the document, the more so the longer it is.

    The logarithm of the ratio of lengths is taken to be normal, with a variance that falls with the length
    (after Gale and Church 1993).
    """
    if abs(deviation(pair)) < limits.length_deviation:
        return None
    source, target = len(pair.source), len(pair.target)
    return pair.issue(
        "length-ratio",
        "warning",
        f"{source} characters became {target}, {target / (source * pair.ratio):.1f} times the usual length",
    )


def deviation(pair: Pair) -> float:
    """Return how far the logarithm of the length ratio is from the usual one, in standard deviations."""
    source, target = len(pair.source), len(pair.target)
    return (math.log(target / source) - math.log(pair.ratio)) / math.sqrt(_SPREAD**2 + _SHORTNESS / source)


def number_mismatch(pair: Pair, limits: Limits) -> Issue | None:  # noqa: ARG001 — it has no limits
    """A number in digits whose value the other side does not have, in digits or words."""
    if not (can_read(pair.source_lang) and can_read(pair.target_lang)):
        return None
    mismatch = compare_numbers(pair.source, pair.source_lang, pair.target, pair.target_lang)
    if not mismatch:
        return None
    parts = [
        f"{name} {', '.join(number.text for number in numbers)}"
        for name, numbers in (("missing", mismatch.missing), ("added", mismatch.added))
        if numbers
    ]
    return pair.issue("number-mismatch", "warning", "; ".join(parts))


# A bead in the wrong language says so once, by the first of these that sees it.
_LANGUAGE_CHECKS: tuple[Check, ...] = (untranslated_copy, wrong_script, wrong_language)
_CONTENT_CHECKS: tuple[Check, ...] = (repetition, length_ratio, number_mismatch)


def find_issues(
    source: Document,
    targets: Mapping[str, Document],
    beads: Mapping[str, Sequence[Bead]],
    projections: Mapping[str, Sequence[Projection]],
    limits: Limits = Limits(),
    *,
    known: Sequence[Issue] = (),
) -> tuple[Issue, ...]:
    """Return what looks wrong in the translations of an article, one target language after another.

    `beads` holds for each target language the beads with the source on the left; `projections` may leave
    languages out. An issue stands at sentences of its own `lang`: that of the target, but of the source for
    a sentence left out, whose evidence names the target. What is `known` of the same kind at the same
    sentences is not said again.

    Raises:
        InvalidAlignment: a target has no beads.
        UnknownLanguage: a document is in a language without a row in the table.
    """
    if missing := sorted(set(targets) - set(beads)):
        raise InvalidAlignment(
            f"document {source.id!r}: no beads from {source.lang} to {', '.join(missing)}; "
            "align the translation before checking it"
        )
    found = chain.from_iterable(
        chain(
            _issues_of_beads(source, target, beads[lang], limits),
            _lost_entities(source, lang, beads[lang], projections.get(lang, ())),
        )
        for lang, target in targets.items()
    )
    said = {(issue.kind, issue.lang, issue.sentences) for issue in known}
    return tuple(issue for issue in found if (issue.kind, issue.lang, issue.sentences) not in said)


def check_pair(pair: Pair, limits: Limits = Limits()) -> Iterator[Issue]:
    """Yield the issues of one bead that has both sides."""
    first = next((issue for check in _LANGUAGE_CHECKS if (issue := check(pair, limits))), None)
    if first:
        yield first
    yield from (issue for check in _CONTENT_CHECKS if (issue := check(pair, limits)))


class Judge:
    """Says what is wrong with translations while they are made, so that they can be tried again.

    Besides the checks of a bead it looks at the likeness of source and translation (`mtalign.likeness`), in
    languages that have examples.
    """

    def __init__(self, limits: Limits, likeness: Likeness | None = None) -> None:
        self._limits = limits
        self._likeness = likeness if limits.likeness > 0 else None

    def problems(self, pairs: Sequence[tuple[str, str]], source: str, target: str) -> list[tuple[Issue, ...]]:
        """Return what is wrong with each pair of a sentence and its translation, neither of them empty."""
        ratio = expected_ratio((), source, target)
        found = [
            list(check_pair(Pair(sentence, translation, source, target, (), ratio), self._limits))
            for sentence, translation in pairs
        ]
        if self._likeness and self._likeness.covers(source, target):
            unlike = self._likeness.below(self._limits.likeness, pairs, source, target)
            for number, likeness in unlike.items():
                evidence = f"likeness {likeness:.2f} to the source: {_quote(pairs[number][1])}"
                found[number].append(Issue("unlike-source", "warning", target, evidence))
        return [tuple(own) for own in found]

    def already_in(self, sentence: str, source: str, target: str) -> bool:
        """Say whether a sentence of a text in `source` is in the target language already.

        Told for languages in different scripts only: where they share one, a mistake would cost more.
        """
        scripts = [language(lang).script for lang in (source, target)]
        letters = sum(map(str.isalpha, sentence))
        if scripts[0] == scripts[1] or letters < self._limits.least_letters:
            return False
        if script_share(sentence, scripts[1]) < _ALL_BUT_NAMES:
            return False
        if scripts[1] == HANGUL:
            return True
        found, confidence = _identify(sentence, LANGUAGES_TO_TELL_APART | {source, target})
        return found == target and confidence >= self._limits.language_confidence


def _issues_of_beads(
    source: Document, target: Document, beads: Sequence[Bead], limits: Limits
) -> Iterator[Issue]:
    left, right = source.sentence_texts(), target.sentence_texts()
    texts = [(" ".join(left[i] for i in bead.left), " ".join(right[k] for k in bead.right)) for bead in beads]
    ratio = expected_ratio([pair for pair in texts if all(pair)], source.lang, target.lang)
    for bead, (source_text, target_text) in zip(beads, texts, strict=True):
        if not bead.right:
            evidence = f"nothing in {target.lang} for: {_quote(source_text)}"
            yield Issue("omitted-sentence", "warning", source.lang, evidence, bead.left)
        elif not bead.left:
            evidence = f"nothing in {source.lang} for: {_quote(target_text)}"
            yield Issue("added-sentence", "info", target.lang, evidence, bead.right)
        else:
            yield from check_pair(
                Pair(source_text, target_text, source.lang, target.lang, bead.right, ratio), limits
            )


def expected_ratio(texts: Sequence[tuple[str, str]], source_lang: str, target_lang: str) -> float:
    """Return the usual length of the target for a source of length 1: typical of the pair, and of the texts.

    The more texts, the more their own median weighs against what is typical of the scripts.
    """
    typical = math.log(
        TYPICAL_LENGTH[language(target_lang).script] / TYPICAL_LENGTH[language(source_lang).script]
    )
    if not texts:
        return math.exp(typical)
    own = median(math.log(len(target) / len(source)) for source, target in texts)
    weight = len(texts) / (len(texts) + _BEADS_FOR_HALF)
    return math.exp(weight * own + (1 - weight) * typical)


def _lost_entities(
    source: Document, lang: str, beads: Sequence[Bead], projections: Sequence[Projection]
) -> Iterator[Issue]:
    """Yield an issue for each entity without a place, at the target sentences where it should be."""
    entities = {entity.id: entity for entity in source.entities}
    for projection in projections:
        if projection.reason is None:
            continue
        entity = entities[projection.source]
        sentences = tuple(
            index
            for bead in beads
            if any(source.sentences[i].span.overlaps(entity.span) for i in bead.left)
            for index in bead.right
        )
        evidence = f"{entity.text} ({entity.label}): {projection.reason}"
        yield Issue("lost-entity", "warning", lang, evidence, sentences, entity.id)


def _ordinary(words: Iterable[str]) -> int:
    """Count the words that do not begin with a capital, so are no names; all, in a script without case."""
    return sum(not word[0].isupper() for word in words)


def _runs(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]


def _most_repeated(words: Sequence[str]) -> tuple[str, int]:
    """Return the three words in a row that come most often, and how often."""
    counts = Counter(_runs([word.casefold() for word in words], 3))
    if not counts:
        return "", 0
    run, times = counts.most_common(1)[0]
    return " ".join(run), times


def _quote(text: str) -> str:
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"


def _identify(text: str, candidates: frozenset[str]) -> tuple[str, float]:
    """Return the likeliest of the candidates, and its probability among them; `und` if none is known."""
    scores = {lang: score for lang, score in _identifier().rank(text) if lang in candidates}
    total = sum(scores.values())
    if not total:
        return "und", 0.0
    best = max(scores, key=lambda lang: scores[lang])
    return best, scores[best] / total


@cache
def _identifier() -> Any:
    """Load py3langid once, so that checking one article costs no more than it must."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
