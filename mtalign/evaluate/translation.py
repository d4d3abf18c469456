"""Scores of translation: chrF, chrF++ and BLEU as sacrebleu computes them, with its own signatures.

Rows are the segments: a row that holds a whole article is one segment. A learned metric is not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from mtalign.errors import InputError
from mtalign.evaluate.counts import signature
from mtalign.evaluate.rows import Row, match, read_rows

# Languages in which 13a, sacrebleu's default, does not find words.
_BLEU_TOKENIZERS: dict[str, str] = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}


class TranslationRow(Struct, frozen=True):
    """A text and its translations by language, in the shape that `mtalign translate` writes."""

    id: str
    translations: dict[str, str]

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """The id; a row holds all its languages."""
        return self.id, None


@dataclass(frozen=True)
class Metric:
    """One score (0 to 100) and sacrebleu's signature of it."""

    score: float
    signature: str

    def as_dict(self) -> dict[str, object]:
        """Return score and signature."""
        return {"score": self.score, "signature": self.signature}


@dataclass(frozen=True)
class LanguageScores:
    """The scores of one target language; `bleu` is None where its tokeniser is not installed."""

    segments: int
    chrf: Metric
    chrf_pp: Metric
    bleu: Metric | None

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "segments": self.segments,
            "chrf": self.chrf.as_dict(),
            "chrf++": self.chrf_pp.as_dict(),
            "bleu": self.bleu.as_dict() if self.bleu else None,
        }


@dataclass(frozen=True)
class TranslationScores:
    """Scores by target language, and the recipe around sacrebleu's."""

    languages: dict[str, LanguageScores]
    signature: str

    def as_dict(self) -> dict[str, object]:
        """Return every score, ready for JSON."""
        return {
            "languages": {lang: scores.as_dict() for lang, scores in self.languages.items()},
            "signature": self.signature,
        }


def evaluate_translation_files(gold: Path, pred: Path) -> TranslationScores:
    """Score the translations in one JSONL file against the references in another.

    Raises:
        UsageError: a file cannot be read or is empty.
        InputError: a line is unusable, or a reference has no translation.
    """
    return evaluate_translation(read_rows(gold, TranslationRow), read_rows(pred, TranslationRow))


def evaluate_translation(
    gold: Sequence[Row[TranslationRow]], pred: Sequence[Row[TranslationRow]]
) -> TranslationScores:
    """Score every language for which the gold has references (one each).

    Raises:
        InputError: a gold row, or one of its languages, has no translation.
    """
    texts: dict[str, tuple[list[str], list[str]]] = {}
    for mine, theirs in match(gold, pred):
        for lang, reference in mine.value.translations.items():
            if lang not in theirs.value.translations:
                raise InputError(f"{theirs.where}: {mine.value.id!r} has no translation into {lang!r}")
            hypotheses, references = texts.setdefault(lang, ([], []))
            hypotheses.append(theirs.value.translations[lang])
            references.append(reference)
    languages = {lang: score_translations(*sides, lang) for lang, sides in texts.items()}
    return TranslationScores(languages, signature(level="corpus", segments="rows"))


def score_translations(hypotheses: Sequence[str], references: Sequence[str], lang: str) -> LanguageScores:
    """Score translations into one language, segment by segment against one reference each.

    Raises:
        InputError: there are not as many references as translations, or none.
    """
    from sacrebleu.metrics import BLEU, CHRF

    if len(hypotheses) != len(references) or not references:
        raise InputError(
            f"{len(hypotheses)} translations into {lang!r} and {len(references)} references; "
            "each translation needs one reference"
        )

    def score(metric: CHRF | BLEU) -> Metric:
        result = metric.corpus_score(list(hypotheses), [list(references)])
        return Metric(result.score, str(metric.get_signature()))

    try:
        bleu = BLEU(tokenize=_BLEU_TOKENIZERS.get(lang, "13a"))
    except RuntimeError:  # sacrebleu's way to say that a tokeniser's package is absent
        bleu = None
    return LanguageScores(
        len(references),
        score(CHRF()),
        score(CHRF(word_order=2)),
        None if bleu is None else score(bleu),
    )
