"""The main job: articles through every stage into records.

The sentences of all articles given together are translated together; every other stage works on each
article for itself, so that what an article becomes does not depend on its neighbours, except where an engine
rounds differently in another batch. An article that fails at a stage leaves the group; the others go on.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from mtalign.align.anchors import Anchors
from mtalign.align.beads import align
from mtalign.align.order import NON_MONOTONE, reading_order
from mtalign.align.side import Side, prepare
from mtalign.align.tuples import tuples
from mtalign.alignment import Bead, compose, invert
from mtalign.check import find_issues
from mtalign.document import Article, Document
from mtalign.errors import ConfigError, InputError, UnknownLanguage, UsageError
from mtalign.languages import LANGUAGES
from mtalign.project.document import Task, project_documents
from mtalign.quality import estimate_documents, low_quality
from mtalign.record import Issue, Origin, Projection, Record, encode_json, pair_key
from mtalign.segment import segment, split_sentences
from mtalign.store import Made
from mtalign.translate.document import translate_documents

if TYPE_CHECKING:
    from mtalign.encode import RememberedVectors
    from mtalign.load import Models

_log = logging.getLogger(__name__)

# The parts of a signature that belong to one stage each, beside those of the languages translated into. All
# other parts (versions, the encoder, the annotator) concern the whole record.
_OWN = frozenset({"align", "words", "project", "evidence", "check", "quality", "terms", *LANGUAGES})

# What translations come from beside their engine: terms, and the checks that choose among hypotheses.
_OF_TRANSLATION = frozenset({"terms", "check"})

# Errors of the system that are not about an article: a full disk, a disk that went away, too many open files.
_MACHINE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}
)


def process_article(article: Article, targets: Sequence[str], models: Models) -> Record:
    """Take one article through every stage; human translations that it brings are kept as they are.

    Raises:
        InputError: the article cannot be used.
        UsageError: a translator is missing or does not know a language.
    """
    (made,) = process_articles([article], targets, models)
    if isinstance(made, Exception):
        raise made
    return made.record


def process_articles(
    articles: Sequence[Article],
    targets: Sequence[str],
    models: Models,
    known: Sequence[Made | None] = (),
    home: str | None = None,
) -> list[Made | Exception]:
    """Take articles through every stage together; return a record, or what went wrong, for each in order.

    It is `begin_articles` and `finish_articles`, one after the other.
    """
    return list(finish_articles(begin_articles(articles, targets, models, known, home), targets, models))


def begin_articles(
    articles: Sequence[Article],
    targets: Sequence[str],
    models: Models,
    known: Sequence[Made | None] = (),
    home: str | None = None,
) -> Begun:
    """Segment, annotate and translate articles together: what the engine is needed for.

    Args:
        articles: the articles.
        targets: target languages.
        models: the models of the configuration.
        known: for each article, its earlier record if there is one. What the same configuration made of the
            same content is taken from it; only the other stages are done again.
        home: the language that articles are expected in. A translator that does not know it is an error;
            one that does not know another article's language costs only that article.

    Raises:
        UsageError: nothing can be done for any article: a model is missing, or does not know a language.
    """
    works = [
        _Work(article, article.source, earlier, home)
        for article, earlier in zip(articles, known or [None] * len(articles), strict=True)
    ]
    _each(works, lambda work: _begin(work, targets, models))
    for lang in targets:
        _translate([work for work in works if not work.failure and lang not in work.targets], lang, models)
    return Begun(works, None if all(work.failure for work in works) else models.vectors.take())


def finish_articles(begun: Begun, targets: Sequence[str], models: Models) -> Iterator[Made | Exception]:
    """Align, project, estimate and check, one article after the other; yield what became of each, in order.

    May run in another thread while `begin_articles` works on the next articles, but not in two at once.

    Raises:
        UsageError: nothing can be done for any article.
    """
    for work in begun.works:
        _each([work], lambda work: _finish(work, targets, models, begun.vectors))
        yield work.failure or work.made()


def tasks_of(record: Record) -> dict[str, Task]:
    """Return what was projected in a record, by target language."""
    return {
        lang: Task(record.source, target, record.beads[pair_key(record.source.lang, lang)])
        for lang, target in record.targets.items()
    }


def missing(article: Article, targets: Iterable[str]) -> list[str]:
    """Return the target languages that no human translation is supplied for."""
    return [lang for lang in targets if lang not in article.translations]


def content_hash(article: Article) -> str:
    """Return a digest of everything in the article: text, entities, translations."""
    return hashlib.sha256(encode_json(article)).hexdigest()[:16]


@dataclass(frozen=True)
class Begun:
    """Articles on their way, translated.

    `vectors` are those of their sentences, as far as choosing translations took them: none come from other
    articles, so that no rounding in a record depends on what was worked on before or at the same time.
    """

    works: Sequence[_Work]
    vectors: RememberedVectors | None


@dataclass
class _Work:
    """An article on its way through the stages."""

    article: Article
    source: Document
    known: Made | None = None
    home: str | None = None
    signature: str = ""
    same: frozenset[str] = frozenset()
    targets: dict[str, Document] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    beads: dict[str, tuple[Bead, ...]] = field(default_factory=dict)
    translated: dict[str, tuple[Issue, ...]] = field(default_factory=dict)
    unordered: list[Issue] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    record: Record | None = None
    failure: Exception | None = None

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.spent(stage, time.perf_counter() - start)

    def spent(self, stage: str, seconds: float) -> None:
        self.timings[stage] = round(self.timings.get(stage, 0.0) + seconds, 4)

    def documents(self) -> dict[str, Document]:
        return {self.source.lang: self.source, **self.targets}

    def made(self) -> Made:
        if self.record is None:
            raise InputError(f"article {self.article.source.id!r} did not come through the stages")
        return Made(self.record, sum(map(len, self.translated.values())))


def _each(works: Sequence[_Work], stage: Callable[[_Work], None]) -> None:
    """Do one stage for every article that has not failed; a failure stays with its article."""
    for work in works:
        if work.failure is None:
            try:
                stage(work)
            except Exception as error:
                _fail(work, error)


def _fail(work: _Work, error: Exception) -> None:
    """Let an article go with its error, unless no other article would fare better.

    Whatever one article brings to light, a night's batch goes on; the reject says what it was.
    """
    if isinstance(error, UsageError) and not _foreign([work], error):
        raise error
    if isinstance(error, OSError) and error.errno in _MACHINE:
        raise UsageError(
            f"the machine cannot go on: {error}; what was finished is kept, start again to resume"
        ) from error
    if not isinstance(error, (InputError, UsageError)):
        _log.error("article %r failed", work.article.source.id, exc_info=error)
    work.failure = error


def _begin(work: _Work, targets: Sequence[str], models: Models) -> None:
    """Segment and annotate; take over human translations, and machine ones that would be made again."""
    if (lang := work.article.source.lang) in targets:
        raise InputError(
            f"article {work.article.source.id!r} is in {lang!r}, a target language; run it with other targets"
        )
    work.signature = models.signature(missing(work.article, targets))
    earlier = _still_valid(work)
    with work.timed("segment"):
        work.source = earlier.source if earlier else segment(work.article.source)
        if not work.source.sentences:
            raise InputError(f"article {work.article.source.id!r} has no sentence in it")
        for lang in targets:
            if supplied := work.article.translations.get(lang):
                work.targets[lang] = segment(supplied)
                work.origins[lang] = Origin("human", license=supplied.license)
    if earlier is None:
        _annotate(work, models)
        return
    for lang in missing(work.article, targets):
        if lang in earlier.targets and {lang, *_OF_TRANSLATION} <= work.same:
            issues = earlier.issues[: work.known.translation_issues if work.known else 0]
            pair = pair_key(work.source.lang, lang)
            work.targets[lang] = earlier.targets[lang]
            work.origins[lang] = earlier.origins[lang]
            work.beads[pair] = earlier.beads[pair]
            work.translated[lang] = tuple(each for each in issues if each.lang == lang)


def _still_valid(work: _Work) -> Record | None:
    """Return the earlier record if the source in it would come out the same, and note what else would."""
    if work.known is None or work.known.record.content != content_hash(work.article):
        return None
    old, new = _parts(work.known.record.signature), _parts(work.signature)
    if {k: v for k, v in old.items() if k not in _OWN} != {k: v for k, v in new.items() if k not in _OWN}:
        return None
    work.same = frozenset(key for key in old.keys() & new.keys() if old[key] == new[key])
    return work.known.record


def _parts(signature: str) -> dict[str, str]:
    return dict(part.partition(":")[::2] for part in signature.split("|"))


def _annotate(work: _Work, models: Models) -> None:
    if models.config.entities == "none" or work.source.entities:
        return
    from mtalign.annotate import spacy_entities, tagged_entities

    with work.timed("annotate"):
        tagger = models.tagger
        work.source = tagged_entities(work.source, tagger) if tagger else spacy_entities(work.source)


def _translate(works: Sequence[_Work], lang: str, models: Models) -> None:
    """Translate articles in one call; if that fails, each half for itself, down to the article at fault."""
    if not works:
        return
    translator = models.translator(lang)
    start = time.perf_counter()
    try:
        translations = translate_documents([work.source for work in works], lang, translator, split_sentences)
    except Exception as error:
        if len(works) == 1:
            _fail(works[0], error)
            return
        if isinstance(error, UsageError) and not _foreign(works, error):
            raise
        _log.warning("%d articles could not be translated together: %r", len(works), error)
        half = len(works) // 2
        _translate(works[:half], lang, models)
        _translate(works[half:], lang, models)
        return
    took = time.perf_counter() - start
    sentences = sum(len(work.source.sentences) for work in works)
    for work, made in zip(works, translations, strict=True):
        work.spent(f"translate {lang}", took * len(work.source.sentences) / sentences)
        work.targets[lang] = made.document
        work.origins[lang] = made.origin
        work.beads[pair_key(work.source.lang, lang)] = made.beads
        work.translated[lang] = made.issues


def _foreign(works: Sequence[_Work], error: UsageError) -> bool:
    """Say whether an error may be about the language of an article that is not in the expected one."""
    return isinstance(error, (ConfigError, UnknownLanguage)) and any(
        work.home not in {None, work.source.lang} for work in works
    )


def _finish(work: _Work, targets: Sequence[str], models: Models, vectors: RememberedVectors | None) -> None:
    """Align, project and check."""
    earlier = work.known.record if work.known and work.same else None
    work.targets = {lang: work.targets[lang] for lang in targets}
    with work.timed("align"):
        _align(work, earlier if "align" in work.same else None, models)
        documents = work.documents()
        grouped = tuples(
            {lang: len(document.sentences) for lang, document in documents.items()},
            {pair: work.beads[pair_key(*pair)] for pair in combinations(documents, 2)},
        )
    source_beads = {lang: work.beads[pair_key(work.source.lang, lang)] for lang in targets}
    tasks = {lang: Task(work.source, work.targets[lang], source_beads[lang]) for lang in targets}
    projections = _projected(work, earlier) if earlier else None
    if projections is None:
        with work.timed("project"):
            made = project_documents(
                list(tasks.values()), models.linker.compare, models.config.project, evidence=models.evidence
            )
        projections = dict(zip(targets, made, strict=True))
    quality = _estimated(work, earlier) if earlier else None
    if quality is None:
        with work.timed("quality"):
            quality = _estimate(tasks, models, vectors)
    known = [issue for lang in targets for issue in work.translated.get(lang, ())]
    with work.timed("check"):
        found = find_issues(
            work.source, work.targets, source_beads, projections, models.config.check, known=known
        )
    poor = [
        issue
        for lang, estimates in quality.items()
        for issue in low_quality(tasks[lang], estimates, models.config.quality)
    ]
    work.record = Record(
        id=work.article.source.id,
        source=work.source,
        signature=work.signature,
        targets=work.targets,
        origins={lang: work.origins[lang] for lang in targets},
        beads=work.beads,
        tuples=grouped,
        projections=projections,
        issues=(*known, *work.unordered, *found, *poor),
        quality=quality,
        content=content_hash(work.article),
        timings=work.timings,
    )


def _align(work: _Work, earlier: Record | None, models: Models) -> None:
    """Fill in the beads of every pair: by composition where both sides were translated here."""
    documents = work.documents()
    sides: dict[str, Side] = {}

    def side(lang: str) -> Side:
        if lang not in sides:
            sides[lang] = prepare(documents[lang].sentence_texts(), models.encoder)
        return sides[lang]

    old = earlier.documents() if earlier else {}
    known = dict(work.beads)
    ordered = {}
    for left, right in combinations(documents, 2):
        via = [known.get(pair_key(work.source.lang, lang)) for lang in (left, right)]
        if (key := pair_key(left, right)) in known:
            ordered[key] = known[key]
        elif via[0] is not None and via[1] is not None:
            ordered[key] = compose(invert(via[0]), via[1])
        elif earlier and key in earlier.beads and all(old[x] == documents[x] for x in (left, right)):
            ordered[key] = earlier.beads[key]
            work.unordered += [issue for issue in earlier.issues if _is_about_order(issue, left, right, work)]
        else:
            numbers = [[each.paragraph for each in documents[lang].sentences] for lang in (left, right)]
            anchors = Anchors(left_paragraphs=numbers[0], right_paragraphs=numbers[1])
            ordered[key] = align(side(left), side(right), models.config.align, anchors)
            order = reading_order(side(left), side(right))
            if left == work.source.lang and not order.is_monotone:
                work.unordered.append(Issue(NON_MONOTONE, "warning", right, order.evidence))
    work.beads = ordered


def _is_about_order(issue: Issue, left: str, right: str, work: _Work) -> bool:
    return issue.kind == NON_MONOTONE and issue.lang == right and left == work.source.lang


def _estimate(
    tasks: Mapping[str, Task], models: Models, vectors: RememberedVectors | None
) -> dict[str, tuple[float | None, ...]]:
    """Estimate the quality of the translations of an article, if that is wanted."""
    if not models.config.quality.estimate or vectors is None:
        return {}
    made = estimate_documents(list(tasks.values()), models.linker.compare, vectors)
    return dict(zip(tasks, made, strict=True))


def _estimated(work: _Work, earlier: Record) -> dict[str, tuple[float | None, ...]] | None:
    """Return the earlier estimates if nothing that they come from has changed; all or none, as below."""
    return dict(earlier.quality) if _unchanged(work, earlier, "words", "quality") else None


def _projected(work: _Work, earlier: Record) -> dict[str, tuple[Projection, ...]] | None:
    """Return the earlier projections if nothing that they come from has changed.

    All or none: the linker centres each language on all that it is given together.
    """
    return dict(earlier.projections) if _unchanged(work, earlier, "words", "project", "evidence") else None


def _unchanged(work: _Work, earlier: Record, *stages: str) -> bool:
    """Say whether texts, beads and the options of the stages are those of the earlier record."""
    return (
        work.same.issuperset(stages)
        and earlier.targets == work.targets
        and all(earlier.beads[pair] == work.beads[pair] for pair in work.beads)
    )
