"""One record as the rows and cells that the page shows. Pure: no markup, no files.

A row is an n-way tuple, a cell the sentences of one language in it. Mentions of one source entity share
its number in every language. Offsets that scripts of the page use are in UTF-16 units, as theirs are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor
from urllib.parse import quote, urlsplit

from mtalign.document import Document, Entity, Span
from mtalign.languages import ARABIC, LANGUAGES
from mtalign.record import Issue, Origin, Projection, Record
from mtalign.report.links import WordPair
from mtalign.report.markup import Close, Open, nest
from mtalign.review import METHOD, Review, standing

LOW_CONFIDENCE = 0.75
"""Projections below this are marked for a second look."""

LOST_KIND = "lost-entity"
"""The issue kind that says no more than the lost projection itself; the two are shown as one note."""


REASON_WORDS = {
    "no-counterpart": "nothing in the bead says it",
    "pronoun": "a pronoun stands for it",
    "no-name": "an adjective or a common noun stands for it",
    "no-counterpart-sentence": "its sentence was left out",
    "below-threshold": "the best span is too unsure",
    "taken": "a surer entity has the span",
    "crosses-beads": "it begins in one bead and ends in another",
    "rejected-in-review": "a person said so",
    "text-corrected-in-review": "a correction took its text away",
}
"""Why an entity is lost, in plain words; docs/projection.md and docs/report.md say more."""


@dataclass(frozen=True)
class Tongue:
    """A language as the page names it: `direction` is a value of HTML's `dir` attribute."""

    code: str
    name: str
    english: str
    direction: str


@dataclass(frozen=True)
class Mention:
    """One mention of an entity: `number` is that of the source entity; `confidence` is None in the source."""

    number: int
    label: str
    tip: str
    confidence: float | None = None
    reviewed: bool = False

    @property
    def low(self) -> bool:
        """Whether the projection asks for a second look."""
        return self.confidence is not None and self.confidence < LOW_CONFIDENCE


@dataclass(frozen=True)
class SentenceView:
    """One sentence: its text in pieces that join to exactly that text."""

    anchor: str
    index: int
    starts_paragraph: bool
    pieces: list[str | Open[Mention] | Close]


@dataclass(frozen=True)
class Note:
    """An issue or a lost entity, as shown below a text. `entity` is a number, `mention` its text."""

    kind: str
    severity: str
    text: str
    entity: int | None = None
    mention: str = ""
    label: str = ""


@dataclass(frozen=True)
class Cell:
    """The sentences of one language in one row, and what is to be said about them."""

    tongue: Tongue
    sentences: list[SentenceView]
    notes: list[Note]


@dataclass(frozen=True)
class DrawnLink:
    """Two words that say the same: where the source has one, and where which language has the other."""

    sentence: int
    start: int
    end: int
    lang: str
    other_sentence: int
    other_start: int
    other_end: int


@dataclass(frozen=True)
class Row:
    """One n-way tuple. `shape` counts the sentences by language; `joined`: more than one in some language."""

    anchor: str
    number: int
    cells: list[Cell]
    starts_paragraph: bool
    has_issue: bool
    has_doubt: bool

    @property
    def shape(self) -> list[int]:
        """How many sentences each language has in this row."""
        return [len(cell.sentences) for cell in self.cells]

    @property
    def joined(self) -> bool:
        """Whether some language says in several sentences what others may say in one."""
        return max(self.shape) > 1


@dataclass(frozen=True)
class Column:
    """One language of the article: where its text comes from, and how many entities arrived."""

    tongue: Tongue
    origin: Origin | None
    sentences: int
    kept: int
    lost: int
    low: int


@dataclass(frozen=True)
class EntityRow:
    """A source entity and where it went, in the order of the target columns."""

    number: int
    entity: Entity
    projections: list[tuple[Tongue, Projection]]


@dataclass(frozen=True)
class ArticleView:
    """Everything the page shows of one record. `link` is the source's address if it is one to follow."""

    anchor: str
    id: str
    heading: str
    source: str | None
    link: str | None
    license: str | None
    tongue: Tongue
    columns: list[Column]
    rows: list[Row]
    entities: list[EntityRow]
    notes: list[tuple[Tongue, Note]]
    gaps: dict[str, list[str]]
    links: list[DrawnLink]
    reviews: list[Review]

    @property
    def issues(self) -> int:
        """How many rows carry an issue."""
        return sum(row.has_issue for row in self.rows)

    @property
    def data(self) -> dict[str, object]:
        """What the page's script needs exactly, since attributes show hidden characters by their names.

        `entities` are source ids by number, `gaps` the text between sentences by target language.
        """
        return {
            "id": self.id,
            "source": self.tongue.code,
            "entities": {each.number: each.entity.id for each in self.entities},
            "gaps": self.gaps,
            "links": [
                [
                    each.sentence, each.start, each.end,
                    each.lang, each.other_sentence, each.other_start, each.other_end,
                ]
                for each in self.links
            ],
            "reviews": [[each.lang, each.entity or each.sentences, each.verdict] for each in self.reviews],
        }  # fmt: skip


