"""The rows of an article for a terminal: the same as on the page, wrapped by display width."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mtalign.report.article import ArticleView, Cell, Note, Row, SentenceView, two_digits
from mtalign.report.markup import Open, plain, worded
from mtalign.report.overview import ArticleLine

# As many as the page has hues; names that every terminal theme has.
_COLOURS = (
    "red", "blue", "green", "yellow", "magenta",
    "cyan", "bright_magenta", "bright_green", "bright_black", "bright_red",
)  # fmt: skip
_SEVERITY = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_GUTTER = 8
"""Room for the number of a row, and below it its shape in four languages: 2:1:1:3."""
_NARROWEST = 18


def article_rows(view: ArticleView, hues: Mapping[str, int], width: int) -> RenderableType:
    """Return an article as a table of as many languages beside each other as `width` columns hold.

    Where they do not fit, every row shows its languages below each other. Hidden characters are shown by
    their numbers, so that no text can steer the terminal.
    """
    head = Text(plain(view.heading), style="bold")
    if view.heading != view.id:
        head.append(f"\n{plain(view.id)}", style="dim")
    beside = (width - _GUTTER) // max(1, len(view.columns)) >= _NARROWEST
    grid = Table(box=None, padding=(0, 1, 1 if beside else 0, 0), show_header=beside, expand=beside)
    grid.add_column("", width=_GUTTER, style="dim", overflow="fold")
    if beside:
        for column in view.columns:
            grid.add_column(Text(plain(column.tongue.name)), ratio=1, overflow="fold")
        for row in view.rows:
            grid.add_row(_gutter(row), *(_cell(cell, hues) for cell in row.cells))
    else:
        grid.add_column("", width=4, style="dim")
        grid.add_column("", ratio=1, overflow="fold")
        for row in view.rows:
            for number, cell in enumerate(row.cells):
                grid.add_row(
                    str(row.number) if number == 0 else "", plain(cell.tongue.code), _cell(cell, hues)
                )
            grid.add_row("", "", "")
    notes = [Text.assemble((f"{plain(tongue.code)} ", "dim"), _note(note)) for tongue, note in view.notes]
    return Group(head, Text(""), *notes, grid)


def contents(lines: Iterable[ArticleLine]) -> RenderableType:
    """Return the articles of a run as a table."""
    grid = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("article", "title"):
        grid.add_column(name, overflow="fold")
    for name in ("sentences", "entities", "lost", "issues"):
        grid.add_column(name, justify="right")
    for each in lines:
        numbers = (each.sentences, each.entities, each.lost, each.issues)
        grid.add_row(Text(plain(each.id)), Text(plain(each.title)), *map(str, numbers))
    return grid


def _gutter(row: Row) -> Text:
    shape = ":".join(map(str, row.shape)) if row.joined else ""
    return Text(f"{row.number}\n{shape}".rstrip())


def _cell(cell: Cell, hues: Mapping[str, int]) -> Text:
    parts = [_sentence(each, hues) for each in cell.sentences] or [
        Text("— no counterpart —", style="dim italic")
    ]
    return Text("\n").join([*parts, *(_note(note) for note in cell.notes)])


def _sentence(sentence: SentenceView, hues: Mapping[str, int]) -> Text:
    text = Text()
    styles: list[str] = []
    tails: list[str] = []
    for piece in sentence.pieces:
        if isinstance(piece, str):
            text.append(plain(piece.replace("\t", " ")), style=" ".join(styles))
        elif isinstance(piece, Open):
            colour = _COLOURS[hues[piece.what.label] % len(_COLOURS)]
            styles.append(f"{colour} {'italic' if piece.what.low else 'underline'}")
            low = piece.what.low and piece.what.confidence is not None and piece.last
            tails.append(f"?{two_digits(piece.what.confidence or 0.0)}" if low else "")
        else:
            styles.pop()
            text.append(tails.pop(), style="dim")
    return text


def _note(note: Note) -> Text:
    about = f" {plain(note.mention)}:" if note.mention else ""
    return Text.assemble(
        (f"[{plain(worded(note.kind))}]", _SEVERITY[note.severity]),
        f"{about} {plain(worded(note.text))}",
    )
