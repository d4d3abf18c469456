"""Translation with Hugging Face transformers: loading a checkpoint and choosing the engine for its kind.

Encoder-decoder models (Marian, M2M100, NLLB-200, mBART-50, T5 with `<2xx>` tokens such as MADLAD-400)
and causal models (few-shot prompt, chat template) are served. Weights come from safetensors alone and
code inside a checkpoint is never run. Models that share their work over a network are not handled here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtalign.errors import ConfigError, ModelUnavailable
from mtalign.record import Origin
from mtalign.translate.causal import CausalEngine
from mtalign.translate.encoder_decoder import EncoderDecoderEngine
from mtalign.translate.engine import Engine
from mtalign.translate.options import TransformersOptions

if TYPE_CHECKING:
    import torch

    from mtalign.models import ModelFiles

__all__ = ["TransformersOptions", "load_engine"]


def load_engine(files: ModelFiles, options: TransformersOptions) -> Engine:
    """Load a checkpoint and return the engine for its kind of model.

    Raises:
        ModelUnavailable: the folder holds no safetensors weights, or a part of it cannot be read.
        ConfigError: the options do not fit the kind of model.
    """
    import torch
    import transformers

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = _dtype(options, device)
    try:
        config = transformers.AutoConfig.from_pretrained(files.path, trust_remote_code=False)
        tokenizer = transformers.AutoTokenizer.from_pretrained(files.path, trust_remote_code=False)
        kind: Any = (
            transformers.AutoModelForSeq2SeqLM
            if config.is_encoder_decoder
            else transformers.AutoModelForCausalLM
        )
        model = kind.from_pretrained(files.path, dtype=dtype, use_safetensors=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelUnavailable(f"model {files.name!r} in {files.path} cannot be loaded: {error}") from error
    model = model.eval().to(device)
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
    if config.is_encoder_decoder:
        if options.prompt is not None:
            raise ConfigError(
                f"model {files.name!r} is an encoder-decoder model and takes no prompt; "
                f"remove prompt: {options.prompt}"
            )
        return EncoderDecoderEngine(model, tokenizer, origin, signature, options)
    return CausalEngine(model, tokenizer, origin, signature, options)


def _dtype(options: TransformersOptions, device: torch.device) -> torch.dtype:
    import torch

    if options.dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    chosen: torch.dtype = getattr(torch, options.dtype)
    return chosen
