"""Masks: dropout drawn per row from the counter hash, and the fixed masks of an ensemble's members.

Srivastava et al. 2014 (https://jmlr.org/papers/v15/srivastava14a.html), kept on at test time by Gal and Ghahramani 2016
(https://arxiv.org/abs/1506.02142). Both layers scale what they keep by 1/(1 - p), so means are preserved.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from core.layers import _noise


class MaskedDropout(nn.Module):
    """Dropout whose mask is a function of (seed, draw, item, layer, unit); the identity without noise.

    ``train()`` and ``eval()`` make no difference: it drops wherever a noise context is set.
    """

    def __init__(self, p: float, name: str, *, channelwise: bool = False, axis: int = 1) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"a dropout rate is between 0 and 1, not {p}")
        self.p = p
        self.name = name  # unique in its network: the noise of two sites must differ
        self.channelwise = channelwise  # one decision a channel, as nn.Dropout2d
        self.axis = axis  # where the channels are; used when channelwise
        self.layer_id = _noise.layer_id_of(name)

    def forward(self, x: Tensor) -> Tensor:
        context = _noise.current()
        if context is None or self.p == 0.0:
            return x
        shape = self.mask_shape(x)
        streams = _noise.rows_like(context.by_item(self.layer_id, "mask"), len(x))
        keep = _noise.bernoulli(streams, math.prod(shape), 1.0 - self.p)
        return x * _scaled(_laid_out_as(x, keep.reshape(len(x), *shape)), self.p, x.dtype)

    def mask_shape(self, x: Tensor) -> tuple[int, ...]:
        """The shape of one row's mask, without the batch axis."""
        if not self.channelwise:
            return tuple(x.shape[1:])
        axis = self.axis % x.dim()
        return tuple(size if position == axis else 1 for position, size in enumerate(x.shape))[1:]

    def extra_repr(self) -> str:
        return f"p={self.p}, name={self.name!r}" + (", channelwise" if self.channelwise else "")


class MemberMask(nn.Module):
    """One member's mask at one site: fixed once, the same for every item, draw and step; part of the state dict."""

    mask: Tensor

    def __init__(self, p: float, mask: Tensor) -> None:
        super().__init__()
        self.p = p
        self.register_buffer("mask", mask)  # (1, *mask_shape) booleans, True is kept

    @classmethod
    def draw(cls, site: MaskedDropout, shape: tuple[int, ...], member: int, seed: int) -> MemberMask:
        """The mask of ``site`` for one member: each unit is kept with probability 1 - p."""
        nobody = torch.zeros(1, dtype=torch.int64)
        stream = _noise.NoiseContext(seed, nobody + member, nobody).by_draw(site.layer_id, "member")
        keep = _noise.bernoulli(stream, math.prod(shape), 1.0 - site.p)
        return cls(site.p, keep.reshape(1, *shape))

    def forward(self, x: Tensor) -> Tensor:
        return x * _scaled(self.mask, self.p, x.dtype)

    def extra_repr(self) -> str:
        return f"p={self.p}, units={tuple(self.mask.shape[1:])}"


def _scaled(keep: Tensor, p: float, dtype: torch.dtype) -> Tensor:
    return keep.to(dtype).mul_(0.0 if p == 1.0 else 1.0 / (1.0 - p))


def _laid_out_as(x: Tensor, mask: Tensor) -> Tensor:
    """The same mask in the memory order of x, where it has its shape: a product of two orders is slow."""
    if mask.shape == x.shape and x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return mask.contiguous(memory_format=torch.channels_last)
    return mask
