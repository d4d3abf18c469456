"""Sentence boundaries by named rules, for every language of the table.

Each place where a sentence may end is put to one rule after the other; a rule says yes, no or nothing,
and where all say nothing the sentence ends. Rules as small named functions are the idea of razdel
(natasha/razdel); these rules and tables are our own. Measured on news in English, Korean, Ukrainian and
Russian (`scripts/bench_segmentation.py`); the other languages share the rules, with shorter tables of
abbreviations. Not handled: text wrapped at a fixed column (every line break ends a sentence), two
sentences with nothing between them but a space, and sentences inside the brackets of another.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import msgspec

from mtalign.abbreviations import ABBREVIATIONS, LATIN, Abbreviations
from mtalign.document import Document, Sentence, Span, paragraph_spans
from mtalign.languages import CYRILLIC, HAN, language
from mtalign.languages import LATIN as LATIN_SCRIPT

_CLOSERS = "\"'”’“‘»›)]}」』】）"
# Without spaces between sentences, a “ or ‘ written onto an ender opens the next one.
_CLOSERS_OF_HAN = _CLOSERS.replace("“", "").replace("‘", "")
_OPENERS = "\"'“‘„«‹([{「『【（¿¡"
_QUOTES = frozenset("\"'”’“‘»›」』")
_DASHES = "—–―-"
_WIDE_ENDERS = frozenset("。！？")
_CASED = frozenset({LATIN_SCRIPT, CYRILLIC})

# How far a rule looks to either side, in characters: a constant, so that time is linear in the text.
_WINDOW = 48
_LONGEST_ABBREVIATION = 16

# Languages that write 3rd as "3.", so that a short number with a full stop is inside a sentence.
_ORDINAL_STOP = frozenset({"de", "cs", "pl", "tr"})

# What Korean and Japanese put after a closing quote to go on with the sentence around it.
_QUOTATIVES = {
    "ko": re.compile(r"이?라(?:고|며|는|면서)|(?:이?란|고|며|면서|하고|하며|는)(?!\w)"),
    "ja": re.compile(r"と|って|など"),
}

# What says whose a closed quotation was, up to four words and a verb; no new quotation may follow it.
_ATTRIBUTIONS = {
    "en": re.compile(r"(?:[A-Z][\w.'’-]*\s){1,4}(?:said|asked|added|wrote|replied|reported|shouted)[.,]"),
    "ko": re.compile(
        r"(?:[^\s.!?]+\s){1,4}(?:말|전|밝|덧붙|물|보도)(?:[했혔였었]다|[했혔였었]습니다|한다|합니다)\.(?!\s*[\"“‘'])"
    ),
}
_KOREAN_ENDINGS = frozenset("다요까죠네지군")
_KOREAN_DATE = re.compile(r"\d{4}\.\s?\d{1,2}\.\s?\d{1,2}$")
_DOLLARS = frozenset({"дол", "долл"})

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_LAST_WORD = re.compile(r"(?:[^\W\d_]{1,5}\.-?\s?)*[^\W\d_]+(?:-[^\W\d_]+)?$")
_NUMBER_AT_END = re.compile(r"(?:\d|\b[IVXLC]+)[\s\u2013-]*$")
_FIRST_WORD = re.compile(rf"[{re.escape(_OPENERS + _DASHES)}\s]*([^\W_]+(?:['’][^\W\d_]+)?)")
_LIST_MARK = re.compile(r"[(\[]?(?:\d{1,3}(?:\.\d{1,3}){0,3}|[^\W\d_]|[ivxIVX]{1,4})\.?[)\]]?")
_ROMAN = re.compile(r"[IVXLC]+")
_NOT_SPACE = re.compile(r"\S")


@dataclass(frozen=True)
class Site:
    """A place where a sentence may end.

    The sentence so far begins at `start`; the ender stands at `mark`; it and what closes after it end at
    `end`; the next text begins at `next`. All are offsets into `text`.
    """

    text: str
    lang: str
    start: int
    mark: int
    end: int
    next: int

    @property
    def ender(self) -> str:
        """The first of the characters that may end the sentence."""
        return self.text[self.mark]

    @property
    def run(self) -> str:
        """The enders and closing marks, `.”` or `?!)`."""
        return self.text[self.mark : self.end]

    @property
    def spaced(self) -> bool:
        """Whether white space follows."""
        return self.next > self.end

    @cached_property
    def before(self) -> str:
        """What stands before the ender, within the window and the sentence."""
        return self.text[max(self.start, self.mark - _WINDOW) : self.mark]

    @cached_property
    def after(self) -> str:
        """What follows, within the window."""
        return self.text[self.next : self.next + _WINDOW]

    @cached_property
    def last_word(self) -> str:
        """The word before the ender; an abbreviation of several parts counts as one, `т.д` for `т. д`."""
        found = _LAST_WORD.search(self.before[-_LONGEST_ABBREVIATION:])
        return "".join(found.group().split()) if found else ""

    @property
    def last_piece(self) -> str:
        """The last part of the word before: `П` of `А.П`."""
        return self.last_word.rpartition(".")[2].lstrip("-")

    @cached_property
    def first(self) -> re.Match[str] | None:
        """The match of the word that follows and of what opens before it."""
        return _FIRST_WORD.match(self.after)

    @property
    def first_word(self) -> str:
        """The word that follows, without what opens before it; empty where it is no word."""
        return self.first[1] if self.first else ""

    @property
    def abbreviations(self) -> Abbreviations:
        """The row of the language."""
        return ABBREVIATIONS.get(self.lang, LATIN)

    @cached_property
    def full_stop(self) -> bool:
        """Whether the ender is one full stop, the only one that abbreviations have."""
        return self.ender == "." and not self.run.startswith("..")

    @property
    def script(self) -> str:
        """The script of the language."""
        return language(self.lang).script

    @property
    def cased(self) -> bool:
        """Whether the language tells capitals from small letters."""
        return self.script in _CASED

    @property
    def starter(self) -> bool:
        """Whether the word that follows is one of those that open sentences in this language."""
        if not self.first or self.after.startswith(".", self.first.end()):
            return False  # A. is an initial, whatever "A" may open
        return self.first_word in self.abbreviations.starters

    @cached_property
    def forms(self) -> frozenset[str]:
        """The forms under which a table may hold the word before a full stop; none before other enders."""
        if not self.full_stop or not self.last_word:
            return frozenset()
        whole = _with_small_initial(self.last_word)
        if "." not in self.last_word or not self.abbreviations.known.isdisjoint(whole):
            return whole
        return _with_small_initial(self.last_piece)

    def is_one_of(self, table: frozenset[str]) -> bool:
        """Say whether the word before the full stop is in a table of abbreviations."""
        return not table.isdisjoint(self.forms)


Rule = Callable[[Site], "bool | None"]


def quotative(site: Site) -> bool | None:
    """No: a quotation has closed and a particle takes it into the sentence around it (“…다.”라고)."""
    goes_on = _QUOTATIVES.get(site.lang)
    if goes_on and site.run[-1] in _QUOTES and goes_on.match(site.after):
        return False
    return None


def no_space(site: Site) -> bool | None:
    """No without white space, as in 3.5 or nato.int; but 。 needs none."""
    if site.spaced:
        return None
    return not _WIDE_ENDERS.isdisjoint(site.run)


def mark_right(site: Site) -> bool | None:
    """No if a mark follows that belongs to the sentence before it: `. , …`, or dots with spaces."""
    return False if site.after[0] in ",;:%.?!…" else None


def mark_in_brackets(site: Site) -> bool | None:
    """No for a comment in the sentence: (!), (?)."""
    return False if site.before[-1:] in {"(", "["} and site.run[-1] in ")]" else None


def small_letter_right(site: Site) -> bool | None:
    """No if a small letter follows, also behind a dash or quote: `?» — спросил он`."""
    return False if site.cased and site.first_word[:1].islower() else None


def headline_ellipsis(site: Site) -> bool | None:
    """No after dots in Korean unless the word before has the ending of a sentence: 유가 급등… 증시 하락."""
    if site.lang != "ko" or site.full_stop or site.ender not in ".…":
        return None
    return None if site.before.rstrip()[-1:] in _KOREAN_ENDINGS else False


def list_mark(site: Site) -> bool | None:
    """No if all of the sentence so far is the mark of a list item: 1. / 2.1. / a."""
    if site.mark - site.start > _WINDOW or not site.full_stop:
        return None
    mark = _LIST_MARK.fullmatch(site.before)
    return False if mark and (site.cased or site.before[-1:].isdigit()) else None


def date_of_numbers(site: Site) -> bool | None:
    """No inside and after a Korean date in numbers: 2024. 10. 28. 서울에서."""
    if site.lang != "ko" or not site.before[-1:].isdigit():
        return None
    return False if site.after[0].isdigit() or _KOREAN_DATE.search(site.before) else None


def ordinal(site: Site) -> bool | None:
    """No after a short number where a full stop makes it an ordinal: am 3. Oktober."""
    if site.lang not in _ORDINAL_STOP or not site.full_stop:
        return None
    return False if re.search(r"(?<![\d.,])\d{1,2}$", site.before) else None


def head_abbreviation(site: Site) -> bool | None:
    """No after a word that something always follows: Mr. / ул."""
    return False if site.is_one_of(site.abbreviations.head) else None


def abbreviation_of_number(site: Site) -> bool | None:
    """No between an abbreviation and its number: No. 5 / ст. 105."""
    if not site.is_one_of(site.abbreviations.number):
        return None
    numeral = site.first_word[:1].isdigit() or _ROMAN.fullmatch(site.first_word)
    return False if numeral else None


def unit_abbreviation(site: Site) -> bool | None:
    """No unless a number stands before it: г. Москва, but 1990 г."""
    if not site.is_one_of(site.abbreviations.unit):
        return None
    piece = site.last_word.rpartition(".")[2]
    return None if _NUMBER_AT_END.search(site.before[: -len(piece)]) else False


def tail_abbreviation(site: Site) -> bool | None:
    """No between a tail and a number (5 тыс. 300), and in a language whose letters have no case."""
    if not site.is_one_of(site.abbreviations.tail):
        return None
    return False if site.first_word[:1].isdigit() or not site.cased else None


def either_abbreviation(site: Site) -> bool | None:
    """Yes before a word that opens sentences (U.S. The), otherwise no (U.S. President)."""
    return site.starter if site.is_one_of(site.abbreviations.either) else None


def dollar_of_country(site: Site) -> bool | None:
    """No between долл. and США."""
    return False if site.first_word == "США" and site.is_one_of(_DOLLARS) else None


def initials(site: Site) -> bool | None:
    """No after the initials of a name, unless a word follows that opens sentences: J. K. Rowling."""
    initial = site.last_piece
    if not site.full_stop or len(initial) != 1 or not initial.isupper() or site.before[-2:-1].isdigit():
        return None
    if initial.isascii() and site.script == CYRILLIC and not site.first_word[:1].isascii():
        return None  # Washington D.C. В пятницу: a name and its initials are written in one script
    return site.starter


def attribution(site: Site) -> bool | None:
    """No between a closed quotation and the words that say whose it is: “Ready?” Mr. Adams asked.

    In English a full stop ends the sentence all the same, since before such words it would be a comma.
    """
    says = _ATTRIBUTIONS.get(site.lang)
    if not says or site.run[-1] not in _QUOTES or (site.lang == "en" and site.ender == "."):
        return None
    return False if says.match(site.after) else None


RULES: tuple[Rule, ...] = (
    quotative,
    no_space,
    mark_right,
    mark_in_brackets,
    small_letter_right,
    headline_ellipsis,
    list_mark,
    date_of_numbers,
    ordinal,
    head_abbreviation,
    abbreviation_of_number,
    unit_abbreviation,
    tail_abbreviation,
    either_abbreviation,
    dollar_of_country,
    initials,
    attribution,
)


def decide(site: Site) -> tuple[bool, str]:
    """Return whether the sentence ends here, and the name of the rule that said so."""
    for rule in RULES:
        verdict = rule(site)
        if verdict is not None:
            return verdict, rule.__name__
    return True, "default"


def split_sentences(text: str, lang: str) -> list[Span]:
    """Return the spans of the sentences of `text`, in order, without white space around them.

    Every line break ends a sentence; all that the spans leave out is white space. Time is linear.

    Raises:
        UnknownLanguage: `lang` has no row in the table of languages.
    """
    row = language(lang)
    site_pattern = _site_pattern(row.enders, _CLOSERS_OF_HAN if row.script == HAN else _CLOSERS)
    return [
        span for line in _LINE.finditer(text) for span in _split_line(text, lang, line.span(), site_pattern)
    ]


def segment(document: Document) -> Document:
    """Return the document with its sentences; one that has them already is returned as it is.

    Raises:
        UnknownLanguage: the document's language has no row in the table of languages.
    """
    if document.sentences:
        return document
    spans = split_sentences(document.text, document.lang)
    starts = [paragraph.start for paragraph in paragraph_spans(document.text)]
    sentences = tuple(Sentence(span, bisect_right(starts, span.start) - 1) for span in spans)
    return msgspec.structs.replace(document, sentences=sentences)


@lru_cache
def _site_pattern(enders: str, closers: str) -> re.Pattern[str]:
    """An ender, the enders and closing marks written onto it, and a quote that closes behind a space."""
    ends, closes = re.escape(enders), re.escape(closers)
    return re.compile(rf"[{ends}][{ends}{closes}]*(?:[ \u00a0\u202f][»”](?!\S))?")


def _split_line(text: str, lang: str, line: tuple[int, int], site_pattern: re.Pattern[str]) -> Iterator[Span]:
    start = _after_space(text, *line)
    stop = start + len(text[start : line[1]].rstrip())
    for found in site_pattern.finditer(text, start, stop):
        following = _after_space(text, found.end(), stop)
        if following == stop:
            break
        site = Site(text, lang, start, found.start(), found.end(), following)
        if decide(site)[0]:
            yield Span(start, found.end())
            start = following
    if start < stop:
        yield Span(start, stop)


def _after_space(text: str, start: int, stop: int) -> int:
    found = _NOT_SPACE.search(text, start, stop)
    return found.start() if found else stop


def _with_small_initial(word: str) -> frozenset[str]:
    return frozenset((word, word[0].lower() + word[1:]))
