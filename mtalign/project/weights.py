"""The trained numbers of the ranker, read from `weights.json`; `scripts/train_ranker.py` writes that file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mtalign.errors import ModelUnavailable
from mtalign.project.features import FEATURES, LOSS_FEATURES

# Languages that share weights. Any other takes those of all languages together.
GROUPS = {"ko": ("ko",), "east-slavic": ("uk", "ru", "be")}

WEIGHTS_PATH = Path(__file__).with_name("weights.json")


class Weights(Struct, frozen=True):
    """What one group of languages goes by.

    `weights` belong to FEATURES, `loss_weights` to LOSS_FEATURES; `calibration` is the slope and the
    offset that turn the log odds of the softmax into log odds of being right.
    """

    weights: tuple[float, ...]
    loss_weights: tuple[float, ...]
    calibration: tuple[float, float]


class _File(Struct, frozen=True):
    recipe: dict[str, Any]
    features: tuple[str, ...]
    loss_features: tuple[str, ...]
    groups: dict[str, Weights]


@cache
def read_weights(path: Path = WEIGHTS_PATH) -> dict[str, Weights]:
    """Return the weights by group.

    Raises:
        ModelUnavailable: the file cannot be read or is of other features than this version computes.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelUnavailable(f"the ranker's weights {path} cannot be read: {error}") from error
    if (found.features, found.loss_features) != (FEATURES, LOSS_FEATURES):
        raise ModelUnavailable(
            f"the weights in {path} are of other features than this version has; "
            "train them again: python scripts/train_ranker.py --write"
        )
    return found.groups


def group_of(lang: str) -> str:
    """Return the group whose weights serve a language."""
    return next((group for group, langs in GROUPS.items() if lang in langs), "default")
