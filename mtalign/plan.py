"""What a run has ahead of it: sentences, what the memory serves of them, and how long the rest will take.

Nothing is translated, fetched or written. The memory is asked under the engine's signature, which is
known without its weights, except where CTranslate2 never ran the model on this machine; and it is asked only
where it holds translations that may be this model's or a person's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mtalign.document import Article, Document
from mtalign.errors import InputError
from mtalign.formats.articles import Found
from mtalign.record import Rejected
from mtalign.run import missing
from mtalign.segment import segment
from mtalign.store import Run, is_run
from mtalign.translate.document import contexts_of, units_of
from mtalign.translate.sentences import as_looked_up, count_known

if TYPE_CHECKING:
    from mtalign.load import Models

# Seconds per sentence and language on one CPU core, where no earlier run tells better. Only that of
# transformers was measured, with the starter translator; the others are orders of magnitude.
DEFAULT_SECONDS = {"transformers": 1.4, "ctranslate2": 0.2, "openai": 0.5}
DEFAULT_OTHER_SECONDS = 0.2

# Sentences that are looked up in the memory together.
_CHUNK = 2000

# Seconds per sentence: what took less came out of the memory.
_FASTEST = 0.001


@dataclass(frozen=True)
class Ahead:
    """What is ahead for one target language.

    `sentences` are those of all articles, `to_translate` those without a human translation (titles too),
    `known` as many of these as the memory serves. `translate_seconds` is the time per new sentence,
    `other_seconds` that of all other stages per sentence, each with where the figure is from.
    """

    lang: str
    sentences: int
    to_translate: int
    known: int
    translate_seconds: float
    translate_rate: Literal["measured", "default"]
    other_seconds: float
    other_rate: Literal["measured", "default"]

    @property
    def cached_share(self) -> float:
        """The share of the sentences to translate that the memory serves, 0 to 1."""
        return self.known / self.to_translate if self.to_translate else 0.0

    @property
    def seconds(self) -> float:
        """How long this language will take one process, at most: the two kinds of work overlap."""
        return (self.to_translate - self.known) * self.translate_seconds + self.sentences * self.other_seconds


@dataclass(frozen=True)
class Rates:
    """Seconds per sentence, as the journal of an earlier run tells them; empty where it does not."""

    translate: dict[str, float]
    other: float | None = None


def look_ahead(
    inputs: Iterable[Found | Rejected], targets: Sequence[str], models: Models, run: Path | None = None
) -> list[Ahead]:
    """Return what is ahead for each target language. Articles that the run has already are not left out.

    Args:
        inputs: read as a stream; what cannot be read or segmented is passed over.
        targets: target languages.
        models: the models of the configuration.
        run: a run directory whose journal tells how long its sentences took, if there is one yet.

    Raises:
        UsageError: an engine that has to be asked cannot be loaded.
    """
    sentences = 0
    to_translate: Counter[str] = Counter()
    known: Counter[str] = Counter()
    waiting: list[tuple[Article, Document]] = []

    def look_up() -> None:
        for lang in targets:
            sources = [source for article, source in waiting if missing(article, [lang])]
            to_translate[lang] += sum(len(units_of(each)) for each in sources)
            known[lang] += _known(sources, lang, models)
        waiting.clear()

    for each in inputs:
        if not isinstance(each, Found):
            continue
        try:
            source = segment(each.article.source)
        except InputError:
            continue
        sentences += len(source.sentences)
        waiting.append((each.article, source))
        if sum(len(source.sentences) for _, source in waiting) >= _CHUNK:
            look_up()
    look_up()
    rates = read_rates(run, models) if run and is_run(run) else Rates({})
    return [
        Ahead(
            lang,
            sentences,
            to_translate[lang],
            known[lang],
            rates.translate.get(lang, _default_seconds(lang, models)),
            "measured" if lang in rates.translate else "default",
            DEFAULT_OTHER_SECONDS if rates.other is None else rates.other,
            "default" if rates.other is None else "measured",
        )
        for lang in targets
    ]


def _default_seconds(lang: str, models: Models) -> float:
    """Return what a sentence is assumed to take; nothing where people translated all."""
    chosen = models.config.translator(lang)
    return DEFAULT_SECONDS[chosen.engine] if chosen else 0.0


def _known(sources: Sequence[Document], target: str, models: Models) -> int:
    """Return how many sentences the memory serves."""
    found = 0
    for lang in dict.fromkeys(each.lang for each in sources):
        if not models.may_remember(lang, target) or models.memory is None:
            continue
        own = [each for each in sources if each.lang == lang]
        texts = [text for each in own for text in units_of(each)]
        if models.are_here(target):
            translator = models.translator(target)
            signature = translator.signature
            lines = as_looked_up(texts, [text for each in own for text in contexts_of(each, translator)])
        else:
            # What people translated is found under every signature, and in every context.
            signature, lines = "", as_looked_up(texts)
        found += count_known(lines, lang, target, models.memory, signature)
    return found


def read_rates(path: Path, models: Models) -> Rates:
    """Return how long the sentences of a run took, as far as the same models translated them.

    What the memory served then counts too, so that the rate of a rerun is far too good: it is left out
    where it is faster than a sentence could be translated.
    """
    seconds: dict[str, float] = defaultdict(float)
    sentences: dict[str, int] = defaultdict(int)
    other = pairs = 0.0
    for _, entry in Run(path).entries():
        for lang, engine in entry.tally.engines.items():
            chosen = models.config.translator(lang)
            took = entry.timings.get(f"translate {lang}", 0.0)
            if chosen and engine == chosen.model and took > _FASTEST * entry.tally.sentences:
                seconds[lang] += took
                sentences[lang] += entry.tally.sentences
        other += sum(took for stage, took in entry.timings.items() if not stage.startswith("translate "))
        pairs += entry.tally.sentences * len(entry.tally.engines)
    return Rates(
        {lang: seconds[lang] / count for lang, count in sentences.items()}, other / pairs if pairs else None
    )
