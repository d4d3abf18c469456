"""What the readers and writers of translated sentences exchange, whatever the file is called."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from mtalign.errors import InputError

# A primary language subtag and whatever follows it: en, en-US, zh-Hant-TW, and pt_BR as some tools write it.
LANGUAGE_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*")

# Who hears of a unit that a reader had to leave out.
OnReject = Callable[[InputError], object]


class Unit(Struct, frozen=True, omit_defaults=True):
    """The same sentence (or few) in several languages.

    `texts` maps language codes to texts, in the order of the file. A language that is not there has no
    text; one with an empty text has an empty one (which TSV cannot tell apart). `markup` counts the
    inline elements that were flattened when the unit was read.
    """

    texts: dict[str, str]
    id: str | None = None
    score: float | None = None
    note: str | None = None
    markup: int = 0

    def __post_init__(self) -> None:
        if not self.texts:
            raise InputError(f"unit {self.id or ''!r} has no text in any language")


def primary_code(tag: str) -> str:
    """Return the language of a tag without region and script, in lower case: `en` of `en-US` or `EN_us`.

    Raises:
        InputError: that is no language tag.
    """
    found = LANGUAGE_TAG.fullmatch(tag.strip())
    if not found:
        raise InputError(f"{tag!r} is no language code; expected one such as en, en-US or zh-Hant")
    return found[1].lower()


def add_text(texts: dict[str, str], tag: str, text: str) -> None:
    """File a text under the language of its tag, or under the whole tag where the language is taken.

    So `pt-PT` and `pt-BR` in one unit become `pt` and `pt-BR`, and nothing is lost.

    Raises:
        InputError: the tag is no language code, or has a text already.
    """
    code = primary_code(tag)
    if code in texts:
        code = tag.strip()
    if code in texts:
        raise InputError(f"two texts for {code!r} in one unit")
    texts[code] = text
