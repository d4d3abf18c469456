"""Turns what the report shows into HTML: one page with everything, or an index and pages of articles.

Every page is complete in itself: no network, no fonts, no build step. Every text of the data reaches it
escaped and with its hidden characters shown; a content security policy with the hashes of the page's own
style and script shuts out anything else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mtalign.record import Record, Rejected
from mtalign.report.article import LOW_CONFIDENCE, REASON_WORDS, ArticleView, article_view, two_digits
from mtalign.report.links import WordPair
from mtalign.report.markup import plain, visible, worded
from mtalign.report.overview import (
    BINS,
    LONGEST_RATIO,
    RATIO_BINS,
    ArticleLine,
    Overview,
    Tally,
    bead_class,
    overview,
)
from mtalign.report.rows import entity_rows, note_item, table_rows
from mtalign.review import Review

HUES = 10
"""How many label colours the style sheet has."""

# The labels that most annotation schemes share keep their colour from report to report.
_FIXED_HUES = {"PER": 0, "PERSON": 0, "ORG": 1, "LOC": 2, "GPE": 2, "MISC": 3}
# What a reader who does not know the schemes would ask.
_LABEL_WORDS = {
    "PER": "person", "ORG": "organisation", "LOC": "place", "GPE": "country, city", "MISC": "other name",
    "NORP": "people, party", "FAC": "building",
}  # fmt: skip
_SCRIPTS = ("base.js", "find.js", "light.js", "review.js", "library.js", "keys.js")


@dataclass(frozen=True)
class Shown:
    """An article as it goes into the report: its record as reviewed, its word links, the reviews in it."""

    record: Record
    links: Mapping[str, Sequence[WordPair]] = field(default_factory=dict)
    reviews: Sequence[Review] = ()

    def view(self) -> ArticleView:
        """Return the article, arranged for the page."""
        return article_view(self.record, self.links, self.reviews)


@dataclass(frozen=True)
class Site:
    """What all pages of one report share.

    `folder` is where the pages of articles lie, seen from the index; `served` says that reviews can be
    sent to where the page comes from; `counting` that the numbers are not complete yet.
    """

    title: str
    overview: Overview
    rejected: Sequence[Rejected]
    hues: Mapping[str, int]
    folder: str = "pages"
    served: bool = False
    counting: bool = False

    @property
    def key(self) -> str:
        """A name for the run in the browser's own storage."""
        parts = json.dumps([self.title, *sorted(signature for signature, _ in self.overview.signatures)])
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


