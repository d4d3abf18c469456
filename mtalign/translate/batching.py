"""Which sentences go through a model together: longest first, under a budget of tokens.

Sorting by length keeps padding small; the longest batch comes first so that a machine with too little
memory fails at the start and not at the end.
"""

from __future__ import annotations

from collections.abc import Sequence


def plan_batches(lengths: Sequence[int], budget: int, *, rows_per_item: int = 1) -> list[list[int]]:
    """Group item indices into batches, longest items first.

    A batch costs its number of rows times its longest item. It stays within `budget` tokens unless a
    single item is already over it. Every index appears exactly once.

    Args:
        lengths: tokens of each item.
        budget: tokens per batch, padding included.
        rows_per_item: rows that one item takes (candidates decoded side by side, beams).
    """
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if room <= 0:
            batches.append([])
            room = max(1, budget // max(1, lengths[index] * rows_per_item))
        batches[-1].append(index)
        room -= 1
    return batches
