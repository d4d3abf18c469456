"""The target of a passage, with everything about its candidates that does not depend on the entity.

Sums and maxima over the units of a candidate come from running sums and from maxima over stretches of 1, 2,
4 … units (a sparse table), so that a candidate costs the same whatever its length and the text's.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from mtalign.document import Span
from mtalign.project.candidates import BARRIERS, candidates
from mtalign.project.grammar import CONJUNCTIONS, adverb, agree, finite_verb
from mtalign.project.sound import romanise, skeleton
from mtalign.units import UnitText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

SENTENCE_END = frozenset(".!?…")
HYPHENS = frozenset("-‑")
_STOP_WORDS = """
в во на у з із зі с со и та й і до из от від о об за к ко про при для по над под під
щодо біля через після перед між серед проти без крім навколо поблизу задля
около после между среди против кроме вокруг вблизи ради через согласно
the a an of and in at to for on by
및 등 그 이 저
"""
STOP = frozenset(_STOP_WORDS.split())

_NO_DIGITS = re.compile(r"\D+")
_HANGUL = re.compile("[가-힣]*")
_CASE = "(?:으로서|으로써|로서|로써|으로|로|에서|에게서|에게|에|까지|부터|보다|처럼|과|와|이나|나|이란|란|의)"
_REST_PARTICLE = re.compile(
    f"(?:{_CASE}(?:는|도|만|의|부터|까지)?|은|는|이|가|을|를|도|만|이다|다|인|이며|이자|이라는|라는|서|측은)"
)
_REST_GENERIC = re.compile(
    "(?:주|시|군|구|도|섬|인|족|측|호|당|역|강|산|유|장|행|만|현|항|어|계|제|령|군이|들)(?:들|민|장|내|산|발)?"
    f"(?:{_CASE}(?:는|도|만|의)?|은|는|이|가|을|를|도|만|이다|다|서)?"
)
# Nouns of one syllable that Korean writes onto a name, by what guidelines do with them.
_PEOPLE = tuple("인군족측호산유장행팀어계제당들사청")
_WATER = ("강", "해", "산맥", "만", "호수", "반도")
_PLACE = tuple("주시구섬도역현항령")
_ADJECTIVE = re.compile(
    "[А-ЯҐЄІЇ].*(?:ск|ськ|цьк|зьк|цк|н)(?:ий|ый|ой|ое|ая|ие|ого|ому|ом|им|ым|ей|ую|их|ых|ими|ыми|е|а|і|у|ій|ої|ою)"
)
_OPENING_QUOTES = frozenset("«“„‘\"'‹「『《<")
_MILD = frozenset(",–—")
_CASE_ENDS = frozenset(("은", "는", "이", "가", "을", "를", "께서", "에서", "에서는", "에는", "도"))


class Comparison(Protocol):
    """What features need to know about the units of two texts (left: source, right: target)."""

    @property
    def links(self) -> NDArray[np.float32]:
        """How surely two units are each other's, 0 to 1: left x right."""
        ...

    @property
    def similarity(self) -> NDArray[np.float32]:
        """The cosine of their vectors: left x right."""
        ...

    @property
    def sound(self) -> NDArray[np.float32]:
        """The likeness of their romanised forms, 0 to 1: left x right."""
        ...

    @property
    def left(self) -> NDArray[np.float32]:
        """The left units' vectors."""
        ...

    @property
    def gram(self) -> NDArray[np.float32]:
        """The cosines among the right units: right x right."""
        ...


@dataclass(frozen=True)
class Edges:
    """Words (units with letters or digits) at the ends of each candidate, by number; -1 for none."""

    before: Integers
    first: Integers
    last: Integers
    after: Integers


