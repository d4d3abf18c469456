"""What the search across pages looks through: an article without its markup. Pure."""

from __future__ import annotations

from typing import Any

from mtalign.report.article import LOST_KIND, ArticleView, Cell
from mtalign.report.markup import Open


def find_entry(view: ArticleView, page: str) -> dict[str, Any]:
    """Return an article as the page's script compares it: the same shape that it reads from the page itself.

    `names` holds number, label and every form of each entity; a cell the numbers of its mentions, of those
    with low confidence and of those lost, and the kinds of its issues.
    """
    return {
        "anchor": view.anchor,
        "title": view.heading,
        "page": page,
        "names": [
            [
                each.number,
                each.entity.label,
                [
                    each.entity.text,
                    *(projection.entity.text for _, projection in each.projections if projection.entity),
                ],
            ]
            for each in view.entities
        ],
        "rows": [
            {"anchor": row.anchor, "number": row.number, "cells": [_cell(cell) for cell in row.cells]}
            for row in view.rows
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    pieces = [piece for sentence in cell.sentences for piece in sentence.pieces]
    marks = [piece.what for piece in pieces if isinstance(piece, Open)]
    return {
        "lang": cell.tongue.code,
        "texts": [
            "".join(piece for piece in sentence.pieces if isinstance(piece, str))
            for sentence in cell.sentences
        ],
        "entities": sorted({mark.number for mark in marks}),
        "low": sorted({mark.number for mark in marks if mark.low}),
        "lost": sorted({note.entity for note in cell.notes if note.kind == LOST_KIND and note.entity}),
        "issues": sorted({note.kind for note in cell.notes}),
    }
