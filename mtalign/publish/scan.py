"""A light scan of texts for secrets and personal data: a handful of named patterns, no model.

It finds what has a shape: keys, tokens, addresses, numbers with a check digit. It cannot find names,
street addresses, dates of birth, passwords without a label, or anything written in words; nor does it
know a press office's telephone from a private one. A clean report is not a clearance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec import Struct

from mtalign.document import Span
from mtalign.record import Record

SECRET = "secret"  # noqa: S105  (a family of findings)
PERSONAL = "personal"


class Finding(Struct, frozen=True):
    """Where something was found. `excerpt` is masked, so that a report gives away no more than it must."""

    article: str
    lang: str
    family: str
    kind: str
    span: Span
    excerpt: str


def _luhn(number: str) -> bool:
    """Say whether the check digit of a card number is right (ISO/IEC 7812)."""
    digits = [int(char) for char in number if char.isdigit()][::-1]
    total = sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return 13 <= len(digits) <= 19 and total % 10 == 0


def _iban(number: str) -> bool:
    """Say whether the check digits of an account number are right (ISO 13616)."""
    plain = number.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


_PATTERNS: tuple[tuple[str, str, re.Pattern[str], Callable[[str], bool] | None], ...] = (
    (SECRET, "private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"), None),
    (SECRET, "hugging face token", re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"), None),
    (SECRET, "github token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})\b"), None),
    (SECRET, "aws key id", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), None),
    (SECRET, "slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"), None),
    (SECRET, "api key", re.compile(r"\bsk-[A-Za-z0-9_-]{20,}"), None),
    (SECRET, "json web token", re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"), None),
    (
        SECRET,
        "labelled secret",
        re.compile(r"\b(?:password|passwd|api[_-]?key|secret|token)\s*[:=]\s*[^\s,;]{8,}", re.IGNORECASE),
        None,
    ),
    (
        PERSONAL,
        "e-mail",
        re.compile(
            r"(?<![\w.+-])[A-Za-z0-9][\w.+-]*@[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
        ),
        None,
    ),
    (
        PERSONAL,
        "account number",
        re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
        _iban,
    ),
    (PERSONAL, "card number", re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d.,-]?\d)"), _luhn),
    (
        PERSONAL,
        "telephone",
        re.compile(
            r"(?<![\w.+])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){6,11}"
            r"|0\d{1,3}-\d{3,4}-\d{4})(?!\d)"
        ),
        None,
    ),
    (
        PERSONAL,
        "resident number (Korea)",
        re.compile(r"(?<!\d)\d{2}(?:0\d|1[0-2])[0-3]\d-[1-8]\d{6}(?!\d)"),
        None,
    ),
)


def scan(record: Record) -> Iterator[Finding]:
    """Yield what is found in the texts of an article, in every language; the first pattern to match wins."""
    for lang, document in record.documents().items():
        taken: list[Span] = []
        for family, kind, pattern, check in _PATTERNS:
            for match in pattern.finditer(document.text):
                span = Span(*match.span())
                if any(span.overlaps(each) for each in taken) or not (check is None or check(match.group())):
                    continue
                taken.append(span)
                yield Finding(record.id, lang, family, kind, span, _mask(match.group()))


def _mask(text: str) -> str:
    """Return the first three characters and how many follow."""
    return f"{text[:3]}… ({len(text)} characters)"
