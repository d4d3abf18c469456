"""What vectors of one language have in common, and taking it off, so that languages can be compared.

Encoders put sentences of one language near each other, whatever they say: a query then finds its own language
first. The means of the languages span the directions in which that happens. Queries and passages are
projected onto what is orthogonal to them and brought to length 1 again; so the language of a query need not
be known. In the spirit of Yang et al. 2021 (Language Information Removal), who take off the strongest
directions of each language; here it is its mean alone. Figures: docs/benchmarks-search.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The mean of fewer passages says more about what they say than about their language.
_ENOUGH = 16
_ROWS = 8192


class Language(Struct, frozen=True):
    """The passages of one language in an index: how many, and the mean of their vectors."""

    passages: int
    mean: tuple[float, ...]


def basis(languages: Mapping[str, Language]) -> NDArray[np.float32]:
    """Return orthonormal directions that span the means of the languages; float32, dim x directions.

    Languages of few passages do not count, so there may be none.
    """
    import numpy as np

    means = [each.mean for each in languages.values() if each.passages >= _ENOUGH]
    dim = len(next(iter(languages.values())).mean) if languages else 0
    directions, _ = np.linalg.qr(np.asarray(means, np.float64).reshape(-1, dim).T)
    return directions.astype(np.float32)


def take_off(vectors: NDArray[np.float32], directions: NDArray[np.float32]) -> None:
    """Take the given directions off vectors, in place, and bring these to length 1 again.

    What lies in those directions altogether becomes zero: it is like nothing.
    """
    import numpy as np

    if not directions.shape[1]:
        return
    for start in range(0, len(vectors), _ROWS):
        part = vectors[start : start + _ROWS]
        part -= (part @ directions) @ directions.T
        lengths = np.linalg.norm(part, axis=1, keepdims=True)
        part /= np.where(lengths > 1e-3, lengths, np.inf)