def site(title: str, total: Tally, rejected: Sequence[Rejected], **more: str | bool) -> Site:
    """Return a report with the numbers of a tally."""
    return Site(title, overview(total), rejected, label_hues(total.labels), **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Body:
    """Articles as they stand in a page; `linked` says that some have word links."""

    html: Markup
    linked: bool


def render_body(views: Iterable[ArticleView], hues: Mapping[str, int]) -> Body:
    """Return articles for a page; `hues` has to know their labels."""
    template = _environment().get_template("article.html")
    parts: list[str] = []
    linked = False
    for view in views:
        parts.append(template.render(article=view, hues=hues))
        linked = linked or bool(view.links)
    return Body(Markup("\n".join(parts)), linked)  # noqa: S704


def render_single(report: Site, lines: Sequence[ArticleLine], body: Body) -> str:
    """Return the whole report as one page."""
    return _render("single", report, contents=lines, body=body)


def render_index(report: Site, lines: Iterable[tuple[ArticleLine, int]], pages: int) -> str:
    """Return the first page of a report with many: the numbers, the list of articles, the search."""
    listed = [
        [
            line.anchor, plain(line.id), plain(line.title), line.lang,
            line.sentences, line.entities, line.lost, line.issues, page,
        ]
        for line, page in lines
    ]  # fmt: skip
    return _render("index", report, lines=listed, pages=pages)


def render_page(report: Site, body: Body, page: int, pages: int, home: str) -> str:
    """Return page `page` (from 1) of `pages` pages of articles; `home` leads back to the index."""
    return _render("page", report, body=body, page=page, pages=pages, home=home)


def find_json(entry: Mapping[str, object]) -> str:
    """Return what the search needs to know of one article, for a script file in UTF-8."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))


def find_script(page: int, entries: Iterable[str]) -> str:
    """Return the script that hands over the articles of a page, given each as JSON."""
    return f"mtalignFound({page}, [{','.join(entries)}]);\n"


def page_name(page: int) -> str:
    """Return the file name of a page of articles."""
    return f"{page:04}.html"


def find_name(page: int) -> str:
    """Return the file name of what the search needs to know of a page."""
    return f"find-{page:04}.js"


def label_hues(labels: Iterable[str]) -> dict[str, int]:
    """Return the number of the colour of each label: common labels keep theirs, others share the rest.

    In the order of first appearance, so that the colours of some articles stay when more are added.
    """
    free = [hue for hue in range(HUES) if hue not in _FIXED_HUES.values()]
    hues: dict[str, int] = {}
    for label in dict.fromkeys(labels):
        strangers = sum(known not in _FIXED_HUES for known in hues)
        hues[label] = _FIXED_HUES.get(label, free[strangers % len(free)])
    return hues


def ascii_json(value: object) -> Markup:
    """Return a value as JSON that can stand inside a script element: ASCII, and no `<` in it."""
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))  # noqa: S704


_NOTHING: Mapping[str, object] = {
    "contents": [], "lines": [], "body": Body(Markup(), False), "page": 0, "pages": 0, "home": "",
}  # fmt: skip
"""What a template finds of the parts that its kind of page does not have."""


def _render(kind: str, report: Site, **more: object) -> str:
    style, script = _asset("page.css"), Markup("").join(_asset(name) for name in _SCRIPTS)
    # The index loads what it searches from beside it; `file:` is what a page opened from a disk calls itself.
    sources = f"'{_csp_hash(script)}'" + (" 'self' file:" if kind == "index" else "")
    connect = "; connect-src 'self'" if report.served else ""
    return (
        _environment()
        .get_template("page.html")
        .render(
            {
                "contents": [],
                "body": Body(Markup(), False),
                "page": 0,
                "pages": 0,
                "home": "",
                "lines": [],
                **more,
            },
            kind=kind,
            site=report,
            overview=report.overview,
            rejected=report.rejected,
            hues=report.hues,
            style=style,
            script=script,
            policy=f"default-src 'none'; script-src {sources}; style-src '{_csp_hash(style)}'"
            f"{connect}; base-uri 'none'; form-action 'none'",
        )
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mtalign.report"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_fit,
    )
    environment.filters["visible"] = visible
    environment.filters["worded"] = worded
    environment.filters["two_digits"] = two_digits
    environment.filters["count"] = "{:,}".format
    environment.filters["ascii_json"] = ascii_json
    environment.filters["page_name"] = page_name
    environment.filters["table_rows"] = table_rows
    environment.filters["entity_rows"] = entity_rows
    environment.filters["note_item"] = note_item
    environment.globals["LOW_CONFIDENCE"] = LOW_CONFIDENCE
    environment.filters["bead_class"] = bead_class
    environment.globals["LABEL_WORDS"] = _LABEL_WORDS
    environment.globals["REASON_WORDS"] = REASON_WORDS
    environment.globals["BINS"] = BINS
    environment.globals["RATIO_BINS"] = RATIO_BINS
    environment.globals["LONGEST_RATIO"] = LONGEST_RATIO
    return environment


def _fit(value: object) -> object:
    """Show hidden characters in whatever a template prints without saying that it is fit for print."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@lru_cache(maxsize=16)
def _asset(name: str) -> Markup:
    """Return one of the package's own files, to stand in the page as it is."""
    path = resources.files("mtalign.report") / "templates" / name
    return Markup(path.read_text("utf-8"))  # noqa: S704


@lru_cache(maxsize=4)
def _csp_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
