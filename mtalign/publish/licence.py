"""Which licence a dataset made of several works may carry: the strictest of theirs.

A short table of licences that ask for ever more, not legal advice. What is not in it, or is not stated,
makes the whole `other`, with the reason. What cannot be combined, or may not be translated at all, is a
conflict: then nobody may publish before a person has looked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

OTHER = "other"

# From the one that asks least to the one that asks most; names as the Hugging Face Hub spells them.
_STRICTER = (
    "cc0-1.0",
    "unlicense",
    "mit",
    "bsd-3-clause",
    "apache-2.0",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
)
# A translation is a derivative work, which these do not allow to be shared.
_CLOSED = re.compile(r"-nd(-|$)|^(all-rights-reserved|proprietary)$")
_CC_ADDRESS = re.compile(r"^(?:https?://)?creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)/([\d.]+)")


@dataclass(frozen=True)
class Licence:
    """The licence: its name on the hub, why it is `other` where it is, and if that is a conflict.

    `against` names the licences of works that may ask for more than a licence which somebody stated.
    """

    name: str
    reason: str | None = None
    conflict: bool = False
    against: tuple[str, ...] = ()


def strictest(licences: Iterable[str | None]) -> Licence:
    """Return the strictest of the licences; `None` stands for a work that states none."""
    names = {None if each is None else normalise(each) for each in licences}
    known = sorted(name for name in names if name is not None)
    if closed := [name for name in known if _CLOSED.search(name)]:
        return Licence(OTHER, f"{closed[0]} does not allow translations to be shared", conflict=True)
    share_alike = [name for name in known if name.startswith("cc-by-sa")]
    if share_alike and (paid := [name for name in known if name.startswith("cc-by-nc")]):
        return Licence(OTHER, f"{share_alike[0]} and {paid[0]} cannot be combined in one work", conflict=True)
    if None in names or not names:
        return Licence(OTHER, "at least one of the works states no licence")
    if unknown := [name for name in known if name not in _STRICTER]:
        return Licence(OTHER, f"the table of licences does not know {', '.join(unknown)}")
    return Licence(max(known, key=_STRICTER.index))


def stated(wish: str, licences: Iterable[str | None]) -> Licence:
    """Return the licence that somebody states, with those of the works that may ask for more than it does.

    Of a licence that is not in the table it is not known what it asks for: then nothing is said.
    """
    limit = normalise(wish)
    if limit not in _STRICTER:
        return Licence(wish)
    names = sorted({normalise(each) for each in licences if each is not None})
    more = [each for each in names if each not in _STRICTER or _STRICTER.index(each) > _STRICTER.index(limit)]
    return Licence(wish, against=tuple(more))


def normalise(name: str) -> str:
    """Return a licence's name as the hub spells it: `CC BY 4.0`, `CC-BY-4.0` and the deed's address alike."""
    plain = name.strip().lower()
    if address := _CC_ADDRESS.match(plain):
        kind, version = address.groups()
        plain = f"cc0 {version}" if kind == "zero" else f"cc {kind} {version}"
    return re.sub(r"[\s_-]+", "-", plain)
