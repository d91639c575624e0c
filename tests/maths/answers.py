"""Made-up answers for the tests of measures, from a seed."""

from __future__ import annotations

import numpy as np
import torch

from core.contracts import Moments, Predictive, Task
from core.fingerprint import numpy_generator
from core.metrics.uncertainty import bernoulli, shannon


def answer(draws: int, items: int, classes: int, *, task: Task = "multiclass", seed: int = 0, spread: float = 1.5):
    """A Predictive in float64: every item has logits of its own, every draw moves them."""
    generator = numpy_generator("made-up answers", seed)
    logits = 2.0 * generator.normal(size=(items, classes)) + spread * generator.normal(size=(draws, items, classes))
    if task == "multilabel":
        return Predictive(torch.from_numpy(1 / (1 + np.exp(-logits))), task)
    powers = np.exp(logits)
    return Predictive(torch.from_numpy(powers / powers.sum(axis=-1, keepdims=True)), task)


def moments_of(given: Predictive) -> Moments:
    """What a streaming prediction would have kept of these draws."""
    probs = given.probs.numpy()
    mean = probs.mean(axis=0)
    each = shannon(probs) if given.task == "multiclass" else bernoulli(probs)
    return Moments(
        n=len(probs),
        mean=torch.from_numpy(mean),
        mean_entropy=torch.from_numpy(each.mean(axis=0)),
        m2=torch.from_numpy(((probs - mean) ** 2).sum(axis=0)),
        task=given.task,
    )
