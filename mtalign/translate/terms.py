"""Glossary terms and text that must not be translated: found, protected while decoding, looked for after.

A protected stretch is replaced by a placeholder of Latin capitals and a number, which sentencepiece models
copy as they copy codes and model names. An inflected form of a term counts as found: Slavic words may
differ in their endings, Korean terms may carry particles. Not handled: terms whose stem changes (сон, сна)
beyond the alternations named here, and choosing the inflected form that a sentence needs.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, product
from pathlib import Path
from typing import Literal

from mtalign.document import Span
from mtalign.errors import ConfigError
from mtalign.languages import CYRILLIC, HAN, HANGUL, LANGUAGES, language

Pattern = Literal["url", "email", "handle", "code", "quantity"]

_UNITS = (
    "km/h|km|cm|mm|m|kg|mg|g|t|l|ml|ha|GB|MB|KB|TB|kB|GHz|MHz|Hz|kW|MW|GW|kWh|MWh|W|V|mA|A|°C|°F|°|%|"
    "mph|ft|lb|oz"
)
PATTERNS: Mapping[Pattern, re.Pattern[str]] = {
    "url": re.compile(r"(?:https?://|www\.)[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]}»”’]"),
    "email": re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"),
    "handle": re.compile(r"(?<![\w@])@\w+"),
    "code": re.compile(r"`[^`]+`"),
    "quantity": re.compile(rf"(?<![\w.,])\d[\d.,]*\s?(?:{_UNITS})(?!\w)"),
}


@dataclass(frozen=True)
class Term:
    """A row of a glossary: a source term, and what must stand for it in each target language.

    `case`: the term counts only in the case in which it is written. `whole_word`: not inside of a word.
    """

    source: str
    targets: tuple[tuple[str, str], ...]
    case: bool = False
    whole_word: bool = True

    def target(self, lang: str) -> str | None:
        """Return the term in a target language, if the row gives one."""
        return dict(self.targets).get(lang)


@dataclass(frozen=True)
class Mention:
    """A stretch of a source text that has to stand in the translation as `wanted`.

    `verbatim`: exactly so, as text that is not translated; a term may be inflected.
    """

    span: Span
    wanted: str
    verbatim: bool


@dataclass(frozen=True)
class Masked:
    """A text with placeholders, and what stands for each of them in the translation."""

    text: str
    stem: str = ""
    mentions: tuple[Mention, ...] = ()

    def restore(self, translation: str) -> str | None:
        """Put the wanted text in the place of each placeholder; None unless each is there exactly once.

        Case and white space inside a placeholder may have changed.
        """
        if not self.mentions:
            return translation
        pattern = re.compile(rf"{self.stem[0]}\s?{self.stem[1]}\s?(\d+)", re.IGNORECASE)
        if sorted(map(int, pattern.findall(translation))) != list(range(len(self.mentions))):
            return None

        def wanted(found: re.Match[str]) -> str:
            mention = self.mentions[int(found[1])]
            if found.start() or mention.verbatim:
                return mention.wanted
            return mention.wanted[:1].upper() + mention.wanted[1:]

        return pattern.sub(wanted, translation)


@dataclass(frozen=True)
class Terms:
    """What has to be kept or said in a given way, in all translations.

    `glossary` holds the terms; `protect` names the patterns (`PATTERNS`) that are not translated.
    """

    glossary: tuple[Term, ...] = ()
    protect: tuple[Pattern, ...] = ()
    _index: dict[str, _Index] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def signature(self) -> str:
        """Eight hexadecimal digits that change with the terms and patterns."""
        return hashlib.sha256(repr((self.glossary, self.protect)).encode()).hexdigest()[:8]

    def mentions(self, text: str, target: str) -> tuple[Mention, ...]:
        """Return what has to be kept or said in a given way in a text, in order and without overlaps.

        Patterns come before terms, and of terms that overlap the first and then the longest counts.
        """
        found = [
            Mention(Span(*match.span()), match.group(), verbatim=True)
            for name in self.protect
            for match in PATTERNS[name].finditer(text)
        ]
        if self.glossary:
            if target not in self._index:
                self._index[target] = _Index(self.glossary, target)
            found += self._index[target].find(text)
        kept: list[Mention] = []
        for mention in sorted(found, key=lambda each: (not each.verbatim, each.span.start, -len(each.span))):
            if not any(mention.span.overlaps(other.span) for other in kept):
                kept.append(mention)
        return tuple(sorted(kept, key=lambda each: each.span))


class _Index:
    """The terms of one target language by their first word, so that a large glossary costs little."""

    def __init__(self, terms: Sequence[Term], target: str) -> None:
        self._by_word: dict[str, list[tuple[int, re.Pattern[str], str]]] = defaultdict(list)
        self._inside: list[tuple[re.Pattern[str], str]] = []
        for term in terms:
            wanted = term.target(target)
            if wanted is None:
                continue
            flags = re.RegexFlag(0) if term.case else re.IGNORECASE
            written = re.escape(term.source)
            first = re.search(r"\w+", term.source)
            if term.whole_word and first:
                pattern = re.compile(rf"(?<!\w){written}(?!\w)", flags)
                self._by_word[first.group().lower()].append((first.start(), pattern, wanted))
            else:
                self._inside.append((re.compile(written, flags), wanted))

    def find(self, text: str) -> Iterator[Mention]:
        for word in re.finditer(r"\w+", text):
            for offset, pattern, wanted in self._by_word.get(word.group().lower(), ()):
                if offset <= word.start() and (found := pattern.match(text, word.start() - offset)):
                    yield Mention(Span(*found.span()), wanted, verbatim=False)
        for pattern, wanted in self._inside:
            for found in pattern.finditer(text):
                yield Mention(Span(*found.span()), wanted, verbatim=False)


def mask(text: str, mentions: Sequence[Mention]) -> Masked:
    """Put a placeholder in the place of each mention; its two letters stand nowhere in the text."""
    if not mentions:
        return Masked(text)
    letters = ("".join(pair) for pair in chain([("X", "Q"), ("Z", "Q")], product("XZQWVKJ", repeat=2)))
    upper = "".join(text.upper().split())
    stem = next((each for each in letters if each not in upper), None)
    if stem is None:
        return Masked(text)
    pieces, end = [], 0
    for number, mention in enumerate(mentions):
        pieces += [text[end : mention.span.start], f"{stem}{number}"]
        end = mention.span.end
    return Masked("".join([*pieces, text[end:]]), stem, tuple(mentions))


def missing(mentions: Sequence[Mention], translation: str, lang: str) -> list[str]:
    """Return what has to stand in a translation and does not.

    Text that is kept must be there as often as in the source; of a term once will do.
    """
    wanted = Counter((each.wanted, each.verbatim) for each in mentions)
    return [
        text
        for (text, verbatim), count in wanted.items()
        if (translation.count(text) < count if verbatim else not find_term(translation, text, lang))
    ]


# --- Inflected forms -----------------------------------------------------------------------------------

_VOWEL_ENDINGS = (  # noqa: SIM905 (a table reads better without quotes)
    "а я о е ё є и і ї у ю ы э ь й ам ям ах ях ами ями ом ем ём єм ою ею єю ой ей ёй єй ій їй ов ев ёв єв ів "
    "їв ия ии ий ие ию иям иях иями ья ье ью ьи ьей ьев ьям ьях ьями ыми ими ым им їм ых их їх ого его ього "
    "ому ему ьому ая яя ое ее ую юю ый ої ьої еві єві ові ію ії ією ієм іям іях іями"
).split()
# Харків, Харкова; Київ, Києва: the vowel of the last syllable changes when an ending follows.
_ALTERNATING = frozenset(
    ["ів", "їв", *(a + b for a in ("ов", "ев", "єв") for b in ("а", "у", "ом", "і", "ові", "е"))]
)
_ENDINGS = _ALTERNATING.union([""], _VOWEL_ENDINGS)
_LONGEST_ENDING = max(map(len, _ENDINGS))
# Відень, Відня; рынок, рынка: the vowel of the last syllable goes when an ending follows.
_FLEETING = re.compile(r"(\w{2,})(?:[оеё](к)|[еє](ц)ь?|е(н)ь|[её](л))")
# міст, мосту; Тернопіль, Тернополя: the і of a closed syllable.
_CLOSED = re.compile(r"(\w+)і([бвгґджзклмнпрстфхцчшщ]{1,2})ь?")
_PARTICLES = (
    "으로부터|로부터|에게서|에서|에게|한테|께서|으로서|으로써|로서|로써|으로|로|이라고|라고|이라는|라는|"
    "이란|란|이나|나|이며|며|이자|자|이다|이었다|였다|이고|고|인|일|과|와|은|는|이|가|을|를|의|에|도|만|까지|"
    "부터|보다|처럼|마다|조차|마저|밖에|들|측|께|여|야|아|이라며|라며|이라면|라면|이라서|라서|이라도|라도|"
    "이지만|지만|이었던|였던|이던|던|이든|든|뿐|만큼|대로"
)


def find_term(text: str, term: str, lang: str) -> list[Span]:
    """Return where a term stands in a text of its language, inflected forms included, without overlaps."""
    script = language(lang).script
    if script == HANGUL:
        spaced = r"\s?".join(map(re.escape, term.split()))
        pattern = rf"(?<![가-힣]){spaced}(?:{_PARTICLES})*(?![가-힣])"
    elif script == HAN:
        pattern = re.escape(term)
    elif script == CYRILLIC:
        return list(_inflected(text, term))
    else:
        pattern = rf"(?<!\w){re.escape(term)}(?!\w)"
    return [Span(*found.span()) for found in re.finditer(pattern, text, re.IGNORECASE)]


def _inflected(text: str, term: str) -> Iterator[Span]:
    """Yield the runs of words that differ from those of the term in their endings only."""
    words = list(re.finditer(r"[\w'’ʼ]+", text))
    wanted = re.findall(r"[\w'’ʼ]+", term)
    start = 0
    while wanted and start + len(wanted) <= len(words):
        run = words[start : start + len(wanted)]
        if all(differ_in_ending(word.group(), own) for word, own in zip(run, wanted, strict=True)):
            yield Span(run[0].start(), run[-1].end())
            start += len(wanted)
        else:
            start += 1


def differ_in_ending(word: str, other: str) -> bool:
    """Say whether two Slavic words in Cyrillic have one stem, and an ending each that the languages know.

    A stem has three letters at least, or is the whole of one of the words, or stands before a syllable
    whose vowel changes or goes.
    """
    word, other = word.casefold(), other.casefold()
    if any(_opens_into(a, b) for a, b in ((word, other), (other, word))):
        return True
    common = next(
        (i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other))
    )
    least = min(3, len(word), len(other))
    return any(
        {word[cut:], other[cut:]} <= (_ENDINGS if cut >= least else _ALTERNATING)
        for cut in range(max(1, max(len(word), len(other)) - _LONGEST_ENDING), common + 1)
    )


def _opens_into(closed: str, word: str) -> bool:
    """Say whether a word is another with an ending, before which the vowel of its last syllable changed."""
    stems = []
    if found := _FLEETING.fullmatch(closed):
        stems.append("".join(filter(None, found.groups())))
    if found := _CLOSED.fullmatch(closed):
        stems += [f"{found[1]}{vowel}{found[2]}" for vowel in "ое"]
    return any(word.startswith(stem) and word[len(stem) :] in _VOWEL_ENDINGS for stem in stems)


# --- Glossary files ------------------------------------------------------------------------------------

_FLAGS = {"yes": True, "no": False}


def read_glossary(path: Path) -> tuple[Term, ...]:
    """Read a glossary: tab-separated, with a header row.

    The columns are `source`, one for each target language under its code, and, where wanted, `case` and
    `whole_word` with yes or no (no and yes when empty). An empty cell leaves a language out.

    Raises:
        ConfigError: it cannot be read, has no column `source` or one of an unknown name, or a row has no
            source, repeats one, or has a flag other than yes and no; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"glossary {path} cannot be read: {error}") from error
    rows = csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = [name.strip() for name in next(rows, [])]
    unknown = sorted(set(header) - {"source", "case", "whole_word"} - set(LANGUAGES))
    if "source" not in header or unknown or len(set(header)) < len(header):
        raise ConfigError(
            f"glossary {path}: the first line must name the columns: source, language codes such as ko, and "
            f"perhaps case and whole_word, each once; found {', '.join(header) or 'nothing'}"
        )
    terms: dict[str, Term] = {}
    for number, cells in enumerate(rows, 2):
        if any(cell.strip() for cell in cells):
            term = _term(header, cells, f"glossary {path}, line {number}")
            if term.source in terms:
                raise ConfigError(
                    f"glossary {path}, line {number}: {term.source!r} stands there a second time"
                )
            terms[term.source] = term
    return tuple(terms.values())


def _term(header: Sequence[str], cells: Sequence[str], where: str) -> Term:
    if len(cells) > len(header):
        raise ConfigError(f"{where}: {len(cells)} cells under {len(header)} columns")
    row = {name: " ".join(cell.split()) for name, cell in zip(header, cells, strict=False)}
    source = row.pop("source", "")
    if not source:
        raise ConfigError(f"{where}: no source term")
    flags = {}
    for name, default in (("case", "no"), ("whole_word", "yes")):
        value = row.pop(name, "") or default
        if value not in _FLAGS:
            raise ConfigError(f"{where}: {name} is {value!r}; write yes or no")
        flags[name] = _FLAGS[value]
    targets = tuple((lang, target) for lang, target in row.items() if target)
    return Term(source, targets, case=flags["case"], whole_word=flags["whole_word"])
