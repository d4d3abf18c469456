"""Decoding with causal language models: a shared prompt prefix, greedy and seeded candidates.

Every sentence gets one greedy continuation and, when more candidates are asked for, samples. A sample
is a greedy choice under Gumbel noise whose seed depends on the sentence and the candidate's number
alone (the Gumbel-max trick), so it does not depend on what else is in the batch. Beam search is not
handled here.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch

TOP_K = 40


@dataclass(frozen=True)
class Choice:
    """How continuations are chosen.

    The first of `candidates` is greedy (unless all are samples), the others are sampled at `temperature`
    among the 40 most likely tokens. A token of `stops` ends a continuation and is not part of it. No
    continuation holds the same `no_repeat` tokens twice in a row of that length (0: it may).
    """

    candidates: int
    temperature: float
    seed: int
    stops: frozenset[int]
    no_repeat: int
    all_sampled: bool = False


@dataclass(frozen=True)
class Item:
    """One prompt to continue: its tokens after the shared prefix, and when to stop at the latest."""

    text: str
    ids: tuple[int, ...]
    max_new: int


@dataclass(frozen=True)
class Continuation:
    """Tokens of one continuation, their mean log-probability, and whether a stop token ended it."""

    ids: tuple[int, ...]
    score: float
    complete: bool


@dataclass(frozen=True)
class Vocabulary:
    """The outputs of a narrowed model: the token id of each (shape `[outputs]`), and which outputs each
    item must not use (bool, shape `[items, outputs]`).
    """

    ids: torch.Tensor
    banned: torch.Tensor


class Shortlist:
    """The part of the vocabulary that a translation may be written with.

    A small model with a large vocabulary spends most of its time on tokens of other scripts.
    `keep` says by its text whether a token is on the list; the tokens of a sentence's own source are
    always allowed for that sentence, so that names can be copied.
    """

    def __init__(self, model: Any, texts: Sequence[str], keep: Callable[[str], bool]) -> None:
        self._full = model.get_output_embeddings()
        self._ids = [i for i, text in enumerate(texts) if keep(text)]
        self._set = frozenset(self._ids)
        self._weight = self._full.weight.detach()
        self._bias = getattr(self._full, "bias", None)

    def narrow(self, model: Any, items: Sequence[Item]) -> Vocabulary:
        """Give the model an output layer for these items, until `restore`."""
        import torch

        own = [set(item.ids) - self._set for item in items]
        extra = sorted(set().union(*own))
        ids = torch.tensor(self._ids + extra, device=self._weight.device)
        head = torch.nn.Linear(self._weight.shape[1], len(ids), bias=False, device="meta")
        head.weight = torch.nn.Parameter(self._weight[ids], requires_grad=False)
        if self._bias is not None:
            head.bias = torch.nn.Parameter(self._bias.detach()[ids], requires_grad=False)
        model.set_output_embeddings(head)
        banned = torch.zeros(len(items), len(ids), dtype=torch.bool)
        for row, allowed in enumerate(own):
            for column, token in enumerate(extra, start=len(self._ids)):
                banned[row, column] = token not in allowed
        return Vocabulary(ids, banned.to(self._weight.device))

    def restore(self, model: Any) -> None:
        """Give the model its own output layer back."""
        model.set_output_embeddings(self._full)


@dataclass(frozen=True)
class Prefix:
    """What all prompts of a batch begin with: the number of its tokens, and the model's cache for one row."""

    length: int
    cache: Any


def read_prefix(model: Any, ids: Sequence[int]) -> Prefix:
    """Let the model read a prompt prefix (which may be empty) and keep its keys and values."""
    import torch
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    if ids:
        with torch.inference_mode():
            tokens = torch.tensor([list(ids)], device=model.device)
            model(input_ids=tokens, use_cache=True, logits_to_keep=1, **_cached(model, cache))
    return Prefix(len(ids), cache)


