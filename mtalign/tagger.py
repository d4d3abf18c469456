"""Tags of tokens from a Hugging Face token-classification model.

Any encoder with a fast tokenizer and a head that classifies tokens serves (BERT, RoBERTa, XLM-R, DeBERTa …).
Texts longer than the model's window are read in overlapping windows. What tags mean is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtalign.device import DType, choose_device, choose_dtype
from mtalign.errors import ModelUnavailable
from mtalign.models import ModelFiles
from mtalign.windows import batches, forward, split, window_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TokenTags:
    """The tokens of one text: `offsets` (tokens x 2, code points) and the tag of each."""

    offsets: NDArray[np.int64]
    tags: list[str]


class Tagger:
    """Tags the tokens of texts. Loading happens on construction.

    Args:
        files: the checkpoint.
        dtype: as for the encoder.
        batch_tokens: padded tokens per forward pass.
    """

    def __init__(self, files: ModelFiles, *, dtype: DType = "auto", batch_tokens: int = 4096) -> None:
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        device = choose_device()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(files.path)
            self._model, report = AutoModelForTokenClassification.from_pretrained(
                files.path,
                dtype=choose_dtype(dtype, device),
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{files.name!r} in {files.path} cannot be loaded: {error}") from error
        if untrained := [name for name in report["missing_keys"] if "classifier" in name or "score" in name]:
            raise ModelUnavailable(
                f"{files.name!r} does not classify tokens: it has no weights for "
                f"{', '.join(sorted(untrained))}; name a token-classification model"
            )
        if not self._tokenizer.is_fast:
            raise ModelUnavailable(f"{files.name!r} has no fast tokenizer, so tokens have no offsets")
        self._model.eval().to(device)
        self._names: dict[int, str] = self._model.config.id2label
        self._batch_tokens = batch_tokens
        self._window = window_size(self._tokenizer, self._model)

    def tag(self, texts: Sequence[str]) -> list[TokenTags]:
        """Return the tags of every text's tokens; where windows overlap, their scores are added."""
        import numpy as np

        if not texts:
            return []
        coded = self._tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        windows = [
            w for number, ids in enumerate(coded["input_ids"]) for w in split(number, ids, self._window)
        ]
        scores = [np.zeros((len(ids), len(self._names)), np.float32) for ids in coded["input_ids"]]
        for batch in batches(windows, self._batch_tokens):
            logits = forward(self._model, self._tokenizer, batch)[0].logits
            for window, found in zip(batch, logits.float().log_softmax(-1).cpu().numpy(), strict=True):
                at = slice(window.first, window.first + len(window.ids))
                scores[window.text][at] += found[1 : len(window.ids) + 1]
        return [
            TokenTags(
                np.asarray(offsets, np.int64).reshape(-1, 2),
                [self._names[int(best)] for best in found.argmax(-1)],
            )
            for offsets, found in zip(coded["offset_mapping"], scores, strict=True)
        ]
