"""Texts of any length through an encoder: windows that fit the model, in batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Tokens that two neighbouring windows of a long text share, so that no token lacks context on both sides.
_OVERLAP = 64


@dataclass(frozen=True)
class Window:
    """A stretch of tokens of one text that fits the model; `first` is its first token's number."""

    text: int
    first: int
    ids: list[int]


def split(number: int, ids: list[int], size: int) -> Iterator[Window]:
    """Yield the windows of up to `size` tokens that cover a text."""
    shared = min(_OVERLAP, size // 2)
    for first in range(0, max(1, len(ids) - shared), size - shared) if len(ids) > size else (0,):
        yield Window(number, first, ids[first : first + size])


def batches(windows: Sequence[Window], budget: int) -> Iterator[list[Window]]:
    """Yield the windows longest first, in batches whose padded size stays within the budget."""
    batch: list[Window] = []
    for window in sorted(windows, key=lambda each: -len(each.ids)):
        if batch and (len(batch) + 1) * (len(batch[0].ids) + 2) > budget:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def forward(model: Any, tokenizer: Any, batch: Sequence[Window], **options: bool) -> tuple[Any, torch.Tensor]:
    """Run a batch, each window between its two special tokens; return the output and the mask."""
    import torch

    first, last = _special_ids(tokenizer)
    rows = [[first, *window.ids, last] for window in batch]
    width = max(map(len, rows))
    pad = tokenizer.pad_token_id or 0
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows], device=model.device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=model.device)
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=mask, **options), mask


def window_size(tokenizer: Any, model: Any) -> int:
    """Return how many tokens fit beside the two special ones. Some tokenizers claim 1e30: trust the model."""
    positions = int(getattr(model.config, "max_position_embeddings", 512))
    # RoBERTa-like models number positions from pad + 1, so two of their positions are never used.
    if getattr(model.config, "model_type", "") in {"roberta", "xlm-roberta", "camembert", "mpnet"}:
        positions -= 2
    return min(positions, int(tokenizer.model_max_length)) - 2


def _special_ids(tokenizer: Any) -> tuple[int, int]:
    first = tokenizer.cls_token_id if tokenizer.cls_token_id is not None else tokenizer.bos_token_id
    last = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
    return int(first), int(last)
