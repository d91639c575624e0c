"""How well given labels fit what a model says of their items: confident learning, and the margin it ranks by.

Equation:  t_j = mean of p_j over the items labelled j
           suspected: j* = argmax of p_j over {j : p_j >= t_j}, and j* is not the label
           fit = (p_label - max over j other than the label of p_j + 1) / 2

Paper: Northcutt, Jiang and Chuang 2021, arXiv 1911.00068. The answers are those of a model that did not learn the
labels in question; of what it learned by heart it is sure, right or wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SLACK = 1e-6  # a class whose items all have one probability still counts as reached


@dataclass(frozen=True, slots=True, eq=False)
class Leading:
    """The most probable classes of each item: all of them, or the first few. A row of -1 was not answered."""

    places: np.ndarray  # (items, some) int64 classes, the most probable first
    probs: np.ndarray  # (items, some) float64
    classes: int

    @classmethod
    def of(cls, probs: np.ndarray) -> Leading:
        """Of (items, classes)."""
        order = np.argsort(-probs, axis=1, kind="stable")
        return cls(order, np.take_along_axis(np.asarray(probs, np.float64), order, 1), probs.shape[1])

    def __len__(self) -> int:
        return len(self.places)

    @property
    def answered(self) -> np.ndarray:
        return self.places[:, 0] >= 0 if self.places.shape[1] else np.zeros(len(self), bool)

    def at(self, classes: np.ndarray) -> np.ndarray:
        """The probability of one class an item; of a class that is not stored an even share of what is left."""
        hit = self.places == classes[:, None]
        left = np.maximum(0.0, 1.0 - self.probs.sum(axis=1)) / max(1, self.classes - self.places.shape[1])
        return np.where(hit.any(axis=1), np.where(hit, self.probs, 0.0).sum(axis=1), left)


def thresholds(leading: Leading, labels: np.ndarray) -> np.ndarray:
    """(classes,) how sure of a class the model is on average, of the items labelled so; infinite without any."""
    known = (labels >= 0) & leading.answered
    count = np.bincount(labels[known], minlength=leading.classes)
    total = np.bincount(labels[known], leading.at(labels)[known], minlength=leading.classes)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)


def suspected(leading: Leading, labels: np.ndarray) -> np.ndarray:
    """(items,) the class that an item seems to be of instead, -1 where its label is not in doubt or not known."""
    bars = thresholds(leading, labels)
    there = (leading.places >= 0) & (leading.probs >= bars[leading.places] - _SLACK)
    first = there.argmax(axis=1)  # the most probable of those that reach their bar
    best = np.take_along_axis(leading.places, first[:, None], 1)[:, 0] if leading.places.shape[1] else labels
    doubted = (labels >= 0) & leading.answered & there.any(axis=1) & (best != labels)
    return np.where(doubted, best, -1)


def fit(leading: Leading, labels: np.ndarray) -> np.ndarray:
    """(items,) 1: the label fits, 0: another class does; NaN where there is no label or no answer."""
    known = (labels >= 0) & leading.answered
    others = np.where(leading.places == labels[:, None], -np.inf, leading.probs)
    rival = np.where(known, others.max(axis=1, initial=-np.inf), 0.0)
    rival = np.where(np.isfinite(rival), rival, 0.0)  # of one class alone
    return np.where(known, (leading.at(labels) - rival + 1.0) / 2.0, np.nan)
