"""Search across languages: `build` writes an index, `open(path, encoder).query(…)` asks it."""

from mtalign.search.build import Built, Encoder, build
from mtalign.search.export import export
from mtalign.search.filters import Filters
from mtalign.search.passages import Mention, Passage, of_records, of_rows
from mtalign.search.query import EntityHit, Hit, Index

# As in gzip and tarfile: written `search.open`.
open = Index.open

__all__ = [
    "Built",
    "Encoder",
    "EntityHit",
    "Filters",
    "Hit",
    "Index",
    "Mention",
    "Passage",
    "build",
    "export",
    "of_records",
    "of_rows",
    "open",
]
