"""Two items and their labels become one: mixup and CutMix.

Zhang et al. 2018, https://arxiv.org/abs/1710.09412; Yun et al. 2019, https://arxiv.org/abs/1905.04899
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Mixing:
    """Who is mixed with whom: share * first + (1 - share) * second."""

    first: slice
    second: slice | Tensor
    share: Tensor  # (mixed,) float32
    places: Tensor | None = None  # (mixed, 1, height, width) shares of single pixels, whose mean is ``share``

    def of(self, x: Tensor) -> Tensor:
        share = self.places if self.places is not None else self.share.reshape(-1, *[1] * (x.dim() - 1))
        return torch.lerp(x[self.second], x[self.first], share.to(x.dtype))

    def of_labels(self, labels: Tensor) -> Tensor:
        return torch.lerp(labels[self.second], labels[self.first], self.share.to(labels.dtype)[:, None])


def mixing_of(inputs: Tensor, mixup: float, cutmix: float, pairs: bool, drawn: np.random.Generator) -> Mixing:
    """``pairs``: (0, 1), (2, 3) ... of an even number of items. Else each with another of a random order.

    Where both are asked for, each mixture is one or the other. 0 asks for neither.
    """
    items, device = len(inputs), inputs.device
    count = items // 2 if pairs else items
    first = slice(0, None, 2) if pairs else slice(None)
    second = slice(1, None, 2) if pairs else torch.from_numpy(drawn.permutation(items)).to(device)
    share = drawn.beta(mixup, mixup, count) if mixup else np.ones(count)
    if not cutmix:
        return Mixing(first, second, torch.from_numpy(share.astype(np.float32)).to(device))
    cut = drawn.random(count) < (0.5 if mixup else 1.0)
    boxes = _boxes(drawn, count, cutmix, inputs.shape[-2:])
    places = np.where(cut[:, None, None], ~boxes, share[:, None, None]).astype(np.float32)
    share = np.where(cut, 1.0 - boxes.mean(axis=(1, 2)), share).astype(np.float32)
    return Mixing(first, second, torch.from_numpy(share).to(device), torch.from_numpy(places).to(device)[:, None])


def _boxes(drawn: np.random.Generator, count: int, alpha: float, size: tuple[int, ...]) -> np.ndarray:
    """(count, height, width) booleans: rectangles of area 1 - Beta(alpha, alpha) about any pixel, cut at the edges."""
    sides = np.sqrt(1.0 - drawn.beta(alpha, alpha, count))
    inside = []
    for length in size:
        side = (sides * length).astype(np.int64)
        start = drawn.integers(0, length, count) - side // 2
        places = np.arange(length)
        inside.append((places >= start[:, None]) & (places < (start + side)[:, None]))
    rows, columns = inside
    return rows[:, :, None] & columns[:, None, :]
