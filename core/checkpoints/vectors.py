"""Whose vectors a model reads, as collections name them."""

from __future__ import annotations

import torch

from core.checkpoints.saved import Model
from core.fingerprint import fingerprint, sha256_of
from core.store import Backbone


def vectors_of(model: Model, mark: str) -> Backbone:
    """In scope head those of its network, which many models share. ``mark`` is core.checkpoints.folders.mark_of."""
    network = model.network
    if model.card.scope == "network":
        return Backbone(f"{network.key} of {model.name}", mark, network.dim)
    version = fingerprint(repr(network.entry), [[name, _digest(stage)] for name, stage in network.stages])
    return Backbone(network.key, version, network.dim)


def _digest(stage: torch.nn.Module) -> list[list[str]]:
    """The numbers of a stage, by name."""
    return [
        [name, sha256_of(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())]
        for name, tensor in sorted(stage.state_dict().items())
    ]
