"""The rows of an article as HTML, written by hand: a large report holds millions of these pieces.

The templates write everything else. The rule is theirs: what a text may contain reaches the page only
through `visible` (content) or `attribute` (attributes), which escape it and show its hidden characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from markupsafe import Markup, escape

from mtalign.report.article import (
    LOST_KIND,
    LOW_CONFIDENCE,
    REASON_WORDS,
    ArticleView,
    Cell,
    Mention,
    Note,
    Row,
    SentenceView,
    Tongue,
    two_digits,
)
from mtalign.report.markup import Close, Open, plain, visible, worded

Hues = Mapping[str, int]
"""The number of the colour of each label."""


def attribute(text: str) -> str:
    """Return a text as the value of an attribute, to stand between double quotes."""
    return str(escape(plain(text)))


name = lru_cache(maxsize=1024)(attribute)
"""`attribute` for what comes again and again: languages, labels. Anchors are percent-encoded already."""


def table_rows(article: ArticleView, hues: Hues) -> Markup:
    """Return the rows of the article's table."""
    return Markup("".join([_row(row, hues) for row in article.rows]))  # noqa: S704


def entity_rows(article: ArticleView, hues: Hues) -> Markup:
    """Return the rows of the table that says where each entity went."""
    lang = name(article.tongue.code)
    parts: list[str] = []
    for each in article.entities:
        label = each.entity.label
        parts.append(
            f'<tr data-entity="{each.number}"><td>'
            f'<span class="label hue{hues[label]}"><bdi>{visible(label)}</bdi></span></td>'
            f'<th scope="row"><bdi lang="{lang}">{visible(each.entity.text)}</bdi></th>'
        )
        for tongue, projection in each.projections:
            code = name(tongue.code)
            if projection.entity is None:
                reason = visible(worded(projection.reason or ""))
                parts.append(f'<td data-lang="{code}" class="bad">lost: <bdi>{reason}</bdi></td>')
            else:
                doubt = ' class="doubt"' if projection.confidence < LOW_CONFIDENCE else ""
                parts.append(
                    f'<td data-lang="{code}"><bdi lang="{code}">{visible(projection.entity.text)}</bdi> '
                    f"<small{doubt}>{two_digits(projection.confidence)}</small></td>"
                )
        parts.append("</tr>\n")
    return Markup("".join(parts))  # noqa: S704


def note_item(note: Note, hues: Hues) -> Markup:
    """Return an issue or a lost entity as an item of a list."""
    return Markup(_note(note, hues))  # noqa: S704


def _row(row: Row, hues: Hues) -> str:
    anchor = row.anchor
    classes = f"row{' paragraph' if row.starts_paragraph else ''}{' joined' if row.joined else ''}"
    marks = f"{' data-issue' if row.has_issue else ''}{' data-doubt' if row.has_doubt else ''}"
    cells = "\n".join([_cell(cell, hues) for cell in row.cells])
    return (
        f'<tr class="{classes}" role="row" id="{anchor}"{marks}>\n'
        f'<th class="gutter" role="rowheader" scope="row">'
        f'<a href="#{anchor}" aria-label="Link to row {row.number}">{row.number}</a>'
        f"{_shape(row) if row.joined else ''}</th>\n{cells}\n</tr>\n"
    )


def _shape(row: Row) -> str:
    said = ", ".join(f"{name(cell.tongue.english)} {len(cell.sentences)}" for cell in row.cells)
    shape = ":".join(map(str, row.shape))
    return f'<span class="shape" title="Sentences per language: {said}">{shape}</span>'


def _cell(cell: Cell, hues: Hues) -> str:
    tongue, sentences = cell.tongue, cell.sentences
    size = " empty" if not sentences else " several" if len(sentences) > 1 else ""
    return (
        f'<td role="cell" data-lang="{name(tongue.code)}" data-name="{name(tongue.name)}" '
        f'class="cell{size}">'
        + (
            "".join([_sentence(each, tongue, not number, hues) for number, each in enumerate(sentences)])
            or '<p class="missing">no counterpart</p>'
        )
        + (_notes(cell.notes, hues) if cell.notes else "")
        + "</td>"
    )


def _sentence(sentence: SentenceView, tongue: Tongue, first: bool, hues: Hues) -> str:
    anchor, number, direction = sentence.anchor, sentence.index + 1, tongue.direction
    indent = " indent" if sentence.starts_paragraph and not first else ""
    return (
        f'<p class="sentence{indent}" data-index="{sentence.index}" id="{anchor}" dir="{direction}">'
        f'<a class="ordinal" href="#{anchor}" '
        f'aria-label="Link to {name(tongue.english)} sentence {number}">{number}</a>'
        f'<span class="text" lang="{name(tongue.code)}" dir="{direction}">'
        # Nothing may be printed inside but the pieces themselves and the marks around them.
        f"{''.join([_piece(each, hues) for each in sentence.pieces])}</span></p>"
    )


def _piece(piece: str | Open[Mention] | Close, hues: Hues) -> str:
    if isinstance(piece, str):
        return visible(piece)
    if isinstance(piece, Close):
        return "</mark>"
    mention = piece.what
    classes = (
        f"{' low' if mention.low else ''}{' reviewed' if mention.reviewed else ''}"
        f"{' first' if piece.first else ''}{' last' if piece.last else ''}"
    )
    return (
        f'<mark class="mention hue{hues[mention.label]}{classes}" data-entity="{mention.number}" '
        f'data-label="{name(mention.label)}" title="{attribute(mention.tip)}"'
        + (' tabindex="0">' if piece.first else ">")
    )


def _notes(notes: list[Note], hues: Hues) -> str:
    return f'<ul class="notes">{"".join([_note(note, hues) for note in notes])}</ul>'


def _note(note: Note, hues: Hues) -> str:
    entity = f' data-entity="{note.entity}" tabindex="0"' if note.entity else ""
    hue = f" hue{hues[note.label]}" if note.label else ""
    mention = f'<bdi class="about{hue}">{visible(note.mention)}</bdi>: ' if note.mention else ""
    meaning = REASON_WORDS.get(note.text) if note.kind == LOST_KIND else None
    title = f' title="{meaning}"' if meaning else ""
    return (
        f'<li class="note {note.severity}" data-kind="{name(note.kind)}"{entity}>'
        f'<span class="badge"><span class="unseen">{note.severity}: </span>'
        f"{visible(worded(note.kind))}</span> "
        f'{mention}<bdi class="evidence"{title}>{visible(worded(note.text))}</bdi></li>'
    )
