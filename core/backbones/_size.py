"""Weights and multiply-adds of a network.

A MAC is one multiplication with its addition in a convolution, a linear layer or an LSTM. Normalisation, pooling,
attention products and the spectrogram are not counted; papers that count each operation print about twice our number.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Size:
    params: int  # weights; running statistics and fixed front ends are none
    macs: int  # for one item


def describe(network: nn.Module, inputs: Tensor) -> Size:
    """Size for inputs (items, ...) of this shape. Nothing is computed: shapes run through a copy without data."""
    memo: dict[int, Any] = {}
    for name, parameter in network.named_parameters():
        if parameter.isnan().any():
            raise ValueError(f"{name} was never set")
        memo[id(parameter)] = nn.Parameter(parameter.to("meta"), requires_grad=False)
    memo |= {id(buffer): buffer.to("meta") for buffer in network.buffers()}
    shadow = copy.deepcopy(network, memo)
    counted: list[int] = []

    def count(layer: nn.Module, given: tuple[Tensor, ...], out: Any) -> None:
        counted.append(_macs(layer, given[0], out))

    for layer in shadow.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.LSTM)):
            layer.register_forward_hook(count)
    with torch.no_grad():
        shadow(inputs.to("meta"))
    params = sum(parameter.numel() for parameter in network.parameters())
    return Size(params, sum(counted) // len(inputs))


def _macs(layer: nn.Module, given: Tensor, out: Any) -> int:
    if isinstance(layer, nn.LSTM):  # four gates see the input and the last output, at every step
        steps = given.shape[0] * given.shape[1]
        return steps * sum(weight.numel() for name, weight in layer.named_parameters() if name.startswith("weight"))
    if isinstance(layer, nn.Linear):
        return out.numel() * layer.in_features
    assert isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d))
    return out.numel() * (layer.in_channels // layer.groups) * math.prod(layer.kernel_size)
