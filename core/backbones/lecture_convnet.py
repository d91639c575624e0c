"""The ConvNet of a lecture on ESC-50: four convolutions over a log-mel picture of 5 s at 16 kHz.

As in the notes, 134,020 weights at 4 classes: 128 bands up to 8 kHz, decibels below the clip's own maximum, no
normalisation layer, no dropout in training (the site before the classifier is for MC dropout).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from core.backbones import _weights
from core.backbones._contract import BackboneSpec
from core.backbones._drawing import undrawn
from core.backbones._entry import SoundEntry
from core.backbones._frontends import PaddedMel, PeakDecibels
from core.backbones._heads import LinearHead
from core.backbones._network import StagedNetwork
from core.layers.augmentsite import AugmentSite

MEL = PaddedMel(rate=16_000, n_fft=2048, hop=512, mels=128, f_max=8_000.0)
WIDTHS = (16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Config:
    seconds: float = 5.0
    dropout: float = 0.2  # before the classifier


def build(
    classes: int, generator: torch.Generator, *, config: Config | None = None, weights: Path | None = None
) -> StagedNetwork:
    config = config or Config()
    with undrawn():
        network = _network(config, classes)
    _weights.fill_or_draw(network, weights, generator, "torch")  # as the notes
    network.freeze()
    return network


def _network(config: Config, classes: int) -> StagedNetwork:
    entry = SoundEntry(MEL.rate, config.seconds)
    decibels = PeakDecibels(MEL)
    logmel = nn.Sequential(decibels, AugmentSite(-decibels.depth, time=3, bands=2))
    stages: list[tuple[str, nn.Module]] = [("logmel", logmel)]
    inner, bands, frames = 1, MEL.mels, MEL.frames(entry.samples)
    for number, outer in enumerate(WIDTHS, start=1):
        block = nn.Sequential(nn.Conv2d(inner, outer, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        stages.append((f"block{number}", block))
        inner, bands, frames = outer, bands // 2, frames // 2
    stages.append(("flatten", nn.Flatten()))
    network = StagedNetwork("lecture_convnet", "audio", inner * bands * frames, entry)
    network.own(tuple(stages), LinearHead(network.dim, classes, config.dropout))
    return network


BACKBONE = BackboneSpec(
    key="lecture_convnet",
    title="Lecture ConvNet",
    kind="audio",
    summary="The lecture notes' four convolutions over a log-mel picture, without normalisation layers.",
    Config=Config,
    build=build,
)
