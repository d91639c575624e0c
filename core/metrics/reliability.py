"""Does 80 % mean 80 %? Expected calibration error and the bins of a reliability diagram.

Equation:  ECE = sum_b (n_b / N) |accuracy_b - confidence_b|,   empty bins skipped

Bins of equal width are (low, high] with 0 in the first; ``closed="left"`` makes them [low, high) with a bin of its
own for a confidence of exactly 1, as torchmetrics does. Bins of equal mass follow the sorted confidences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.metrics.arrays import float64, labelled, ranked, same_length
from core.metrics.figure import Undefined, or_reason

Closed = Literal["right", "left"]


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Bins that hold at least one item, from low to high confidence."""

    low: np.ndarray  # (bins,) edges; for equal mass the smallest and largest confidence inside
    high: np.ndarray
    count: np.ndarray
    confidence: np.ndarray  # mean inside the bin
    accuracy: np.ndarray

    @property
    def gap(self) -> float:
        """The expected calibration error."""
        if not self.count.sum():
            raise Undefined("there are no items")
        return float(self.count @ np.abs(self.accuracy - self.confidence) / self.count.sum())


def judged(probs: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and correctness: of the top class, or of every (item, class) pair where items have several labels."""
    probs, labels = labelled(probs, labels)
    if labels.ndim == 2:
        return probs.ravel(), labels.ravel().astype(np.float64)
    return probs.max(axis=1), (probs.argmax(axis=1) == labels).astype(np.float64)


def equal_width(confidence: Any, correct: Any, bins: int = 15, closed: Closed = "right") -> Bins:
    """Bins over [0, 1] of width 1 / ``bins``."""
    confidence, correct = _checked(confidence, correct, bins)
    edges = np.arange(bins + 1) / bins
    if closed == "right":
        index = np.maximum(np.searchsorted(edges, confidence, side="left") - 1, 0)
    else:
        index = np.searchsorted(edges, confidence, side="right") - 1
        edges = np.append(edges, 1.0)
    return _binned(confidence, correct, index, edges[:-1], edges[1:])


def equal_mass(confidence: Any, correct: Any, bins: int = 15) -> Bins:
    """``bins`` bins, or one an item where there are fewer items, whose sizes differ by one at most.

    Equal confidences on both sides of a border are split in the order in which they came.
    """
    confidence, correct = _checked(confidence, correct, bins)
    if not len(confidence):
        return _binned(confidence, correct, np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    chunks = np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(confidence)))
    index = np.empty(len(confidence), np.int64)
    for place, chunk in enumerate(chunks):
        index[chunk] = place
    edges = np.array([(confidence[chunk[0]], confidence[chunk[-1]]) for chunk in chunks])
    return _binned(confidence, correct, index, edges[:, 0], edges[:, 1])


@or_reason
def ece(confidence: Any, correct: Any, bins: int = 15, closed: Closed = "right") -> float:
    """Expected calibration error over bins of equal width."""
    return equal_width(confidence, correct, bins, closed).gap


@or_reason
def ece_equal_mass(confidence: Any, correct: Any, bins: int = 15) -> float:
    """Expected calibration error over bins of equal mass, of the top class only."""
    return equal_mass(confidence, correct, bins).gap


def _checked(confidence: Any, correct: Any, bins: int) -> tuple[np.ndarray, np.ndarray]:
    confidence, correct = float64(confidence), float64(correct)
    same_length(confidence, correct)
    if bins < 1:
        raise ValueError("at least one bin is needed")
    if len(confidence):
        ranked(confidence, "confidences")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError("confidences must lie between 0 and 1")
    return confidence, correct


def _binned(confidence: np.ndarray, correct: np.ndarray, index: np.ndarray, low: np.ndarray, high: np.ndarray) -> Bins:
    count = np.bincount(index, minlength=len(low))
    held = count > 0
    sums = (np.bincount(index, values, len(low))[held] / count[held] for values in (confidence, correct))
    return Bins(low[held], high[held], count[held], *sums)
