"""A record as rows that can be scored: what the single stages would have written for its article."""

from __future__ import annotations

from mtalign.record import Record


def alignment_row(record: Record) -> dict[str, object]:
    """Return sentences, tuples and beads of every pair, in the n-way shape of `mtalign align`."""
    documents = record.documents()
    return {
        "id": record.id,
        "langs": list(documents),
        "sents": {lang: document.sentence_texts() for lang, document in documents.items()},
        "tuples": [{lang: list(each.sents.get(lang, ())) for lang in documents} for each in record.tuples],
        "beads": {
            pair: [{"src": list(bead.left), "tgt": list(bead.right), "score": bead.score} for bead in beads]
            for pair, beads in record.beads.items()
        },
    }


def projection_rows(record: Record) -> list[dict[str, object]]:
    """Return one row per target language, in the shape of `mtalign project`, with `tgt_lang` and texts."""
    return [
        {
            "id": record.id,
            "src_lang": record.source.lang,
            "tgt_lang": lang,
            "src": record.source.text,
            "tgt": target.text,
            "entities": [
                {
                    "source": each.source,
                    "start": each.entity.span.start,
                    "end": each.entity.span.end,
                    "text": each.entity.text,
                    "label": each.entity.label,
                    "confidence": each.confidence,
                }
                for each in record.projections[lang]
                if each.entity is not None
            ],
            "lost": [
                {"source": each.source, "reason": each.reason}
                for each in record.projections[lang]
                if each.entity is None
            ],
        }
        for lang, target in record.targets.items()
    ]


def translation_row(record: Record) -> dict[str, object]:
    """Return the texts of all targets, in the shape of `mtalign translate`; the segment is the article."""
    return {
        "id": record.id,
        "lang": record.source.lang,
        "source": record.source.text,
        "translations": {lang: target.text for lang, target in record.targets.items()},
    }
