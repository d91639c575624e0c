"""The LSTM of a lecture on ESC-50: 5 s of waveform at 16 kHz at once into 16 units, 5,121,324 weights at 4 classes.

The notes hand it a batch (items, 80,000), which an LSTM reads as one sequence whose time steps are the items: answers
then depend on their order. Here a clip is a sequence of its own with a single step of 80,000, (items, 1, 80,000).
That keeps every weight of the notes and makes items independent; nothing recurs, so the recurrent weights idle.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from core.backbones import _weights
from core.backbones._contract import BackboneSpec
from core.backbones._drawing import undrawn
from core.backbones._entry import SoundEntry
from core.backbones._heads import DenseHead
from core.backbones._network import StagedNetwork

RATE = 16_000


@dataclass(frozen=True, slots=True)
class Config:
    seconds: float = 5.0
    units: int = 16
    hidden: int = 8  # of the head
    dropout: float = 0.2  # in the head; the notes have none, and without noise it does nothing


class OneStep(nn.Module):
    """(items, time) to the LSTM's output (items, units) after one step."""

    def __init__(self, samples: int, units: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(samples, units, batch_first=True)

    def forward(self, waves: Tensor) -> Tensor:
        steps, _ = self.lstm(waves[:, None])
        return steps[:, -1]


def build(
    classes: int, generator: torch.Generator, *, config: Config | None = None, weights: Path | None = None
) -> StagedNetwork:
    config = config or Config()
    entry = SoundEntry(RATE, config.seconds)
    network = StagedNetwork("lecture_lstm", "audio", config.units, entry)
    with undrawn():
        step = OneStep(entry.samples, config.units)
        network.own((("lstm", step),), DenseHead(config.units, config.hidden, classes, config.dropout))
    _weights.fill_or_draw(network, weights, generator, "torch")  # as the notes
    network.freeze()
    return network


BACKBONE = BackboneSpec(
    key="lecture_lstm",
    title="Lecture LSTM",
    kind="audio",
    summary="The lecture notes' recurrent network on raw samples: a lesson in overfitting.",
    Config=Config,
    build=build,
)
