"""Single stages on JSONL rows, for people who have the rest already.

The row shapes are fixed, since other tools read and write them. Each function takes rows and returns
as many, in order; a row that cannot be used comes back as the error that says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from mtalign.align.anchors import Anchors
from mtalign.align.beads import align
from mtalign.align.order import NON_MONOTONE, ReadingOrder, reading_order
from mtalign.align.side import prepare
from mtalign.align.tuples import tuples
from mtalign.alignment import Bead
from mtalign.document import Document, Entity, Relation, Span
from mtalign.errors import InputError, UnknownLanguage, UsageError
from mtalign.hmm import StatisticalLinks
from mtalign.languages import language
from mtalign.project.baseline import baseline_documents
from mtalign.project.document import Task, project_documents
from mtalign.record import Projection, Rejected, pair_key
from mtalign.segment import segment, split_sentences
from mtalign.translate.document import Translated, translate_documents
from mtalign.units import Unit, UnitText, unit_text
from mtalign.utf16 import Utf16
from mtalign.words import Linker, Statistics, links_of

if TYPE_CHECKING:
    from mtalign.load import Models

JsonRow = dict[str, Any]
Stage = Callable[[Sequence[JsonRow], "Models"], list["JsonRow | InputError"]]

# Rows that are worked on together: enough to fill batches and to know a language's mean vector.
CHUNK = 64

# Texts with no more sentences than this, both sides together, are taken as one bead without aligning.
_ONE_BEAD = 4


class PairRow(Struct):
    """Input of `align` for two languages.

    `anchors` are pairs of sentences that must be in one bead, paragraphs a number per sentence.
    """

    id: str | int
    src_lang: str
    tgt_lang: str
    src: list[str]
    tgt: list[str]
    anchors: list[tuple[int, int]] = []
    src_paragraphs: list[int] = []
    tgt_paragraphs: list[int] = []


class NWayRow(Struct):
    """Input of `align` for n languages: anchors by pair (`en-ko`), paragraphs by language."""

    id: str | int
    langs: list[str]
    sents: dict[str, list[str]]
    anchors: dict[str, list[tuple[int, int]]] = {}
    paragraphs: dict[str, list[int]] = {}


class CorpusRow(Struct):
    """A sentence pair: tokens, or raw strings to be split."""

    src_lang: str
    tgt_lang: str
    src: list[str] | str
    tgt: list[str] | str


class WordsRow(CorpusRow, kw_only=True):
    """Input of `words`: a sentence pair with an id."""

    id: str | int


class MentionRow(Struct):
    """An entity in the input of `project`; `fragments` are the parts of a discontinuous one."""

    id: str | int
    start: int
    end: int
    label: str = ""
    attributes: dict[str, str] = {}
    fragments: list[tuple[int, int]] = []


class RelationRow(Struct):
    """A relation between two entities of a row, by their ids."""

    label: str
    head: str | int
    tail: str | int


class ProjectRow(Struct):
    """Input of `project`: two texts, the entities of the first, and relations between them."""

    id: str | int
    src_lang: str
    tgt_lang: str
    src: str
    tgt: str
    entities: list[MentionRow]
    relations: list[RelationRow] = []


class TranslateRow(Struct):
    """Input of `translate`."""

    id: str | int
    text: str
    lang: str = "en"


_Row = TypeVar("_Row")


def run_stage(
    lines: Iterable[bytes], stage: Stage, models: Models, path: str, chunk_rows: int = CHUNK
) -> Iterator[JsonRow | Rejected]:
    """Yield a result or a reject for every line that is not blank, in order.

    Args:
        lines: JSON lines.
        stage: one of the functions below.
        models: the models of the configuration.
        path: where the lines come from, for the rejects.
        chunk_rows: how many rows are read before their results come out.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    while chunk := list(islice(numbered, chunk_rows)):
        rows = [_parse(line) for _, line in chunk]
        results = iter(stage([row for row in rows if isinstance(row, dict)], models))
        for (number, _), row in zip(chunk, rows, strict=True):
            result = next(results) if isinstance(row, dict) else row
            if isinstance(result, InputError):
                row_id = str(row["id"]) if isinstance(row, dict) and "id" in row else None
                yield Rejected(str(result), path, number, row_id)
            else:
                yield result