@dataclass(frozen=True)
class Target:
    """The target of a passage, compared with its source. Candidates have up to `longest` units."""

    text: UnitText
    compared: Comparison
    longest: int

    @cached_property
    def words(self) -> list[str]:
        """What each unit says."""
        return self.text.words()

    @cached_property
    def ranges(self) -> Integers:
        """The candidates: rows [first unit, last unit + 1]."""
        import numpy as np

        return np.array(list(candidates(self.text, self.longest)), np.int64).reshape(-1, 2)

    def span(self, number: int) -> Span:
        """Return a candidate as a span of the text."""
        first, last = self.ranges[number]
        return Span(self.text.units[first].span.start, self.text.units[last - 1].span.end)

    @cached_property
    def spans(self) -> list[Span]:
        """All candidates as spans of the text."""
        units = self.text.units
        return [Span(units[a].span.start, units[b - 1].span.end) for a, b in self.ranges.tolist()]

    def total(self, values: NDArray[np.generic]) -> Floats:
        """Return the sum of the values of each candidate's units."""
        import numpy as np

        sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return np.asarray(sums[self.ranges[:, 1]] - sums[self.ranges[:, 0]])

    def highest(self, values: NDArray[np.generic]) -> Floats:
        """Return the highest of the values of each candidate's units; `values` are rows x units, or units."""
        import numpy as np

        levels = [np.asarray(values, np.float64)]
        for power in range(self.longest.bit_length() - 1):
            half, below = 1 << power, levels[-1]
            # Past the end, a stretch is cut short; no candidate asks for one.
            levels.append(np.maximum(below, np.roll(below, -half, -1)))
        first, level, second = self._stretches
        stacked = np.stack(levels)
        picked = np.maximum(stacked[level, ..., first], stacked[level, ..., second])
        return np.asarray(np.moveaxis(picked, 0, -1))

    @cached_property
    def _stretches(self) -> tuple[Integers, Integers, Integers]:
        """Per candidate: where its two stretches of a power of two begin, and which power that is."""
        import numpy as np

        first, last = self.ranges[:, 0], self.ranges[:, 1]
        level = np.array([length.bit_length() - 1 for length in range(self.longest + 2)])[last - first]
        return first, level, last - (1 << level)

    @cached_property
    def content(self) -> Floats:
        """Per unit: 1 for a word, 0 for a particle or a mark."""
        import numpy as np

        return np.array(
            [
                not unit.particle and any(map(str.isalnum, word))
                for unit, word in zip(self.text.units, self.words, strict=True)
            ],
            np.float64,
        )

    @cached_property
    def edges(self) -> Edges:
        """The words at the ends of each candidate."""
        import numpy as np

        words = np.flatnonzero(self.content)
        if not len(words):
            return Edges(*(np.full(len(self.ranges), -1) for _ in range(4)))
        padded = np.concatenate([[-1], words, [-1]])
        low, high = (np.searchsorted(words, self.ranges[:, end]) for end in (0, 1))
        return Edges(padded[low], padded[low + 1], padded[high], padded[high + 1])

    # What the comparison says about units.

    @cached_property
    def links(self) -> Floats:
        """Source x target units: links to words only."""
        return self.compared.links.astype("float64") * self.content

    @cached_property
    def linked(self) -> Floats:
        """Per unit: all its links."""
        import numpy as np

        return np.asarray(self.links.sum(0))

    @cached_property
    def best_source(self) -> Integers:
        """Per unit: the source unit that it links to best."""
        import numpy as np

        return np.asarray(self.links.argmax(0))

    @cached_property
    def meaningful(self) -> Flags:
        """Which candidates have a word in them; the others are judged by all their units."""
        import numpy as np

        return np.asarray(self.total(self.content) > 0)

    def meant(self, values: Floats) -> Floats:
        """Return the sum of the values of each candidate's words, or of all its units if it has none."""
        import numpy as np

        return np.where(self.meaningful, self.total(values * self.content), self.total(values))

    @cached_property
    def norms(self) -> Floats:
        """The length of the sum of the vectors of each candidate's words."""
        import numpy as np

        gram = self.compared.gram.astype("float64")
        squares = np.where(
            self.meaningful,
            self._block_sums(gram * np.outer(self.content, self.content)),
            self._block_sums(gram),
        )
        return np.asarray(np.sqrt(np.maximum(squares, 1e-9)))

    def _block_sums(self, gram: Floats) -> Floats:
        """Return, per candidate, the sum of the square of the matrix that its units span."""
        import numpy as np

        sums = np.zeros((len(gram) + 1, len(gram) + 1))
        sums[1:, 1:] = gram.cumsum(0).cumsum(1)
        first, last = self.ranges[:, 0], self.ranges[:, 1]
        return np.asarray(sums[last, last] - sums[first, last] - sums[last, first] + sums[first, first])

    def outside(self, first: int, last: int, between: list[int]) -> Floats:
        """Return per unit its best cosine with a source unit before `first`, after `last` or `between`."""
        import numpy as np

        rows = [self._best_before[first], self._best_after[last + 1], *self.compared.similarity[between]]
        return np.asarray(np.max(rows, axis=0), np.float64)

    @cached_property
    def _best_before(self) -> NDArray[np.float32]:
        import numpy as np

        similarity = self.compared.similarity
        none = np.full((1, similarity.shape[1]), -np.inf, np.float32)
        return np.maximum.accumulate(np.concatenate([none, similarity]), axis=0)

    @cached_property
    def _best_after(self) -> NDArray[np.float32]:
        import numpy as np

        similarity = self.compared.similarity
        none = np.full((1, similarity.shape[1]), -np.inf, np.float32)
        return np.maximum.accumulate(np.concatenate([similarity, none])[::-1], axis=0)[::-1]

    # Sounds and letters of the candidates.

    @cached_property
    def romanised(self) -> list[str]:
        """The candidates in Latin letters."""
        letters = [romanise(char) for char in self.text.text]
        starts = [0, *accumulate(map(len, letters))]
        whole = "".join(letters)
        return [whole[starts[span.start] : starts[span.end]] for span in self.spans]

    @cached_property
    def letters(self) -> Floats:
        """How many Latin letters each candidate has."""
        import numpy as np

        return np.array([max(len(each), 1) for each in self.romanised], np.float64)

    @cached_property
    def skeletons(self) -> list[str]:
        """The consonants of the candidates."""
        return [skeleton(each) for each in self.romanised]

    @cached_property
    def digits(self) -> NDArray[np.str_]:
        """The digits in each candidate."""
        import numpy as np

        return np.array([_NO_DIGITS.sub("", span.of(self.text.text)) for span in self.spans], str)

    # What can be read off the units. Where a number may be -1, for no unit, one more value stands at the end.

    def _units(self, says: list[bool]) -> Floats:
        import numpy as np

        return np.array([*says, False], np.float64)

    @cached_property
    def stop(self) -> Flags:
        """Which units are prepositions and the like."""
        import numpy as np

        return np.array([word.lower() in STOP for word in self.words], bool)

    @cached_property
    def closes_phrase(self) -> Flags:
        """Which units are marks of case or topic with a new word after them."""
        import numpy as np

        units = self.text.units
        return np.array(
            [
                unit.particle and word in _CASE_ENDS and unit.span.end < after
                for unit, word, after in zip(
                    units, self.words, [*(each.span.start for each in units[1:]), math.inf], strict=True
                )
            ],
            bool,
        )

    @cached_property
    def adjectives(self) -> Floats:
        """Which units look like adjectives made of names."""
        return self._units([bool(_ADJECTIVE.fullmatch(word)) for word in self.words])

    @cached_property
    def agreeing(self) -> Floats:
        """Which units look like adjectives of the unit after them."""
        return self._units([agree(*pair) for pair in zip(self.words, [*self.words[1:], ""], strict=True)])

    @cached_property
    def verbs(self) -> Floats:
        """Which units look like finite verbs or adverbs."""
        return self._units([finite_verb(word) or adverb(word) for word in self.words])

    @cached_property
    def upper(self) -> Floats:
        """Which units begin with a capital."""
        return self._units([word[:1].isupper() for word in self.words])

    @cached_property
    def lower(self) -> Floats:
        """Which units begin with a small letter."""
        return self._units([word[:1].islower() for word in self.words])

    @cached_property
    def named(self) -> Floats:
        """Which units begin with a capital that is not that of a sentence."""
        ahead = ["", *self.words[:-1]]
        inner = [
            bool(word) and word[-1:] not in SENTENCE_END and word not in _OPENING_QUOTES for word in ahead
        ]
        return self.upper * self._units(inner)

    @cached_property
    def chained(self) -> Floats:
        """Which units end as the unit after them does: adjectives of one noun."""
        after = [*self.words[1:], ""]
        return self._units(
            [len(word) > 4 and word[-2:] == other[-2:] for word, other in zip(self.words, after, strict=True)]
        )

    @cached_property
    def conjunctions(self) -> Floats:
        """How many conjunctions each candidate has."""
        return self.total(self._units([word in CONJUNCTIONS for word in self.words])[:-1])

    @cached_property
    def barriers(self) -> Floats:
        """How many marks each candidate has that names seldom go over."""
        return self.total(self._units([word in BARRIERS for word in self.words])[:-1])

    @cached_property
    def crossed(self) -> Floats:
        """How many of these that are no quotes or round brackets: those are often the translator's own."""
        return self.total(
            self._units([word in BARRIERS and word not in '«“„"()' for word in self.words])[:-1]
        )

    @cached_property
    def mild(self) -> Floats:
        """How many commas and dashes each candidate has."""
        return self.total(self._units([word in _MILD for word in self.words])[:-1])

    @cached_property
    def ends_sentence(self) -> Floats:
        """Which units end a sentence."""
        return self._units([word in SENTENCE_END for word in self.words])

    @cached_property
    def ends_in_mark(self) -> Floats:
        """Which candidates end in a mark."""
        return self._units([not word[-1:].isalnum() for word in self.words])[self.ranges[:, 1] - 1]

    @cached_property
    def after_word(self) -> Floats:
        """Which candidates have a word, not a mark, before them."""
        return self._units([word[-1:].isalnum() for word in ["", *self.words[:-1]]])[self.ranges[:, 0]]

    @cached_property
    def word_follows(self) -> Floats:
        """Which candidates have a word right after them: a name does not go on over a comma."""
        return self._wordy[self.ranges[:, 1]]

    @cached_property
    def word_precedes(self) -> Floats:
        """Which candidates have a word right before them that is no mark of case or topic."""
        import numpy as np

        open_before = np.append(self._wordy[:-1] * ~self.closes_phrase, 0.0)
        return np.asarray(open_before[self.ranges[:, 0] - 1] * (self.ranges[:, 0] > 0))

    @cached_property
    def _wordy(self) -> Floats:
        return self._units([any(map(str.isalnum, word)) for word in self.words])

    @cached_property
    def sizes(self) -> Floats:
        """How many words each candidate has."""
        return self.total(self.content)

    @cached_property
    def full_words(self) -> Floats:
        """How many words that are no prepositions each candidate has."""
        return self.total(self.content * ~self.stop)

    @cached_property
    def shape(self) -> dict[str, Floats]:
        """Features of the candidates that do not depend on the entity."""
        return _shape(self)


