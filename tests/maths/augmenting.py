"""What the tests of augmentation share: batches, and a site to look at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from core.contracts import Task
from core.fingerprint import torch_generator
from core.layers.augmentsite import AugmentSite, augmenting
from core.methods._contract import Batch
from core.training.augment import Augment, augmented
from tests.tiny import keys_for


def seen(
    inputs: Tensor,
    augment: Augment,
    *,
    site: AugmentSite | None = None,
    spectrograms: Tensor | None = None,
    labels: Tensor | None = None,
    task: Task = "multiclass",
    classes: int | None = None,
    seed: object = 0,
) -> tuple[Batch, Tensor | None]:
    """The batch as training gets it, and what leaves the site. Each item has a class of its own unless told."""
    items = len(inputs)
    labels = torch.arange(items) if labels is None else labels
    batch, change = augmented(
        Batch(inputs, labels, keys_for(items)),
        augment,
        kind="image" if inputs.dim() == 4 else "audio",
        task=task,
        classes=classes or items,
        site=site is not None,
        generator=torch_generator("augmenting", seed),
    )
    if site is None or spectrograms is None:
        assert change is None
        return batch, None
    with augmenting(change):
        return batch, site(spectrograms)


def noise_like(*shape: int, seed: Any = 1) -> Tensor:
    return torch.randn(*shape, generator=torch_generator("inputs", seed))


def ramp(items: int, length: int) -> Tensor:
    """(items, length): every sample says where it was, and none is 0."""
    return torch.arange(1, length + 1).float().repeat(items, 1)