def tongue(code: str) -> Tongue:
    """Return how the page names a language; one without a row in the language table goes by its code."""
    row = LANGUAGES.get(code)
    if row is None:
        return Tongue(code, code, code, "auto")
    return Tongue(code, row.name, row.english, "rtl" if row.script == ARABIC else "ltr")


def two_digits(confidence: float) -> str:
    """Return a confidence as it is shown: rounded down, so that a low one never reads like the threshold."""
    return f"{floor(confidence * 100 + 1e-9) / 100:.2f}"


def article_anchor(record_id: str) -> str:
    """Return the fragment that leads to an article; ids of any characters give distinct, space-free ones."""
    return f"a:{quote(record_id, safe='')}"


def article_view(
    record: Record,
    links: Mapping[str, Sequence[WordPair]] | None = None,
    reviews: Iterable[Review] = (),
) -> ArticleView:
    """Arrange one record for the page; `reviews` are those that are in it already."""
    documents = record.documents()
    tongues = {lang: tongue(lang) for lang in documents}
    numbered = sorted(record.source.entities, key=lambda entity: (entity.span.start, -entity.span.end))
    numbers = {entity.id: number for number, entity in enumerate(numbered, 1)}
    projections = {
        lang: {projection.source: projection for projection in record.projections[lang]}
        for lang in record.targets
    }
    anchor = article_anchor(record.id)
    row_of = {
        (lang, index): number
        for number, each in enumerate(record.tuples)
        for lang, indices in each.sents.items()
        for index in indices
    }
    notes = _placed_notes(record, numbers, row_of)
    sentences = {
        lang: _sentences(document, _mentions(record, lang, numbers), f"{anchor}:{quote(lang, safe='')}")
        for lang, document in documents.items()
    }
    return ArticleView(
        anchor=anchor,
        id=record.id,
        heading=record.source.title or record.id,
        source=record.source.source,
        link=_link(record.source.source),
        license=record.source.license,
        tongue=tongues[record.source.lang],
        columns=[
            _column(tongues[lang], document, record.origins.get(lang), projections.get(lang, {}).values())
            for lang, document in documents.items()
        ],
        rows=[
            _row(
                f"{anchor}:{number + 1}",
                number + 1,
                [
                    Cell(
                        tongues[lang],
                        [sentences[lang][index] for index in each.sents.get(lang, ())],
                        notes.get((number, lang), []),
                    )
                    for lang in documents
                ],
            )
            for number, each in enumerate(record.tuples)
        ],
        entities=[
            EntityRow(
                numbers[entity.id],
                entity,
                [(tongues[lang], projections[lang][entity.id]) for lang in record.targets],
            )
            for entity in numbered
        ],
        notes=[
            (tongue(lang), note)
            for (number, lang), placed in notes.items()
            if number is None
            for note in placed
        ],
        gaps={lang: _gaps(document) for lang, document in record.targets.items()},
        links=[
            drawn
            for lang, pairs in (links or {}).items()
            if lang in record.targets
            for drawn in _drawn(record.source, record.targets[lang], pairs)
        ],
        reviews=standing(reviews),
    )


def _gaps(document: Document) -> list[str]:
    spans = [sentence.span for sentence in document.sentences]
    return [document.text[one.end : other.start] for one, other in pairwise(spans)]


def _drawn(source: Document, target: Document, pairs: Iterable[WordPair]) -> Iterator[DrawnLink]:
    ours, theirs = _Places(source), _Places(target)
    for start, end, other_start, other_end in pairs:
        yield DrawnLink(*ours.of(start, end), target.lang, *theirs.of(other_start, other_end))


class _Places:
    """Turns offsets of a document into a sentence and UTF-16 offsets inside it."""

    def __init__(self, document: Document) -> None:
        self._text = document.text
        self._starts = [sentence.span.start for sentence in document.sentences]

    def of(self, start: int, end: int) -> tuple[int, int, int]:
        sentence = bisect_right(self._starts, start) - 1
        begin = self._starts[sentence]
        return sentence, self._units(begin, start), self._units(begin, end)

    def _units(self, begin: int, end: int) -> int:
        piece = self._text[begin:end]
        return len(piece) + sum(char > "\uffff" for char in piece)


def _row(anchor: str, number: int, cells: list[Cell]) -> Row:
    filled = [cell.sentences[0] for cell in cells if cell.sentences]
    # The source decides where a paragraph begins; a row that it has no part in asks the others.
    deciding = filled[:1] if cells[0].sentences else filled
    notes = [note for cell in cells for note in cell.notes]
    pieces = [piece for cell in cells for sentence in cell.sentences for piece in sentence.pieces]
    return Row(
        anchor=anchor,
        number=number,
        cells=cells,
        starts_paragraph=number > 1 and any(sentence.starts_paragraph for sentence in deciding),
        has_issue=bool(notes),
        has_doubt=any(note.kind == LOST_KIND for note in notes)
        or any(isinstance(piece, Open) and piece.what.low for piece in pieces),
    )


