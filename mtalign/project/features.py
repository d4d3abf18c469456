"""What speaks for and against a candidate span: named numbers, one row per candidate.

`FEATURES` names the columns. Each is roughly between -1 and 1, so that weights can be compared. Where a
comment says nothing else, 1 is good news. `LOSS_FEATURES` describe the entity's best candidates together:
what the decision that there is no counterpart goes by. What does not depend on the entity is in `target`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtalign.project.candidates import BARRIERS
from mtalign.project.grammar import CONJUNCTIONS
from mtalign.project.sound import romanise, skeleton
from mtalign.project.target import HYPHENS, SENTENCE_END, STOP, Target
from mtalign.units import UnitText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_NO_DIGITS = re.compile(r"\D+")

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
    "adjective_cut",
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

LOSS_FEATURES = ("constant", "acronym", "best_link", "best_sound", "best_span_cosine", "best_word_cosine")


def features(
    own: Sequence[int], source: UnitText, entity_text: str, target: Target
) -> tuple[Floats, Flags, Floats]:
    """Return candidates x FEATURES, which candidates are possible at all for this entity, and LOSS_FEATURES.

    Args:
        own: the entity's units in `source`, in order.
        source: the source of the passage.
        entity_text: what the entity says.
        target: the target, compared with the source.
    """
    import numpy as np

    found = {
        **_links(own, source, target),
        **_meaning(own, source, target),
        **_sounds(own, source, entity_text, target),
        **_sizes(own, source, entity_text, target),
        **_letters(own, source, entity_text, target),
        **target.shape,
    }
    table = np.stack([found[name] for name in FEATURES], axis=1)
    possible = _possible(own, entity_text, target, held=_held(own, source, found))
    return table, possible, _loss(found, possible, acronym=_acronym(entity_text))


def _content(text: UnitText, numbers: Sequence[int]) -> list[int]:
    """Return those of the units that are words, or all if none is."""
    words = [n for n in numbers if any(map(str.isalnum, text.units[n].span.of(text.text)))]
    kept = [n for n in words if text.units[n].span.of(text.text).lower() not in STOP]
    return kept or words or list(numbers)


def _links(own: Sequence[int], source: UnitText, target: Target) -> dict[str, Floats]:
    import numpy as np

    entity = _content(source, own)
    links, everything, edges = target.links, target.linked, target.edges
    ours = links[entity].sum(0)
    mine, total = target.total(ours), max(float(ours.sum()), 1e-9)
    recall, precision = mine / total, mine / np.maximum(target.total(everything), 1e-9)
    # Where nothing links, nothing is covered.
    forward = np.zeros(links.shape[1])
    for unit in entity:
        if links[unit].any():
            forward[links[unit].argmax()] += 1
    backward = np.isin(target.best_source, entity) & (everything > 0)
    share = np.append(ours / np.maximum(everything, 0.05), 0.0)
    mass = np.append(ours / total, 0.0)
    # A word beside the span that no other word of the source explains may belong to it.
    free = np.append((1 - np.minimum((everything - ours) / 0.5, 1)) * target.content, 0.0)
    free_after = free[edges.after] * target.word_follows
    alone = float(not _modifies(own, source))
    return {
        "link_recall": recall,
        "link_precision": precision,
        "link_f1": _f1(recall, precision),
        "source_covered": target.total(forward) / len(entity),
        "target_covered": target.total(backward * target.content) / np.maximum(target.sizes, 1),
        "first_linked": share[edges.first],
        "last_linked": share[edges.last],
        "linked_before": -mass[edges.before],
        "linked_after": -mass[edges.after],
        "neighbour_after": -_neighbour(target, own[-1] + 1),
        # A preposition before a name is not part of it.
        "unexplained_before": -(free * ~np.append(target.stop, False))[edges.before] * target.word_precedes,
        "unexplained_after": -free_after,
        "unexplained_noun": -free_after * (1 - alone),
        "adjective_open": -target.adjectives[edges.last] * free_after,
        "noun_left_out": -target.agreeing[edges.last]
        * np.maximum(free[edges.after], share[edges.after])
        * target.word_follows
        * alone,
        "verb_last": -target.verbs[edges.last] * (1 - share[edges.last]),
    }


def _modifies(own: Sequence[int], source: UnitText) -> bool:
    """Say whether a noun in small letters or a hyphen follows the entity: "Italian descent", "US-led"."""
    after = own[-1] + 1
    if after >= len(source.units):
        return False
    word = source.units[after].span.of(source.text)
    if word in HYPHENS:
        return True
    return word.isalpha() and word.islower() and word not in STOP and word not in CONJUNCTIONS


def _neighbour(target: Target, unit: int) -> Floats:
    """Return the share of the links of the unit beside the entity that fall into each candidate."""
    import numpy as np

    if not 0 <= unit < len(target.links) or not target.links[unit].any():
        return np.zeros(len(target.ranges))
    return target.total(target.links[unit] / target.links[unit].sum())


def _meaning(own: Sequence[int], source: UnitText, target: Target) -> dict[str, Floats]:
    import numpy as np

    entity = _content(source, own)
    similarity = target.compared.similarity[entity].astype(np.float64)
    entity_norm = float(np.linalg.norm(target.compared.left[entity].sum(0))) or 1.0
    nearest = similarity.max(0)
    best = np.where(
        target.meaningful,
        target.highest(np.where(target.content > 0, nearest, -1.0)),
        target.highest(nearest),
    )
    if len(own) < len(source.units):
        between = sorted({*range(own[0], own[-1] + 1)} - set(own))
        outside = target.outside(own[0], own[-1], between)
    else:
        outside = np.full(similarity.shape[1], -0.2)
    margin = np.append(np.clip(nearest - outside, -0.5, 0.5), 0.0)
    return {
        "span_cosine": target.meant(similarity.sum(0)) / (target.norms * entity_norm),
        "best_cosine": best,
        "first_margin": margin[target.edges.first],
        "last_margin": margin[target.edges.last],
    }


def _sounds(own: Sequence[int], source: UnitText, entity_text: str, target: Target) -> dict[str, Floats]:
    import numpy as np

    entity = _content(source, own)
    ours = romanise(entity_text)
    sound = target.compared.sound[entity]
    # In any order: the University of Khartoum is Хартумський університет.
    heard = np.append(sound.max(0, initial=0.0), 0.0)
    whole, consonants = _ratio(ours, target.romanised), _ratio(skeleton(ours), target.skeletons)
    return {
        "sound": whole,
        "consonants": consonants,
        "sound_trusted": _trusted(whole),
        "consonants_trusted": _trusted(consonants),
        "sound_words": target.highest(sound * target.content).mean(0),
        "sound_first": heard[target.edges.first],
        "sound_last": heard[target.edges.last],
    }


def _trusted(likeness: Floats) -> Floats:
    """Return how far each likeness is behind the best, in the measure that the best is a good one.

    A name that is written by sound somewhere in the text is where it sounds best; of a name that is
    translated, likeness says nothing.
    """
    best = float(likeness.max()) if len(likeness) else 0.0
    return (likeness - best) * max(best - 0.5, 0.0) * 2


def _ratio(ours: str, theirs: Sequence[str]) -> Floats:
    import numpy as np
    from rapidfuzz import fuzz, process

    if not theirs:
        return np.zeros(0)
    return np.asarray(process.cdist([ours], theirs, scorer=fuzz.ratio)[0], np.float64) / 100


def _sizes(own: Sequence[int], source: UnitText, entity_text: str, target: Target) -> dict[str, Floats]:
    import numpy as np

    ratio = np.log(target.letters / max(len(romanise(entity_text)), 1))
    words = np.abs(np.log(np.maximum(target.sizes, 1) / len(_content(source, own))))
    count, letters = target.full_words, max(sum(map(str.isalpha, entity_text)), 1)
    acronym = float(_acronym(entity_text))
    if acronym:
        # One word, or written out.
        words = np.minimum(words, np.abs(np.log(np.maximum(count, 1) / letters)))
    return {
        "longer": -np.clip(ratio, 0, 2),
        "shorter": -np.clip(-ratio, 0, 2),
        "words_differ": -words,
        "acronym_long": acronym * np.clip(ratio, 0, 2),
        # Written out, an acronym has about as many words as letters.
        "acronym_words": acronym * (count > 1) * np.maximum(1 - np.abs(count - letters) / letters, 0),
    }


def _acronym(text: str) -> bool:
    return text.isupper() and 2 <= len(text) <= 6


def _letters(own: Sequence[int], source: UnitText, entity_text: str, target: Target) -> dict[str, Floats]:
    import numpy as np

    edges = target.edges
    capital = source.units[_content(source, own)[0]].span.of(source.text)[:1].isupper()
    inside = (unit.span.of(source.text) for unit in source.units[own[0] : own[-1] + 1])
    joins = sum(word.lower() in CONJUNCTIONS for word in inside)
    barriers = target.barriers - sum(char in BARRIERS for char in entity_text)
    ends_sentence = target.ends_sentence[target.ranges[:, 1]]
    return {
        "lower_first": -target.lower[edges.first] * capital,
        "name_goes_on": -target.upper[edges.last] * target.upper[edges.after] * (1 - ends_sentence),
        "name_goes_back": -target.upper[edges.first] * target.named[edges.before] * target.after_word,
        "adjective_cut": -target.lower[edges.first]
        * target.named[edges.before]
        * target.chained[edges.before],
        "conjunction_inside": -np.clip(target.conjunctions - joins, 0, 2) / 2,
        "digits_differ": -(target.digits != _NO_DIGITS.sub("", entity_text)).astype(float),
        "mark_last": -np.abs(target.ends_in_mark - float(not entity_text[-1:].isalnum())),
        "barrier_inside": -np.minimum(np.abs(barriers), 3.0) / 3,
    }


def _held(own: Sequence[int], source: UnitText, found: dict[str, Floats]) -> Flags:
    """Say which candidates of a long name are held together by its links to both their ends."""
    import numpy as np

    long = len(_content(source, own)) >= 3
    return np.asarray(long & (found["first_linked"] >= 0.5) & (found["last_linked"] >= 0.5))


def _possible(own: Sequence[int], entity_text: str, target: Target, held: Flags) -> Flags:
    """Say which candidates an entity may take: not far too long, no comma or stop that it does not have.

    Those `held` may cross a comma or a dash: an enumeration or an apposition inside the name.
    """
    import numpy as np

    possible = target.ranges[:, 1] - target.ranges[:, 0] <= 2 * len(own) + 6
    if not any(char in BARRIERS for char in entity_text):
        crossed = target.crossed
        possible &= (crossed == 0) | (held & (crossed <= 2) & (crossed == target.mild))
    if entity_text[-1:] not in SENTENCE_END:
        possible &= target.ends_sentence[target.ranges[:, 1] - 1] == 0
    return np.asarray(possible)


def _loss(found: dict[str, Floats], possible: Flags, *, acronym: bool) -> Floats:
    import numpy as np

    if not possible.any():
        return np.array([1.0, *[0.0] * (len(LOSS_FEATURES) - 1)])
    best = [float(found[name][possible].max()) for name in ("link_f1", "sound", "span_cosine", "best_cosine")]
    return np.array([1.0, float(acronym), *best])


def _f1(a: Floats, b: Floats) -> Floats:
    import numpy as np

    return np.asarray(2 * a * b / np.maximum(a + b, 1e-9))
