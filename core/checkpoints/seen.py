"""Which items a model learned from, by their content: so that nobody judges it on them under another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.checkpoints.folders import find
from core.errors import UserFacingError
from core.settings import Settings
from core.store import artifacts

if TYPE_CHECKING:
    from torch import Tensor

PART = "seen"


def tensors(*keys: Tensor) -> dict[str, Tensor]:
    """The part of a model's folder; ``keys`` are the items' (core.fingerprint.key_of), of training and validation."""
    import torch

    return {"keys": torch.cat(keys).unique()}


def seen_by(name: str, settings: Settings) -> np.ndarray | None:
    """Their keys. None where the model is not in a folder, or its folder does not say."""
    try:
        artifact = artifacts.load(find(name, settings))
    except UserFacingError:
        return None
    return artifact.tensors(PART)["keys"] if PART in artifact.files else None