def align_rows(rows: Sequence[JsonRow], models: Models) -> list[JsonRow | InputError]:
    """Align two languages (`src`, `tgt`) or n (`langs`, `sents`) per row."""
    return [_attempt(_align_row, row, models) for row in rows]


def align_documents(rows: Sequence[JsonRow], models: Models) -> list[JsonRow | InputError]:
    """Align as `align_rows` does, and return rows that hold all: `langs`, `sents`, `tuples`, `beads`."""
    return [_attempt(_align_document, row, models) for row in rows]


def _align_document(row: JsonRow, models: Models) -> JsonRow:
    if "sents" not in row:
        pair = _typed(row, PairRow)
        if pair.src_lang == pair.tgt_lang:
            raise InputError(f"both sides are {pair.src_lang!r}; two languages are needed")
        left, right = pair.src_lang, pair.tgt_lang
        row = {
            "id": pair.id,
            "langs": [left, right],
            "sents": {left: pair.src, right: pair.tgt},
            "anchors": {pair_key(left, right): pair.anchors},
            "paragraphs": {left: pair.src_paragraphs, right: pair.tgt_paragraphs},
        }
    document = _typed(row, NWayRow)
    return {**_align_n_ways(document, models), "langs": document.langs, "sents": document.sents}


def _align_row(row: JsonRow, models: Models) -> JsonRow:
    if "sents" in row:
        return _align_n_ways(_typed(row, NWayRow), models)
    pair = _typed(row, PairRow)
    for lang in (pair.src_lang, pair.tgt_lang):
        language(lang)
    left, right = (prepare(_whole(each), models.encoder) for each in (pair.src, pair.tgt))
    anchors = Anchors(pair.anchors, pair.src_paragraphs, pair.tgt_paragraphs)
    beads = align(left, right, models.config.align, anchors)
    warnings = _order_warnings({(pair.src_lang, pair.tgt_lang): reading_order(left, right)})
    return {"id": pair.id, "beads": [_bead_row(bead) for bead in beads], **warnings}


def _align_n_ways(row: NWayRow, models: Models) -> JsonRow:
    if set(row.langs) != set(row.sents):
        raise InputError(f"langs {row.langs} and the languages of sents {list(row.sents)} differ")
    if unknown := set(row.anchors) - {pair_key(*pair) for pair in combinations(row.langs, 2)}:
        raise InputError(f"anchors for {sorted(unknown)}: name pairs in the order of langs {row.langs}")
    sides = {language(lang).code: prepare(_whole(row.sents[lang]), models.encoder) for lang in row.langs}
    beads = {
        (left, right): align(sides[left], sides[right], models.config.align, _anchors(row, left, right))
        for left, right in combinations(row.langs, 2)
    }
    grouped = tuples({lang: len(side) for lang, side in sides.items()}, beads)
    return {
        "id": row.id,
        "tuples": [each.sents for each in grouped],
        "beads": {pair_key(*pair): [_bead_row(bead) for bead in found] for pair, found in beads.items()},
        **_order_warnings({pair: reading_order(*(sides[lang] for lang in pair)) for pair in beads}),
    }


def _order_warnings(orders: Mapping[tuple[str, str], ReadingOrder]) -> JsonRow:
    """Return the field `warnings` of a row, if any of its pairs deserves one."""
    found = [
        {"pair": pair_key(*pair), "kind": NON_MONOTONE, "evidence": order.evidence}
        for pair, order in orders.items()
        if not order.is_monotone
    ]
    return {"warnings": found} if found else {}


def _anchors(row: NWayRow, left: str, right: str) -> Anchors:
    return Anchors(
        row.anchors.get(pair_key(left, right), ()),
        row.paragraphs.get(left, ()),
        row.paragraphs.get(right, ()),
    )


def _bead_row(bead: Bead) -> JsonRow:
    return {"src": bead.left, "tgt": bead.right, "score": bead.score}


def _whole(sentences: list[str]) -> list[str]:
    for number, sentence in enumerate(sentences):
        if not sentence.strip():
            raise InputError(f"sentence {number} is empty")
    return sentences


