"""IOB2 in columns, as CoNLL has it: a token a line, its tag in the last column, a blank line per sentence.

Reading: `-DOCSTART-` or `# newdoc id = X` begins an article, `# newpar` a paragraph; `# text = …` gives the
sentence as it was written, else its tokens are joined by spaces. IOB1, BIOES and BILOU are understood as
well. Other columns are left out.

Writing uses words, in Korean morphemes. It does not hold: white space between sentences (a space, or a
blank line between paragraphs, comes back), mentions that overlap, cross sentences or begin or end inside a
word, ids and attributes of mentions, document fields, alignment, origins and issues. White space in a label
becomes `_`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mtalign.document import Article, Document, Entity, Sentence, Span
from mtalign.errors import InputError
from mtalign.formats.features import Records, documents_of
from mtalign.formats.names import name_and_language
from mtalign.formats.reading import LARGEST_FILE, BadLine, Found, Options, lines, rejected
from mtalign.formats.tags import TAG, mentions
from mtalign.formats.tokens import on_tokens, tokens_of, without_overlaps
from mtalign.record import Rejected

_COMMENT = re.compile(r"# ?(newdoc|newpar|text|lang|sent_id)\b(?: id)?(?: = ?(.*))?", re.DOTALL)
_DOCSTART = "-DOCSTART-"
# One character is replaced by one, so that offsets hold.
_LINE_BREAK = re.compile("[\r\n]")
_SPACE = re.compile(r"\s")


@dataclass
class _Draft:
    """An article under construction: its text grows sentence by sentence."""

    number: int
    line: int
    id: str | None = None
    lang: str | None = None
    text: str = ""
    sentences: list[Sentence] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)
    tokens: list[tuple[str, str, int]] = field(default_factory=list)
    said: str | None = None
    paragraph: bool = False
    size: int = 0
    error: InputError | None = None

    def end_sentence(self) -> None:
        """Append the tokens gathered since the last blank line to the text."""
        if not self.tokens:
            return
        words = [word for word, _, _ in self.tokens]
        said = " ".join(words) if self.said is None else self.said
        places = _places(words, said, self.tokens[0][2])
        new = self.paragraph and bool(self.text)
        start = len(self.text) + (0 if not self.text else 2 if new else 1)
        self.text += ("\n\n" if new else " " if self.text else "") + said
        number = (self.sentences[-1].paragraph if self.sentences else 0) + new
        self.sentences.append(Sentence(Span(start, start + len(said)), number))
        tags = [(tag, line) for _, tag, line in self.tokens]
        for span, label in mentions(places, [tag for tag, _ in tags]):
            place = span.shift(start)
            name = f"e{len(self.entities) + 1}"
            self.entities.append(Entity(name, place, place.of(self.text), label))
        self.tokens, self.said, self.paragraph = [], None, False


def read(path: Path, options: Options) -> Iterator[Found | Rejected]:
    """Yield the articles of a file, one in memory at a time."""
    name, lang = name_and_language(path)
    draft = _Draft(1, 1)
    with path.open("rb") as stream:
        for number, data in lines(stream):
            line = ""
            try:
                if isinstance(data, InputError):
                    raise data
                line = data.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                reason = (
                    f"line {number} is not UTF-8 (byte {error.object[error.start]:#04x}); convert the file"
                )
                draft.error = draft.error or BadLine(reason, number)
            except InputError as error:
                draft.error = draft.error or error
            if _begins_article(line):
                yield from _finish(draft, path, name, lang or options.lang)
                draft = _Draft(draft.number + bool(draft.size), number)
            draft.size += len(line)
            if draft.size > LARGEST_FILE:
                draft.error = BadLine(
                    f"an article of more than {LARGEST_FILE:,} bytes; is -DOCSTART- missing?", number
                )
            if draft.error is None:
                try:
                    _add(draft, line, number)
                except InputError as error:
                    draft.error = error
    yield from _finish(draft, path, name, lang or options.lang)


def _begins_article(line: str) -> bool:
    comment = _COMMENT.fullmatch(line)
    return line.startswith(_DOCSTART) or bool(comment and comment[1] == "newdoc")


def _add(draft: _Draft, line: str, number: int) -> None:
    if not line.strip():
        draft.end_sentence()
    elif comment := _COMMENT.fullmatch(line):
        kind, value = comment.groups()
        if kind == "newpar":
            draft.paragraph = True
        elif kind == "newdoc":
            draft.id = value
        elif kind == "text":
            draft.said = value
        elif kind == "lang":
            draft.lang = value
    elif not line.startswith(_DOCSTART):
        cells = line.split("\t") if "\t" in line else line.split()
        if len(cells) > 1 and TAG.fullmatch(cells[-1]):
            draft.tokens.append((cells[0], cells[-1], number))
        elif not line.startswith("#"):
            raise BadLine(f"line {number}: expected a token and an IOB2 tag: {line[:80]!r}", number)


def _finish(draft: _Draft, path: Path, name: str, lang: str) -> Iterator[Found | Rejected]:
    article_id = draft.id or (name if draft.number == 1 else f"{name}-{draft.number}")
    try:
        if draft.error is not None:
            raise draft.error
        draft.end_sentence()
        if not draft.text.strip():
            return
        document = Document(
            article_id, draft.lang or lang, draft.text, tuple(draft.sentences), tuple(draft.entities)
        )
    except InputError as error:
        yield rejected(error, str(path), draft.line, article_id)
    else:
        yield Found(Article(document), str(path), draft.line)


def _places(words: list[str], text: str, line: int) -> list[Span]:
    """Return where each word stands; nothing but white space may lie between two."""
    places: list[Span] = []
    at = 0
    for word in words:
        start = at
        while start < len(text) and text[start].isspace():
            start += 1
        if not word or not text.startswith(word, start):
            raise BadLine(
                f"line {line}: token {word!r} does not follow in the text {text[at : at + 40]!r}", line
            )
        at = start + len(word)
        places.append(Span(start, at))
    if rest := text[at:].strip():
        raise BadLine(f"line {line}: no token for {rest[:40]!r} in the text", line)
    return places


def write(records: Records, out: Path) -> Counter[str]:
    """Write one file per language, `articles.ko.conll`."""
    losses: Counter[str] = Counter()
    files: dict[str, BinaryIO] = {}
    with ExitStack() as stack:
        for record in records():
            for document in documents_of(record):
                if document.lang not in files:
                    path = out / f"articles.{document.lang}.conll"
                    files[document.lang] = stack.enter_context(path.open("wb"))
                files[document.lang].write("".join(_lines(document, losses)).encode())
    return losses


def _lines(document: Document, losses: Counter[str]) -> Iterator[str]:
    tokens = tokens_of(document)
    kept = without_overlaps(on_tokens(document.entities, tokens, losses), losses)
    tags: dict[int, str] = {}
    for each in kept:
        label = _SPACE.sub("_", each.label)
        losses["labels with white space"] += label != each.label
        for span in tokens.flat():
            if each.span.contains(span):
                tags[span.start] = f"{'B' if span.start == each.span.start else 'I'}-{label}"
    yield f"# newdoc id = {_one_line(document.id, 'ids with line breaks', losses)}\n"
    yield f"# lang = {document.lang}\n"
    paragraph = 0
    for sentence, own in zip(document.sentences, tokens.sentences, strict=True):
        if sentence.paragraph != paragraph:
            yield "# newpar\n"
        paragraph = sentence.paragraph
        said = _one_line(sentence.span.of(document.text), "line breaks inside a sentence", losses)
        yield f"# text = {said}\n"
        yield from (f"{span.of(document.text)}\t{tags.get(span.start, 'O')}\n" for span in own)
        yield "\n"


def _one_line(text: str, loss: str, losses: Counter[str]) -> str:
    changed = _LINE_BREAK.sub(" ", text)
    losses[loss] += sum(a != b for a, b in zip(text, changed, strict=True))
    return changed
