"""Occupancy networks: from what is seen on a grid, and a place, to the logit of being inside.

An encoder makes feature maps of the grid; a place reads its code from them; a decoder joins both:

    net = W_p p;   for every block:  net <- net + W_b c(p),  net <- net + W_2 drop(relu(W_1 relu(net)));   W_o relu(net)

"latent" has one code for the whole shape (Mescheder et al. 2019, Occupancy Networks); "grid" a map as fine as the
grid, read between its nodes; "planes" three maps, the means along each axis, whose codes are summed (both Peng et al.
2020, Convolutional Occupancy Networks, https://arxiv.org/abs/2003.04618). All maps go through a small U-Net of
normalise, convolve, relu; that of the planes is shared by them. Ours upsamples by copying everywhere.

Dropout, which the published decoders lack, follows the inner relu of every block. One mask serves all places of a
shape, so that a draw is one function of space. Places are in the unit cube [-1/2, 1/2]; beyond it the border counts.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.backbones._drawing import undrawn
from core.backbones._network import StagedNetwork
from core.contracts import Media, Prepared
from core.errors import UserFacingError
from core.fingerprint import torch_generator
from core.layers.masks import MaskedDropout
from core.methods._fresh import redraw
from core.shapes.plan import FieldConfig


class FieldNetwork(StagedNetwork):
    """As methods see it: an input is a grid and places in one row, an embedded place is (place, code).

    The head takes (rows, dim) places one by one and answers (rows, 1); of (items, places, dim) it answers (items,
    places), which trains encoder and decoder together.
    """

    def __init__(self, config: FieldConfig) -> None:
        super().__init__("field", "image", config.dim + config.channels, NoMedia())
        self.config = config
        self.own((("encode", Encode(config)),), Decoder(config))

    @property
    def encoder(self) -> Encode:
        return cast(Encode, self.stages[0][1])


def build(config: FieldConfig, *seeds: int | str) -> FieldNetwork:
    """Random weights that follow from the seeds alone."""
    with undrawn():
        network = FieldNetwork(config)
    redraw(network, torch_generator("field", *seeds))
    network.freeze()
    return network


class Encode(nn.Module):
    def __init__(self, config: FieldConfig) -> None:
        super().__init__()
        self.config = config
        conv = _conv(config.dim)
        self.enter = conv(1, config.channels, 3, padding=1)
        self.net = UNet(2 if config.encoder == "planes" else config.dim, config.channels, config.levels)

    def forward(self, packed: Tensor) -> Tensor:
        """(items, nodes + places x dim) to (items, places, dim + code)."""
        cells = math.prod(self.config.shape)
        grids = packed[:, :cells].reshape(-1, *self.config.shape)
        places = packed[:, cells:].reshape(len(packed), -1, self.config.dim)
        return self.at(self.maps(grids), places)

    def maps(self, grids: Tensor) -> tuple[Tensor, ...]:
        """Of (items, *shape): what is made once a shape, however many places are asked."""
        entered = F.relu(self.enter(grids[:, None]))
        if self.config.encoder == "planes":
            return tuple(self.net(entered.mean(dim=2 + axis)) for axis in range(3))
        found = self.net(entered)
        if self.config.encoder == "latent":
            found = found.mean(dim=tuple(range(2, found.dim())), keepdim=True)
        return (found,)

    def at(self, maps: tuple[Tensor, ...], places: Tensor) -> Tensor:
        """(items, places, dim) to the same with their codes behind them."""
        if self.config.encoder == "planes":
            kept = ([1, 2], [0, 2], [0, 1])
            codes = [_read(part, places[..., axes]) for part, axes in zip(maps, kept, strict=True)]
            code = torch.stack(codes).sum(dim=0)
        else:
            code = _read(maps[0], places)
        return torch.cat([places, code], dim=-1)


class UNet(nn.Module):
    """Maps of one size in and out, ``levels`` - 1 times halved and back; halved maps have twice the channels."""

    def __init__(self, dim: int, channels: int, levels: int) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(levels)]
        self.pool = F.max_pool2d if dim == 2 else F.max_pool3d
        self.down = nn.ModuleList(
            _double(dim, before, after) for before, after in zip([channels, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            _double(dim, high + low, low) for low, high in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        for number, part in enumerate(self.down):
            x = part(self.pool(x, 2) if number else x)
            kept.append(x)
        for part, like in zip(self.up, kept[-2::-1], strict=True):
            x = part(torch.cat([F.interpolate(x, size=like.shape[2:], mode="nearest"), like], dim=1))
        return x


class Decoder(nn.Module):
    def __init__(self, config: FieldConfig) -> None:
        super().__init__()
        self.parts = (config.dim, config.channels)
        self.place = nn.Linear(config.dim, config.width)
        self.codes = nn.ModuleList(nn.Linear(config.channels, config.width) for _ in range(config.blocks))
        self.blocks = nn.ModuleList(Block(config.width, config.rate, number) for number in range(config.blocks))
        self.out = nn.Linear(config.width, 1)

    def forward(self, features: Tensor) -> Tensor:
        place, code = features.split(self.parts, dim=-1)
        net = self.place(place)
        for read, block in zip(self.codes, self.blocks, strict=True):
            net = block(net + read(code))
        logits = self.out(F.relu(net))
        return logits[..., 0] if features.dim() == 3 else logits


class Block(nn.Module):
    """x + W_2 drop(relu(W_1 relu(x))), the identity at first: W_2 begins as 0."""

    def __init__(self, width: int, rate: float, number: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.drop = MaskedDropout(rate, f"head.drop{number}", channelwise=True, axis=-1)
        self.second = _FromZero(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.drop(F.relu(self.first(F.relu(x)))))


class _FromZero(nn.Linear):
    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.zeros_(self.weight)


class NoMedia:
    def prepare(self, media: Media) -> Prepared:
        raise UserFacingError(
            "This network takes shapes on a grid, neither sounds nor pictures; choose another model.", code="kind"
        )


def _conv(dim: int) -> type[nn.Conv2d] | type[nn.Conv3d]:
    return nn.Conv2d if dim == 2 else nn.Conv3d


def _double(dim: int, before: int, after: int) -> nn.Sequential:
    conv, layers = _conv(dim), []
    for width in (before, after):
        layers += [nn.GroupNorm(math.gcd(8, width), width), conv(width, after, 3, padding=1, bias=False), nn.ReLU()]
    return nn.Sequential(*layers)


def _read(maps: Tensor, places: Tensor) -> Tensor:
    """(items, code, *map) between its nodes at (items, places, dim): (items, places, code). The border goes on."""
    dim = places.shape[-1]
    where = (2.0 * places).flip(-1).reshape(len(places), -1, *[1] * (dim - 1), dim)  # grid_sample counts axes backward
    found = F.grid_sample(maps, where, mode="bilinear", padding_mode="border", align_corners=True)
    return found.flatten(2).transpose(1, 2)
