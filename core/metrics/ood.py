"""Telling what belongs to the training data from what does not, by a doubt that should be higher outside.

Outside is the positive class. The average precision depends on how many outsiders there are, so the share of them,
which a blind guess would score, stands beside it. Near and far outsiders are never pooled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.metrics.arrays import float64
from core.metrics.figure import Figure
from core.metrics.ranks import auroc, average_precision, fpr_at_tpr


@dataclass(frozen=True, slots=True)
class Detection:
    auroc: Figure
    aupr: Figure
    fpr95: Figure  # share of insiders refused when at least 95 % of the outsiders are
    base_rate: Figure  # the average precision of a guess
    inside: int
    outside: int


@dataclass(frozen=True, slots=True)
class NearAndFar:
    near: Detection
    far: Detection


def detect(inside: Any, outside: Any) -> Detection:
    """How well the doubts of two sets tell them apart."""
    inside, outside = float64(inside), float64(outside)
    scores = np.concatenate([inside, outside])
    positive = np.repeat([0.0, 1.0], [len(inside), len(outside)])
    base = Figure(len(outside) / len(scores)) if len(scores) else Figure(None, "there are no items")
    return Detection(
        auroc=auroc(scores, positive),
        aupr=average_precision(scores, positive),
        fpr95=fpr_at_tpr(scores, positive),
        base_rate=base,
        inside=len(inside),
        outside=len(outside),
    )


def near_and_far(inside: Any, near: Any, far: Any) -> NearAndFar:
    """Both detections against the same insiders."""
    return NearAndFar(detect(inside, near), detect(inside, far))


def balanced(
    inside: Any, outside: Any, generator: np.random.Generator, largest: int = 50_000
) -> tuple[np.ndarray, np.ndarray]:
    """Random subsets of one size from both sets, at most ``largest``: the half-and-half protocol of URL."""
    inside, outside = float64(inside), float64(outside)
    size = min(len(inside), len(outside), largest)
    return generator.permutation(inside)[:size], generator.permutation(outside)[:size]
