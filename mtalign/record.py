"""The product: one frozen record per article, and the issues, projections and rejects that go with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Literal

import msgspec
from msgspec import Struct, field

from mtalign.alignment import Bead, Tuple, check_beads, check_cover
from mtalign.document import Document, Entity, Relation, check_entity_text, check_languages
from mtalign.errors import InvalidRecord

SCHEMA_VERSION = 1

Severity = Literal["info", "warning", "error"]


class Issue(Struct, frozen=True, omit_defaults=True):
    """Something a person should look at: what, how bad, where, and the evidence.

    `kind` is a stable word in kebab case (`wrong-language`, `number-mismatch` …). `sentences` are
    indices into the document in language `lang`; `entity` is the id of the source entity concerned.
    """

    kind: str
    severity: Severity
    lang: str
    evidence: str
    sentences: tuple[int, ...] = ()
    entity: str | None = None


class Projection(Struct, frozen=True, omit_defaults=True):
    """Where a source entity went in one target language: either `entity` or the `reason` it is lost.

    `confidence` (0 to 1) is that of the span found, or of the best span that was not good enough.
    `method` names what decided (`alignment`, `ranker`, `review` …).
    """

    source: str
    confidence: float
    method: str
    entity: Entity | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.entity is None) == (self.reason is None):
            raise InvalidRecord(
                f"the projection of entity {self.source!r} needs either an entity or a reason, and not both"
            )
        if not 0.0 <= self.confidence <= 1.0:
            raise InvalidRecord(
                f"the projection of entity {self.source!r} has confidence {self.confidence}, not 0 to 1"
            )


class Origin(Struct, frozen=True, omit_defaults=True):
    """Where a translation comes from. `demo` marks output that is not meant for use.

    `others` are where single sentences of it come from instead: a fallback engine, or a person.
    """

    kind: Literal["human", "machine"]
    engine: str | None = None
    model: str | None = None
    license: str | None = None
    demo: bool = False
    others: tuple[Origin, ...] = ()

    @property
    def any_demo(self) -> bool:
        """Whether any sentence is not meant for use."""
        return any(each.demo for each in (self, *self.others))


class Record(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="record"):
    """Everything known about one article. Written once, as one line of JSON.

    `beads` holds every pair of languages under `"en-ko"` (see `pair_key`); `projections` holds, for
    every target language, exactly one projection for each source entity. `quality` is the estimate for
    each bead of the source and a target, 0 (bad) to 1 (good), None where one side is empty; languages, or
    all of it, may be missing (see `mtalign.quality`).
    """

    id: str
    source: Document
    signature: str
    targets: dict[str, Document] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    beads: dict[str, tuple[Bead, ...]] = field(default_factory=dict)
    tuples: tuple[Tuple, ...] = ()
    projections: dict[str, tuple[Projection, ...]] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()
    quality: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    content: str = ""
    timings: dict[str, float] = field(default_factory=dict)
    schema: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema != SCHEMA_VERSION:
            raise InvalidRecord(
                f"record {self.id!r} has schema version {self.schema}, this mtalign reads "
                f"{SCHEMA_VERSION}; read it with the mtalign that wrote it"
            )
        if self.id != self.source.id:
            raise InvalidRecord(f"record {self.id!r} holds the source document {self.source.id!r}")
        check_languages(self.id, self.targets)
        if set(self.origins) != set(self.targets):
            raise InvalidRecord(f"record {self.id!r}: every target needs an origin, and no other language")
        self._check_alignment()
        self._check_projections()
        self._check_quality()

    def _check_alignment(self) -> None:
        documents = self.documents()
        expected = {pair_key(a, b) for a, b in combinations(documents, 2)}
        if set(self.beads) != expected:
            raise InvalidRecord(
                f"record {self.id!r}: beads for {sorted(self.beads)}, expected {sorted(expected)}"
            )
        for a, b in combinations(documents, 2):
            check_beads(
                self.beads[pair_key(a, b)],
                len(documents[a].sentences),
                len(documents[b].sentences),
                f"record {self.id!r}, beads {pair_key(a, b)}",
            )
        if foreign := {lang for each in self.tuples for lang in each.sents} - set(documents):
            raise InvalidRecord(f"record {self.id!r}: tuples in languages without a text: {sorted(foreign)}")
        for lang, document in documents.items():
            check_cover(
                (each.sents.get(lang, ()) for each in self.tuples),
                len(document.sentences),
                f"record {self.id!r}, tuples, language {lang}",
            )

    def _check_projections(self) -> None:
        wanted = sorted(entity.id for entity in self.source.entities)
        if set(self.projections) != set(self.targets):
            raise InvalidRecord(f"record {self.id!r}: projections for other languages than its targets")
        for lang, projections in self.projections.items():
            if sorted(each.source for each in projections) != wanted:
                raise InvalidRecord(
                    f"record {self.id!r}, {lang}: each source entity needs exactly one projection"
                )
            for each in projections:
                if each.entity is not None:
                    check_entity_text(each.entity, self.targets[lang])

    def _check_quality(self) -> None:
        for lang, estimates in self.quality.items():
            if len(estimates) != len(self.beads.get(pair_key(self.source.lang, lang), ())):
                raise InvalidRecord(f"record {self.id!r}, {lang}: each bead needs one quality estimate")
            if any(each is not None and not 0.0 <= each <= 1.0 for each in estimates):
                raise InvalidRecord(f"record {self.id!r}, {lang}: a quality estimate is not 0 to 1")

    def documents(self) -> dict[str, Document]:
        """Return the source and all targets by language, the source first."""
        return {self.source.lang: self.source, **self.targets}

    def entities(self, lang: str) -> Iterator[Entity]:
        """Yield the entities of one language: the source's own, or those carried over and kept."""
        if lang == self.source.lang:
            yield from self.source.entities
        else:
            yield from (each.entity for each in self.projections[lang] if each.entity is not None)

    def relations(self, lang: str) -> Iterator[Relation]:
        """Yield the source's relations that hold in one language: both their entities are there.

        An entity that is carried over keeps its id.
        """
        there = {entity.id for entity in self.entities(lang)}
        yield from (each for each in self.source.relations if {each.head, each.tail} <= there)


class Rejected(Struct, frozen=True, omit_defaults=True):
    """An article or row that could not be used: where it stood, and why."""

    reason: str
    path: str
    line: int | None = None
    id: str | None = None


def pair_key(left: str, right: str) -> str:
    """Return the name of a language pair, `en-ko`."""
    return f"{left}-{right}"


_encoder = msgspec.json.Encoder()
_record_decoder = msgspec.json.Decoder(Record)


def encode_json(value: object) -> bytes:
    """Return one value as a line of JSON, without the line feed."""
    return _encoder.encode(value)


def decode_record(line: bytes | str) -> Record:
    """Read a record from its JSON line.

    Raises:
        InvalidRecord: the line is not JSON, has another shape or version, or breaks an invariant.
    """
    try:
        return _record_decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise InvalidRecord(f"not a record: {error}") from error
