"""Loading a translation checkpoint of transformers, and refusing one that would talk nonsense.

Weights come from safetensors alone and code inside a checkpoint is never run. Two faults would go
unnoticed until somebody reads the output: tensors that the file lacks start out random, and where
embeddings are tied, some versions of transformers 5 dropped an output layer that the file does hold
(transformers issue 45005). Whether the model translates well is not checked.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtalign.errors import ModelUnavailable

if TYPE_CHECKING:
    import torch

    from mtalign.models import ModelFiles

# Rows of an embedding that are compared with the file: tied to the wrong one, all of them differ.
_COMPARED_ROWS = 64


def load_tokenizer(files: ModelFiles) -> Any:
    """Return the tokenizer of a checkpoint.

    Raises:
        ModelUnavailable: the folder holds none that can be read.
    """
    import transformers

    try:
        with warnings.catch_warnings():
            # Marian's asks for a normaliser of punctuation that it never uses.
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            return transformers.AutoTokenizer.from_pretrained(files.path, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _unreadable(files, error) from error


def load_config(files: ModelFiles) -> Any:
    """Return the configuration of a checkpoint.

    Raises:
        ModelUnavailable: the folder holds none that can be read.
    """
    import transformers

    try:
        return transformers.AutoConfig.from_pretrained(files.path, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _unreadable(files, error) from error


def load_model(files: ModelFiles, kind: Any, dtype: torch.dtype) -> Any:
    """Return the model of a checkpoint, in evaluation mode, once its weights look sound.

    Args:
        files: the checkpoint.
        kind: the class of transformers to load it with.
        dtype: number format.

    Raises:
        ModelUnavailable: it cannot be read, or its weights are not those that the model runs with.
    """
    try:
        model, report = kind.from_pretrained(
            files.path, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise _unreadable(files, error) from error
    if missing := sorted(report["missing_keys"]):
        raise ModelUnavailable(
            f"model {files.name!r} in {files.path} lacks {len(missing)} tensors, {missing[0]!r} among them, "
            "which would be random; take a complete revision of it"
        )
    check_embeddings(model, files)
    return model.eval()


def check_embeddings(model: Any, files: ModelFiles) -> None:
    """Compare the embeddings and the output layer with what the file holds under their names.

    Raises:
        ModelUnavailable: the model runs with others.
    """
    import torch

    loaded = dict(model.named_parameters(remove_duplicate=False))
    ends = [
        each for each in (model.get_input_embeddings(), model.get_output_embeddings()) if each is not None
    ]
    ends += [part.embed_tokens for part in model.modules() if hasattr(part, "embed_tokens")]
    names = {name for name, tensor in loaded.items() if any(tensor is each.weight for each in ends)}
    for name, stored in _stored_rows(files.path, names):
        running = loaded[name].detach()[: len(stored)].cpu()
        if not torch.isfinite(running).all():
            raise ModelUnavailable(f"model {files.name!r} in {files.path}: {name!r} is not finite")
        if not torch.equal(running, stored.to(running.dtype)):
            raise ModelUnavailable(
                f"model {files.name!r} in {files.path} would run with other weights than it was trained "
                f"with: transformers replaced {name!r} by a tied tensor. Set tie_word_embeddings to false in "
                "its config.json, or take a revision of it made for transformers 5"
            )


def _stored_rows(folder: Path, names: set[str]) -> list[tuple[str, torch.Tensor]]:
    from safetensors import safe_open

    found = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found += [(name, file.get_slice(name)[:_COMPARED_ROWS]) for name in names & set(file.keys())]
    return found


def _unreadable(files: ModelFiles, error: Exception) -> ModelUnavailable:
    return ModelUnavailable(f"model {files.name!r} in {files.path} cannot be loaded: {error}")
