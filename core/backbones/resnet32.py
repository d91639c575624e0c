"""A residual network for pictures of 32 pixels (He et al. 2015, https://arxiv.org/abs/1512.03385, section 4.2).

6 n + 2 layers: with n = 5 blocks a stage, 32. Shortcuts that change shape are 1 x 1 convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.backbones import _weights
from core.backbones._contract import BackboneSpec
from core.backbones._drawing import undrawn
from core.backbones._entry import PictureEntry
from core.backbones._heads import LinearHead
from core.backbones._network import StagedNetwork
from core.layers.masks import MaskedDropout

SIZE = (32, 32)
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of CIFAR-10's training pictures


@dataclass(frozen=True, slots=True)
class Config:
    blocks: int = 5  # a stage; three stages
    width: int = 16  # channels of the first stage; 16, 32, 64 in the paper
    block_dropout: float = 0.1  # between stages, used by MC dropout and in training
    head_dropout: float = 0.2


class Block(nn.Module):
    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer)
        self.conv2, self.bn2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer)
        if stride == 1 and inner == outer:
            self.shortcut: nn.Module = nn.Identity()
        else:
            self.shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class Mean(nn.Module):
    """(items, channels, height, width) to (items, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


def build(
    classes: int, generator: torch.Generator, *, config: Config | None = None, weights: Path | None = None
) -> StagedNetwork:
    config = config or Config()
    with undrawn():
        network = _network(config, classes)
    _weights.fill_or_draw(network, weights, generator)
    network.freeze()
    return network


def _network(config: Config, classes: int) -> StagedNetwork:
    inner = config.width
    stem = nn.Sequential(nn.Conv2d(3, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU())
    stages: list[tuple[str, nn.Module]] = [("stem", stem)]
    for number in (1, 2, 3):
        outer = config.width * 2 ** (number - 1)
        parts: list[nn.Module] = [] if number == 1 else [MaskedDropout(config.block_dropout, f"layer{number}.drop")]
        for index in range(config.blocks):
            parts.append(Block(inner, outer, 2 if index == 0 and number > 1 else 1))
            inner = outer
        stages.append((f"layer{number}", nn.Sequential(*parts)))
    stages.append(("pool", Mean()))
    network = StagedNetwork("resnet32", "image", inner, PictureEntry(SIZE, MEAN, STD))
    network.own(tuple(stages), LinearHead(inner, classes, config.head_dropout))
    return network


BACKBONE = BackboneSpec(
    key="resnet32",
    title="ResNet for 32 pixels",
    kind="image",
    summary="The residual network of the CIFAR papers, 32 layers and half a million weights by default.",
    Config=Config,
    build=build,
)
