"""File names out of article ids and back; the language that a file name states.

`STEM.LANG.EXT` is the text of `STEM` in the language LANG: `news.ko.txt` beside `news.txt` or
`news.en.txt` is its Korean translation. This holds for every format.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

from mtalign.languages import LANGUAGES

# Bytes of a file name before language and extension; file systems take 255 for the whole.
_LONGEST = 200
_UNSAFE = re.compile(r"[^A-Za-z0-9 _.~()+,=@-]|^[. -]|[. ]$")


def file_name(article_id: str) -> str:
    """Return a name for the files of an article that stays inside their folder on every system.

    Letters, digits and a few marks stay; all else is percent-encoded, so that `id_of_name` gives the id
    back. An id that grows too long by this is cut and ends in a hash, and does not come back.
    """
    name = _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), article_id)
    if len(name) > _LONGEST:
        digest = hashlib.sha256(article_id.encode()).hexdigest()[:16]
        name = f"{name[: _LONGEST - 17].rstrip('%. ')}~{digest}"
    return name


def id_of_name(name: str) -> str:
    """Return the id that `file_name` made this name of; any other name is the id itself."""
    article_id = unquote(name, errors="replace")
    return article_id if file_name(article_id) == name else name


def name_and_language(path: Path) -> tuple[str, str | None]:
    """Return the name of a file without extension and language, and the language where it states one."""
    stem, dot, code = path.stem.rpartition(".")
    return (stem, code) if dot and stem and code in LANGUAGES else (path.stem, None)
