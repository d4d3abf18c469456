"""HTML pages: the main text in order, without menus, advertisements and comments; one page is one article.

The main text is found by trafilatura. Title, date, author, site and address become fields of the article,
and the page's own `lang` counts before the language given. Nothing is fetched. Markup, links, pictures and
tables' shapes are left out.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from mtalign.document import Article, Document
from mtalign.errors import InputError, MissingExtra
from mtalign.formats.names import name_and_language
from mtalign.formats.reading import Found, Options, decode, read_whole

_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_LANG = re.compile(r"<html\b[^>]*?\slang\s*=\s*[\"']?\s*([A-Za-z]{2,3})\b", re.IGNORECASE)
# Where a page states its charset, if it does.
_HEAD = 4096


def read(path: Path, options: Options) -> Iterator[Found]:
    """Yield the one article of a page.

    Raises:
        InputError: the page has no main text, or is not in the encoding that it states.
    """
    name, lang = name_and_language(path)
    page = _decoded(read_whole(path), path.name)
    stated = _LANG.search(page)
    document = extract(page, name, lang or (stated[1].lower() if stated else options.lang))
    yield Found(Article(document), str(path))


def extract(page: str, article_id: str, lang: str) -> Document:
    """Return the main text of a page, its paragraphs separated by blank lines.

    Raises:
        InputError: there is none.
        MissingExtra: trafilatura is not installed.
    """
    try:
        from trafilatura import bare_extraction
    except ImportError as error:
        raise MissingExtra(
            f'HTML needs trafilatura ({error}); install it with: pip install "mtalign[formats]"'
        ) from error
    found = (
        bare_extraction(page, include_comments=False, with_metadata=True, deduplicate=False)
        if page.strip()
        else None
    )
    paragraphs = [line.strip() for line in (found.text or "").split("\n") if line.strip()] if found else []
    if found is None or not paragraphs:
        raise InputError("the page has no main text")
    attributes = {"date": found.date, "author": found.author, "site": found.sitename}
    return Document(
        article_id,
        lang,
        "\n\n".join(paragraphs),
        title=found.title or None,
        source=found.url or None,
        license=found.license or None,
        attributes={key: value for key, value in attributes.items() if value},
    )


def _decoded(data: bytes, where: str) -> str:
    stated = _CHARSET.search(data, 0, _HEAD)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        charset = "utf-16"
    elif stated and not data.startswith(codecs.BOM_UTF8):
        charset = stated[1].decode("ascii")
    else:
        return decode(data, where)
    try:
        if codecs.lookup(charset).name == "utf-8":
            return decode(data, where)
        return data.decode(charset)
    except (LookupError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is not in {charset}, as it states: {error}") from error
