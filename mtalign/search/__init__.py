"""Search across languages: `build` writes an index, `Index.open(path).query(…)` asks it."""

from mtalign.search.build import Built, Encoder, Passage, build
from mtalign.search.query import Hit, Index

__all__ = ["Built", "Encoder", "Hit", "Index", "Passage", "build"]
