"""A random part of a stream of features that depends neither on its order nor on its batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.layers import NoiseContext, layer_id_of

_LAYER = layer_id_of("sample")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The items whose keys have the smallest hashes; a little more than ``most`` until it is ``settled``."""

    most: int
    seed: int
    keys: tuple[Tensor, ...] = ()
    features: tuple[Tensor, ...] = ()

    @property
    def items(self) -> int:
        return sum(len(keys) for keys in self.keys)


def added(sample: Sample, keys: Tensor, features: Tensor) -> Sample:
    more = (*sample.features, features.detach().clone())
    grown = Sample(sample.most, sample.seed, (*sample.keys, keys.to(features.device, copy=True)), more)
    return settled(grown) if grown.items > 2 * sample.most else grown


def settled(sample: Sample) -> Sample:
    """At most ``most`` items, ordered by their hashes."""
    if not sample.items:
        return sample
    keys, features = torch.cat(sample.keys), torch.cat(sample.features)
    nobody = torch.zeros_like(keys)
    kept = NoiseContext(sample.seed, nobody, keys).by_item(_LAYER, "rank").argsort(stable=True)[: sample.most]
    return Sample(sample.most, sample.seed, (keys[kept],), (features[kept],))
