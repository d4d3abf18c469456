"""spaCy's DocBin (`.spacy`): tokens, sentences, entities and span groups, compressed.

Reading: entities (`doc.ents`), and the spans of the group `sc`, where spaCy keeps those that overlap. What a
DocBin of other tools has besides (tags, trees, other groups) is left out. Nothing in it is unpickled: spaCy
packs it by msgpack, and user data, whose types are open, is counted and never unpacked.

Writing uses words, in Korean morphemes. It does not hold: mentions that cross sentences or begin or end
inside a word, attributes of mentions, document fields, alignment, origins and issues. A file holds
`DOCS_PER_FILE` documents at most.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtalign.document import Article, Document, Entity, Span
from mtalign.errors import InputError, MissingExtra
from mtalign.formats.features import Records, disjoint, documents_of
from mtalign.formats.names import name_and_language
from mtalign.formats.reading import Found, Options, read_whole, rejected
from mtalign.formats.rows import place_sentences
from mtalign.formats.tokens import on_tokens, tokens_of
from mtalign.record import Rejected

if TYPE_CHECKING:
    from spacy.tokens import Doc, DocBin
    from spacy.vocab import Vocab

DOCS_PER_FILE = 2000
LARGEST_INFLATED = 512 << 20
_GROUP = "sc"
_NO_USER_DATA = b"\x80"  # an empty map
_ATTRIBUTES = ("ORTH", "SPACY", "SENT_START", "ENT_IOB", "ENT_TYPE")


def read(path: Path, options: Options) -> Iterator[Found | Rejected]:
    """Yield the documents of a file as articles.

    Raises:
        InputError: it is no DocBin, or too large.
    """
    name, lang = name_and_language(path)
    data = read_whole(path)
    _check(data, path.name)
    bin_class, vocab = _spacy()
    try:
        loaded = bin_class().from_bytes(data)
        with_user_data = [bool(each) and each != _NO_USER_DATA for each in loaded.user_data]
        loaded.user_data = [None] * len(loaded)
        for number, doc in enumerate(loaded.get_docs(vocab), 1):
            own = doc.spans[_GROUP].attrs if _GROUP in doc.spans else {}
            article_id = str(own.get("id") or f"{name}-{number}")
            try:
                document = _document(doc, article_id, str(own.get("lang") or lang or options.lang))
                left_out = {"user data": 1} if with_user_data[number - 1] else {}
                yield Found(Article(document), str(path), number, left_out)
            except InputError as error:
                yield rejected(error, str(path), number, article_id)
    except InputError:
        raise
    except Exception as error:  # numpy, msgpack and spaCy each have errors of their own for broken data
        raise InputError(f"{path.name} cannot be read as a DocBin: {error!r:.200}") from error


def _check(data: bytes, name: str) -> None:
    """Refuse what inflates too far, before spaCy inflates it."""
    inflate = zlib.decompressobj()
    try:
        inflate.decompress(data, LARGEST_INFLATED)
        if inflate.unconsumed_tail:
            raise InputError(f"{name} inflates to more than {LARGEST_INFLATED:,} bytes")
        if not inflate.eof:
            raise InputError(f"{name} is cut off")
    except zlib.error as error:
        raise InputError(f"{name} is no DocBin: {error}") from error


def _spacy() -> tuple[type[DocBin], Vocab]:
    try:
        from spacy.tokens import DocBin
        from spacy.vocab import Vocab
    except ImportError as error:
        raise MissingExtra(
            f'DocBin needs spaCy ({error}); install it with: pip install "mtalign[formats]"'
        ) from error
    return DocBin, Vocab()


def _document(doc: Doc, article_id: str, lang: str) -> Document:
    text = doc.text
    if not text.strip():
        raise InputError("the document is empty")
    group = list(doc.spans[_GROUP]) if _GROUP in doc.spans else []
    grouped = {(each.start_char, each.end_char, each.label_) for each in group}
    spans = group + [
        each for each in doc.ents if (each.start_char, each.end_char, each.label_) not in grouped
    ]
    return Document(
        article_id,
        lang,
        text,
        place_sentences(text, _sentences(doc)),
        tuple(_entity(each, number, text) for number, each in enumerate(spans, 1)),
    )


def _sentences(doc: Doc) -> list[Span] | None:
    if not doc.has_annotation("SENT_START"):
        return None
    found = []
    for sentence in doc.sents:
        lead = len(sentence.text) - len(sentence.text.lstrip())
        if stripped := sentence.text.strip():
            start = sentence.start_char + lead
            found.append(Span(start, start + len(stripped)))
    return found


def _entity(span: Any, number: int, text: str) -> Entity:
    place = Span(span.start_char, span.end_char)
    attributes = {"kb_id": span.kb_id_} if span.kb_id_ else {}
    return Entity(span.id_ or f"e{number}", place, place.of(text), span.label_, attributes)


def write(records: Records, out: Path) -> Counter[str]:
    """Write files per language, `articles-1.ko.spacy` and so on."""
    bin_class, vocab = _spacy()
    losses: Counter[str] = Counter()
    bins: dict[str, DocBin] = {}
    files: Counter[str] = Counter()

    def save(lang: str) -> None:
        files[lang] += 1
        bins.pop(lang).to_disk(out / f"articles-{files[lang]}.{lang}.spacy")

    for record in records():
        for document in documents_of(record):
            own = bins.setdefault(document.lang, bin_class(attrs=_ATTRIBUTES, store_user_data=False))
            own.add(_doc(document, vocab, losses))
            if len(own) == DOCS_PER_FILE:
                save(document.lang)
    for lang in list(bins):
        save(lang)
    return losses


def _doc(document: Document, vocab: Vocab, losses: Counter[str]) -> Doc:
    from spacy.tokens import Doc, SpanGroup

    tokens = tokens_of(document)
    mentions = on_tokens(document.entities, tokens, losses)
    words, spaces, starts = _with_white_space(
        document, tokens.flat(), {own[0].start for own in tokens.sentences}
    )
    doc = Doc(vocab, words=words, spaces=spaces, sent_starts=starts)
    found = {
        each.id: doc.char_span(each.span.start, each.span.end, label=each.label, span_id=each.id)
        for each in mentions
    }
    doc.set_ents([found[each.id] for each in disjoint(tuple(mentions)) if each.label])
    doc.spans[_GROUP] = SpanGroup(
        doc, name=_GROUP, attrs={"id": document.id, "lang": document.lang}, spans=list(found.values())
    )
    return doc


def _with_white_space(
    document: Document, tokens: list[Span], sentence_starts: set[int]
) -> tuple[list[str], list[bool], list[bool]]:
    """Return words, whether a space follows each, and whether each begins a sentence, for the whole text.

    White space other than one space after a word is a token of its own, as in spaCy.
    """
    words: list[str] = []
    spaces: list[bool] = []
    starts: list[bool] = []
    at = 0
    for token in [*tokens, None]:
        gap = document.text[at : token.start if token else len(document.text)]
        if gap.startswith(" ") and words:
            spaces[-1] = True
            gap = gap[1:]
        if gap:
            words.append(gap)
            spaces.append(False)
            starts.append(False)
        if token:
            words.append(token.of(document.text))
            spaces.append(False)
            starts.append(token.start in sentence_starts)
            at = token.end
    return words, spaces, starts
