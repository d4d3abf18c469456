"""brat standoff: `NAME.txt` with the text, `NAME.ann` beside it with the mentions.

Reading: events and equivalences are counted and left out; attributes, normalisations and notes of a
mention become its attributes. A mention over a line break, which brat gives in fragments, is one mention
again; any other one in fragments is discontinuous.

Writing does not hold what is not about mentions and the text: sentences, alignment, document fields,
origins, issues. A mention's id, attributes and a label with white space in it are kept in a note. A mention
that begins or ends with a line break is left out and counted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from mtalign.document import Article, Document, Entity, Relation, Span
from mtalign.errors import InputError
from mtalign.formats.features import Records, documents_of
from mtalign.formats.names import file_name, id_of_name, name_and_language
from mtalign.formats.reading import BadLine, Found, Options, decode, read_text, read_whole, rejected
from mtalign.record import Rejected, encode_json
from mtalign.utf16 import Utf16

_MENTION = re.compile(r"(T\S*)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)", re.DOTALL)
_ATTRIBUTE = re.compile(r"[AM]\S*\t(\S+) (\S+)(?: (.+))?")
_NORMALISATION = re.compile(r"N\S*\t(\S+) (\S+) (\S+)(?:\t.*)?")
_NOTE = re.compile(r"#\S*\t(\S+) (\S+)(?:\t(.*))?")
_RELATION = re.compile(r"R\S*\t(\S+) \S+?:(\S+) \S+?:(\S+)\s*")
_LEFT_OUT = {"E": "events", "*": "equivalences"}
_OWN_NOTE = "mtalign"
_BOM = "\ufeff"


class _Extra(Struct, omit_defaults=True):
    """What brat has no place for, in a note of type `mtalign`."""

    id: str
    label: str | None = None
    attributes: dict[str, str] = {}


_extra_decoder = msgspec.json.Decoder(_Extra)


def read(path: Path, options: Options) -> Iterator[Found | Rejected]:
    """Yield the one article of a pair of files; `path` is either of the two."""
    text_path, ann_path = path.with_suffix(".txt"), path.with_suffix(".ann")
    name, lang = name_and_language(path)
    article_id = id_of_name(name)
    if not text_path.is_file() or not ann_path.is_file():
        raise InputError(f"{text_path.name} and {ann_path.name} belong together, and one is not there")
    text = read_text(text_path)
    if not text.strip():
        raise InputError("the file is empty")
    try:
        mentions = _Mentions(text, utf16=options.utf16)
        for number, line in enumerate(decode(read_whole(ann_path), ann_path.name).split("\n"), 1):
            mentions.add(line.removesuffix("\r"), number)
        document = Document(
            article_id,
            lang or options.lang,
            text,
            entities=mentions.entities(),
            relations=mentions.relations(),
        )
    except InputError as error:
        yield rejected(error, str(ann_path), article_id=article_id)
    else:
        yield Found(Article(document), str(text_path), left_out=mentions.left_out)


class _Mentions:
    """The mentions of one .ann file, line by line."""

    def __init__(self, text: str, *, utf16: bool) -> None:
        self._text = text
        self._utf16 = Utf16(text) if utf16 else None
        self._places: dict[str, tuple[str, tuple[Span, ...]]] = {}
        self._relations: list[Relation] = []
        self._attributes: dict[str, dict[str, str]] = defaultdict(dict)
        self._extras: dict[str, _Extra] = {}
        self.left_out: Counter[str] = Counter()

    def add(self, line: str, number: int) -> None:
        """Take in one line.

        Raises:
            BadLine: it is not brat's, or contradicts the text.
        """
        try:
            if not line.strip():
                return
            if line[0] == "T":
                self._mention(line)
            elif line[0] == "R":
                self._relation(line)
            elif line[0] in _LEFT_OUT:
                self.left_out[_LEFT_OUT[line[0]]] += 1
            elif line[0] in "AMN#":
                self._about(line)
            else:
                raise InputError("this is no line of brat standoff")
        except InputError as error:
            raise BadLine(f"line {number}: {error}: {line[:80]!r}", number) from error

    def entities(self) -> tuple[Entity, ...]:
        """Return the mentions in the order of the file."""
        for name in self._attributes.keys() | self._extras.keys():
            if name not in self._places:
                self.left_out["attributes and notes of other things than mentions"] += 1
        return tuple(self._entity(name, *place) for name, place in self._places.items())

    def relations(self) -> tuple[Relation, ...]:
        """Return the relations between mentions in the order of the file; those of events are left out."""
        found = []
        for each in self._relations:
            if each.head in self._places and each.tail in self._places:
                head, tail = (self._extras.get(name, _Extra(name)).id for name in (each.head, each.tail))
                found.append(Relation(each.label, head, tail))
            else:
                self.left_out["relations of other things than mentions"] += 1
        return tuple(found)

    def _relation(self, line: str) -> None:
        found = _RELATION.fullmatch(line)
        if not found:
            raise InputError("expected ID, tab, LABEL Arg1:ID Arg2:ID")
        self._relations.append(Relation(*found.groups()))

    def _entity(self, name: str, label: str, spans: tuple[Span, ...]) -> Entity:
        span = Span(spans[0].start, spans[-1].end)
        extra = self._extras.get(name, _Extra(name))
        attributes = {**self._attributes.get(name, {}), **extra.attributes}
        fragments = spans if len(spans) > 1 else ()
        return Entity(extra.id, span, span.of(self._text), extra.label or label, attributes, fragments)

    def _mention(self, line: str) -> None:
        found = _MENTION.fullmatch(line)
        if not found:
            raise InputError("expected ID, tab, LABEL START END, tab, TEXT")
        name, label, places, said = found.groups()
        if name in self._places:
            raise InputError(f"mention {name} is there twice")
        spans = self._merged([tuple(map(int, place.split())) for place in places.split(";")])
        there = " ".join(" ".join(each.of(self._text) for each in spans).split())
        if there != " ".join(said.split()):
            raise InputError(f"at {places} stands {there[:60]!r}, which is another text")
        self._places[name] = (label, spans)

    def _merged(self, places: Sequence[tuple[int, ...]]) -> tuple[Span, ...]:
        """Return fragments as spans; those with nothing but white space between them become one."""
        merged: list[Span] = []
        end = 0
        for start, stop in map(self._code_points, places):
            if not start < stop <= len(self._text) or start < end:
                raise InputError(
                    f"[{start}, {stop}) is empty, out of order or not inside the text "
                    f"of {len(self._text)} characters"
                )
            if merged and not self._text[end:start].strip():
                merged[-1] = Span(merged[-1].start, stop)
            else:
                merged.append(Span(start, stop))
            end = stop
        return tuple(merged)

    def _code_points(self, place: tuple[int, ...]) -> tuple[int, ...]:
        if self._utf16 is None:
            return place
        span = self._utf16.code_points(*place)
        return span.start, span.end

    def _about(self, line: str) -> None:
        if note := _NOTE.fullmatch(line):
            kind, target, text = note.groups()
            if kind == _OWN_NOTE:
                try:
                    self._extras[target] = _extra_decoder.decode(text or "")
                except msgspec.MsgspecError as error:
                    raise InputError(f"a note of type {_OWN_NOTE} that is not ours ({error})") from error
            else:
                self._set(target, "note", text or "")
        elif attribute := _ATTRIBUTE.fullmatch(line):
            name, target, value = attribute.groups()
            self._set(target, name, value or "true")
        elif normalisation := _NORMALISATION.fullmatch(line):
            _, target, reference = normalisation.groups()
            self._set(target, "reference", reference)
        else:
            raise InputError("this is no line of brat standoff")

    def _set(self, target: str, name: str, value: str) -> None:
        if name in self._attributes[target]:
            self.left_out[f"further values of {name}"] += 1
        else:
            self._attributes[target][name] = value


def write(records: Records, out: Path) -> Counter[str]:
    """Write a pair of files for every article and language: `NAME.ko.txt` and `NAME.ko.ann`."""
    losses: Counter[str] = Counter()
    for record in records():
        for document in documents_of(record):
            stem = f"{file_name(document.id)}.{document.lang}"
            # A byte order mark that is text needs one before it that is none.
            mark = _BOM if document.text.startswith(_BOM) else ""
            (out / f"{stem}.txt").write_bytes((mark + document.text).encode())
            lines: list[str] = []
            names: dict[str, str] = {}
            for entity in document.entities:
                if entity.text[0] == "\n" or entity.text[-1] == "\n":
                    losses["mentions with a line break at an edge"] += 1
                else:
                    names[entity.id] = f"T{len(names) + 1}"
                    lines += _lines(entity, len(names))
            for number, each in enumerate(document.relations, 1):
                if each.head in names and each.tail in names:
                    label = re.sub(r"\s+", "_", each.label) or "_"
                    lines.append(f"R{number}\t{label} Arg1:{names[each.head]} Arg2:{names[each.tail]}")
            (out / f"{stem}.ann").write_bytes("".join(f"{line}\n" for line in lines).encode())
    return losses


def _lines(entity: Entity, number: int) -> list[str]:
    label = re.sub(r"\s+", "_", entity.label) or "_"
    spans = [
        Span(found.start(), found.end()).shift(entity.span.start + each.start)
        for each in (part.shift(-entity.span.start) for part in entity.fragments or (entity.span,))
        for found in re.finditer(r"[^\n]+", each.of(entity.text))
    ]
    places = ";".join(f"{each.start} {each.end}" for each in spans)
    whole = " ".join(each.shift(-entity.span.start).of(entity.text) for each in spans)
    text = re.sub(r"\s", " ", whole)
    extra = _Extra(entity.id, None if label == entity.label else entity.label, entity.attributes)
    return [
        f"T{number}\t{label} {places}\t{text}",
        f"#{number}\t{_OWN_NOTE} T{number}\t{encode_json(extra).decode()}",
    ]
