"""From sentences to one translation each, with any engine: nothing lost, nothing truncated.

A sentence without letters is copied, equal sentences are translated once, a sentence over the
engine's limit is translated in parts, and an empty result is replaced by the source text. What was cut
into parts, came out empty or stopped at the length limit is reported; beyond that translations are not
judged here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mtalign.record import Issue, Severity
from mtalign.translate.engine import Hypothesis
from mtalign.translate.limits import split_at_clauses
from mtalign.translate.rerank import rank
from mtalign.translate.translator import Translator


@dataclass(frozen=True)
class Translations:
    """One text per source sentence, in order and on one line each, and what should be looked at.

    The sentence numbers of the issues are those of the source sentences.
    """

    texts: tuple[str, ...]
    issues: tuple[Issue, ...]


def translate_sentences(
    sentences: Sequence[str], source: str, target: str, translator: Translator
) -> Translations:
    """Translate sentences, each for itself.

    Args:
        sentences: the source sentences; line breaks and runs of white space inside are read as a space.
        source: language code of the sentences.
        target: language code of the translations.
        translator: makes the hypotheses and chooses among them.

    Raises:
        ConfigError: the engine does not translate between these languages.
    """
    engine = translator.engine
    engine.check_languages(source, target)
    lines = [one_line(sentence) for sentence in sentences]
    limit = engine.limit(source, target)

    def count(text: str) -> int:
        return engine.count_tokens(text, source, target)

    parts = {line: split_at_clauses(line, count, limit) for line in dict.fromkeys(lines) if has_letters(line)}
    wanted = list(dict.fromkeys(span.of(line) for line, spans in parts.items() for span in spans))
    best = dict(zip(wanted, _best(wanted, source, target, translator), strict=True))

    texts: list[str] = []
    issues: list[Issue] = []
    for index, line in enumerate(lines):
        spans = parts.get(line)
        if spans is None:
            texts.append(line)
            continue
        chosen = [(span.of(line), best[span.of(line)]) for span in spans]
        gaps = [line[a.end : b.start] for a, b in pairwise(spans)]
        texts.append(_rejoined(chosen, gaps))
        issues += _issues(index, target, chosen, limit)
    return Translations(tuple(texts), tuple(issues))


def one_line(text: str) -> str:
    """Return the text with every run of white space made one space, and none outside."""
    return " ".join(text.split())


def has_letters(text: str) -> bool:
    """Say whether there is anything to translate: a letter of any script."""
    return any(char.isalpha() for char in text)


def _best(wanted: list[str], source: str, target: str, translator: Translator) -> list[Hypothesis]:
    if not wanted:
        return []
    hypotheses = translator.engine.translate(wanted, source, target)
    if translator.encoder:
        hypotheses = rank(wanted, hypotheses, source, target, encoder=translator.encoder)
    return [each[0] for each in hypotheses]


def _rejoined(parts: Sequence[tuple[str, Hypothesis]], gaps: Sequence[str]) -> str:
    """Put translated parts together with the white space that stood between the source parts.

    The source stands in for a part whose translation is empty, so that nothing disappears.
    """
    texts = [each.text.strip() or part for part, each in parts]
    return one_line("".join(text + gap for text, gap in zip(texts, [*gaps, ""], strict=True)))


def _issues(index: int, target: str, parts: Sequence[tuple[str, Hypothesis]], limit: int) -> list[Issue]:
    def issue(kind: str, severity: Severity, evidence: str) -> Issue:
        return Issue(kind, severity, target, evidence, (index,))

    issues = []
    if len(parts) > 1:
        evidence = f"over the limit of {limit} tokens: translated in {len(parts)} parts"
        issues.append(issue("split-sentence", "info", evidence))
    for part, each in parts:
        if not each.text.strip():
            evidence = f"no translation; the source stands in: {part[:80]!r}"
            issues.append(issue("empty-output", "error", evidence))
        elif not each.complete:
            evidence = f"stopped at the length limit: {each.text[-80:]!r}"
            issues.append(issue("cut-output", "error", evidence))
    return issues
