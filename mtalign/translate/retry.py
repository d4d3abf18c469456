"""The best translation of each sentence that the engine and the ladder of further attempts can get.

A sentence is translated with its terms masked. What fails a check is tried again, rung by rung, and the
best of all that was seen is kept, with what is wrong with it: nothing is dropped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtalign.record import Issue, Origin
from mtalign.translate.engine import Decoding, Engine, Hypothesis
from mtalign.translate.memory import Sentence
from mtalign.translate.rerank import rank
from mtalign.translate.terms import Masked, Mention, mask, missing
from mtalign.translate.translator import Rung, Translator


@dataclass(frozen=True)
class Best:
    """The translation that was kept, and what is wrong with it; `tried` names the further attempts.

    `origin` is set where the fallback engine made it.
    """

    hypothesis: Hypothesis
    problems: tuple[Issue, ...] = ()
    tried: tuple[str, ...] = ()
    origin: Origin | None = None


class _Search:
    """One sentence on its way up the ladder, with all that was seen for it."""

    def __init__(self, sentence: Sentence, mentions: tuple[Mention, ...]) -> None:
        self.sentence = sentence
        self.mentions = mentions
        self.masked = mask(sentence.text, mentions)
        self.seen: list[Best] = []
        self.offered = 0
        self.tried: list[str] = []

    @property
    def failing(self) -> bool:
        return not any(_good(each) for each in self.seen)

    def leaders(self) -> list[Best]:
        """Return those with the fewest and least severe problems, in the order in which they came."""
        least = min(map(_badness, self.seen))
        return [each for each in self.seen if _badness(each) == least]


def best_translations(
    sentences: Sequence[Sentence], source: str, target: str, translator: Translator
) -> list[Best]:
    """Return the best translation of each sentence, every one of them within the engine's limit."""
    searches = [_Search(each, translator.terms.mentions(each.text, target)) for each in sentences]
    for each in searches:
        if each.masked.mentions and not _fits(each.masked.text, source, target, translator.engine):
            each.masked = Masked(each.sentence.text)
    look = _Look(source, target, translator)
    if searches:
        look.at(searches, translator.engine, Decoding(candidates=translator.candidates))
    for rung in translator.ladder:
        engine = translator.fallback if rung.fallback else translator.engine
        if engine is None or not rung.covered(engine.capabilities):
            continue
        again = [each for each in searches if each.failing and _is_new(rung, each)]
        if rung.fallback:
            again = [each for each in again if _fits(each.masked.text, source, target, engine)]
        if again:
            for each in again:
                each.tried.append(str(rung))
            # A rung is a decoding and more; engines see what they know.
            look.at(again, engine, Decoding(rung.beam_size, rung.candidates, rung.no_repeat))
    return look.choose(searches)


