"""What the endings of East Slavic words say, as far as it can be read without a dictionary.

Tests for features, whose weights are learnt: they may be wrong about single words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

CONJUNCTIONS = frozenset(("and", "&", "і", "й", "та", "и", "및", "또는", "or", "або", "или", "чи"))

_PRONOUN_WORDS = {
    "en": "he she it they him her them his hers its their theirs",
    "uk": "він вона воно вони його її їх йому їй їм ним нею ними нього неї них ньому ній їхній їхні",
    "ru": "он она оно они его её ее их ему ей им ним нею ними него неё нее них нём нем ней",
    "ko": "그 그녀 그들 그것 이들 이것 저들",
}
PRONOUNS = {lang: frozenset(words.split()) for lang, words in _PRONOUN_WORDS.items()}

_STEM = "[А-ЯҐЄІЇЁа-яґєіїё’'-]*(?:с[ьк]|ськ|ц[ьк]|зьк|н|[оеє]в)к?"
# Endings of an adjective and of the noun it belongs to, by gender, number and case; Ukrainian and Russian.
_PAIRS = [
    (re.compile(_STEM + f"(?:{adjective})"), re.compile(f"[а-яґєіїё’'-]+(?:{noun})"))
    for adjective, noun in (
        ("ий|ій|ый|ой", "[^аеєиіїоуюыэяё]"),
        ("а|я|ая|яя", "[аяь]"),
        ("е|є|ое|ее", "[оея]"),
        ("і|ї|ие|ые", "[иіїыая]"),
        ("ого|ього|его", "[ауюя]"),
        ("ому|ьому|ему", "[ую]|[оеє]ві"),
        ("ім|ому|ем|ом", "[іїеиу]"),
        ("ій|ої|ой|ей", "[іїеиы]"),
        ("ою|ьою|ой|ей", "[оеєёь]ю|[оеё]й"),
        ("у|ю|ую|юю", "[уюь]"),
        ("им|ім|ым", "[оеєёая]м"),
        ("их|іх|ых", "[^еєиіїоуюыэё]"),
        ("ими|ыми|іми", "[ая]ми"),
    )
]
_VERB = re.compile(
    "[а-яґєіїё’'-]+(?:[аяуиіыеє]л[аои](?:ся|сь)?|[аеєиіїюуя]ть(?:ся)?|[аеиуюя]тся|[аяеиую]ет|[аяеию]ют)"
)

_ADVERB = re.compile("[а-яґєіїё’'-]+(?:[лр]ьно|[чнй]но|ивно|чески|ськи|цьки)")


def agree(adjective: str, noun: str) -> bool:
    """Say whether the first word may be an adjective of the second, a noun in small letters."""
    return any(one.fullmatch(adjective) and other.fullmatch(noun) for one, other in _PAIRS)


def finite_verb(word: str) -> bool:
    """Say whether a word in small letters looks like a verb: past, or third person."""
    return bool(_VERB.fullmatch(word))


def adverb(word: str) -> bool:
    """Say whether a word in small letters looks like an adverb made of an adjective."""
    return bool(_ADVERB.fullmatch(word))


def pronouns(words: Sequence[str], lang: str) -> int:
    """Count personal and possessive pronouns of the third person; 0 for a language without a list."""
    known = PRONOUNS.get(lang, frozenset())
    return sum(word.lower() in known for word in words)
