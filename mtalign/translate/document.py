"""From a source document to its translation, with the layout kept and the beads known by construction.

White space before, between and after sentences is copied from the source by offsets. Entities are not
carried over here, and what the sentences look like inside a paragraph is not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import structs

from mtalign.alignment import Bead, check_beads
from mtalign.document import Document, Sentence, Span
from mtalign.errors import InvalidDocument
from mtalign.record import Issue
from mtalign.translate.engine import Engine
from mtalign.translate.rerank import Encoder
from mtalign.translate.sentences import translate_sentences


@dataclass(frozen=True)
class Translated:
    """A translation, how its sentences belong to those of the source, and what should be looked at."""

    document: Document
    beads: tuple[Bead, ...]
    issues: tuple[Issue, ...]


def translate_document(
    document: Document,
    target: str,
    engine: Engine,
    split: Callable[[str, str], Sequence[Span]],
    encoder: Encoder | None = None,
) -> Translated:
    """Translate a segmented document sentence by sentence.

    Args:
        document: the source, with sentences.
        target: language code of the translation.
        engine: makes hypotheses for each sentence.
        split: finds the sentences of a translated text, given the text and its language: usually one, more
            where a translation says in two sentences what the source says in one.
        encoder: helps to choose among hypotheses; without one the engine's first is taken.

    Returns:
        A document with the source's id, its title translated too, and one bead per source sentence.

    Raises:
        InvalidDocument: the document has text but is not segmented.
        ConfigError: the engine does not translate between these languages.
    """
    if not document.sentences and document.text.strip():
        raise InvalidDocument(f"document {document.id!r} has no sentences; segment it before translating")
    sources = document.sentence_texts()
    titles = [document.title] if document.title else []
    result = translate_sentences([*sources, *titles], document.lang, target, engine, encoder)
    translations = result.texts[: len(sources)]

    pieces: list[str] = []
    sentences: list[Sentence] = []
    beads: list[Bead] = []
    length = end = 0
    for index, (source, translation) in enumerate(zip(document.sentences, translations, strict=True)):
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

    check_beads(beads, len(sources), len(sentences), f"document {document.id!r} in {target}")
    return Translated(
        Document(
            id=document.id,
            lang=target,
            text="".join(pieces),
            sentences=tuple(sentences),
            title=result.texts[-1] if titles else None,
            source=document.source,
            license=document.license,
            attributes=document.attributes,
        ),
        tuple(beads),
        tuple(_about(issue, beads) for issue in result.issues),
    )


def _about(issue: Issue, beads: Sequence[Bead]) -> Issue:
    """Return the issue with the numbers of the target sentences in place of the source's.

    The title has the number after the last source sentence; an issue about it has no sentence.
    """
    sentences = tuple(j for i in issue.sentences if i < len(beads) for j in beads[i].right)
    return structs.replace(issue, sentences=sentences)
