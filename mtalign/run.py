"""The main job: an article through every stage into a record, and many articles into a run directory."""

from __future__ import annotations

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
from mtalign.align.side import Side, prepare
from mtalign.align.tuples import tuples
from mtalign.alignment import Bead, compose, invert
from mtalign.check import find_issues
from mtalign.document import Article, Document
from mtalign.errors import InputError, UsageError
from mtalign.formats.articles import Found
from mtalign.project.document import Task, project_documents
from mtalign.record import Issue, Origin, Record, Rejected, encode_json, pair_key
from mtalign.segment import segment, split_sentences
from mtalign.store import Writer
from mtalign.translate.document import translate_documents

if TYPE_CHECKING:
    from mtalign.load import Models

_log = logging.getLogger(__name__)


@dataclass
class Report:
    """What a run did; knows the exit code."""

    done: int = 0
    skipped: int = 0
    rejected: int = 0

    @property
    def exit_code(self) -> int:
        """0 if every article has a record, 1 if some were rejected."""
        return 1 if self.rejected else 0


@dataclass
class _Work:
    """An article on its way through the stages."""

    source: Document
    targets: dict[str, Document] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    beads: dict[str, tuple[Bead, ...]] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings[stage] = round(self.timings.get(stage, 0.0) + time.perf_counter() - start, 3)


def process_article(article: Article, targets: Sequence[str], models: Models) -> Record:
    """Take one article through every stage; human translations that it brings are kept as they are.

    Raises:
        InputError: the article cannot be used.
        UsageError: a translator is missing or does not know a language.
    """
    work = _Work(source=segment(article.source))
    if not work.source.sentences:
        raise InputError(f"article {article.source.id!r} has no sentence in it")
    _annotate(work, models)
    for lang in targets:
        if lang in article.translations:
            work.targets[lang] = segment(article.translations[lang])
            work.origins[lang] = Origin("human", license=article.translations[lang].license)
        else:
            _translate(work, lang, models)
    with work.timed("align"):
        _align(work, models)
        grouped = tuples(
            {lang: len(document.sentences) for lang, document in _documents(work).items()},
            {pair: work.beads[pair_key(*pair)] for pair in combinations(_documents(work), 2)},
        )
    with work.timed("project"):
        source_beads = {lang: work.beads[pair_key(work.source.lang, lang)] for lang in targets}
        projected = project_documents(
            [Task(work.source, work.targets[lang], source_beads[lang]) for lang in targets],
            models.linker.compare,
            models.config.project,
        )
        projections = dict(zip(targets, projected, strict=True))
    with work.timed("check"):
        work.issues += find_issues(
            work.source, work.targets, source_beads, projections, models.config.check, known=work.issues
        )
    return Record(
        id=article.source.id,
        source=work.source,
        signature=models.signature(missing(article, targets)),
        targets=work.targets,
        origins=work.origins,
        beads=work.beads,
        tuples=grouped,
        projections=projections,
        issues=tuple(work.issues),
        content=content_hash(article),
        timings=work.timings,
    )


def missing(article: Article, targets: Iterable[str]) -> list[str]:
    """Return the target languages that no human translation is supplied for."""
    return [lang for lang in targets if lang not in article.translations]


def content_hash(article: Article) -> str:
    """Return a digest of everything in the article: text, entities, translations."""
    return hashlib.sha256(encode_json(article)).hexdigest()[:16]


def _documents(work: _Work) -> dict[str, Document]:
    return {work.source.lang: work.source, **work.targets}


def _annotate(work: _Work, models: Models) -> None:
    if models.config.entities == "none" or work.source.entities:
        return
    from mtalign.annotate import spacy_entities

    with work.timed("annotate"):
        work.source = spacy_entities(work.source)


def _translate(work: _Work, lang: str, models: Models) -> None:
    with work.timed(f"translate {lang}"):
        (made,) = translate_documents([work.source], lang, models.translator(lang), split_sentences)
    work.targets[lang] = made.document
    work.origins[lang] = made.origin
    work.beads[pair_key(work.source.lang, lang)] = made.beads
    work.issues += made.issues


def _align(work: _Work, models: Models) -> None:
    """Fill in the beads of every pair: by composition where both sides were translated here."""
    documents = _documents(work)
    sides: dict[str, Side] = {}

    def side(lang: str) -> Side:
        if lang not in sides:
            sides[lang] = prepare(documents[lang].sentence_texts(), models.encoder)
        return sides[lang]

    known = dict(work.beads)
    ordered = {}
    for left, right in combinations(documents, 2):
        via = [known.get(pair_key(work.source.lang, lang)) for lang in (left, right)]
        if (key := pair_key(left, right)) in known:
            ordered[key] = known[key]
        elif via[0] is not None and via[1] is not None:
            ordered[key] = compose(invert(via[0]), via[1])
        else:
            numbers = [[each.paragraph for each in documents[lang].sentences] for lang in (left, right)]
            anchors = Anchors(left_paragraphs=numbers[0], right_paragraphs=numbers[1])
            ordered[key] = align(side(left), side(right), models.config.align, anchors)
    work.beads = ordered


def run_batch(
    inputs: Iterable[Found | Rejected],
    targets: Sequence[str],
    models: Models,
    writer: Writer,
    *,
    done: Mapping[str, tuple[str, str]],
    progress: Callable[[str], None],
) -> Report:
    """Process articles one after the other into a run directory; one bad article never stops the rest.

    Args:
        inputs: articles with their places, and what could not be read.
        targets: target languages.
        models: the models of the configuration.
        writer: the run directory, open for writing.
        done: content hash and signature of the articles that have a record already; those are skipped
            when neither has changed.
        progress: called with the article's id after each article.
    """
    report = Report()
    seen: set[str] = set()
    for found in inputs:
        if isinstance(found, Rejected):
            writer.reject(found)
            report.rejected += 1
            progress(found.id or found.path)
            continue
        article_id = found.article.source.id
        try:
            if article_id in seen:
                raise InputError(f"article id {article_id!r} is used twice; the first one counts")
            seen.add(article_id)
            if _is_done(found.article, targets, models, done):
                report.skipped += 1
            else:
                writer.add(process_article(found.article, targets, models))
                report.done += 1
        except UsageError:
            raise
        except Exception as error:
            # Whatever one article brings to light, a night's batch goes on; the reject says what it was.
            if not isinstance(error, InputError):
                _log.exception("article %r failed", article_id)
            reason = str(error) if isinstance(error, InputError) else f"internal error: {error!r}"
            writer.reject(Rejected(reason, found.path, found.line, article_id))
            report.rejected += 1
        progress(article_id)
    return report


def _is_done(
    article: Article, targets: Sequence[str], models: Models, done: Mapping[str, tuple[str, str]]
) -> bool:
    return done.get(article.source.id) == (
        content_hash(article),
        models.signature(missing(article, targets)),
    )
