"""Translation with Hugging Face transformers: loading a checkpoint and choosing the engine for its kind.

Encoder-decoder models (Marian, M2M100, NLLB-200, mBART-50, T5 with `<2xx>` tokens such as MADLAD-400)
and causal models (few-shot prompt, chat template, TranslateGemma's template) are served. Models that
share their work over a network are not handled here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtalign.device import choose_device
from mtalign.errors import ConfigError
from mtalign.record import Origin
from mtalign.translate.causal import CausalEngine, causal_profile
from mtalign.translate.checkpoint import load_config, load_model, load_tokenizer
from mtalign.translate.encoder_decoder import EncoderDecoderEngine, encoder_decoder_profile
from mtalign.translate.engine import Engine, Profile
from mtalign.translate.options import TransformersOptions

if TYPE_CHECKING:
    import torch

    from mtalign.models import ModelFiles

__all__ = ["TransformersOptions", "load_engine"]


def load_engine(files: ModelFiles, options: TransformersOptions) -> Engine:
    """Load a checkpoint and return the engine for its kind of model.

    Raises:
        ModelUnavailable: a part of the checkpoint is missing, cannot be read or is not sound.
        ConfigError: the options do not fit the kind of model.
    """
    import transformers

    device, dtype = _place(options)
    config = load_config(files)
    tokenizer = load_tokenizer(files)
    kind = (
        transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    )
    model = load_model(files, kind, dtype).to(device)
    made = profile(files, options)
    if config.is_encoder_decoder:
        if options.prompt is not None:
            raise ConfigError(
                f"model {files.name!r} is an encoder-decoder model and takes no prompt; "
                f"remove prompt: {options.prompt}"
            )
        return EncoderDecoderEngine(model, tokenizer, made, options)
    return CausalEngine(model, tokenizer, made, options)


def profile(files: ModelFiles, options: TransformersOptions) -> Profile:
    """Return what the engine of a checkpoint says of itself, without loading its weights.

    Raises:
        ModelUnavailable: the checkpoint's configuration cannot be read.
    """
    import torch
    import transformers

    device, dtype = _place(options)
    signature = "|".join(
        [
            f"transformers:{transformers.__version__}",
            f"torch:{torch.__version__}",
            f"model:{files.name}#{files.fingerprint}",
            f"device:{device.type}",
            f"dtype:{str(dtype).removeprefix('torch.')}",
        ]
    )
    origin = Origin("machine", "transformers", files.name, files.license, files.demo)
    kind = encoder_decoder_profile if load_config(files).is_encoder_decoder else causal_profile
    return kind(origin, signature, options)


def _place(options: TransformersOptions) -> tuple[torch.device, torch.dtype]:
    """Return where the model runs, and in which number format."""
    import torch

    device = choose_device()
    if options.dtype == "auto":
        return device, torch.float32 if device.type == "cpu" else torch.bfloat16
    return device, getattr(torch, options.dtype)
