"""What speaks for and against a candidate span: named numbers, one row per candidate.

`FEATURES` names the columns. Each is roughly between -1 and 1, so that weights can be compared. Where a
comment says nothing else, 1 is good news. `LOSS_FEATURES` describe the entity's best candidates together:
what the decision that there is no counterpart goes by.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from mtalign.document import Span
from mtalign.project.candidates import BARRIERS, candidates
from mtalign.project.grammar import CONJUNCTIONS, agree, finite_verb
from mtalign.units import UnitText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

FEATURES = (
    # Word links: from the entity into the span, from the span into the entity.
    "link_recall",
    "link_precision",
    "link_f1",
    "source_covered",
    "target_covered",
    "first_linked",
    "last_linked",
    "linked_before",
    "linked_after",
    "neighbour_after",
    "unexplained_before",
    "unexplained_after",
    "unexplained_noun",
    "adjective_open",
    "noun_left_out",
    "verb_last",
    # Meaning in context.
    "span_cosine",
    "best_cosine",
    "first_margin",
    "last_margin",
    # Sound of the whole, of its consonants, of its words.
    "sound",
    "consonants",
    "sound_trusted",
    "consonants_trusted",
    "sound_words",
    "sound_first",
    "sound_last",
    # Size.
    "longer",
    "shorter",
    "words_differ",
    "acronym_long",
    "acronym_words",
    # Letters and marks.
    "lower_first",
    "name_goes_on",
    "name_goes_back",
    "digits_differ",
    "stop_first",
    "stop_last",
    "conjunction_inside",
    "unbalanced",
    "quotes_hug",
    "mark_last",
    "barrier_inside",
    "hyphen_cut",
    # Written words and what is glued to them.
    "particle_inside",
    "case_inside",
    "particle_last",
    "particle_follows",
    "ending_last",
    "ending_follows",
    "word_ends",
    "rest_particle",
    "rest_generic",
    "rest_other",
    "starts_inside",
    "people_last",
    "water_last",
    "place_last",
)

LOSS_FEATURES = ("constant", "best_link", "best_sound", "best_span_cosine", "best_word_cosine")

_STOP_WORDS = """
в во на у з із зі с со и та й і до из от від о об за к ко про при для по над под під
щодо біля через після перед між серед проти без крім навколо поблизу задля
около после между среди против кроме вокруг вблизи ради через согласно
the a an of and in at to for on by
및 등 그 이 저
"""
_STOP = frozenset(_STOP_WORDS.split())
# What is not heard alike, and vowels, go; l is heard as r, b v f as p, and so on.
_CONSONANTS = str.maketrans("lbvfdgcqjzx", "rppptkkksss", "aeiouywh'` -")
_DOUBLED = re.compile(r"(.)\1+")
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
_SENTENCE_END = frozenset(".!?…")
_OPENING_QUOTES = frozenset("«“„‘\"'‹「『《<")
_HYPHENS = frozenset("-‑")
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
class Side:
    """The target of a passage with what all its entities share: candidates and facts about units."""

    text: UnitText
    longest: int

    @cached_property
    def words(self) -> list[str]:
        """What each unit says."""
        return self.text.words()

    @cached_property
    def ranges(self) -> NDArray[np.int64]:
        """The candidates: rows [first unit, last unit + 1]."""
        import numpy as np

        return np.array(list(candidates(self.text, self.longest)), np.int64).reshape(-1, 2)

    @cached_property
    def inside(self) -> Floats:
        """Candidates x units: 1 where the unit is part of the candidate."""
        import numpy as np

        number = np.arange(len(self.words))
        first, last = self.ranges[:, :1], self.ranges[:, 1:]
        return ((number >= first) & (number < last)).astype(np.float64)

    @cached_property
    def spans(self) -> list[Span]:
        """The candidates as spans of the text."""
        units = self.text.units
        return [Span(units[a].span.start, units[b - 1].span.end) for a, b in self.ranges]

    @cached_property
    def romanised(self) -> list[str]:
        """The candidates in Latin letters."""
        letters = [romanise(char) for char in self.text.text]
        starts = [0, *accumulate(map(len, letters))]
        whole = "".join(letters)
        return [whole[starts[span.start] : starts[span.end]] for span in self.spans]

    @cached_property
    def skeletons(self) -> list[str]:
        """The consonants of the candidates."""
        return [skeleton(each) for each in self.romanised]

    @cached_property
    def digits(self) -> list[str]:
        """The digits in each candidate."""
        return [_NO_DIGITS.sub("", span.of(self.text.text)) for span in self.spans]

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
    def stop(self) -> Flags:
        """Which units are prepositions and the like."""
        import numpy as np

        return np.array([word.lower() in _STOP for word in self.words], bool)

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
    def shape(self) -> dict[str, Floats]:
        """Features of the candidates that do not depend on the entity."""
        return _shape(self)


def side(target: UnitText, entity_units: int) -> Side:
    """Prepare a target for entities of up to `entity_units` units."""
    return Side(target, min(40, 2 * entity_units + 6))


def features(
    own: Sequence[int], source: UnitText, entity_text: str, target: Side, compared: Comparison
) -> tuple[Floats, Flags, Floats]:
    """Return candidates x FEATURES, which candidates are possible at all for this entity, and LOSS_FEATURES.

    Args:
        own: the entity's units in `source`, consecutive.
        source: the source of the passage.
        entity_text: what the entity says.
        target: the target, prepared.
        compared: the two texts' units compared.
    """
    import numpy as np

    found = {
        **_links(own, source, target, compared),
        **_meaning(own, source, target, compared),
        **_sounds(own, source, entity_text, target, compared),
        **_sizes(own, source, entity_text, target),
        **_letters(own, source, entity_text, target),
    }
    found |= target.shape
    table = np.stack([found[name] for name in FEATURES], axis=1)
    possible = _possible(own, entity_text, target, held=_held(own, source, found))
    return table, possible, _loss(found, possible)


def romanise(text: str) -> str:
    """Return a text in lower-case Latin letters."""
    from anyascii import anyascii

    return str(anyascii(text)).lower()


def _content(text: UnitText, numbers: Sequence[int]) -> list[int]:
    """Return those of the units that are words, or all if none is."""
    words = [n for n in numbers if any(map(str.isalnum, text.units[n].span.of(text.text)))]
    kept = [n for n in words if text.units[n].span.of(text.text).lower() not in _STOP]
    return kept or words or list(numbers)


def _links(own: Sequence[int], source: UnitText, target: Side, compared: Comparison) -> dict[str, Floats]:
    import numpy as np

    links = compared.links.astype(np.float64) * target.content
    entity = _content(source, own)
    ours, everything = links[entity].sum(0), links.sum(0)
    inside = target.inside
    mine, total = inside @ ours, max(float(ours.sum()), 1e-9)
    recall, precision = mine / total, mine / np.maximum(inside @ everything, 1e-9)
    forward = np.zeros((len(entity), links.shape[1]))
    # Where nothing links, nothing is covered.
    for row, unit in enumerate(entity):
        if links[unit].any():
            forward[row, links[unit].argmax()] = 1
    backward = np.isin(links.argmax(0), entity) & (everything > 0)
    source_covered = (inside @ forward.T).sum(1) / len(entity)
    target_covered = inside @ (backward * target.content) / np.maximum(inside @ target.content, 1)
    share = np.append(ours / np.maximum(everything, 0.05), 0.0)
    before, first, last, after = _edge_units(target)
    mass = np.append(ours / total, 0.0)
    # A word beside the span that no other word of the source explains may belong to it.
    free = np.append((1 - np.minimum((everything - ours) / 0.5, 1)) * target.content, 0.0)
    adjective = np.array([bool(_ADJECTIVE.fullmatch(word)) for word in target.words] + [False], float)
    following = [*target.words[1:], ""]
    pairs = zip(target.words, following, strict=True)
    belongs = np.array([agree(word, after) for word, after in pairs] + [False], float)
    verb = np.array([finite_verb(word) for word in target.words] + [False], float)
    # Nothing stands between the span and the word after it.
    touching = np.array([any(map(str.isalnum, word)) for word in target.words] + [False], float)
    # A name does not go on over a comma, nor to the left over a mark of case or topic.
    open_before = (np.append(touching[:-1] * ~target.closes_phrase, 0.0))[target.ranges[:, 0] - 1]
    open_before = open_before * (target.ranges[:, 0] > 0)
    touching = touching[target.ranges[:, 1]]
    alone = float(not _modifies(own, source))
    return {
        "link_recall": recall,
        "link_precision": precision,
        "link_f1": _f1(recall, precision),
        "source_covered": source_covered,
        "target_covered": target_covered,
        "first_linked": share[first],
        "last_linked": share[last],
        "linked_before": -mass[before],
        "linked_after": -mass[after],
        "neighbour_after": -_neighbour(links, inside, own[-1] + 1),
        # A preposition before a name is not part of it.
        "unexplained_before": -(free * ~np.append(target.stop, False))[before] * open_before,
        "unexplained_after": -free[after] * touching,
        "unexplained_noun": -free[after] * touching * (1 - alone),
        "adjective_open": -adjective[last] * free[after] * touching,
        "noun_left_out": -belongs[last] * np.maximum(free[after], share[after]) * touching * alone,
        "verb_last": -verb[last] * (1 - share[last]),
    }


def _modifies(own: Sequence[int], source: UnitText) -> bool:
    """Say whether a noun in small letters or a hyphen follows the entity: "Italian descent", "US-led"."""
    after = own[-1] + 1
    if after >= len(source.units):
        return False
    word = source.units[after].span.of(source.text)
    if word in _HYPHENS:
        return True
    return word.isalpha() and word.islower() and word not in _STOP and word not in CONJUNCTIONS


def _neighbour(links: Floats, inside: Floats, unit: int) -> Floats:
    """Return the share of the links of the unit beside the entity that fall into each candidate."""
    import numpy as np

    if not 0 <= unit < len(links) or not links[unit].any():
        return np.zeros(len(inside))
    return np.asarray(inside @ links[unit] / links[unit].sum())


def _edge_units(target: Side) -> tuple[NDArray[np.int64], ...]:
    """Return per candidate: the word before, its first word, its last, the word after; -1 for none."""
    import numpy as np

    words = np.flatnonzero(target.content)
    if not len(words):
        return tuple(np.full(len(target.ranges), -1) for _ in range(4))
    padded = np.concatenate([[-1], words, [-1]])
    low, high = (np.searchsorted(words, target.ranges[:, side]) for side in (0, 1))
    return padded[low], padded[low + 1], padded[high], padded[high + 1]


def _meaning(own: Sequence[int], source: UnitText, target: Side, compared: Comparison) -> dict[str, Floats]:
    import numpy as np

    entity = _content(source, own)
    weights = target.inside * target.content
    weights = np.where(weights.any(1, keepdims=True), weights, target.inside)
    similarity = compared.similarity[entity].astype(np.float64)
    entity_norm = float(np.linalg.norm(compared.left[entity].sum(0))) or 1.0
    norms = np.sqrt(np.maximum(np.einsum("nm,nm->n", weights @ _gram(compared), weights), 1e-9))
    best = np.where(weights > 0, similarity.max(0), -1.0).max(1)
    others = [n for n in range(len(compared.similarity)) if n not in set(own)]
    outside = compared.similarity[others].max(0) if others else np.full(similarity.shape[1], -0.2)
    margin = np.append(np.clip(similarity.max(0) - outside, -0.5, 0.5), 0.0)
    _, first, last, _ = _edge_units(target)
    return {
        "span_cosine": weights @ similarity.sum(0) / (norms * entity_norm),
        "best_cosine": best,
        "first_margin": margin[first],
        "last_margin": margin[last],
    }


def _gram(compared: Comparison) -> Floats:
    return compared.gram.astype("float64")


def _sounds(
    own: Sequence[int], source: UnitText, entity_text: str, target: Side, compared: Comparison
) -> dict[str, Floats]:
    import numpy as np

    entity = _content(source, own)
    ours = romanise(entity_text)
    inside = target.inside * target.content
    by_word = np.stack([np.where(inside > 0, compared.sound[n], 0.0).max(1) for n in entity])
    sound = np.vstack([compared.sound, np.zeros(compared.sound.shape[1])])
    sound = np.hstack([sound, np.zeros((len(sound), 1))])
    _, first, last, _ = _edge_units(target)
    # In any order: the University of Khartoum is Хартумський університет.
    heard = np.vstack([sound[entity], sound[-1:]]).max(0)
    whole, consonants = _ratio(ours, target.romanised), _ratio(skeleton(ours), target.skeletons)
    return {
        "sound": whole,
        "consonants": consonants,
        "sound_trusted": _trusted(whole),
        "consonants_trusted": _trusted(consonants),
        "sound_words": by_word.mean(0),
        "sound_first": heard[first],
        "sound_last": heard[last],
    }


def _trusted(likeness: Floats) -> Floats:
    """Return how far each likeness is behind the best, in the measure that the best is a good one.

    A name that is written by sound somewhere in the text is where it sounds best; of a name that is
    translated, likeness says nothing.
    """
    best = float(likeness.max()) if len(likeness) else 0.0
    return (likeness - best) * max(best - 0.5, 0.0) * 2


def skeleton(romanised: str) -> str:
    """Return the consonants of a romanised name, those that languages exchange made one."""
    return _DOUBLED.sub(r"\1", romanised.translate(_CONSONANTS))


def _ratio(ours: str, theirs: Sequence[str]) -> Floats:
    import numpy as np
    from rapidfuzz import fuzz, process

    if not theirs:
        return np.zeros(0)
    return np.asarray(process.cdist([ours], theirs, scorer=fuzz.ratio)[0], np.float64) / 100


def _sizes(own: Sequence[int], source: UnitText, entity_text: str, target: Side) -> dict[str, Floats]:
    import numpy as np

    ours = max(len(romanise(entity_text)), 1)
    ratio = np.log(np.array([max(len(each), 1) for each in target.romanised]) / ours)
    count = target.inside @ (target.content * ~target.stop)
    words = np.log(np.maximum(target.inside @ target.content, 1) / len(_content(source, own)))
    letters = len(entity_text)
    acronym = float(entity_text.isupper() and 2 <= len(entity_text) <= 6)
    return {
        "longer": -np.clip(ratio, 0, 2),
        "shorter": -np.clip(-ratio, 0, 2),
        "words_differ": -np.abs(words),
        "acronym_long": acronym * np.clip(ratio, 0, 2),
        # Written out, an acronym has about as many words as letters.
        "acronym_words": acronym * (count > 1) * np.maximum(1 - np.abs(count - letters) / letters, 0),
    }


def _letters(own: Sequence[int], source: UnitText, entity_text: str, target: Side) -> dict[str, Floats]:
    import numpy as np

    words = [*target.words, ""]
    before, first, last, after = _edge_units(target)
    upper = np.array([word[:1].isupper() for word in words], float)
    lower = np.array([word[:1].islower() for word in words], float)
    entity = [source.units[n].span.of(source.text) for n in _content(source, own)]
    end_mark = np.array([word in _SENTENCE_END for word in words], float)[target.ranges[:, 1]]
    marks = np.array([not word[-1:].isalnum() for word in words], float)[target.ranges[:, 1] - 1]
    digits = _NO_DIGITS.sub("", entity_text)
    # A capital at the start of a sentence says nothing.
    ahead = ["", *target.words[:-1]]
    inner = [bool(word) and word[-1:] not in _SENTENCE_END and word not in _OPENING_QUOTES for word in ahead]
    named = upper * np.array([*inner, False], float)
    beside = np.array([word[-1:].isalnum() for word in ahead] + [False], float)[target.ranges[:, 0]]
    joined = np.array([word in CONJUNCTIONS for word in target.words], float)
    joins = sum(word.lower() in CONJUNCTIONS for word in source.words()[own[0] : own[-1] + 1])
    barriers = target.inside @ np.array([word in BARRIERS for word in target.words], float)
    return {
        "lower_first": -lower[first] * entity[0][:1].isupper(),
        "name_goes_on": -upper[last] * upper[after] * (1 - end_mark),
        "name_goes_back": -upper[first] * named[before] * beside,
        "conjunction_inside": -np.clip(target.inside @ joined - joins, 0, 2) / 2,
        "digits_differ": -np.array([each != digits for each in target.digits], float),
        "mark_last": -np.abs(marks - float(not entity_text[-1:].isalnum())),
        "barrier_inside": -np.minimum(np.abs(barriers - sum(char in BARRIERS for char in entity_text)), 3.0)
        / 3,
    }


def _held(own: Sequence[int], source: UnitText, found: dict[str, Floats]) -> Flags:
    """Say which candidates of a long name are held together by its links to both their ends."""
    import numpy as np

    long = len(_content(source, own)) >= 3
    return np.asarray(long & (found["first_linked"] >= 0.5) & (found["last_linked"] >= 0.5))


def _possible(own: Sequence[int], entity_text: str, target: Side, held: Flags) -> Flags:
    """Say which candidates an entity may take: not far too long, no comma or stop that it does not have.

    Those `held` may cross a comma or a dash: an enumeration or an apposition inside the name.
    """
    import numpy as np

    lengths = target.ranges[:, 1] - target.ranges[:, 0]
    possible = lengths <= 2 * len(own) + 6
    if not any(char in BARRIERS for char in entity_text):
        # Quotes around a name are often the translator's own.
        crossing = np.array([word in BARRIERS and word not in '«“„"()' for word in target.words], float)
        mild = np.array([word in _MILD for word in target.words], float)
        crossed = target.inside @ crossing
        possible &= (crossed == 0) | (held & (crossed <= 2) & (crossed == target.inside @ mild))
    if entity_text[-1:] not in _SENTENCE_END:
        ends = np.array([word in _SENTENCE_END for word in target.words], bool)
        possible &= ~ends[target.ranges[:, 1] - 1]
    return np.asarray(possible)


def _shape(target: Side) -> dict[str, Floats]:
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
    hyphen = np.array([word in _HYPHENS for word in words] + [False], bool)
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
        "particle_inside": -np.minimum(target.inside @ particle[:count] - particle[last - 1], 3.0) / 3,
        "case_inside": -np.minimum(target.inside @ case - case[last - 1], 2.0) / 2,
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


def _loss(found: dict[str, Floats], possible: Flags) -> Floats:
    import numpy as np

    if not possible.any():
        return np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    best = [float(found[name][possible].max()) for name in ("link_f1", "sound", "span_cosine", "best_cosine")]
    return np.array([1.0, *best])


def _f1(a: Floats, b: Floats) -> Floats:
    import numpy as np

    return np.asarray(2 * a * b / np.maximum(a + b, 1e-9))
