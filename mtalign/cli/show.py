"""An aligned document side by side: columns wrapped by display width, coloured by how sure the bead is."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mtalign.errors import UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from mtalign.aligned import AlignedDocument

# Where output goes to a file or a program, there is no width to ask for.
_WIDTH_WITHOUT_TERMINAL = 120

_SURE, _FAIR = 0.75, 0.5

# A text may hold escape sequences that would take over the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def show_document(document: AlignedDocument, langs: Sequence[str] = ()) -> None:
    """Print the beads of two languages, or the tuples of more, a column for each language.

    The first column is the share of the document's typical score (see `mtalign.aligned`).

    Args:
        document: what to show.
        langs: the languages to show, in this order; all of them if empty.

    Raises:
        UsageError: the document lacks one of the languages.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    chosen = list(langs) or list(document.sents)
    if missing := [lang for lang in chosen if lang not in document.sents]:
        raise UsageError(
            f"document {document.id!r} is not in {', '.join(missing)}; it is in {', '.join(document.sents)}"
        )
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), expand=True)
    grid.add_column(Text("score"), justify="right", width=5)
    for lang in chosen:
        # Words break only where they are wider than the column.
        grid.add_column(Text(f"{lang} ({len(document.sents[lang])})"), ratio=1, overflow="fold")
    for groups, share in _rows(document, chosen):
        style = _style(groups, share)
        label = "null" if sum(map(bool, groups.values())) < 2 else f"{share:.0%}"
        grid.add_row(
            Text(label, style), *(_cell(document.sents[lang], groups[lang], style) for lang in chosen)
        )
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL)
    console.print(Text(f"{_clean(document.id)}: {' - '.join(chosen)}", style="bold"))
    console.print(grid)


def _rows(
    document: AlignedDocument, langs: Sequence[str]
) -> Iterator[tuple[Mapping[str, Sequence[int]], float]]:
    """Yield sentence indices by language with their share: beads of two languages, tuples of others."""
    from mtalign.aligned import shares, tuple_shares

    if len(langs) == 2:
        left, right = langs
        turned = (left, right) not in document.beads
        beads = document.beads.get((right, left) if turned else (left, right))
        if beads is not None:
            for bead, share in zip(beads, shares(beads), strict=True):
                sides = (bead.right, bead.left) if turned else (bead.left, bead.right)
                yield dict(zip(langs, sides, strict=True)), share
            return
    for each, share in zip(document.tuples, tuple_shares(document), strict=True):
        groups = {lang: each.get(lang, ()) for lang in langs}
        if any(groups.values()):
            yield groups, share


def _style(groups: Mapping[str, Sequence[int]], share: float) -> str:
    if sum(map(bool, groups.values())) < 2:
        return "magenta"
    return "green" if share >= _SURE else "yellow" if share >= _FAIR else "red"


def _cell(sentences: Sequence[str], indices: Sequence[int], style: str) -> Text:
    from rich.text import Text

    cell = Text()
    for position, index in enumerate(indices):
        cell.append("\n" if position else "")
        cell.append(f"{index} ", style="dim")
        cell.append(_clean(sentences[index]), style=style)
    return cell if indices else Text("-", style=style)


def _clean(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)
