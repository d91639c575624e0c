"""Changes to pictures (items, channels, height, width), as a network takes them: normalised, 0 an ordinary grey."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Fill = Literal["reflect", "edge"]
_ASPECT = 4 / 3  # a crop is at most this much wider or higher than the picture


def cropped(x: Tensor, least: float, drawn: np.random.Generator) -> Tensor:
    """A part of the picture in the size of the whole: area U(least, 1), any place.

    Its aspect, against the picture's, is even in its logarithm, as far as the part fits in.
    """
    items = len(x)
    area = drawn.uniform(least, 1.0, items)
    bend = np.exp(drawn.uniform(-math.log(_ASPECT), math.log(_ASPECT), items) / 2.0)
    bend = bend.clip(np.sqrt(area), 1.0 / np.sqrt(area))  # no side leaves the picture
    width, height = np.sqrt(area) * bend, np.sqrt(area) / bend
    theta = np.zeros((items, 2, 3), np.float32)
    for row, share in enumerate((width, height)):  # the edges of the whole are at -1 and 1
        theta[:, row, row] = share
        theta[:, row, 2] = drawn.uniform(-1.0, 1.0, items) * (1.0 - share)
    grid = F.affine_grid(torch.from_numpy(theta).to(x), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def moved(x: Tensor, shift: int, fill: Fill, flip: bool, drawn: np.random.Generator) -> Tensor:
    """Mirrored or not, then moved by whole pixels U{-shift .. shift} down and to the right."""
    items, (height, width) = len(x), x.shape[2:]
    rows, columns = (_sources(size, drawn.integers(-shift, shift + 1, (items, 1)), fill) for size in (height, width))
    if flip:
        columns = np.where(drawn.random((items, 1)) < 0.5, width - 1 - columns, columns)
    across = torch.from_numpy(columns).to(x.device)
    places = (torch.from_numpy(rows).to(x.device)[:, :, None] * width + across[:, None]).flatten(1)[:, None]
    return x.flatten(2).gather(2, places.expand(-1, x.shape[1], -1)).reshape(x.shape)


def recoloured(x: Tensor, most: float, drawn: np.random.Generator) -> Tensor:
    """Saturation and contrast times U(1 - most, 1 + most), brightness plus U(-most, most) in the network's units."""
    items, channels = x.shape[:2]
    factors = drawn.uniform(1.0 - most, 1.0 + most, (2, items, 1, 1))
    added = drawn.uniform(-most, most, (items, 1, 1))
    saturation, contrast, brightness = (torch.from_numpy(values).to(x) for values in (*factors, added))
    flat = x.flatten(2)
    grey = flat.mean(dim=(1, 2), keepdim=True)
    matrix = contrast * (saturation * torch.eye(channels).to(x) + (1.0 - saturation) / channels)
    offset = ((1.0 - contrast) * grey + brightness).expand(-1, channels, -1)
    return torch.baddbmm(offset, matrix, flat).reshape(x.shape)


def cut_out(x: Tensor, side: int, drawn: np.random.Generator) -> Tensor:
    """A grey square about any pixel, cut at the edges (DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552)."""
    inside = []
    for size in x.shape[2:]:
        start = drawn.integers(0, size, (len(x), 1)) - side // 2
        places = np.arange(size)
        inside.append((places >= start) & (places < start + side))
    rows, columns = inside
    hole = torch.from_numpy(rows[:, None, :, None] & columns[:, None, None, :]).to(x.device)
    return x.masked_fill(hole, 0.0)


def _sources(size: int, moves: np.ndarray, fill: Fill) -> np.ndarray:
    """(items, size): where each place of an axis comes from."""
    places = np.arange(size) - moves
    if fill == "edge":
        return places.clip(0, size - 1)
    period = max(1, 2 * (size - 1))  # there and back, the outermost once
    return (size - 1) - np.abs((size - 1) - places % period)
