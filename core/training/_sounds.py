"""Changes to sounds: of waveforms before the network, and of spectrograms at its site.

SpecAugment (Park et al. 2019, https://arxiv.org/abs/1904.08779) as PANNs use it; a site's change draws its numbers
anew, and the same, each time it is called, so that several members see one picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.layers import NoiseContext, _noise, layer_id_of
from core.layers.augmentsite import AugmentSite
from core.training._mixing import Mixing

Draws = Callable[[str], np.random.Generator]  # a fresh generator for each purpose, the same for the same batch


@dataclass(frozen=True, slots=True)
class Stripes:
    count: int  # an item
    width: int  # each is 0 to width - 1 wide


@dataclass(frozen=True, slots=True)
class Roll:
    most: float  # share of the length
    wrap: bool  # what leaves at one end enters at the other; else the emptied places are blank


@dataclass(frozen=True, slots=True, eq=False)
class SiteChange:
    """Roll, stripes, then mixtures of one batch's spectrograms."""

    items: int
    draws: Draws
    roll: Roll
    time: Stripes
    bands: Stripes
    mixing: Mixing | None

    def __call__(self, x: Tensor, site: AugmentSite) -> Tensor:
        if len(x) != self.items:
            raise ValueError(f"this augmentation is for the {self.items} items of its batch, and got {len(x)}")
        gone: list[tuple[np.ndarray, int]] = []  # (items, length) masks and their axes
        if self.roll.most:
            length = x.shape[site.time]
            moves = moves_of(self.draws("roll"), self.items, length, self.roll.most)
            sources = np.arange(length) - moves[:, None]
            x = x.take_along_dim(_along(sources % length, site.time, x), site.time)
            if not self.roll.wrap:
                gone.append(((sources < 0) | (sources >= length), site.time))
        for purpose, stripes, axis in (("time", self.time, site.time), ("bands", self.bands, site.bands)):
            if stripes.count:
                gone.append((stripes_of(self.draws(purpose), self.items, x.shape[axis], stripes), axis))
        for mask, axis in gone:
            x = x.masked_fill(_along(mask, axis, x), site.blank)
        return x if self.mixing is None else self.mixing.of(x)


def stripes_of(drawn: np.random.Generator, items: int, length: int, stripes: Stripes) -> np.ndarray:
    """(items, length) booleans, True where a stripe lies: widths U{0 .. width - 1}, starts U{0 .. length - width - 1}.

    On a short axis, widths end below its length.
    """
    widths = drawn.integers(0, min(stripes.width, length), (items, stripes.count, 1))
    starts = drawn.integers(0, length - widths)
    places = np.arange(length)
    return np.logical_or.reduce((places >= starts) & (places < starts + widths), axis=1)


def moves_of(drawn: np.random.Generator, items: int, length: int, most: float) -> np.ndarray:
    """(items,) steps to the right, negative to the left: f ~ U(0, most) of the length, rounded down, and a sign."""
    steps = (drawn.random(items) * most * length).astype(np.int64)
    return np.where(drawn.random(items) < 0.5, -steps, steps)


def rolled(waves: Tensor, roll: Roll, drawn: np.random.Generator) -> Tensor:
    """Waveforms (items, time), each moved by itself. Copies of slices are faster than an index for every sample."""
    out = torch.empty_like(waves) if roll.wrap else torch.zeros_like(waves)
    length = waves.shape[1]
    for new, old, move in zip(out, waves, moves_of(drawn, len(waves), length, roll.most).tolist(), strict=True):
        kept = length - abs(move)
        start, source = max(0, move), max(0, -move)
        new[start : start + kept] = old[source : source + kept]
        if roll.wrap and move:
            end = 0 if move > 0 else kept
            new[end : end + abs(move)] = old[kept:] if move > 0 else old[:-move]
    return out


def gains_of(drawn: np.random.Generator, items: int, most: float) -> np.ndarray:
    """(items, 1) factors, even in decibels from -most to most."""
    return 10.0 ** (drawn.uniform(-most, most, (items, 1)) / 20.0)


def with_noise(waves: Tensor, least: float, most: float, drawn: np.random.Generator) -> Tensor:
    """White noise at a signal-to-noise ratio that is even in decibels. A silent item stays silent.

    Samples are random signs: their spectrum is as flat as that of normal ones, and they are drawn much faster.
    """
    items = len(waves)
    ratio = 10.0 ** (drawn.uniform(least, most, (items, 1)) / 10.0)
    seed = int(drawn.integers(2**63 - 1))
    rows = torch.arange(items, device=waves.device)
    streams = NoiseContext(seed, torch.zeros_like(rows), rows).by_item(layer_id_of("augment"), "noise")
    power = torch.linalg.vector_norm(waves, dim=1, keepdim=True).square() / waves.shape[1]
    level = (power / torch.from_numpy(ratio).to(waves)).sqrt()
    return _noise.signs(streams, waves.shape[1]).to(waves.dtype).mul_(level).add_(waves)


def _along(values: np.ndarray, axis: int, x: Tensor) -> Tensor:
    """(items, length) values beside a tensor that has this length at the axis."""
    shape = [1] * x.dim()
    shape[0], shape[axis] = values.shape
    return torch.from_numpy(values).to(x.device).reshape(shape)
