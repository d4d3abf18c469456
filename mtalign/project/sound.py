"""How names sound: in Latin letters, and by their consonants alone."""

from __future__ import annotations

import re

# What is not heard alike, and vowels, go; l is heard as r, b v f as p, and so on.
_CONSONANTS = str.maketrans("lbvfdgcqjzx", "rppptkkksss", "aeiouywh'` -")
_DOUBLED = re.compile(r"(.)\1+")


def romanise(text: str) -> str:
    """Return a text in lower-case Latin letters."""
    from anyascii import anyascii

    return str(anyascii(text)).lower()


def skeleton(romanised: str) -> str:
    """Return the consonants of a romanised name, those that languages exchange made one."""
    return _DOUBLED.sub(r"\1", romanised.translate(_CONSONANTS))