class _Look:
    """Attempts between two languages."""

    def __init__(self, source: str, target: str, translator: Translator) -> None:
        self._source = source
        self._target = target
        self._translator = translator

    def at(self, searches: Sequence[_Search], engine: Engine, decoding: Decoding) -> None:
        """Decode once more, and note what comes out with its problems.

        Where no output has every placeholder, the sentence is decoded without any, now and on later rungs.
        """
        restored = self._decode(searches, engine, decoding)
        bare = [
            each for each, found in zip(searches, restored, strict=True) if each.masked.mentions and not found
        ]
        for each in bare:
            each.masked = Masked(each.sentence.text)
            each.tried.append("without placeholders")
        again = iter(self._decode(bare, engine, decoding))
        restored = [found or next(again) for found in restored]
        origin = None if engine is self._translator.engine else engine.origin
        queues = self._new(searches, restored)
        # The first of each is judged for all sentences at once; only those that fail look further.
        self._judge([(each, queue[:1]) for each, queue in zip(searches, queues, strict=True)], origin)
        self._judge(
            [(each, queue[1:]) for each, queue in zip(searches, queues, strict=True) if each.failing], origin
        )

    def choose(self, searches: Sequence[_Search]) -> list[Best]:
        """Return the best of what was seen for each sentence; where several are as good, the best ranked."""
        leaders = [each.leaders() for each in searches]
        ranked = self._ranked(
            [each.sentence.text for each in searches],
            [[best.hypothesis for best in group] for group in leaders],
        )
        return [
            replace(next(best for best in group if best.hypothesis is order[0]), tried=tuple(search.tried))
            for search, group, order in zip(searches, leaders, ranked, strict=True)
        ]

    def _decode(
        self, searches: Sequence[_Search], engine: Engine, decoding: Decoding
    ) -> list[list[Hypothesis]]:
        if not searches:
            return []
        contexts = None
        if self._translator.context_sentences and engine.capabilities.context:
            contexts = [each.sentence.context for each in searches]
        texts = [each.masked.text for each in searches]
        made = engine.translate(texts, self._source, self._target, decoding, contexts)
        results = []
        for search, hypotheses in zip(searches, made, strict=True):
            search.offered = max(search.offered, len(hypotheses))
            restored = ((each, search.masked.restore(each.text)) for each in hypotheses)
            results.append([replace(each, text=text) for each, text in restored if text is not None])
        return results

    def _new(
        self, searches: Sequence[_Search], found: Sequence[Sequence[Hypothesis]]
    ) -> list[list[Hypothesis]]:
        """Return the hypotheses that were not seen before, best ranked first."""
        fresh = []
        for search, hypotheses in zip(searches, found, strict=True):
            seen = {best.hypothesis.text for best in search.seen}
            first = {each.text: each for each in reversed(hypotheses) if each.text not in seen}
            fresh.append([each for each in hypotheses if first.get(each.text) is each])
        return self._ranked([each.sentence.text for each in searches], fresh)

    def _ranked(self, texts: Sequence[str], groups: Sequence[list[Hypothesis]]) -> list[list[Hypothesis]]:
        encoder = self._translator.encoder
        if encoder is None:
            return list(groups)
        weights = self._translator.weights
        return rank(texts, groups, self._source, self._target, encoder=encoder, weights=weights)

    def _judge(self, found: Sequence[tuple[_Search, list[Hypothesis]]], origin: Origin | None) -> None:
        """Note the hypotheses with their problems."""
        pairs = [(search, each) for search, hypotheses in found for each in hypotheses]
        judged = iter(self._problems([(search, each) for search, each in pairs if each.text.strip()]))
        for search, each in pairs:
            problems = next(judged) if each.text.strip() else (self._empty(search),)
            search.seen.append(Best(each, problems, origin=origin))

    def _problems(self, pairs: Sequence[tuple[_Search, Hypothesis]]) -> list[tuple[Issue, ...]]:
        judge = self._translator.judge
        texts = [(search.sentence.text, each.text) for search, each in pairs]
        judged = judge.problems(texts, self._source, self._target) if judge and texts else [()] * len(texts)
        return [
            (*self._own_problems(search, each), *found)
            for (search, each), found in zip(pairs, judged, strict=True)
        ]

    def _own_problems(self, search: _Search, hypothesis: Hypothesis) -> list[Issue]:
        problems = []
        if not hypothesis.complete:
            evidence = f"stopped at the length limit: {hypothesis.text[-80:]!r}"
            problems.append(Issue("cut-output", "error", self._target, evidence))
        if lost := missing(search.mentions, hypothesis.text, self._target):
            evidence = f"not in the translation: {', '.join(lost)}"
            problems.append(Issue("lost-term", "warning", self._target, evidence))
        return problems

    def _empty(self, search: _Search) -> Issue:
        evidence = f"no translation; the source stands in: {search.sentence.text[:80]!r}"
        return Issue("empty-output", "error", self._target, evidence)


def _fits(text: str, source: str, target: str, engine: Engine) -> bool:
    return engine.count_tokens(text, source, target) <= engine.limit(source, target)


def _is_new(rung: Rung, search: _Search) -> bool:
    """Say whether a rung can bring something new: not when it asks for as many candidates as there were."""
    if rung.beam_size or rung.no_repeat is not None or rung.fallback:
        return True
    return search.offered < (rung.candidates or 0)


def _good(best: Best) -> bool:
    return _badness(best)[:3] == (False, 0, 0)


def _badness(best: Best) -> tuple[bool, int, int]:
    """Return what comes first in a comparison: nothing at all, then errors, then warnings."""
    severities = [issue.severity for issue in best.problems]
    return not best.hypothesis.text.strip(), severities.count("error"), severities.count("warning")
