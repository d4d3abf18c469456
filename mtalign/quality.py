"""How good a translation probably is, 0 to 1, told without a reference from what is at hand anyway.

For every bead of a source and a target text: do the words of either side find a counterpart through the word
links, how near are the sentence vectors compared with the document's other sentences, do names, numbers,
length, script and repetition fit. A logistic regression makes one number of that (`quality.json`, trained by
`scripts/train_quality.py`). It sees what is left out, made up, mixed up or garbled; it does not see a wrong
case ending, a clumsy phrase, or one false word among many. Engine scores are not used: each model has its own
scale, and human translations have none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

from mtalign.check import Pair, check_pair, deviation, expected_ratio
from mtalign.errors import ModelUnavailable
from mtalign.languages import HANGUL, language, script_share
from mtalign.project.document import Compare, Task
from mtalign.project.weights import group_of
from mtalign.record import Issue
from mtalign.units import UnitText, set_aside_aliases, unit_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtalign.project.target import Comparison

    Floats = NDArray[np.float64]
    Floats32 = NDArray[np.float32]

LOW_QUALITY = "low-quality"
WEIGHTS_PATH = Path(__file__).with_name("quality.json")

# What is known of a bead, in the order of the weights. NaN is "nothing to tell by" and counts as average.
FEATURES = (
    "cosine_over_unrelated",
    "cosine_over_document",
    "cosine",
    "cosine_over_nearest",
    "source_linked",
    "target_linked",
    "source_similar",
    "target_similar",
    "source_weakest",
    "target_weakest",
    "source_gap",
    "target_gap",
    "source_shared",
    "target_shared",
    "names_found",
    "names_backed",
    "weakest_name",
    "words_ratio",
    "number_mismatch",
    "too_short",
    "too_long",
    "language_issue",
    "copied",
    "script",
    "repetition",
    "variety",
    "quotes",
    "brackets",
    "question",
    "clauses",
    "length",
)

_LINKED = 0.2
_LANGUAGE_KINDS = frozenset({"untranslated-copy", "wrong-script", "wrong-language"})
_SHORT_WORD = 4
# What stands on one side of a translation stands on the other: quotation marks, brackets, a question.
_MARKS = ('"“”«»„', "()", "?")


@dataclass(frozen=True)
class QualityOptions:
    """Whether quality is estimated, and from where on it is an issue.

    `estimate`: false leaves the estimates out; with them go the seconds that they take.
    `least`: a bead whose estimate is lower gets an issue `low-quality`; 0 gives none.
    """

    estimate: bool = True
    least: float = 0.1


class SentenceEncoder(Protocol):
    """What is needed of an encoder: one vector of length 1 per text."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return texts x dim."""
        ...


class Weights(Struct, frozen=True):
    """What one group of languages goes by: how features are scaled, what they weigh, and the offset."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    offset: float


class _File(Struct, frozen=True):
    recipe: dict[str, Any]
    features: tuple[str, ...]
    groups: dict[str, Weights]


@cache
def read_weights(path: Path = WEIGHTS_PATH) -> dict[str, Weights]:
    """Return the weights by group of languages.

    Raises:
        ModelUnavailable: the file cannot be read or is of other features than this version computes.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelUnavailable(
            f"the weights of the quality estimate, {path}, cannot be read: {error}"
        ) from error
    if found.features != FEATURES:
        raise ModelUnavailable(
            f"the weights in {path} are of other features than this version has; "
            "train them again: python scripts/train_quality.py --write"
        )
    return found.groups


def estimate_documents(
    tasks: Sequence[Task],
    compare: Compare,
    encoder: SentenceEncoder,
    weights: Mapping[str, Weights] | None = None,
) -> list[tuple[float | None, ...]]:
    """Return, for each task, one estimate per bead: near 1 good, near 0 bad, None where a side is empty.

    Args:
        tasks: documents and their translations; entities are not looked at.
        compare: compares the units of pairs of texts; called once.
        encoder: makes the sentence vectors.
        weights: by group of languages, instead of those that come with mtalign.
    """
    weights = weights or read_weights()
    found: list[tuple[float | None, ...]] = []
    for task, table in zip(tasks, feature_tables(tasks, compare, encoder), strict=True):
        made = iter(estimates_of(table, task.target.lang, weights))
        found.append(
            tuple(round(float(next(made)), 3) if each.left and each.right else None for each in task.beads)
        )
    return found


