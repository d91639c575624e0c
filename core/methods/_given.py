"""The head that a network came with, for methods that read a score from its features and leave it as it is."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from core.contracts import Network, Predictive, Task
from core.methods._contract import probabilities


def given_head(network: Network) -> nn.Module:
    return copy.deepcopy(network.head).eval().requires_grad_(False)


def answered(logits: Tensor, task: Task, score: Tensor, name: str) -> Predictive:
    """One draw and a score (items,)."""
    return Predictive(probabilities(logits, task)[None], task, score, name)
