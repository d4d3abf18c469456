"""From source documents to their translations, with the layout kept and the beads known by construction.

White space before, between and after sentences is copied from the source by offsets. Entities are not
carried over here, and what the sentences look like inside a paragraph is not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from msgspec import structs

from mtalign.alignment import Bead, check_beads
from mtalign.document import Document, Sentence, Span
from mtalign.errors import InvalidDocument
from mtalign.record import Issue, Origin
from mtalign.translate.sentences import Translations, translate_sentences
from mtalign.translate.translator import Translator

Split = Callable[[str, str], Sequence[Span]]


@dataclass(frozen=True)
class Translated:
    """A translation, how its sentences belong to those of the source, and what should be looked at.

    `scores` are the engine's mean log-probabilities by source sentence: None for what no engine made.
    """

    document: Document
    beads: tuple[Bead, ...]
    issues: tuple[Issue, ...]
    origin: Origin
    scores: tuple[float | None, ...] = ()


def translate_documents(
    documents: Sequence[Document], target: str, translator: Translator, split: Split
) -> list[Translated]:
    """Translate segmented documents sentence by sentence, all their sentences in one call to the engine.

    Args:
        documents: the sources, with sentences; their languages may differ.
        target: language code of the translations.
        translator: translates the sentences.
        split: finds the sentences of a translated text, given the text and its language: usually one, more
            where a translation says in two sentences what the source says in one.

    Returns:
        For each document, in order, one with the same id, its title translated too, and one bead per source
        sentence: what the document would have become alone.

    Raises:
        InvalidDocument: a document has text but is not segmented.
        ConfigError: the engine does not translate between these languages.
    """
    for document in documents:
        if not document.sentences and document.text.strip():
            raise InvalidDocument(f"document {document.id!r} has no sentences; segment it before translating")
    made: dict[int, Translated] = {}
    for lang in dict.fromkeys(document.lang for document in documents):
        chosen = [index for index, document in enumerate(documents) if document.lang == lang]
        units = [units_of(documents[index]) for index in chosen]
        texts = [text for each in units for text in each]
        contexts = [text for index in chosen for text in contexts_of(documents[index], translator)]
        outcomes = iter(translate_sentences(texts, lang, target, translator, contexts).outcomes)
        for index, own in zip(chosen, units, strict=True):
            share = Translations(tuple(islice(outcomes, len(own))))
            made[index] = _assemble(documents[index], target, share, split, translator.origin)
    return [made[index] for index in range(len(documents))]


def units_of(document: Document) -> list[str]:
    """Return what is translated of a document: its sentences, then its title if it has one."""
    return [*document.sentence_texts(), *([document.title] if document.title else [])]


def contexts_of(document: Document, translator: Translator) -> list[str]:
    """Return what stands before each of the document's units, as far as the translator wants to see it."""
    size = translator.context_sentences
    texts = document.sentence_texts()
    before = [" ".join(texts[max(0, index - size) : index]) for index in range(len(texts))]
    return [*before, *([""] if document.title else [])]


def _assemble(
    document: Document, target: str, result: Translations, split: Split, origin: Origin
) -> Translated:
    """Put the translations where the sentences stood."""
    count = len(document.sentences)
    pieces: list[str] = []
    sentences: list[Sentence] = []
    beads: list[Bead] = []
    length = end = 0
    for index, (source, translation) in enumerate(zip(document.sentences, result.texts[:count], strict=True)):
        gap = document.text[end : source.span.start]
        start = length + len(gap)
        found = [span.shift(start) for span in split(translation, target)]
        first = len(sentences)
        sentences += [Sentence(span, source.paragraph) for span in found]
        beads.append(Bead((index,), tuple(range(first, len(sentences))), 1.0))
        pieces += [gap, translation]
        length = start + len(translation)
        end = source.span.end
    pieces.append(document.text[end:])

    check_beads(beads, count, len(sentences), f"document {document.id!r} in {target}")
    return Translated(
        Document(
            id=document.id,
            lang=target,
            text="".join(pieces),
            sentences=tuple(sentences),
            title=result.texts[-1] if document.title else None,
            source=document.source,
            license=document.license,
            attributes=document.attributes,
        ),
        tuple(beads),
        tuple(_placed(issue, beads) for issue in result.issues),
        _with_others(origin, result),
        tuple(each.score for each in result.outcomes[:count]),
    )


def _with_others(origin: Origin, result: Translations) -> Origin:
    """Return where the translation comes from, naming what made single sentences of it."""
    others = dict.fromkeys(each.origin for each in result.outcomes if each.origin)
    return structs.replace(origin, others=tuple(others))


def _placed(issue: Issue, beads: Sequence[Bead]) -> Issue:
    """Return the issue at the target sentences of its source sentence.

    The title has the number after the last source sentence; an issue about it has no sentence.
    """
    (index,) = issue.sentences
    if index == len(beads):
        return structs.replace(issue, sentences=(), evidence=f"title: {issue.evidence}")
    return structs.replace(issue, sentences=beads[index].right)
