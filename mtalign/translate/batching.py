"""Which sentences go through a model together, and what happens when memory runs out.

Sorting by length keeps padding small; the longest batch comes first so that a machine with too little
memory fails at the start and not at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TypeVar

from mtalign.errors import UsageError

_T = TypeVar("_T")

# What torch (accelerator, processor, its oneDNN) and CTranslate2 say; none of them has one exception for it.
_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "failed to allocate",
    "could not create a primitive",
)


def plan_batches(
    lengths: Sequence[int],
    budget: int,
    *,
    rows_per_item: int = 1,
    apart: Sequence[Hashable] | None = None,
) -> list[list[int]]:
    """Group item indices into batches, longest items first.

    A batch costs its number of rows times its longest item. It stays within `budget` tokens unless a
    single item is already over it. Every index appears exactly once.

    Args:
        lengths: tokens of each item.
        budget: tokens per batch, padding included.
        rows_per_item: rows that one item takes (candidates decoded side by side, beams).
        apart: a key per item; items with different keys never share a batch.
    """
    keys = apart or [0] * len(lengths)
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    if apart:
        first = {key: place for place, key in reversed(list(enumerate(keys[i] for i in order)))}
        order.sort(key=lambda i: first[keys[i]])
    batches: list[list[int]] = []
    for _, group in groupby(order, key=lambda i: keys[i]):
        room = 0
        for index in group:
            if room <= 0:
                batches.append([])
                room = max(1, budget // max(1, lengths[index] * rows_per_item))
            batches[-1].append(index)
            room -= 1
    return batches


def run_batches(
    batches: Sequence[Sequence[int]], work: Callable[[Sequence[int]], Sequence[_T]], *, workers: int = 1
) -> list[_T]:
    """Do the work of every batch and return its results in the order of the items.

    A batch that runs out of memory is halved, again and again where needed; the others go on as planned.

    Args:
        batches: item indices, as `plan_batches` gives them: each of 0 to n - 1 once.
        work: returns one result for each index of a batch; called from threads if `workers` is above 1.
        workers: batches worked on at once.

    Raises:
        UsageError: a single item does not fit into memory.
    """
    if workers == 1 or len(batches) < 2:
        done = [_in_halves(batch, work) for batch in batches]
    else:
        with ThreadPoolExecutor(workers) as pool:
            try:
                done = list(pool.map(lambda batch: _in_halves(batch, work), batches))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    results = {
        index: result
        for batch, found in zip(batches, done, strict=True)
        for index, result in zip(batch, found, strict=True)
    }
    return [results[index] for index in range(len(results))]


def _in_halves(batch: Sequence[int], work: Callable[[Sequence[int]], Sequence[_T]]) -> list[_T]:
    try:
        return list(work(batch))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if len(batch) == 1:
            raise UsageError(
                f"there is not enough memory for a single sentence: {error}; use fewer beams or candidates, "
                "a smaller number format, or a smaller model"
            ) from error
    # Outside of the handler: while the error lives, it keeps the tensors of the failed batch alive.
    middle = len(batch) // 2
    return [*_in_halves(batch[:middle], work), *_in_halves(batch[middle:], work)]


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(each in text for each in _OUT_OF_MEMORY)
