"""Sentence and token vectors from a Hugging Face encoder.

Any encoder with a fast tokenizer serves (multilingual-e5, LaBSE, XLM-R …), and so do the lower layers of a
language model (Gemma …), with `layers` and the pooling `tokens`. Texts longer than the model's window are
read in overlapping windows, never cut short.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mtalign.device import DType, choose_device, choose_dtype
from mtalign.errors import ConfigError, ModelUnavailable
from mtalign.models import ModelFiles
from mtalign.windows import batches, forward, split, window_size

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

# `mean` and `cls` are what encoders were trained with: the mean of all tokens, or the first special one.
# `tokens` is the mean of the text's own: the first token of a language model is a sink of attention, far from
# all others.
Pooling = Literal["mean", "cls", "tokens"]


@dataclass(frozen=True)
class TokenVectors:
    """The tokens of one text: `offsets` (tokens x 2, code points) and `vectors` (layers x tokens x dim)."""

    offsets: NDArray[np.int64]
    vectors: NDArray[np.float32]


class Encoder:
    """Turns texts into vectors. Loading happens on construction; the weights are shared by both uses.

    Several threads may use one encoder; their calls are served one after the other.

    Args:
        files: the checkpoint.
        prefix: put before every text for sentence vectors (e5 wants `query: `), not for token vectors.
        query_prefix: put before search queries instead, for encoders that tell queries from passages.
        pooling: how token vectors become a sentence vector.
        layers: use the first so many layers alone; the last ones of a language model predict the next word.
        dtype: `auto` takes bfloat16 where the processor multiplies in it, else float32.
        batch_tokens: padded tokens per forward pass.
    """

    def __init__(
        self,
        files: ModelFiles,
        *,
        prefix: str = "",
        query_prefix: str | None = None,
        pooling: Pooling = "mean",
        layers: int | None = None,
        dtype: DType = "auto",
        batch_tokens: int = 4096,
    ) -> None:
        from transformers import AutoModel, AutoTokenizer

        self._device = choose_device()
        self._dtype = choose_dtype(dtype, self._device)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(files.path)
            self._model = AutoModel.from_pretrained(
                files.path, dtype=self._dtype, use_safetensors=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(
                f"encoder {files.name!r} in {files.path} cannot be loaded: {error}"
            ) from error
        if not self._tokenizer.is_fast:
            raise ModelUnavailable(f"encoder {files.name!r} has no fast tokenizer, so tokens have no offsets")
        self._model.eval().to(self._device)
        self._prefix = prefix
        self._query_prefix = prefix if query_prefix is None else query_prefix
        self._pooling = pooling
        self._batch_tokens = batch_tokens
        self._shallow: dict[int, Any] = {}
        if layers is not None:
            if not 0 < layers <= self.depth:
                raise ConfigError(
                    f"encoder {files.name!r} has {self.depth} layers: layers {layers} is out of range"
                )
            self._model, self._shallow = self._first_layers(layers), {}
        self._window = min(window_size(self._tokenizer, self._model), batch_tokens - 2)
        # One thread chooses among translations while another aligns; neither a fast tokenizer nor the
        # recording of hidden states may be used by two at once.
        self._lock = threading.Lock()
        dtype_name = str(self._dtype).removeprefix("torch.")
        self.signature = (
            f"{files.name}#{files.fingerprint}|prefix:{prefix!r}|pool:{pooling}|dtype:{dtype_name}"
            + ("" if query_prefix is None else f"|query:{query_prefix!r}")
            + ("" if layers is None else f"|layers:{layers}")
        )

    @property
    def depth(self) -> int:
        """The number of layers above the embeddings."""
        return int(self._model.config.num_hidden_layers)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one L2-normalised vector per text: float32, texts x dim."""
        with self._lock:
            return self._encode([self._prefix + text for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one L2-normalised vector per search query, for comparison with those of `encode`."""
        with self._lock:
            return self._encode([self._query_prefix + text for text in texts])

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        import numpy as np

        windows = [
            window
            for number, ids in enumerate(self._token_ids(texts))
            for window in split(number, ids, self._window)
        ]
        total = np.zeros((len(texts), int(self._model.config.hidden_size)), np.float32)
        for batch in batches(windows, self._batch_tokens):
            output, mask = forward(self._model, self._tokenizer, batch)
            hidden = output.last_hidden_state
            pooled = hidden[:, 0] if self._pooling == "cls" else _mean_pool(hidden, self._counted(mask))
            for window, vector in zip(batch, pooled.float().cpu().numpy(), strict=True):
                # Windows of one text are averaged by their length: what the text's own mean would be.
                total[window.text] += vector * len(window.ids)
        return unit(total)

    def _counted(self, mask: torch.Tensor) -> torch.Tensor:
        """Return which tokens count in the mean: all, or the text's own if it has any."""
        import torch

        if self._pooling != "tokens":
            return mask
        own = torch.zeros_like(mask)
        own[:, 1:-1] = mask[:, 2:]
        return torch.where(own.any(dim=1, keepdim=True), own, mask)

    def token_embeddings(self, texts: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Return the token ids of each text and their embeddings, tokens x dim, of any length.

        They are those of the tokens by themselves, without context: no layer runs. Special tokens and the
        prefix are left out.
        """
        import numpy as np
        import torch

        with self._lock, torch.inference_mode():
            table = self._model.get_input_embeddings().weight
            return [
                (np.asarray(ids, np.int64), table[ids].float().cpu().numpy())
                for ids in self._token_ids(list(texts))
            ]

    def token_vectors(self, texts: Sequence[str], layers: Sequence[int]) -> list[TokenVectors]:
        """Return every token's offsets and its vectors in the given layers (0 = embeddings), per text.

        The model runs only as deep as the last layer asked for. Special tokens are left out.
        """
        if not texts:
            return []
        with self._lock:
            return self._token_vectors(texts, layers)

    def _token_vectors(self, texts: Sequence[str], layers: Sequence[int]) -> list[TokenVectors]:
        import numpy as np

        # A model without layers reports no hidden states, not even those of its embeddings.
        model = self._first_layers(max(1, *layers))
        coded = self._tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        windows = [
            w for number, ids in enumerate(coded["input_ids"]) for w in split(number, ids, self._window)
        ]
        dim = int(self._model.config.hidden_size)
        sums = [np.zeros((len(layers), len(ids), dim), np.float32) for ids in coded["input_ids"]]
        counts = [np.zeros(len(ids), np.float32) for ids in coded["input_ids"]]
        for batch in batches(windows, self._batch_tokens):
            states = forward(model, self._tokenizer, batch, output_hidden_states=True)[0].hidden_states
            chosen = np.stack([states[layer].float().cpu().numpy() for layer in layers], axis=1)
            for window, vectors in zip(batch, chosen, strict=True):
                at = slice(window.first, window.first + len(window.ids))
                sums[window.text][:, at] += vectors[:, 1 : len(window.ids) + 1]
                counts[window.text][at] += 1
        for total, count in zip(sums, counts, strict=True):
            np.divide(total, np.maximum(count, 1)[None, :, None], out=total)
        return [
            TokenVectors(np.asarray(offsets, np.int64).reshape(-1, 2), total)
            for offsets, total in zip(coded["offset_mapping"], sums, strict=True)
        ]

    def _token_ids(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        ids: list[list[int]] = self._tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _first_layers(self, depth: int) -> Any:
        """Return the model cut off after `depth` layers, sharing its weights; cached."""
        from torch.nn import ModuleList

        if depth >= int(self._model.config.num_hidden_layers):
            return self._model
        if depth not in self._shallow:
            shared: dict[int, Any] = {id(each): each for each in self._model.parameters()}
            model = copy.deepcopy(self._model, shared)
            for module in list(model.modules()):
                for name, child in list(module.named_children()):
                    if isinstance(child, ModuleList) and len(child) == model.config.num_hidden_layers:
                        setattr(module, name, child[:depth])
            model.config.num_hidden_layers = depth
            self._shallow[depth] = model
        return self._shallow[depth]


class SentenceEncoder(Protocol):
    """What makes sentence vectors and has embeddings of tokens: an `Encoder`, or what stands for one."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one L2-normalised vector per text: float32, texts x dim."""
        ...

    def token_embeddings(self, texts: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Return the token ids of each text and their embeddings, tokens x dim."""
        ...


class RememberedVectors:
    """Sentence vectors of an encoder, the latest of them kept: one sentence is often asked for again.

    A source sentence is compared with its translations into every language, and a translation is ranked
    before it is judged.
    """

    def __init__(self, encoder: SentenceEncoder, size: int = 10_000) -> None:
        self._encoder = encoder
        self._size = size
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one L2-normalised vector per text: float32, texts x dim."""
        import numpy as np

        known = {text: self._vectors.pop(text) for text in dict.fromkeys(texts) if text in self._vectors}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        # Copies, so that a vector does not keep all that were made with it; the latest stand last.
        made = self._encoder.encode(new) if new else ()
        known |= {text: vector.copy() for text, vector in zip(new, made, strict=True)}
        self._vectors |= known
        for text in list(self._vectors)[: max(0, len(self._vectors) - self._size)]:
            del self._vectors[text]
        return np.stack([known[text] for text in texts])

    def token_embeddings(self, texts: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Return the token ids of each text and their embeddings; nothing of them is kept."""
        return self._encoder.token_embeddings(texts)

    def take(self) -> RememberedVectors:
        """Return another one that remembers what this one does; this one begins anew."""
        taken = RememberedVectors(self._encoder, self._size)
        taken._vectors, self._vectors = self._vectors, {}
        return taken


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors scaled to length 1; zero stays zero."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)
