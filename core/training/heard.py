"""Spectrograms of sounds, computed when a sound is first asked for and kept: a network sees it once every epoch.

Where training changes the waveform itself there is nothing to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.backbones._frontends import FrontEnd
from core.layers.augmentsite import has_site
from core.training.augmenting import Augment
from core.training.examples import Examples, Inputs

_MOST = 1 << 30  # bytes of memory for them; the waveforms of a larger set are transformed in every epoch


@dataclass(frozen=True, slots=True, eq=False)
class Spectrograms:
    """``of`` are waveforms with one view an item."""

    of: Inputs
    front: FrontEnd
    kept: Tensor  # (items, 1, ., .)
    known: Tensor  # (items,) booleans

    def __len__(self) -> int:
        return len(self.of)

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        new = rows[~self.known[rows]].unique()
        if len(new):
            self.kept[new] = self.front(self.of.take(new, epoch))
            self.known[new] = True
        return self.kept[rows]


def heard(train: Examples, network: Any, augment: Augment) -> Examples:
    """The examples as spectrograms, if the network begins with some, or as they are."""
    front = front_of(network)
    if front is None or not len(train) or _changes_waves(augment, site=has_site(network)):
        return train
    with torch.no_grad():
        first = front(train.inputs.take(torch.zeros(1, dtype=torch.int64), 0))
    if first.nbytes * len(train) > _MOST:
        return train
    kept = first.new_empty(len(train), *first.shape[1:])
    return train.with_inputs(Spectrograms(train.inputs, front, kept, torch.zeros(len(train), dtype=torch.bool)))


def _changes_waves(augment: Augment, *, site: bool) -> bool:
    loudness = augment.gain_db > 0 or augment.snr_least is not None
    return loudness or (not site and (augment.mixes or augment.roll > 0))


def front_of(network: Any) -> FrontEnd | None:
    stages = getattr(network, "stages", ())
    first = stages[0][1] if stages else None
    if isinstance(first, nn.Sequential) and len(first):
        first = first[0]
    return first if isinstance(first, FrontEnd) else None