def estimates_of(table: Floats, lang: str, weights: Mapping[str, Weights]) -> Floats:
    """Return the estimate of each row of a table of features, for translations into `lang`.

    What is not in the language at all is worth 0, however near to the source it is: it may be the source.
    """
    import numpy as np

    own = weights.get(group_of(lang), weights["default"])
    scaled = np.nan_to_num((table - np.array(own.mean)) / np.array(own.scale))
    odds = scaled @ np.array(own.weights) + own.offset
    in_language = table[:, FEATURES.index("language_issue")] == 0
    return np.asarray(in_language / (1 + np.exp(-odds)))


def low_quality(task: Task, estimates: Sequence[float | None], options: QualityOptions) -> tuple[Issue, ...]:
    """Return an issue for each bead whose estimate is too low, at its target sentences."""
    return tuple(
        Issue(LOW_QUALITY, "warning", task.target.lang, f"estimated quality {each:.2f} of 1", bead.right)
        for bead, each in zip(task.beads, estimates, strict=True)
        if each is not None and each < options.least
    )


def feature_tables(tasks: Sequence[Task], compare: Compare, encoder: SentenceEncoder) -> list[Floats]:
    """Return, for each task, its beads with two sides x FEATURES."""
    import numpy as np

    texts = [_texts(task) for task in tasks]
    units = [_units(task, own) for task, own in zip(tasks, texts, strict=True)]
    pairs = [pair for own in units for pair in own]
    compared = iter(compare(pairs) if pairs else ())
    tables = []
    for task, own, sides in zip(tasks, texts, units, strict=True):
        if not own:
            tables.append(np.empty((0, len(FEATURES))))
            continue
        ratio = expected_ratio(own, task.source.lang, task.target.lang)
        rows = [
            [
                *_word_features(*pair, next(compared)),
                *_text_features(Pair(*both, task.source.lang, task.target.lang, (), ratio)),
            ]
            for both, pair in zip(own, sides, strict=True)
        ]
        tables.append(np.hstack([_cosines(own, encoder), np.array(rows, np.float64)]))
    return tables


def _texts(task: Task) -> list[tuple[str, str]]:
    """Return the two texts of every bead that has both."""
    return [
        (
            task.source.cover(bead.left).of(task.source.text),
            task.target.cover(bead.right).of(task.target.text),
        )
        for bead in task.beads
        if bead.left and bead.right
    ]


def _units(task: Task, texts: Sequence[tuple[str, str]]) -> list[tuple[UnitText, UnitText]]:
    sources = [unit_text(source, task.source.lang) for source, _ in texts]
    targets = [unit_text(target, task.target.lang) for _, target in texts]
    return [
        (source, set_aside_aliases(target, source)) for source, target in zip(sources, targets, strict=True)
    ]


def _cosines(texts: Sequence[tuple[str, str]], encoder: SentenceEncoder) -> Floats:
    """Return how near each pair is, from `cosine_over_unrelated` to `cosine_over_nearest`.

    Compared are the document's unrelated sentences, its usual pair, and, last, the sentence that is nearest
    to either side among those that do not belong to it.
    """
    import numpy as np

    every = list(dict.fromkeys(text for pair in texts for text in pair))
    at = {text: number for number, text in enumerate(every)}
    vectors = encoder.encode(every)
    left, right = (vectors[[at[pair[side]] for pair in texts]] for side in (0, 1))
    cosines = np.asarray(left @ right.T, np.float64)
    own, count = cosines.diagonal(), len(texts)
    if count == 1:
        return np.array([[np.nan, np.nan, own[0], np.nan]])
    others = (cosines.sum(0) + cosines.sum(1) - 2 * own) / (2 * (count - 1))
    apart = cosines - 3 * np.eye(count)
    nearest = np.maximum(apart.max(0), apart.max(1))
    return np.stack([own - others, own - np.median(own), own, own - nearest], axis=1)


