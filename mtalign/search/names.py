"""Finding names across scripts: romanised, compared word by word, with and without their vowels.

Київ, Києві and Kyiv differ in letters that endings and transcription exchange; their consonants do not.
Both are compared, so that an inflected or transcribed name is near and another name is not. What no
comparison can see (서울 and Seoul are easy, 독일 and Germany are not) comes from the links of the
projection: a mention found in one language brings those of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from mtalign.project.sound import skeleton

THRESHOLD = 0.78

# How much of a name's likeness may be lost where it has words that the query has not (Volodymyr Zelensky).
_EXTRA_WORDS = 0.1


def romanise(text: str) -> str:
    """Return a text in lower-case Latin letters, digits and single spaces; nothing else is left of it."""
    from anyascii import anyascii

    plain = str(anyascii(text)).lower().replace("'", "")
    return " ".join("".join(char if char.isalnum() else " " for char in plain).split())


class Names:
    """Distinct names, for finding those that are like a given one."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(dict.fromkeys(names))
        split = [romanise(each).split() or [""] for each in self.names]
        self._words = list(dict.fromkeys(word for each in split for word in each))
        number = {word: n for n, word in enumerate(self._words)}
        self._members = [number[word] for each in split for word in each]
        self._starts = [0, *accumulate(len(each) for each in split[:-1])]
        self._lengths = [len(each) for each in split]

    def like(self, name: str) -> dict[str, float]:
        """Return the names that are like this one, with their likeness (`THRESHOLD` to 1), best first.

        Every word of the query is compared with the word of a name that is most like it.
        """
        import numpy as np
        from rapidfuzz import fuzz, process

        wanted = romanise(name).split()
        if not wanted or not self.names:
            return {}
        plain = process.cdist(wanted, self._words, scorer=fuzz.ratio, dtype=np.float32)
        bare = process.cdist(
            [skeleton(each) for each in wanted],
            [skeleton(each) for each in self._words],
            scorer=fuzz.ratio,
            dtype=np.float32,
        )
        likeness = (plain + bare) / 200
        best = np.maximum.reduceat(likeness[:, self._members], self._starts, axis=1).mean(axis=0)
        share = np.minimum(1, len(wanted) / np.asarray(self._lengths))
        scores = best * (1 - _EXTRA_WORDS * (1 - share))
        order = [n for n in np.argsort(-scores, kind="stable").tolist() if scores[n] >= THRESHOLD]
        return {self.names[n]: round(float(scores[n]), 4) for n in order}
