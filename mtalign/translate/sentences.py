"""From sentences to one translation each, with any engine: nothing lost, nothing truncated.

A sentence without letters, or in the target language already, is copied, and so is the bullet before an
item of a list. What the memory knows is taken from there. Equal sentences are translated once, a sentence
over the engine's limit is translated in parts, and an empty result is replaced by the source text. What was
cut into parts or is still wrong after all attempts is reported.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from msgspec import structs

from mtalign.document import Span
from mtalign.record import Issue
from mtalign.translate.engine import well_formed
from mtalign.translate.limits import split_at_clauses
from mtalign.translate.memory import Memory, Outcome, Sentence
from mtalign.translate.retry import Best, best_translations
from mtalign.translate.translator import Translator

# What stands before an item of a list, a heading or a quotation: a bullet, a dash, a number, a letter.
_MARKER = re.compile(r"(?:[-–—*•·‣◦▪●○■□>]|#{1,6}|\d{1,2}[.)]|\((?:\d{1,2}|[a-z])\)|[a-z]\)) ")


@dataclass(frozen=True)
class Translations:
    """What became of each source sentence, in order."""

    outcomes: tuple[Outcome, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """One text per source sentence, on one line each."""
        return tuple(each.text for each in self.outcomes)

    @property
    def issues(self) -> tuple[Issue, ...]:
        """What should be looked at; the sentence numbers are those of the source sentences."""
        return tuple(
            structs.replace(issue, sentences=(index,))
            for index, each in enumerate(self.outcomes)
            for issue in each.issues
        )


def translate_sentences(
    sentences: Sequence[str],
    source: str,
    target: str,
    translator: Translator,
    contexts: Sequence[str] | None = None,
) -> Translations:
    """Translate sentences, each for itself.

    Args:
        sentences: the source sentences; line breaks and runs of white space inside are read as a space,
            lone surrogates as U+FFFD.
        source: language code of the sentences.
        target: language code of the translations.
        translator: makes the hypotheses, chooses among them, and remembers.
        contexts: what stood before each sentence, for engines that can use it.

    Raises:
        ConfigError: the engine does not translate between these languages.
        StoreError: the memory cannot be used.
    """
    lines = as_looked_up(sentences, contexts)
    known = {line: Outcome(line.text) for line in lines if not has_letters(line.text)}
    wanted = [line for line in dict.fromkeys(lines) if line not in known]
    memory = translator.memory
    if memory:
        known |= _remembered(wanted, source, target, memory, translator.signature)
        wanted = [line for line in wanted if line not in known]
    if wanted:
        translator.check(source, target)
    portion = translator.engine.capabilities.portion or len(wanted)
    for first in range(0, len(wanted), portion or 1):
        made = _translate(wanted[first : first + portion], source, target, translator)
        if memory:
            memory.add(made.items(), source, target, translator.signature)
        known |= made
    return Translations(tuple(known[line] for line in lines))


def count_known(lines: Sequence[Sentence], source: str, target: str, memory: Memory, signature: str) -> int:
    """Return how many of the sentences a memory would serve to the translator with a signature."""
    known = _remembered(list(dict.fromkeys(lines)), source, target, memory, signature)
    return sum(line in known for line in lines)


def as_looked_up(sentences: Sequence[str], contexts: Sequence[str] | None = None) -> list[Sentence]:
    """Return sentences, and what stood before each, as they are translated and remembered."""
    pairs = zip(sentences, contexts or [""] * len(sentences), strict=True)
    return [Sentence(one_line(sentence), one_line(context)) for sentence, context in pairs]


def one_line(text: str) -> str:
    """Return the text with every run of white space made one space, none outside, and no lone surrogate."""
    return " ".join(well_formed(text).split())


def has_letters(text: str) -> bool:
    """Say whether there is anything to translate: a letter of any script."""
    return any(char.isalpha() for char in text)


def _remembered(
    lines: Sequence[Sentence], source: str, target: str, memory: Memory, signature: str
) -> dict[Sentence, Outcome]:
    """Return what the memory knows of different sentences, of an item of a list also without its bullet."""
    bodies = {
        line: Sentence(line.text[len(mark) :], line.context) for line in lines if (mark := _marker(line.text))
    }
    asked = list(dict.fromkeys([*lines, *bodies.values()]))
    found = memory.find(asked, source, target, signature)
    known = {line: found[line] for line in lines if line in found}
    for line, body in bodies.items():
        if body in found and (line not in known or (_human(found[body]) and not _human(known[line]))):
            mark = line.text.removesuffix(body.text)
            known[line] = structs.replace(found[body], text=mark + found[body].text)
    return known


def _human(outcome: Outcome) -> bool:
    return outcome.origin is not None and outcome.origin.kind == "human"


def _translate(
    lines: Sequence[Sentence], source: str, target: str, translator: Translator
) -> dict[Sentence, Outcome]:
    """Translate different sentences that hold letters."""
    engine = translator.engine
    limit = engine.limit(source, target) if lines else 0

    def count(text: str) -> int:
        return engine.count_tokens(text, source, target)

    made = {
        line: Outcome(line.text, (_already_translated(target),))
        for line in lines
        if translator.judge and translator.judge.already_in(line.text, source, target)
    }
    marks = {line: _marker(line.text) for line in lines if line not in made}
    bodies = {line: Sentence(line.text[len(mark) :], line.context) for line, mark in marks.items()}
    spans = {line: split_at_clauses(body.text, count, limit) for line, body in bodies.items()}
    parts = {line: _parts(bodies[line], cuts) for line, cuts in spans.items()}
    wanted = list(dict.fromkeys(part for each in parts.values() for part in each))
    best = dict(zip(wanted, best_translations(wanted, source, target, translator), strict=True))
    for line, cuts in spans.items():
        gaps = [bodies[line].text[a.end : b.start] for a, b in pairwise(cuts)]
        joined = _joined([(part.text, best[part]) for part in parts[line]], gaps, target, limit)
        made[line] = structs.replace(joined, text=marks[line] + joined.text)
    return made


def _marker(text: str) -> str:
    """Return the bullet or the like that a sentence begins with, which its translation keeps; or nothing."""
    found = _MARKER.match(text)
    return found[0] if found and has_letters(text[found.end() :]) else ""


def _parts(line: Sentence, cuts: Sequence[Span]) -> list[Sentence]:
    """Return the parts of a sentence, each with what stands before it in the sentence as context too."""
    if len(cuts) == 1:
        return [line]
    context = line.context
    return [
        Sentence(cut.of(line.text), one_line(f"{context} {line.text[: cut.start]}") if context else "")
        for cut in cuts
    ]


def _joined(parts: Sequence[tuple[str, Best]], gaps: Sequence[str], target: str, limit: int) -> Outcome:
    """Put translated parts together with the white space that stood between the source parts.

    The source stands in for a part whose translation is empty, so that nothing disappears.
    """
    texts = [best.hypothesis.text.strip() or part for part, best in parts]
    issues = []
    if len(parts) > 1:
        evidence = f"over the limit of {limit} tokens: translated in {len(parts)} parts"
        issues.append(Issue("split-sentence", "info", target, evidence))
    issues += [problem for _, best in parts for problem in _reported(best)]
    return Outcome(
        one_line("".join(text + gap for text, gap in zip(texts, [*gaps, ""], strict=True))),
        tuple(issues),
        min(best.hypothesis.score for _, best in parts),
        next((best.origin for _, best in parts if best.origin), None),
    )


def _reported(best: Best) -> list[Issue]:
    """Return what is wrong with a translation that was kept, each with the attempts to do better."""
    tried = f" (tried too: {', '.join(best.tried)})" if best.tried else ""
    return [structs.replace(each, evidence=f"{each.evidence}{tried}") for each in best.problems]


def _already_translated(target: str) -> Issue:
    return Issue("already-translated", "info", target, "kept as it is: the source is in the target language")