def read_after(
    model: Any, prefix: Prefix, rows: Sequence[Sequence[int]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Let the model read rows of tokens after a prefix, which is copied and not changed.

    Returns:
        Logits of shape `[rows, width, vocabulary]`, and the tokens, `[rows, width]`; padding is at the right.
    """
    import torch

    cache = copy.deepcopy(prefix.cache)
    if prefix.length:
        cache.batch_repeat_interleave(len(rows))
    width = max(map(len, rows))
    mask = torch.tensor([[1] * (prefix.length + len(ids)) + [0] * (width - len(ids)) for ids in rows])
    tokens = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in rows]).to(model.device)
    positions = torch.arange(prefix.length, prefix.length + width).expand(len(rows), -1)
    output = model(
        input_ids=tokens,
        attention_mask=mask.to(model.device),
        position_ids=positions.to(model.device),
        use_cache=True,
        **_cached(model, cache),
    )
    return output.logits, tokens


class _Row:
    """The state of one continuation while it grows."""

    def __init__(self, item: int, max_new: int, noise: np.random.Generator | None, order: int) -> None:
        self.item = item
        self.max_new = max_new
        self.noise = noise
        self._order = order
        self._followers: dict[tuple[int, ...], set[int]] = {}
        self.ids: list[int] = []
        self.total = 0.0
        self.done = False
        self.complete = False

    def take(self, token: int, logprob: float, stops: frozenset[int]) -> None:
        self.total += logprob
        if token in stops:
            self.done = self.complete = True
        else:
            if self._order:
                self._followers.setdefault(self._context(), set()).add(token)
            self.ids.append(token)
            self.done = len(self.ids) >= self.max_new

    def _context(self) -> tuple[int, ...]:
        return tuple(self.ids[max(0, len(self.ids) - self._order + 1) :])

    def repeats(self) -> set[int]:
        """Return the tokens that would write an n-gram for the second time."""
        return self._followers.get(self._context(), set()) if self._order else set()

    def finish(self) -> Continuation:
        return Continuation(tuple(self.ids), self.total / (len(self.ids) + self.complete), self.complete)


def continue_batch(
    model: Any,
    prefix: Prefix,
    items: Sequence[Item],
    *,
    choice: Choice,
    shortlist: Shortlist | None = None,
) -> list[list[Continuation]]:
    """Continue every item, all in one batch.

    Args:
        model: a causal model of transformers, in evaluation mode.
        prefix: what comes before every item; it is copied, not changed.
        items: what to continue.
        choice: number of continuations per item, how they are chosen, and what ends them.
        shortlist: limits the vocabulary.

    Returns:
        `choice.candidates` continuations per item, the greedy one first.
    """
    import torch

    vocabulary = shortlist.narrow(model, items) if shortlist else None
    try:
        with torch.inference_mode():
            return _continue(model, prefix, items, choice, vocabulary)
    finally:
        if shortlist:
            shortlist.restore(model)


def _continue(
    model: Any,
    prefix: Prefix,
    items: Sequence[Item],
    choice: Choice,
    vocabulary: Vocabulary | None,
) -> list[list[Continuation]]:
    import torch

    count = choice.candidates
    cache = copy.deepcopy(prefix.cache)
    if prefix.length:
        cache.batch_repeat_interleave(len(items))
    tokens, mask = _left_padded(items, prefix.length, model.device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, prefix.length :]
    logits = _step(model, cache, tokens, mask, positions)
    # The prompts are read once for all candidates.
    rows = [
        _Row(i, item.max_new, _noise(choice, item.text, candidate), choice.no_repeat)
        for i, item in enumerate(items)
        for candidate in range(count)
    ]
    if count > 1:
        cache.batch_repeat_interleave(count)
    mask = mask.repeat_interleave(count, 0)
    positions = positions[:, -1:].repeat_interleave(count, 0)
    logits = logits.repeat_interleave(count, 0)
    live = list(rows)
    while True:
        picked, logprobs = _choose(logits, vocabulary, live, choice.temperature)
        for row, token, logprob in zip(live, picked.tolist(), logprobs.tolist(), strict=True):
            if not row.done:
                row.take(token, logprob, choice.stops)
        if all(row.done for row in live):
            break
        keep = [index for index, row in enumerate(live) if not row.done]
        # Finished rows ride along until a quarter has finished: dropping them copies the cache.
        if len(keep) <= 0.75 * len(live):
            live = [live[index] for index in keep]
            index = torch.tensor(keep, device=model.device)
            cache.batch_select_indices(index)
            mask, positions, picked = mask[index], positions[index], picked[index]
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], 1)
        positions = positions + 1
        logits = _step(model, cache, picked[:, None], mask, positions)
    results: list[list[Continuation]] = [[] for _ in items]
    for row in rows:
        results[row.item].append(row.finish())
    return results


def _left_padded(
    items: Sequence[Item], prefix_length: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens `[items, width]` and mask `[items, prefix + width]`; the padding follows the prefix."""
    import torch

    width = max(len(item.ids) for item in items)
    tokens = torch.zeros(len(items), width, dtype=torch.long)
    mask = torch.zeros(len(items), prefix_length + width, dtype=torch.long)
    mask[:, :prefix_length] = 1
    for row, item in enumerate(items):
        tokens[row, width - len(item.ids) :] = torch.tensor(item.ids)
        mask[row, prefix_length + width - len(item.ids) :] = 1
    return tokens.to(device), mask.to(device)


def _step(
    model: Any, cache: Any, tokens: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor
) -> torch.Tensor:
    output = model(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=positions,
        use_cache=True,
        logits_to_keep=1,
        **_cached(model, cache),
    )
    last: torch.Tensor = output.logits[:, -1].float()
    return last


def _cached(model: Any, cache: Any) -> dict[str, Any]:
    """Return a cache under the name of the model's argument, which transformers changes and then drops."""
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    return {name: cache}


def _noise(choice: Choice, text: str, candidate: int) -> np.random.Generator | None:
    number = candidate + choice.all_sampled
    return noise_source(choice.seed, text, number) if number else None


def noise_source(seed: int, text: str, candidate: int) -> np.random.Generator:
    """Return the noise of one sample: the same for a sentence and candidate wherever they are decoded."""
    import numpy as np

    digest = hashlib.sha256(f"{seed}\0{candidate}\0{text}".encode(errors="surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def logprobs_of(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return the log-probabilities of tokens: logits of shape `[…, vocabulary]`, tokens and result `[…]`."""
    logits = logits.float()
    return logits.gather(-1, tokens[..., None])[..., 0] - logits.logsumexp(-1)


def _choose(
    logits: torch.Tensor, vocabulary: Vocabulary | None, rows: Sequence[_Row], temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the chosen token id and its log-probability for every row (both of shape `[rows]`)."""
    import numpy as np
    import torch

    if vocabulary:
        items = torch.tensor([row.item for row in rows], device=logits.device)
        logits = logits.masked_fill(vocabulary.banned[items], float("-inf"))
    top = logits.topk(min(TOP_K, logits.shape[1]), dim=1)
    tokens = vocabulary.ids[top.indices] if vocabulary else top.indices
    noise = np.zeros(top.values.shape, dtype=np.float32)
    for index, row in enumerate(rows):
        if row.noise is not None:
            noise[index] = row.noise.gumbel(size=noise.shape[1]) * temperature
        if repeats := row.repeats():
            noise[index][np.isin(tokens[index].cpu().numpy(), list(repeats))] = -np.inf
    best = (top.values + torch.from_numpy(noise).to(logits.device)).argmax(1, keepdim=True)
    logprobs = (top.values.gather(1, best) - logits.logsumexp(1, keepdim=True))[:, 0]
    return tokens.gather(1, best)[:, 0], logprobs
