"""Heads of our own small networks."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

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