def words_rows(
    rows: Sequence[JsonRow], models: Models, statistics: Mapping[tuple[str, str], Statistics] | None = None
) -> list[JsonRow | InputError]:
    """Link the words of two sentences per row. Rows of a call share their languages' mean vectors.

    `statistics` are links from corpora by language pair, see `corpus_statistics`.
    """
    parsed = [_attempt(_words_pair, row, models) for row in rows]
    good = [each for each in parsed if not isinstance(each, InputError)]
    linker = Linker(models.encoder, models.config.words, statistics) if statistics else models.linker
    matrices = iter(linker.link([pair for _, pair in good]) if good else [])
    return [
        each
        if isinstance(each, InputError)
        else {
            "id": each[0],
            "links": [list(msgspec.structs.astuple(link)) for link in links_of(next(matrices), each[1][0])],
        }
        for each in parsed
    ]


def corpus_statistics(lines: Iterable[bytes], path: str) -> dict[tuple[str, str], Statistics]:
    """Learn links from a corpus: rows as `words` takes them, of any language pairs.

    Raises:
        UsageError: a line is no such row, or there is none.
    """
    pairs: dict[tuple[str, str], list[tuple[list[str], list[str]]]] = defaultdict(list)
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = _typed(_object(line), CorpusRow)
                left, right = _as_units(row.src, row.src_lang), _as_units(row.tgt, row.tgt_lang)
            except (InputError, UnknownLanguage) as error:
                raise UsageError(f"{path}:{number}: {error}") from error
            pairs[left.lang, right.lang].append((left.words(), right.words()))
    if not pairs:
        raise UsageError(f"{path} holds no sentence pair to learn from")
    return {langs: StatisticalLinks(corpus) for langs, corpus in pairs.items()}


def _words_pair(row: JsonRow, _: Models) -> tuple[str | int, tuple[UnitText, UnitText]]:
    typed = _typed(row, WordsRow)
    return typed.id, (_as_units(typed.src, typed.src_lang), _as_units(typed.tgt, typed.tgt_lang))


def _as_units(words: list[str] | str, lang: str) -> UnitText:
    """Take given tokens as the units, whatever they are; split a raw string."""
    language(lang)
    if isinstance(words, str):
        return unit_text(words, lang)
    found, at = [], 0
    for word in words:
        found.append(Unit(Span(at, at + len(word))))
        at += len(word) + 1
    return UnitText(lang, " ".join(words), tuple(found))


def project_rows(*, utf16: bool = False, baseline: bool = False) -> Stage:
    """Return the stage that carries the entities of `src` over into `tgt`; long texts are aligned first.

    Args:
        baseline: by word links alone, as measurements compare with.
        utf16: `start`, `end` and `fragments` are counted in UTF-16 units, not code points, both in the rows
            given and in those returned.
    """

    def stage(rows: Sequence[JsonRow], models: Models) -> list[JsonRow | InputError]:
        tasks = [_attempt(partial(_project_task, utf16=utf16), row, models) for row in rows]
        good = [task for task in tasks if isinstance(task, Task)]
        compare = models.linker.compare
        results = iter(
            baseline_documents(good, compare)
            if baseline
            else project_documents(good, compare, models.config.project, evidence=models.evidence)
        )
        return [
            _projection_row(row, task, next(results), utf16=utf16) if isinstance(task, Task) else task
            for row, task in zip(rows, tasks, strict=True)
        ]

    return stage


def _project_task(row: JsonRow, models: Models, *, utf16: bool) -> Task:
    typed = _typed(row, ProjectRow)
    place = Utf16(typed.src).code_points if utf16 else _code_points
    entities = []
    for each in typed.entities:
        try:
            span = place(each.start, each.end)
            fragments = tuple(place(*fragment) for fragment in each.fragments)
        except InputError as error:
            raise InputError(f"entity {each.id!r}: {error}") from error
        if not 0 <= span.start < span.end <= len(typed.src):
            raise InputError(f"entity {each.id!r} at [{each.start}, {each.end}) is not inside src")
        entities.append(
            Entity(str(each.id), span, span.of(typed.src), each.label, each.attributes, fragments)
        )
    relations = tuple(Relation(each.label, str(each.head), str(each.tail)) for each in typed.relations)
    doc_id = str(typed.id)
    source = segment(
        Document(
            doc_id,
            language(typed.src_lang).code,
            typed.src,
            entities=tuple(entities),
            relations=relations,
        )
    )
    target = segment(Document(doc_id, language(typed.tgt_lang).code, typed.tgt))
    n, m = len(source.sentences), len(target.sentences)
    if n and m and n + m <= _ONE_BEAD:
        return Task(source, target, (Bead(tuple(range(n)), tuple(range(m))),))
    left, right = (prepare(each.sentence_texts(), models.encoder) for each in (source, target))
    return Task(source, target, align(left, right, models.config.align))


