"""Hand-made features for sounds and pictures, and a tiny head: a network that needs no weights and no download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.backbones import _weights
from core.backbones._contract import BackboneSpec
from core.backbones._drawing import undrawn
from core.backbones._entry import PictureEntry, SoundEntry
from core.backbones._heads import DenseHead
from core.backbones._network import Entry, StagedNetwork
from core.contracts import Kind
from core.media import spectrogram
from core.media.spectrogram import MelConfig

MEL = MelConfig(rate=16_000, n_fft=512, hop=160, mels=32, f_max=8_000.0)
CENTRE, SPREAD = -50.0, 20.0  # dB: an ordinary level and its ordinary spread
SIDE, CELL = 32, 8  # pixels of a picture, and of a cell of its grid
GREY = (0.5, 0.5, 0.5)
DIM = 96  # of both kinds


@dataclass(frozen=True, slots=True)
class Config:
    kind: Kind = "audio"
    seconds: float = 5.0
    hidden: int = 32  # of the head
    dropout: float = 0.2  # in the head


class SoundFacts(nn.Module):
    """(items, time) to level, spread and unrest of each of 32 mel bands."""

    def forward(self, waves: Tensor) -> Tensor:
        level = (spectrogram.log_mel_torch(waves, MEL) - CENTRE) / SPREAD
        unrest = (level[:, 1:] - level[:, :-1]).abs().mean(dim=1)
        return torch.cat([level.mean(dim=1), level.std(dim=1, correction=0), unrest], dim=1)


class PictureFacts(nn.Module):
    """(items, 3, 32, 32) to colour, spread and slopes of each cell of a 4 x 4 grid."""

    def forward(self, x: Tensor) -> Tensor:
        grey = x.mean(dim=1, keepdim=True)
        spread = (F.avg_pool2d(grey.square(), CELL) - F.avg_pool2d(grey, CELL).square()).clamp(min=0.0).sqrt()
        across = F.pad((grey[..., 1:] - grey[..., :-1]).abs(), (0, 1))
        down = F.pad((grey[..., 1:, :] - grey[..., :-1, :]).abs(), (0, 0, 0, 1))
        parts = [F.avg_pool2d(x, CELL), spread, F.avg_pool2d(across, CELL), F.avg_pool2d(down, CELL)]
        return torch.cat([part.flatten(1) for part in parts], dim=1)


def build(
    classes: int, generator: torch.Generator, *, config: Config | None = None, weights: Path | None = None
) -> StagedNetwork:
    config = config or Config()
    entry: Entry = SoundEntry(MEL.rate, config.seconds)
    facts: nn.Module = SoundFacts()
    if config.kind == "image":
        entry, facts = PictureEntry((SIDE, SIDE), GREY, GREY, resampling="bilinear"), PictureFacts()
    network = StagedNetwork("toy", config.kind, DIM, entry)
    with undrawn():
        network.own((("facts", facts),), DenseHead(DIM, config.hidden, classes, config.dropout))
    _weights.fill_or_draw(network, weights, generator)
    network.freeze()
    return network


BACKBONE = BackboneSpec(
    key="toy",
    title="Toy",
    kind=None,
    summary="Hand-made features with a tiny head: needs no weights, computes in a moment, knows little.",
    Config=Config,
    build=build,
)
