"""How right the answers are: accuracy, mean average precision, NLL, Brier score, macro-F1, confusion.

``probs`` is the mean over the draws, (items, classes). ``labels`` are class numbers (items,), or zeros and ones
(items, classes) where an item may have several classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.metrics.arrays import labelled, mean
from core.metrics.figure import ClassMean, Figure, Undefined, mean_of_classes, or_reason
from core.metrics.ranks import average_precision

FLOOR = 1e-12  # a probability below it costs as much as it, so that one certain mistake is not infinitely bad


def errors(probs: Any, labels: Any) -> np.ndarray:
    """(items,) 1 where the answer is wrong, the lowest class winning a tie; for labels the share wrong at 0.5."""
    probs, labels = labelled(probs, labels)
    if labels.ndim == 1:
        return (probs.argmax(axis=1) != labels).astype(np.float64)
    return ((probs > 0.5) != labels).mean(axis=1)


@or_reason
def accuracy(probs: Any, labels: Any) -> float:
    """Share of items answered right; for several labels an item, share of its yes-or-noes right at 0.5."""
    return 1.0 - mean(errors(probs, labels))


@or_reason
def nll(probs: Any, labels: Any) -> float:
    """Mean of -log p(label) in nats. Of the mean probability: the mean over draws of their own NLL is larger."""
    return mean(log_losses(probs, labels))


def log_losses(probs: Any, labels: Any) -> np.ndarray:
    """(items,) -log p(label); for several labels the mean over them of the cross-entropy."""
    probs, labels = labelled(probs, labels)
    if labels.ndim == 1:
        return -np.log(np.maximum(probs[np.arange(len(labels)), labels], FLOOR))
    return -np.log(np.maximum(np.where(labels, probs, 1.0 - probs), FLOOR)).mean(axis=1)


@or_reason
def brier(probs: Any, labels: Any) -> float:
    """Squared distance to the truth, 0 to 2, summed over the classes of a softmax; mean over several labels.

    >>> brier([[0.75, 0.25]], [0]).value
    0.125
    """
    probs, labels = labelled(probs, labels)
    if labels.ndim == 1:
        truth = np.eye(probs.shape[1])[labels]
        return mean(((probs - truth) ** 2).sum(axis=1))
    return mean(((probs - labels) ** 2).mean(axis=1))


def mean_average_precision(probs: Any, labels: Any) -> ClassMean:
    """Average precision a class, and its mean over the classes that have a positive among these items."""
    try:
        probs, labels = labelled(probs, labels)
    except Undefined as reason:
        return ClassMean(Figure(None, str(reason)), ())
    truth = labels if labels.ndim == 2 else np.eye(probs.shape[1], dtype=np.int64)[labels]
    per_class = [average_precision(probs[:, c], truth[:, c]).value for c in range(probs.shape[1])]
    return mean_of_classes(per_class, "no class has a positive item")


def confusion(probs: Any, labels: Any) -> np.ndarray:
    """(classes, classes) counts: the row is the true class, the column the answer."""
    probs, labels = labelled(probs, labels)
    if labels.ndim != 1:
        raise ValueError("a confusion matrix needs one class an item")
    classes = probs.shape[1]
    return np.bincount(labels * classes + probs.argmax(axis=1), minlength=classes**2).reshape(classes, classes)


def macro_f1(probs: Any, labels: Any) -> ClassMean:
    """F1 a class, and its mean over the classes that occur in truth or answer; several labels are cut at 0.5."""
    try:
        probs, labels = labelled(probs, labels)
    except Undefined as reason:
        return ClassMean(Figure(None, str(reason)), ())
    one_hot = np.eye(probs.shape[1], dtype=np.int64)
    truth = labels if labels.ndim == 2 else one_hot[labels]
    said = (probs > 0.5).astype(np.int64) if labels.ndim == 2 else one_hot[probs.argmax(axis=1)]
    hits, mass = (truth * said).sum(axis=0), truth.sum(axis=0) + said.sum(axis=0)
    per_class = [float(2 * hit / size) if size else None for hit, size in zip(hits, mass, strict=True)]
    return mean_of_classes(per_class, "no class occurs")
