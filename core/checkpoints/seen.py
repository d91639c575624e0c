"""Which items a model learned from, by their content: so that nobody judges it on them under another name."""

from __future__ import annotations

import torch
from torch import Tensor

from core.errors import UserFacingError
from core.settings import Settings
from core.store import artifacts

PART = "seen"


def tensors(*keys: Tensor) -> dict[str, Tensor]:
    """The part of a model's folder; ``keys`` are the items' (core.layers.key_of), of training and validation."""
    return {"keys": torch.cat(keys).unique()}


def seen_by(name: str, settings: Settings) -> Tensor | None:
    """None where the model is not in a folder, or its folder does not say."""
    from core.checkpoints.saved import find

    try:
        artifact = artifacts.load(find(name, settings))
    except UserFacingError:
        return None
    return torch.from_numpy(artifact.tensors(PART)["keys"]) if PART in artifact.files else None