def _code_points(start: int, end: int) -> Span:
    if not 0 <= start <= end:
        raise InputError(f"[{start}, {end}) is negative or reversed")
    return Span(start, end)


def _projection_row(row: JsonRow, task: Task, projections: Sequence[Projection], *, utf16: bool) -> JsonRow:
    # Ids go out as they came in: a number stays a number.
    ids = {str(each["id"]): each["id"] for each in row["entities"]}
    count = Utf16(task.target.text).units if utf16 else msgspec.structs.astuple
    kept = [(each, each.entity) for each in projections if each.entity]
    found: JsonRow = {
        "id": row["id"],
        "entities": [
            {
                "source": ids[each.source],
                **dict(zip(("start", "end"), count(entity.span), strict=True)),
                "text": entity.text,
                "label": entity.label,
                "confidence": each.confidence,
                **({"attributes": entity.attributes} if entity.attributes else {}),
                **({"fragments": [count(span) for span in entity.fragments]} if entity.fragments else {}),
            }
            for each, entity in kept
        ],
        "lost": [
            {"source": ids[each.source], "reason": each.reason, "confidence": each.confidence}
            for each in projections
            if not each.entity
        ],
    }
    if task.source.relations:
        there = {each.source for each, _ in kept}
        found["relations"] = [
            {"label": each.label, "head": ids[each.head], "tail": ids[each.tail]}
            for each in task.source.relations
            if {each.head, each.tail} <= there
        ]
    return found


def translate_rows(targets: Sequence[str]) -> Stage:
    """Return the stage that translates each row's text into the target languages."""

    def translate(rows: Sequence[JsonRow], models: Models) -> list[JsonRow | InputError]:
        def source_of(row: JsonRow, _: Models) -> Document:
            typed = _typed(row, TranslateRow)
            lang = language(typed.lang).code
            if lang in targets:
                raise InputError(f"the text is in {lang!r}, a target language")
            return segment(Document(str(typed.id), lang, typed.text))

        read = [_attempt(source_of, row, models) for row in rows]
        sources = [each for each in read if not isinstance(each, InputError)]
        made = {
            lang: translate_documents(sources, lang, models.translator(lang), split_sentences)
            for lang in targets
        }
        results = zip(*made.values(), strict=True)
        return [
            each
            if isinstance(each, InputError)
            else _translated_row(row, dict(zip(targets, next(results), strict=True)))
            for row, each in zip(rows, read, strict=True)
        ]

    return translate


def _translated_row(row: JsonRow, made: Mapping[str, Translated]) -> JsonRow:
    return {
        "id": row["id"],
        "source": row["text"],
        "translations": {lang: each.document.text for lang, each in made.items()},
        "engine": {lang: msgspec.to_builtins(each.origin) for lang, each in made.items()},
        "issues": [msgspec.to_builtins(issue) for each in made.values() for issue in each.issues],
    }


def _parse(line: bytes) -> JsonRow | InputError:
    try:
        return _object(line)
    except InputError as error:
        return error


def _object(line: bytes) -> JsonRow:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise InputError("the line is JSON, but not an object")
    return row


def _typed(row: JsonRow, kind: type[_Row]) -> _Row:
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise InputError(str(error)) from error


def _attempt(function: Callable[[JsonRow, Models], _Row], row: JsonRow, models: Models) -> _Row | InputError:
    """Call the function; what is wrong with the row comes back as a value, so that the others go on."""
    try:
        return function(row, models)
    except InputError as error:
        return error
    except UnknownLanguage as error:
        return InputError(str(error))
