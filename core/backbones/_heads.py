"""Heads of our own small networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.backbones._network import StagedNetwork
from core.layers.masks import MaskedDropout


class DenseHead(nn.Module):
    """Dropout, fc1, ReLU, dropout, classifier."""

    def __init__(self, dim: int, hidden: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.drop_fc1 = MaskedDropout(dropout, "head.drop_fc1")
        self.fc1 = nn.Linear(dim, hidden)
        self.drop_classifier = MaskedDropout(dropout, "head.drop_classifier")
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.classifier(self.drop_classifier(F.relu(self.fc1(self.drop_fc1(features)))))


class LinearHead(nn.Module):
    """Dropout, classifier."""

    def __init__(self, dim: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.drop_classifier = MaskedDropout(dropout, "head.drop_classifier")
        self.classifier = nn.Linear(dim, classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.classifier(self.drop_classifier(features))


class Standardise(nn.Module):
    """Each feature less its mean over the training items, in units of its standard deviation.

    With ``unit`` features are first divided by their length: how loud or how sharp an item is says nothing then.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, dim: int, unit: bool = False) -> None:
        super().__init__()
        self.unit = unit
        self.given = False  # did it come with a trained network? Then what it learned there stays
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))

    def learn(self, features: Tensor) -> None:
        """From training features (items, dim); one that never changes is left as it is."""
        features = self._scaled(features.double())
        deviation = features.std(dim=0, correction=0)
        self.mean.copy_(features.mean(dim=0))
        self.deviation.copy_(torch.where(deviation > 0, deviation, 1.0))

    def forget(self) -> None:
        self.mean.zero_()
        self.deviation.fill_(1.0)

    def forward(self, features: Tensor) -> Tensor:
        return (self._scaled(features) - self.mean) / self.deviation

    def _scaled(self, features: Tensor) -> Tensor:
        return F.normalize(features, dim=-1) if self.unit else features


def standardised(network: StagedNetwork, unit: bool = False) -> StagedNetwork:
    """The same network, whose head sees standardised features."""
    layer = Standardise(network.dim, unit)
    network.add_module("standardise", layer)
    network.arrange(network.stages, nn.Sequential(layer, network.head))
    return network
