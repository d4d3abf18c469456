"""Where models run, and in which number format."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

DType = Literal["auto", "float32", "bfloat16"]


@cache
def choose_device() -> torch.device:
    """Return the first GPU where there is one, else the processor.

    On recent GPUs torch may hand attention in bfloat16 to cuDNN, which makes a plan for every new shape, in
    tenths of a second. Batches of text, and each step of decoding, have new shapes all the time, so that one
    implementation is switched off for the process; the others need no plans.
    """
    import torch

    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cuda.enable_cudnn_sdp(False)
    return torch.device("cuda")


def choose_dtype(dtype: DType, device: torch.device) -> torch.dtype:
    """Return the number format: `auto` takes bfloat16 where the processor multiplies in it."""
    import torch

    if dtype == "auto":
        # Without hardware support, bfloat16 on a processor is slower than float32, not faster.
        supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        return torch.bfloat16 if device.type == "cuda" or supported() else torch.float32
    return torch.bfloat16 if dtype == "bfloat16" else torch.float32