def prepare(text: UnitText, compared: Comparison, entity_units: int) -> Target:
    """Prepare a target for entities of up to `entity_units` units."""
    return Target(text, compared, min(40, 2 * entity_units + 6))


def _shape(target: Target) -> dict[str, Floats]:
    import numpy as np

    units, words, text = target.text.units, target.words, target.text.text
    count = len(units)
    first, last = target.ranges[:, 0], target.ranges[:, 1]
    glued = np.array(
        [n > 0 and units[n - 1].span.end == units[n].span.start for n in range(count)] + [False], bool
    )
    wordy = np.array([any(map(str.isalnum, word)) for word in words] + [False], bool)
    particle = np.array([unit.particle for unit in units] + [False], bool)
    loose = np.array([unit.loose for unit in units] + [False], bool)
    # A dot with no space on either side joins what a hyphen does: E.ON, Amazon.com.
    joined = np.append(glued[1:], False)
    hyphen = np.array(
        [
            word in HYPHENS or (word == "." and bool(before and after))
            for word, before, after in zip(words, glued, joined, strict=False)
        ]
        + [False],
        bool,
    )
    stop = np.append(target.stop, False)
    case = target.closes_phrase
    follows = glued[last] & wordy[last]
    # A particle of one syllable is more easily a name's end than one of two.
    sizes = np.array([min(len(word), 2) for word in words] + [0], float)
    ends = np.array([*words, ""])[last - 1]
    ends = np.where((loose & ~particle)[last - 1] | (glued[last - 1] & (last - first > 1)), ends, "")
    rests = [_hangul_from(text, span.end) for span in target.spans]
    return {
        "stop_first": -stop[first].astype(float),
        "stop_last": -stop[last - 1].astype(float),
        "hyphen_cut": -(hyphen[np.maximum(first - 1, 0)] & (first > 0) & glued[first]).astype(float)
        - (hyphen[last] & glued[last]).astype(float),
        "particle_inside": -np.minimum(target.total(particle[:count]) - particle[last - 1], 3.0) / 3,
        "case_inside": -np.minimum(target.total(case) - case[last - 1], 2.0) / 2,
        "particle_last": -(particle & ~loose)[last - 1].astype(float) * sizes[last - 1] / 2,
        "particle_follows": (follows & (particle & ~loose)[last]).astype(float),
        "ending_last": -(particle & loose)[last - 1].astype(float),
        "ending_follows": -(follows & (particle & loose)[last]).astype(float),
        "word_ends": (~follows).astype(float),
        "rest_particle": np.array([bool(_REST_PARTICLE.fullmatch(each)) for each in rests], float),
        "rest_generic": np.array([bool(_REST_GENERIC.fullmatch(each)) for each in rests], float),
        "rest_other": -np.array(
            [
                bool(each) and not _REST_PARTICLE.fullmatch(each) and not _REST_GENERIC.fullmatch(each)
                for each in rests
            ],
            float,
        ),
        "starts_inside": -(glued[first] & wordy[np.maximum(first - 1, 0)]).astype(float),
        "people_last": -np.isin(ends, _PEOPLE).astype(float),
        "water_last": -np.isin(ends, _WATER).astype(float),
        "place_last": -np.isin(ends, _PLACE).astype(float),
        "unbalanced": -np.array([_unbalanced(span.of(text)) for span in target.spans], float),
        "quotes_hug": np.array([_quoted(text, span) for span in target.spans], float),
    }


def _hangul_from(text: str, start: int) -> str:
    found = _HANGUL.match(text, start)
    return found[0] if found else ""


def _unbalanced(text: str) -> bool:
    """Say whether a quote or bracket is opened and not closed, or closed and not opened."""
    if text.count('"') % 2:
        return True
    # German and Slavic quotes close with the mark that opens English ones.
    opening, closing = ("([«„‘", ")]»“’") if "„" in text else ("([«“‘", ")]»”’")
    return any(
        text.count(a) != text.count(b)
        for a, b in zip(opening, closing, strict=True)
        # An apostrophe closes nothing.
        if b != "’" or a in text
    )


def _quoted(text: str, span: Span) -> bool:
    """Say whether quotes stand right before and right after the span."""
    before, after = text[max(span.start - 1, 0) : span.start], text[span.end : span.end + 1]
    return before in _OPENING_QUOTES and after in tuple("»”“’\"'›」』》>")
