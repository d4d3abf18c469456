"""The values of the numbers in a sentence, so that two languages can be compared.

    600,000 = 600 000 = 600 тысяч = 60만        850 million = 850 млн = 8억5000만

What is written in digits gives `Number`s. One may have several readings (1,500 is 1500 or 1.5; 5m is five
million or five metres), and two numbers agree if they share one. Numbers written as words only ever
confirm a number on the other side. Not handled: fractions in words, units that a translator converts
(miles to kilometres), and languages without a row in `_READERS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

THOUSAND, MILLION, BILLION, TRILLION = (Decimal(10) ** power for power in (3, 6, 9, 12))

# Up to twelve, words and digits change places at will: six hours, 6시간, шестичасовой.
OFTEN_A_WORD = 12


@dataclass(frozen=True)
class Number:
    """A number in digits: as it is written, and what it may mean.

    `firm` says that it should stand in a translation too; a small whole number need not, since it may
    become a word.
    """

    text: str
    readings: frozenset[Decimal]
    firm: bool


@dataclass(frozen=True)
class Mismatch:
    """Firm numbers of the source that the target does not have, and the other way round."""

    missing: tuple[Number, ...]
    added: tuple[Number, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.added)


def can_read(lang: str) -> bool:
    """Say whether numbers in this language can be read."""
    return lang in _READERS


def read_numbers(text: str, lang: str) -> list[Number]:
    """Return the numbers that `text` writes in digits, in order. `lang` must be one that `can_read`."""
    return list(_READERS[lang](text))


def compare_numbers(source: str, source_lang: str, target: str, target_lang: str) -> Mismatch:
    """Compare the values of the numbers of a sentence and its translation, whatever their order or count."""
    left, right = read_numbers(source, source_lang), read_numbers(target, target_lang)
    return Mismatch(
        missing=_without_match(left, right, lambda: _SPELLED[target_lang](target)),
        added=_without_match(right, left, lambda: _SPELLED[source_lang](source)),
    )


def _without_match(
    numbers: list[Number], others: list[Number], spelled: Callable[[], Iterable[Decimal]]
) -> tuple[Number, ...]:
    """Return the firm numbers that share no reading with the others, in digits or spelled out."""
    in_digits = frozenset[Decimal]().union(*(other.readings for other in others))
    left = tuple(each for each in numbers if each.firm and in_digits.isdisjoint(each.readings))
    if not left:
        return ()
    in_words = frozenset(spelled())
    return tuple(each for each in left if in_words.isdisjoint(each.readings))


# --- Numbers in digits ---------------------------------------------------------------------------------

_NARROW_SPACES = "\u00a0\u202f\u2009"
_PERCENT = re.compile(rf"[\s{_NARROW_SPACES}-]?(?:%|percent|per cent|процент|відсот|퍼센트|프로)")
_DECADE = re.compile(r"['’]?s\b|-?(?:х|е|ті|тих|ых|ых)\b|년대")
_AFTERNOON = re.compile(r"(?:[:.]\d\d)?\s?(?:p\.?\s?m\b|вечера|вечора|дня|ночі|ночи)", re.IGNORECASE)
_RANGE = re.compile(r"\s?(?:[-–—~〜]|to|and|or|до|и|или|і|й|та|або)\s?$|에서\s?$")
_MINUTES_BEFORE = re.compile(r"\d:$|시\s$")
_AFTERNOON_KO = re.compile(r"(?:오후|저녁|밤)\s?$")

_GROUPED = r"\d{1,3}(?P<sep>[%s])\d{3}(?!\d)(?:(?P=sep)\d{3}(?!\d))*(?P<fraction>[.,]\d+)?|\d+(?:[.,]\d+)*"
_DIGITS_WITH_COMMAS = re.compile(_GROUPED % f",'’{_NARROW_SPACES}")
_DIGITS_WITH_SPACES = re.compile(_GROUPED % f".,'’ {_NARROW_SPACES}")


@dataclass(frozen=True)
class _Token:
    """Digits at a place, with the factor that a word after them gives and where all of it ends."""

    start: int
    end: int
    values: frozenset[Decimal]
    factors: tuple[Decimal, ...] = (Decimal(1),)

    @property
    def scaled(self) -> frozenset[Decimal]:
        return frozenset(value * factor for value in self.values for factor in self.factors)


def _plain_values(found: re.Match[str], decimal_marks: str) -> frozenset[Decimal]:
    """Return the readings of digits with separators, before any factor."""
    text, separator, fraction = found.group(), found["sep"], found["fraction"]
    if separator is None:
        parts = re.split("[.,]", text)
        if len(parts) == 2:
            return frozenset({Decimal(".".join(parts))})
        return frozenset(map(Decimal, parts))  # a date or a version: each of its numbers will do
    groups = text.removesuffix(fraction or "").split(separator)
    values = {Decimal("".join(groups) + (fraction or "").replace(",", "."))}
    if fraction or "000" in groups:
        return frozenset(values)
    if separator in decimal_marks and len(groups) == 2:
        values.add(Decimal(".".join(groups)))
    if separator.isspace():
        values.update(map(Decimal, groups))  # a telephone number, or two numbers side by side
    return frozenset(values)


def _finish(text: str, tokens: list[_Token]) -> Iterator[Number]:
    """Yield the numbers: ranges share their factor, decades and clock times get a second reading."""
    for index, token in enumerate(tokens):
        readings = set(token.scaled)
        if index + 1 < len(tokens) and token.factors == (Decimal(1),):
            following = tokens[index + 1]
            if _RANGE.fullmatch(text[token.end : following.start]):
                shared = (value for value in token.values if value < THOUSAND)
                readings |= {value * factor for value in shared for factor in following.factors}
        if _DECADE.match(text, token.end):
            readings |= {value % 100 for value in token.values}
        if _AFTERNOON.match(text, token.end) or _AFTERNOON_KO.search(
            text[max(0, token.start - 4) : token.start]
        ):
            hours = {value - value % 1 for value in token.values}
            readings |= hours | {hour + 12 for hour in hours}
        if text.endswith(":", 0, token.start):
            readings |= {value - value % 1 for value in token.values}  # 19:42.6, the seconds alone
        minutes = max(token.values) < 60 and _MINUTES_BEFORE.search(
            text[max(0, token.start - 2) : token.start]
        )
        firm = not minutes and all(value > OFTEN_A_WORD or value % 1 for value in token.scaled)
        percent = _PERCENT.match(text, token.end) is not None
        yield Number(text[token.start : token.end], frozenset(readings), firm or percent)


def _reader(
    digits: re.Pattern[str], decimal_marks: str, factors: tuple[tuple[str, tuple[Decimal, ...]], ...]
) -> Callable[[str], Iterator[Number]]:
    """Return a reader for a language that writes a word for the factor after the digits."""
    patterns = [(re.compile(pattern, re.IGNORECASE), values) for pattern, values in factors]

    def tokens(text: str) -> Iterator[_Token]:
        for found in digits.finditer(text):
            for pattern, values in patterns:
                if word := pattern.match(text, found.end()):
                    yield _Token(found.start(), word.end(), _plain_values(found, decimal_marks), values)
                    break
            else:
                yield _Token(found.start(), found.end(), _plain_values(found, decimal_marks))

    def read(text: str) -> Iterator[Number]:
        return _finish(text, list(_joined(text, tokens(text))))

    return read


def _joined(text: str, tokens: Iterable[_Token]) -> Iterator[_Token]:
    """Join `2 млн 300 тыс.`: falling factors with nothing but a space between them."""
    last: _Token | None = None
    for token in tokens:
        if last and last.factors[0] > token.factors[0] > 1 and not text[last.end : token.start].strip():
            total = frozenset(a + b for a in last.scaled for b in token.scaled)
            last = _Token(last.start, token.end, total)
            continue
        if last:
            yield last
        last = token
    if last:
        yield last


_KOREAN_SMALL = {"십": 10, "백": 100, "천": 1_000}
_KOREAN_BIG = {"만": 10**4, "억": 10**8, "조": 10**12}
# 조 also begins words (2조각, two pieces); a factor behind a space counts only if it stands alone.
_KOREAN_ATOM = re.compile(
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)*)"
    r"\s?(?P<small>(?<!\s)[십백천]|천(?=만))?"
    r"(?P<big>(?<!\s)(?:[만억]|조(?![각직사치항]))|(?<=\s)[만억조](?![가-힣]))?"
)


@dataclass(frozen=True)
class _Atom:
    """Digits and the factors behind them: 5천만 is 5, 1000 and 10,000. A factor that is not there is 1."""

    start: int
    end: int
    digits: str
    small: int
    big: int

    @property
    def values(self) -> frozenset[Decimal]:
        parts = self.digits.split(".")
        if len(parts) <= 2:
            return frozenset({Decimal(self.digits)})
        return frozenset(map(Decimal, parts))  # a date


def _korean_atom(found: re.Match[str]) -> _Atom:
    small, big = found["small"], found["big"]
    if found.string.endswith("분의 ", 0, found.start()):
        small = big = None  # 3분의 1만: only a third
    end = found.end() if small or big else found.end("digits")
    return _Atom(
        found.start(),
        end,
        found["digits"].replace(",", ""),
        _KOREAN_SMALL.get(small, 1),
        _KOREAN_BIG.get(big, 1),
    )


def _read_korean(text: str) -> Iterator[Number]:
    """Yield the numbers of a Korean text, where digits and 만 억 조 make up one number: 8억5000만."""
    return _finish(text, list(_korean_tokens(text)))


def _korean_tokens(text: str) -> Iterator[_Token]:
    atoms = [_korean_atom(found) for found in _KOREAN_ATOM.finditer(text)]
    at = 0
    while at < len(atoms):
        last = at
        while last + 1 < len(atoms) and _belongs(text, atoms[last], atoms[last + 1]):
            last += 1
        yield _korean_token(atoms[at : last + 1])
        at = last + 1


def _belongs(text: str, atom: _Atom, following: _Atom) -> bool:
    """Say whether two pieces are of one number: 2천|5백만, 8억|5000만, 8억 |5000만."""
    if following.start == atom.end:
        return atom.small > 1 or atom.big > 1
    spaced = text[atom.end : following.start] == " "
    return spaced and atom.big > following.big and (following.big > 1 or len(following.digits) >= 4)


def _korean_token(atoms: list[_Atom]) -> _Token:
    first, last = atoms[0], atoms[-1]
    if len(atoms) == 1:
        return _Token(first.start, first.end, first.values, (Decimal(first.small * first.big),))
    total = section = Decimal(0)
    for atom in atoms:
        section += max(atom.values) * atom.small
        if atom.big > 1:
            total += section * atom.big
            section = Decimal(0)
    return _Token(first.start, last.end, frozenset({total + section}))


_SEPARATED = rf"[\s{_NARROW_SPACES}-]?"
_read_english = _reader(
    _DIGITS_WITH_COMMAS,
    ".",
    (
        (rf"{_SEPARATED}thousands?\b|k\b", (THOUSAND,)),
        (rf"{_SEPARATED}millions?\b|\s?mn\b", (MILLION,)),
        (rf"{_SEPARATED}billions?\b|\s?bn\b", (BILLION,)),
        (rf"{_SEPARATED}trillions?\b|\s?tn\b", (TRILLION,)),
        (r"m\b", (MILLION, Decimal(1))),
        (r"b\b", (BILLION, Decimal(1))),
    ),
)
_read_ukrainian = _reader(
    _DIGITS_WITH_SPACES,
    ".,",
    (
        (rf"{_SEPARATED}(?:тис\b\.?|тисяч(?!оліт)\w*)", (THOUSAND,)),
        (rf"{_SEPARATED}(?:млн\b|мільйон\w*)", (MILLION,)),
        (rf"{_SEPARATED}(?:млрд\b|мільярд\w*)", (BILLION,)),
        (rf"{_SEPARATED}(?:трлн\b|трильйон\w*)", (TRILLION,)),
    ),
)
_read_russian = _reader(
    _DIGITS_WITH_SPACES,
    ".,",
    (
        (rf"{_SEPARATED}(?:тыс\b\.?|тысяч(?!елет)\w*)", (THOUSAND,)),
        (rf"{_SEPARATED}(?:млн\b|миллион\w*)", (MILLION,)),
        (rf"{_SEPARATED}(?:млрд\b|миллиард\w*)", (BILLION,)),
        (rf"{_SEPARATED}(?:трлн\b|триллион\w*)", (TRILLION,)),
    ),
)

_READERS: dict[str, Callable[[str], Iterator[Number]]] = {
    "en": _read_english,
    "ko": _read_korean,
    "uk": _read_ukrainian,
    "ru": _read_russian,
}


# --- Numbers in words ----------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W\d_]+(?:['’ʼ][^\W\d_]+)?")
_ROMAN = re.compile(r"\b[IVXLC]{2,}\b")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_HALF = Decimal("0.5")
# Two decades, three dozen, five hundred.
_MULTIPLIED = frozenset(map(Decimal, (10, 12, 100)))


def _vocabulary(text: str) -> list[tuple[re.Pattern[str], Decimal]]:
    """Read lines of `value pattern pattern …`."""
    rows = (line.split() for line in text.strip().splitlines())
    return [(re.compile("|".join(patterns), re.IGNORECASE), Decimal(value)) for value, *patterns in rows]


_ENGLISH_WORDS = _vocabulary(
    """
    0.5 half
    1 one
    2 two
    3 three
    4 four
    5 five
    6 six
    7 seven
    8 eight
    9 nine
    10 ten decades?
    11 eleven
    12 twelve dozen
    13 thirteen(?:th)?
    14 fourteen(?:th)?
    15 fifteen(?:th)?
    16 sixteen(?:th)?
    17 seventeen(?:th)?
    18 eighteen(?:th)?
    19 nineteen(?:th)?
    20 twenty twenties twentieth
    30 thirty thirties thirtieth
    40 forty forties fortieth
    50 fifty fifties fiftieth
    60 sixty sixties sixtieth
    70 seventy seventies seventieth
    80 eighty eighties eightieth
    90 ninety nineties ninetieth
    100 hundred(?:th)? century centuries
    1000 thousand(?:th)?
    1000000 million(?:th)?
    1000000000 billion(?:th)?
    1000000000000 trillion
    """
)
_UKRAINIAN_WORDS = _vocabulary(
    """
    0.5 половин\\w*
    1 од(?:ин|на|не|ного|ну|ним|нією)
    1.5 півтор\\w*
    2 дв(?:а|і|ох|ом|ома)
    3 тр(?:и|ьох|ьом|ьома)
    4 чотир\\w*
    5 п['’ʼ]ят(?:ь|и|ьох|ьома)
    6 шіст(?:ь|ьох|ьома) шести
    7 сім сем(?:и|а|ох)
    8 вісім вос(?:ьми|ьма|ьмох)
    9 дев['’ʼ]ят(?:ь|и|ьох|ьома)
    10 десят(?:ь|и|ьох|ьома) десятк\\w* десятиліт\\w*
    11 одинадцят\\w*
    12 дванадцят\\w*
    13 тринадцят\\w*
    14 чотирнадцят\\w*
    15 п['’ʼ]ятнадцят\\w*
    16 шістнадцят\\w*
    17 сімнадцят\\w*
    18 вісімнадцят\\w*
    19 дев['’ʼ]ятнадцят\\w*
    20 двадцят\\w*
    24 доб(?:а|у|и|ою|і)
    30 тридцят\\w*
    40 сорок\\w*
    50 п['’ʼ]ятдесят\\w* п['’ʼ]ятидесят\\w*
    60 шістдесят\\w* шістдесят\\w*
    70 сімдесят\\w*
    80 вісімдесят\\w*
    90 дев['’ʼ]яност\\w*
    100 сто ста сот(?:ня|ні|ню) столітт\\w*
    200 двісті двохсот
    300 триста трьохсот
    400 чотириста чотирьохсот
    500 п['’ʼ]ятсот п['’ʼ]ятисот
    600 шістсот шестисот
    700 сімсот семисот
    800 вісімсот восьмисот
    900 дев['’ʼ]ятсот дев['’ʼ]ятисот
    1000 тисяч(?:а|і|у|ею|ам|ами|ах)?
    500000 півмільйон\\w*
    1000000 мільйон\\w*
    1000000000 мільярд\\w*
    1000000000000 трильйон\\w*
    """
)
_RUSSIAN_WORDS = _vocabulary(
    """
    0.5 половин\\w*
    1 од(?:ин|на|но|ного|ну|ним|ной)
    1.5 полтор\\w* полутор\\w*
    2 дв(?:а|е|ух|ум|умя)
    3 тр(?:и|[её]х|[её]м|емя)
    4 четыр\\w*
    5 пят(?:ь|и|ью)
    6 шест(?:ь|и|ью)
    7 сем(?:ь|и|ью)
    8 вос(?:емь|ьми|емью)
    9 девят(?:ь|и|ью)
    10 десят(?:ь|и|ью) десятк\\w* десятилети\\w*
    11 одиннадцат\\w*
    12 двенадцат\\w*
    13 тринадцат\\w*
    14 четырнадцат\\w*
    15 пятнадцат\\w*
    16 шестнадцат\\w*
    17 семнадцат\\w*
    18 восемнадцат\\w*
    19 девятнадцат\\w*
    20 двадцат\\w*
    24 сут(?:ки|ок|кам|ками|ках)
    30 тридцат\\w*
    40 сорок\\w*
    50 пятьдесят пятидесят\\w*
    60 шестьдесят шестидесят\\w*
    70 семьдесят семидесят\\w*
    80 восемьдесят восьмидесят\\w*
    90 девяност\\w*
    100 сто ста сот(?:ня|ни|ню) столети\\w*
    200 двести двухсот
    300 триста тр[её]хсот
    400 четыреста четыр[её]хсот
    500 пятьсот пятисот
    600 шестьсот шестисот
    700 семьсот семисот
    800 восемьсот восьмисот
    900 девятьсот девятисот
    1000 тысяч(?:а|и|у|ей|ам|ами|ах)?
    500000 полмиллион\\w*
    1000000 миллион\\w*
    1000000000 миллиард\\w*
    1000000000000 триллион\\w*
    """
)
# Words that may stand inside a number: one hundred and five, half a million.
_FILLERS = frozenset({"and", "a"})


def _speller(vocabulary: list[tuple[re.Pattern[str], Decimal]]) -> Callable[[str], Iterator[Decimal]]:
    """Return a reader of the numbers that a text spells out, Roman numerals included."""

    def value_of(word: str) -> Decimal | None:
        return next((value for pattern, value in vocabulary if pattern.fullmatch(word)), None)

    def read(text: str) -> Iterator[Decimal]:
        yield from map(_roman_value, _ROMAN.findall(text))
        words = [word for word in _WORD.findall(text) if word.lower() not in _FILLERS]
        yield from _sums(map(value_of, words))

    return read


def _sums(values: Iterable[Decimal | None]) -> Iterator[Decimal]:
    """Yield the values of runs of number words: 2, 100, 5 is 205; 20, 3, 1000 is 23,000."""
    total = current = Decimal(0)
    for value in (*values, None):
        if value is None:
            if total + current:
                yield total + current
            if current == _HALF:
                yield Decimal(50)  # half of them: 50 %
            total = current = Decimal(0)
        elif value >= THOUSAND:
            total += (current or 1) * value
            current = Decimal(0)
        elif value in _MULTIPLIED and 0 < current < 10:
            current *= value
        else:
            current += value


def _roman_value(numeral: str) -> Decimal:
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    return Decimal(sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True)))


_KOREAN_RUN = re.compile(r"(?<![가-힣\d])[일이삼사오육칠팔구십백천만억조]*[십백천만억조]")
_KOREAN_DIGITS = {char: value for value, char in enumerate("일이삼사오육칠팔구", start=1)}
_KOREAN_NATIVE = re.compile(
    "(열|스물|스무|서른|마흔|쉰|예순|일흔|여든|아흔)(한|하나|두|둘|세|셋|네|넷|다섯|여섯|일곱|여덟|아홉)?"
)
_KOREAN_NATIVE_VALUES = {
    "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80,
    "아흔": 90, "한": 1, "하나": 1, "두": 2, "둘": 2, "세": 3, "셋": 3, "네": 4, "넷": 4, "다섯": 5,
    "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9, "": 0,
}  # fmt: skip
_KOREAN_WORDS = {"절반": 50, "세기": 100}


def _spelled_korean(text: str) -> Iterator[Decimal]:
    for tens, units in _KOREAN_NATIVE.findall(text):
        yield Decimal(_KOREAN_NATIVE_VALUES[tens] + _KOREAN_NATIVE_VALUES[units])
    yield from (Decimal(value) for word, value in _KOREAN_WORDS.items() if word in text)
    for run in _KOREAN_RUN.findall(text):
        total = section = digit = 0
        for char in run:
            if char in _KOREAN_DIGITS:
                digit = _KOREAN_DIGITS[char]
            elif char in _KOREAN_SMALL:
                section += (digit or 1) * _KOREAN_SMALL[char]
                digit = 0
            else:
                total += (section + digit or 1) * _KOREAN_BIG[char]
                section = digit = 0
        yield Decimal(total + section + digit)


_SPELLED: dict[str, Callable[[str], Iterator[Decimal]]] = {
    "en": _speller(_ENGLISH_WORDS),
    "ko": _spelled_korean,
    "uk": _speller(_UKRAINIAN_WORDS),
    "ru": _speller(_RUSSIAN_WORDS),
}
