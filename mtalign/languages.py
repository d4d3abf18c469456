"""The one table of languages. A further language is a further row.

Codes are ISO 639-1. The model columns are what each family of models calls the language; `None` where
the family does not know it. MADLAD-400 and other T5 checkpoints take a `<2xx>` token before the source.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtalign.errors import UnknownLanguage

LATIN = "Latin"
CYRILLIC = "Cyrillic"
HANGUL = "Hangul"
HAN = "Han"
ARABIC = "Arabic"

# Unicode ranges by script. Han and kana are one entry because a Japanese text mixes them freely.
SCRIPT_RANGES: dict[str, tuple[tuple[int, int], ...]] = {
    LATIN: ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x1E00, 0x1EFF)),
    CYRILLIC: ((0x400, 0x52F), (0x1C80, 0x1C8F)),
    HANGUL: ((0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xD7B0, 0xD7FF)),
    HAN: ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)),
    ARABIC: ((0x600, 0x6FF), (0x750, 0x77F)),
}


@dataclass(frozen=True)
class Language:
    """One row: what a language is called, how models name it, and how it is written.

    `enders` are the characters that may end a sentence. `particles` says that function words are
    written onto the end of nouns without a space (Korean 는, 의, 에서), so that words must be split
    into morphemes before a span can be exact.
    """

    code: str
    name: str
    english: str
    script: str
    nllb: str
    m2m: str | None
    mbart: str | None
    t5: str | None
    enders: str = ".!?…"
    particles: bool = False


_ROWS = (
    Language("en", "English", "English", LATIN, "eng_Latn", "en", "en_XX", "<2en>"),
    Language("ko", "한국어", "Korean", HANGUL, "kor_Hang", "ko", "ko_KR", "<2ko>", ".!?…。", particles=True),
    Language("uk", "українська", "Ukrainian", CYRILLIC, "ukr_Cyrl", "uk", "uk_UA", "<2uk>"),
    Language("ru", "русский", "Russian", CYRILLIC, "rus_Cyrl", "ru", "ru_RU", "<2ru>"),
    Language("be", "беларуская", "Belarusian", CYRILLIC, "bel_Cyrl", "be", None, "<2be>"),
    Language("bg", "български", "Bulgarian", CYRILLIC, "bul_Cyrl", "bg", None, "<2bg>"),
    Language("cs", "čeština", "Czech", LATIN, "ces_Latn", "cs", "cs_CZ", "<2cs>"),
    Language("de", "Deutsch", "German", LATIN, "deu_Latn", "de", "de_DE", "<2de>"),
    Language("es", "español", "Spanish", LATIN, "spa_Latn", "es", "es_XX", "<2es>"),
    Language("fr", "français", "French", LATIN, "fra_Latn", "fr", "fr_XX", "<2fr>"),
    Language("it", "italiano", "Italian", LATIN, "ita_Latn", "it", "it_IT", "<2it>"),
    Language("ja", "日本語", "Japanese", HAN, "jpn_Jpan", "ja", "ja_XX", "<2ja>", ".!?…。！？"),
    Language("pl", "polski", "Polish", LATIN, "pol_Latn", "pl", "pl_PL", "<2pl>"),
    Language("pt", "português", "Portuguese", LATIN, "por_Latn", "pt", "pt_XX", "<2pt>"),
    Language("tr", "Türkçe", "Turkish", LATIN, "tur_Latn", "tr", "tr_TR", "<2tr>"),
    Language("zh", "中文", "Chinese", HAN, "zho_Hans", "zh", "zh_CN", "<2zh>", ".!?…。！？"),
)

LANGUAGES: dict[str, Language] = {row.code: row for row in _ROWS}


def language(code: str) -> Language:
    """Return the row of a language.

    Raises:
        UnknownLanguage: there is no such row.
    """
    try:
        return LANGUAGES[code]
    except KeyError:
        known = ", ".join(LANGUAGES)
        raise UnknownLanguage(
            f"unknown language {code!r}; known are {known} (a further one is a row in mtalign/languages.py)"
        ) from None


def script_share(text: str, script: str) -> float:
    """Return the share (0 to 1) of the letters of `text` that are of `script`; 1.0 if it has no letters."""
    letters = [ord(char) for char in text if char.isalpha()]
    if not letters:
        return 1.0
    ranges = SCRIPT_RANGES[script]
    return sum(any(low <= code <= high for low, high in ranges) for code in letters) / len(letters)