def _word_features(source: UnitText, target: UnitText, compared: Comparison) -> list[float]:
    """Return what the word links say: from `source_linked` to `words_ratio`."""
    import numpy as np

    strength = np.maximum(compared.links, compared.sound)
    left = _side(source, compared.links, compared.similarity, strength)
    right = _side(target, compared.links.T, compared.similarity.T, strength.T)
    names, backed = (_sureness_of_names(*each) for each in ((source, strength), (target, strength.T)))
    counts = [1 + len(_content(text)) for text in (source, target)]
    return [
        *(value for pair in zip(left, right, strict=True) for value in pair),
        float(names.mean()) if len(names) else math.nan,
        float(backed.mean()) if len(backed) else math.nan,
        float(names.min()) if len(names) else math.nan,
        math.log(counts[1] / counts[0]),
    ]


def _side(
    text: UnitText, links: Floats32, similarity: Floats32, strength: Floats32
) -> tuple[float, float, float, float, float]:
    """Return how well the content words of one side find counterparts: from `linked` to `shared`."""
    import numpy as np

    content = _content(text)
    if not content or not links.shape[1]:
        return (math.nan,) * 5
    linked = links[content].max(1) >= _LINKED
    nearest = np.sort(similarity[content].max(1))
    found = strength[content]
    theirs = found.argmax(1)[found.max(1) >= _LINKED]
    return (
        float(linked.mean()),
        float(nearest.mean()),
        float(nearest[: math.ceil(len(nearest) / 4)].mean()),
        _longest_gap(linked.tolist()),
        1 - len(set(theirs.tolist())) / len(theirs) if len(theirs) else math.nan,
    )


def _sureness_of_names(text: UnitText, strength: Floats32) -> Floats32:
    """Return how sure the counterpart of each name is, 0 to 1."""
    names = _names(text)
    found: Floats32 = strength[names].max(1) if names and strength.shape[1] else strength[:0].sum(1)
    return found


def _content(text: UnitText) -> list[int]:
    """Return the units that carry meaning: no marks, no particles, no short words in small letters."""
    return [
        number
        for number, (unit, word) in enumerate(zip(text.units, text.words(), strict=True))
        if not unit.particle and word[0].isalnum() and (len(word) >= _SHORT_WORD or not word[0].islower())
    ]


def _names(text: UnitText) -> list[int]:
    """Return the units after the first that begin with a capital."""
    return [number for number, word in enumerate(text.words()) if number and word[0].isupper()]


def _longest_gap(linked: Sequence[bool]) -> float:
    """Return the longest run of content words without a link, as the logarithm of 1 + their number."""
    longest = run = 0
    for each in linked:
        run = 0 if each else run + 1
        longest = max(longest, run)
    return math.log1p(longest)


def _text_features(pair: Pair) -> list[float]:
    """Return what the two texts say by themselves: from `number_mismatch` to `length`."""
    kinds = {issue.kind for issue in check_pair(pair)}
    off = deviation(pair)
    words = [word.casefold() for word in pair.target_words]
    source_words = {word.casefold() for word in pair.source_words}
    script = language(pair.target_lang).script
    return [
        float("number-mismatch" in kinds),
        max(0.0, -off),
        max(0.0, off),
        float(bool(kinds & _LANGUAGE_KINDS)),
        sum(word in source_words for word in words) / max(1, len(words)),
        script_share(pair.target, script),
        _repeated(words if script != HANGUL else list(pair.target)),
        len(set(words)) / max(1, len(words)),
        *(float(any(map(pair.source.count, each)) != any(map(pair.target.count, each))) for each in _MARKS),
        abs(math.log((1 + _clause_marks(pair.target)) / (1 + _clause_marks(pair.source)))),
        math.log(len(pair.source)),
    ]


def _clause_marks(text: str) -> int:
    return sum(map(text.count, ",;:"))


def _repeated(words: Sequence[str]) -> float:
    """Return the share of the runs of three words (in Hangul: letters) that came before."""
    runs = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0