def _column(
    name: Tongue, document: Document, origin: Origin | None, projections: Iterable[Projection]
) -> Column:
    each = list(projections)
    kept = [projection for projection in each if projection.entity is not None]
    return Column(
        tongue=name,
        origin=origin,
        sentences=len(document.sentences),
        kept=len(kept) if origin else len(document.entities),
        lost=len(each) - len(kept),
        low=sum(projection.confidence < LOW_CONFIDENCE for projection in kept),
    )


def _mentions(record: Record, lang: str, numbers: Mapping[str, int]) -> list[tuple[Span, Mention]]:
    """Return the mentions of one language with their places, in document order."""
    if lang == record.source.lang:
        found = [
            (entity.span, Mention(numbers[entity.id], entity.label, f"{entity.label} · {entity.id}"))
            for entity in record.source.entities
        ]
    else:
        texts = {entity.id: entity.text for entity in record.source.entities}
        found = [
            (
                each.entity.span,
                Mention(
                    numbers[each.source],
                    each.entity.label,
                    f"{each.entity.label} · from “{texts[each.source]}” · "
                    f"{'low ' if each.confidence < LOW_CONFIDENCE else ''}"
                    f"confidence {two_digits(each.confidence)} · {each.method}",
                    each.confidence,
                    each.method == METHOD,
                ),
            )
            for each in record.projections[lang]
            if each.entity is not None
        ]
    return sorted(found, key=lambda pair: (pair[0].start, -pair[0].end))


def _sentences(document: Document, mentions: list[tuple[Span, Mention]], anchor: str) -> list[SentenceView]:
    """Return the sentences of a document, each with the part of every mention that lies in it."""
    spans = [sentence.span for sentence in document.sentences]
    starts = [span.start for span in spans]
    inside: list[list[tuple[Span, Mention]]] = [[] for _ in spans]
    for place, mention in mentions:
        # One that begins in the white space between two sentences is not in the first of them.
        for index in range(max(0, bisect_right(starts, place.start) - 1), bisect_left(starts, place.end)):
            span = spans[index]
            if place.overlaps(span):
                start, end = max(place.start, span.start), min(place.end, span.end)
                inside[index].append((Span(start - span.start, end - span.start), mention))
    paragraphs = [None, *(sentence.paragraph for sentence in document.sentences)]
    return [
        SentenceView(
            anchor=f"{anchor}:{index}",
            index=index,
            starts_paragraph=sentence.paragraph != paragraphs[index],
            pieces=nest(sentence.span.of(document.text), inside[index]),
        )
        for index, sentence in enumerate(document.sentences)
    ]


def _placed_notes(
    record: Record, numbers: Mapping[str, int], row_of: Mapping[tuple[str, int], int]
) -> dict[tuple[int | None, str], list[Note]]:
    """Return lost entities and issues by row and language; row None holds what has no place in any row."""
    notes: dict[tuple[int | None, str], list[Note]] = defaultdict(list)
    entities = {entity.id: entity for entity in record.source.entities}
    starts = [sentence.span.start for sentence in record.source.sentences]
    home = {
        entity.id: row_of.get((record.source.lang, bisect_right(starts, entity.span.start) - 1))
        for entity in record.source.entities
    }
    said = {(issue.lang, issue.entity): issue for issue in record.issues if issue.kind == LOST_KIND}
    lost = {
        (lang, each.source): each
        for lang, projections in record.projections.items()
        for each in projections
        if each.entity is None
    }
    for (lang, source), projection in lost.items():
        issue = said.get((lang, source))
        entity = entities[source]
        notes[home[source], lang].append(
            Note(
                LOST_KIND,
                issue.severity if issue else "warning",
                projection.reason or "",
                numbers[source],
                entity.text,
                entity.label,
            )
        )
    for issue in record.issues:
        if issue.kind == LOST_KIND and (issue.lang, issue.entity) in lost:
            continue
        about = entities.get(issue.entity) if issue.entity else None
        note = Note(
            issue.kind,
            issue.severity,
            issue.evidence,
            numbers[about.id] if about else None,
            about.text if about else issue.entity or "",
            about.label if about else "",
        )
        # A language that the article does not have has no cell to put the note in.
        rows = _rows_of(issue, home, row_of) if issue.lang in record.documents() else [None]
        for row in rows:
            notes[row, issue.lang].append(note)
    return notes


def _rows_of(
    issue: Issue, home: Mapping[str, int | None], row_of: Mapping[tuple[str, int], int]
) -> list[int | None]:
    rows = sorted({row_of[issue.lang, index] for index in issue.sentences if (issue.lang, index) in row_of})
    if rows:
        return list(rows)
    return [home.get(issue.entity) if issue.entity else None]


def _link(source: str | None) -> str | None:
    """Return the address if it leads to the web: `javascript:` and its like are shown, never followed."""
    if source is None:
        return None
    try:
        scheme = urlsplit(source).scheme
    except ValueError:
        return None
    return source if scheme in ("http", "https") else None
