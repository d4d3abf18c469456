"""Which licence a dataset made of several works may carry: the strictest of theirs.

A short table of licences that ask for ever more, not legal advice. What is not in it, or missing, or
cannot be combined, makes the whole `other`, with the reason.
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


@dataclass(frozen=True)
class Licence:
    """The licence of a dataset: its name on the hub, and why it is `other` where it is."""

    name: str
    reason: str | None = None


def strictest(licences: Iterable[str | None]) -> Licence:
    """Return the strictest of the licences; `None` stands for a work that states none."""
    names = {None if each is None else normalise(each) for each in licences}
    if None in names or not names:
        return Licence(OTHER, "at least one of the works states no licence")
    known = sorted(name for name in names if name is not None)
    if unknown := [name for name in known if name not in _STRICTER]:
        return Licence(OTHER, f"the table of licences does not know {', '.join(unknown)}")
    chosen = max(known, key=_STRICTER.index)
    share_alike = [name for name in known if name.startswith("cc-by-sa")]
    if share_alike and chosen.startswith("cc-by-nc"):
        return Licence(OTHER, f"{share_alike[0]} and {chosen} cannot be combined in one work")
    return Licence(chosen)


def normalise(name: str) -> str:
    """Return a licence's name as the hub spells it: `CC BY 4.0` and `CC-BY-4.0` become `cc-by-4.0`."""
    return re.sub(r"[\s_-]+", "-", name.strip().lower())
