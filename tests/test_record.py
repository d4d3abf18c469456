from __future__ import annotations

from typing import Any

import pytest
from corpus import news
from msgspec.structs import replace

from mtalign.alignment import Tuple
from mtalign.errors import InvalidAlignment, InvalidDocument, InvalidRecord
from mtalign.record import Projection, Record, decode_record, encode_json

RECORD = news()[0]


def changed_projection(record: Record, lang: str, **changes: Any) -> dict[str, tuple[Projection, ...]]:
    first, *rest = record.projections[lang]
    return {**record.projections, lang: (replace(first, **changes), *rest)}


def test_json_round_trip_is_exact() -> None:
    for record in news():
        line = encode_json(record)
        assert b"\n" not in line
        assert decode_record(line) == record


def test_another_schema_version_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="schema version 99"):
        decode_record(encode_json(RECORD).replace(b'"id":', b'"schema":99,"id":', 1))


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"id":"a"}', b"\xff"])
def test_what_is_not_a_record_is_an_error_of_ours(line: bytes) -> None:
    with pytest.raises(InvalidRecord):
        decode_record(line)


def test_a_sentence_missing_from_the_beads_is_refused() -> None:
    with pytest.raises(InvalidAlignment, match="en-ko"):
        replace(RECORD, beads={**RECORD.beads, "en-ko": RECORD.beads["en-ko"][1:]})


def test_a_sentence_missing_from_the_tuples_is_refused() -> None:
    with pytest.raises(InvalidAlignment, match="tuples"):
        replace(RECORD, tuples=RECORD.tuples[1:])


def test_tuples_in_a_language_without_a_text_are_refused() -> None:
    with pytest.raises(InvalidRecord, match="without a text"):
        replace(RECORD, tuples=(*RECORD.tuples, Tuple({"pl": (0,)})))


def test_every_pair_of_languages_has_beads() -> None:
    with pytest.raises(InvalidRecord, match="expected"):
        replace(RECORD, beads={key: each for key, each in RECORD.beads.items() if key != "uk-ru"})


def test_no_entity_goes_missing() -> None:
    with pytest.raises(InvalidRecord, match="exactly one projection"):
        replace(RECORD, projections={**RECORD.projections, "ko": RECORD.projections["ko"][1:]})


def test_a_projected_span_must_hold_its_text() -> None:
    kept = next(each for each in RECORD.projections["ko"] if each.entity)
    assert kept.entity
    with pytest.raises(InvalidDocument, match="but the text at"):
        replace(RECORD, projections=changed_projection(RECORD, "ko", entity=replace(kept.entity, text="?")))


def test_a_projection_is_kept_or_lost_and_not_both() -> None:
    with pytest.raises(InvalidRecord, match="either an entity or a reason"):
        Projection("e1", 0.5, "links")
    with pytest.raises(InvalidRecord, match="not 0 to 1"):
        Projection("e1", 1.5, "links", reason="x")


def test_entities_of_a_language_are_those_kept() -> None:
    kept = [each.entity for each in RECORD.projections["uk"] if each.entity]
    assert list(RECORD.entities("uk")) == kept
    assert tuple(RECORD.entities("en")) == RECORD.source.entities
