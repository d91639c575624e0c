"""A small network in the style of PANNs, to train from scratch on sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from core.backbones import _weights
from core.backbones._contract import BackboneSpec
from core.backbones._drawing import undrawn
from core.backbones._entry import SoundEntry
from core.backbones._frontends import LogMel
from core.backbones._heads import DenseHead
from core.backbones._network import StagedNetwork
from core.backbones._panns_layers import ConvBlock, GlobalPool, MelNorm
from core.layers.masks import MaskedDropout
from core.media.spectrogram import PANNS, MelConfig


@dataclass(frozen=True, slots=True)
class Config:
    seconds: float = 5.0
    mel: MelConfig = PANNS
    widths: tuple[int, ...] = (32, 64, 128, 128)  # channels of the blocks; each halves time and frequency
    hidden: int = 128  # of the head
    block_dropout: float = 0.2
    head_dropout: float = 0.5


def build(
    classes: int, generator: torch.Generator, *, config: Config | None = None, weights: Path | None = None
) -> StagedNetwork:
    config = config or Config()
    with undrawn():
        network = _network(config, classes)
    _weights.fill_or_draw(network, weights, generator, "xavier")
    network.freeze()
    return network


def _network(config: Config, classes: int) -> StagedNetwork:
    entry = SoundEntry(config.mel.rate, config.seconds)
    network = StagedNetwork("convnet", "audio", config.widths[-1], entry)
    stages: list[tuple[str, nn.Module]] = [
        ("logmel", LogMel(config.mel)),
        ("bn0", MelNorm(nn.BatchNorm2d(config.mel.mels))),
    ]
    inner = 1
    for number, outer in enumerate(config.widths, start=1):
        block = ConvBlock(inner, outer)
        site = MaskedDropout(config.block_dropout, f"block{number}.drop")
        stages.append((f"block{number}", block if number == 1 else nn.Sequential(site, block)))
        inner = outer
    stages.append(("pool", nn.Sequential(MaskedDropout(config.block_dropout, "pool.drop"), GlobalPool())))
    network.own(tuple(stages), DenseHead(inner, config.hidden, classes, config.head_dropout))
    return network


BACKBONE = BackboneSpec(
    key="convnet",
    title="Small ConvNet",
    kind="audio",
    summary="Eight convolutions and two dense layers over a log-mel spectrogram, small enough to train on a laptop.",
    Config=Config,
    build=build,
)
