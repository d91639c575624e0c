"""What a model said of many items, as plain numbers: who judges or shows it needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.contracts import Moments, Predictive, Task

PARTS = ("total", "aleatoric", "epistemic")
MEASURES = (*PARTS, "novelty", "score", "max_softmax")  # of doubt, in the order in which they are told


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """The draws of some of the items."""

    rows: np.ndarray  # (items,) their places among all
    answer: Predictive


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers to items, judged without asking which method gave them."""

    ids: tuple[str, ...]
    task: Task
    draws: int
    probs: np.ndarray  # (items, classes) float64, the mean over the draws
    doubts: Mapping[str, np.ndarray]  # measure -> (items,) float64; those that this model has
    score_name: str | None = None  # what "score" is called
    features: np.ndarray | None = None  # (items, dim) float32: what enters the head, without noise
    moments: Moments | None = None  # None where only the above was stored
    kept: Kept | None = None
    right_neighbour: np.ndarray | None = None  # (items,) 1, 0 or NaN, where it was found out before
    seconds: float | None = None  # an item, without reading it

    def __len__(self) -> int:
        return len(self.ids)


def kept_rows(items: int, keep: int) -> np.ndarray:
    """At most ``keep`` places, spread evenly: sets are often in the order of their classes."""
    return np.unique(np.linspace(0, items - 1, min(keep, items)).round().astype(np.int64))
