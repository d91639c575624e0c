"""Answers as float64 arrays, and the checks that every measure shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.contracts import Moments, Predictive, Task
from core.metrics.figure import Undefined


def float64(values: Any) -> np.ndarray:
    """A numpy array of a tensor on any device, an array or a list."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()  # double first: numpy does not know bfloat16
    return np.asarray(values, dtype=np.float64)


def plain(probs: np.ndarray, task: Task) -> Predictive:
    """An answer of plain numbers (draws, items, classes), for the measures: they need no tensor."""
    numbers: Any = probs
    return Predictive(numbers, task)


def mean_probs(answer: Predictive | Moments) -> np.ndarray:
    """(items, classes): the mean over the draws, which is what a model that samples predicts."""
    if isinstance(answer, Moments):
        return float64(answer.mean)
    if not len(answer.probs):
        raise ValueError("a Predictive needs at least one draw")
    total = float64(answer.probs[0])
    for draw in answer.probs[1:]:  # one at a time: all draws in float64 may be large
        total = total + float64(draw)
    return total / len(answer.probs)


def ranked(values: Any, what: str = "scores") -> np.ndarray:
    """A vector that can be ranked: not empty, no NaN; infinities have a place in an order and stay."""
    vector = float64(values)
    if vector.ndim != 1:
        raise ValueError(f"{what} must be one number an item, not an array of shape {vector.shape}")
    if not len(vector):
        raise Undefined("there are no items")
    if bad := int(np.isnan(vector).sum()):
        raise Undefined(f"{bad} of {len(vector)} {what} are not numbers")
    return vector


def same_length(first: np.ndarray, second: np.ndarray) -> None:
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} items do not belong together")


def mean(values: np.ndarray) -> float:
    """The plain mean, undefined where there is nothing to average."""
    if not len(values):
        raise Undefined("there are no items")
    return float(values.mean())


def labelled(probs: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Checked (items, classes) probabilities and labels.

    Labels are class numbers (items,), or zeros and ones (items, classes) where an item may have several classes.
    """
    probs, labels = float64(probs), float64(labels)
    if probs.ndim != 2:
        raise ValueError(f"probabilities must be (items, classes), not {probs.shape}; average the draws first")
    same_length(probs, labels)
    if bad := int(np.isnan(probs).any(axis=1).sum()):
        raise Undefined(f"{bad} of {len(probs)} items have a probability that is not a number")
    classes = probs.shape[1]
    if labels.ndim == 1:
        whole = (labels == np.floor(labels)) & (labels >= 0) & (labels < classes)
        if not whole.all():
            raise ValueError(f"labels must be whole numbers from 0 to {classes - 1}")
        return probs, labels.astype(np.int64)
    if labels.shape != probs.shape or not np.isin(labels, (0.0, 1.0)).all():
        raise ValueError("labels of several classes an item must be zeros and ones of the probabilities' shape")
    return probs, labels.astype(np.int64)
