"""Writes records as one HTML file that needs nothing else: no network, no fonts, no build step.

Every text of the data reaches the page escaped and with its hidden characters shown; a content security
policy with the hashes of the page's own style and script shuts out anything else. All articles go into
one page, and all of them are held in memory: splitting a large run is not handled yet.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mtalign.errors import UsageError
from mtalign.record import Record, Rejected
from mtalign.report.article import LOW_CONFIDENCE, ArticleView, article_view, two_digits
from mtalign.report.markup import Close, Open, plain, visible, worded
from mtalign.report.overview import BINS, overview
from mtalign.store import write_atomically

HUES = 10
"""How many label colours the style sheet has."""

# The labels that most annotation schemes share keep their colour from report to report.
_FIXED_HUES = {"PER": 0, "PERSON": 0, "ORG": 1, "LOC": 2, "GPE": 2, "MISC": 3}


def write_report(records: Iterable[Record], rejected: Sequence[Rejected], out: Path, title: str) -> None:
    """Write the page to `out` in one move: a reader sees the old file or the new one, never half of it.

    Raises:
        UsageError: the file cannot be written.
    """
    page = render(records, rejected, title)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, page)
    except OSError as error:
        raise UsageError(
            f"cannot write the report {out}: {error.strerror or error}; choose another place with -o"
        ) from error


def render(records: Iterable[Record], rejected: Sequence[Rejected], title: str) -> str:
    """Return the whole page as HTML."""
    seen = list(records)
    numbers = overview(seen)
    environment = _environment()
    style, script = _asset("page.css"), _asset("page.js")
    return environment.get_template("page.html").render(
        title=title,
        overview=numbers,
        rejected=rejected,
        articles=(article_view(record) for record in seen),
        hues=label_hues(label for label, _ in numbers.labels),
        style=style,
        script=script,
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
    )


def render_article(view: ArticleView, hues: Mapping[str, int]) -> str:
    """Return one article as a fragment of HTML, as it stands in the page."""
    return _environment().get_template("article.html").render(article=view, hues=hues)


def label_hues(labels: Iterable[str]) -> dict[str, int]:
    """Return the number of the colour of each label: common labels keep theirs, others share the rest."""
    free = [hue for hue in range(HUES) if hue not in _FIXED_HUES.values()]
    hues: dict[str, int] = {}
    for label in sorted(set(labels)):
        strangers = sum(known not in _FIXED_HUES for known in hues)
        hues[label] = _FIXED_HUES.get(label, free[strangers % len(free)])
    return hues


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mtalign.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_fit,
    )
    environment.filters["visible"] = visible
    environment.filters["worded"] = worded
    environment.filters["two_digits"] = two_digits
    environment.filters["count"] = "{:,}".format
    environment.tests["opening"] = lambda piece: isinstance(piece, Open)
    environment.tests["closing"] = lambda piece: isinstance(piece, Close)
    environment.globals["LOW_CONFIDENCE"] = LOW_CONFIDENCE
    environment.globals["BINS"] = BINS
    return environment


def _fit(value: object) -> object:
    """Show hidden characters in whatever a template prints without saying that it is fit for print."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _asset(name: str) -> Markup:
    """Return one of the package's own files, to stand in the page as it is."""
    path = resources.files("mtalign.report") / "templates" / name
    return Markup(path.read_text("utf-8"))  # noqa: S704


def _csp_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
