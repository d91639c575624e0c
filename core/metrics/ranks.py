"""Measures of order: ranks with ties, AUROC, average precision, FPR at a TPR, Spearman."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from core.metrics.arrays import float64, ranked, same_length
from core.metrics.figure import Undefined, or_reason


def average_ranks(values: np.ndarray) -> np.ndarray:
    """1-based ranks; equal values share the mean of their places.

    >>> average_ranks(np.array([10.0, 20.0, 20.0, 30.0])).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return (last - (sizes - 1) / 2)[group]


@or_reason
def auroc(score: Any, positive: Any) -> float:
    """Chance that a random positive scores above a random negative; a tie counts one half (Mann-Whitney).

    >>> auroc([0.1, 0.4, 0.4, 0.9], [0, 0, 1, 1]).value
    0.875
    """
    score, positive = _binary(score, positive)
    above = average_ranks(score)[positive].sum()
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    return (above - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


@or_reason
def average_precision(score: Any, positive: Any) -> float:
    """Precision summed over the steps of recall, one step for each distinct score; never interpolated."""
    score, positive = _binary(score, positive, negatives_needed=False)
    true, false = _counts_from_the_top(score, positive)
    gained = np.diff(true, prepend=0)
    return float((gained * true / (true + false)).sum() / true[-1])


@or_reason
def fpr_at_tpr(score: Any, positive: Any, tpr: float = 0.95) -> float:
    """The smallest false positive rate among the thresholds that find at least ``tpr`` of the positives."""
    score, positive = _binary(score, positive)
    true, false = _counts_from_the_top(score, positive)
    needed = math.ceil(round(tpr * true[-1], 9))  # rounded: a product of floats may lie a hair above
    return float(false[np.searchsorted(true, needed)] / false[-1])


@or_reason
def spearman(first: Any, second: Any) -> float:
    """Rank correlation: Pearson's of the average ranks."""
    first, second = ranked(first), ranked(second)
    same_length(first, second)
    if len(first) < 2:
        raise Undefined("a rank correlation needs two items or more")
    for values in (first, second):
        if (values == values[0]).all():
            raise Undefined("one of the two is the same for every item, so it ranks nothing")
    one, two = (ranks - ranks.mean() for ranks in (average_ranks(first), average_ranks(second)))
    return float(np.clip((one @ two) / math.sqrt((one @ one) * (two @ two)), -1, 1))


def _counts_from_the_top(score: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives when everything down to each distinct score is called positive."""
    _, group = np.unique(-score, return_inverse=True)
    return np.cumsum(np.bincount(group, positive)), np.cumsum(np.bincount(group, ~positive))


def _binary(score: Any, positive: Any, negatives_needed: bool = True) -> tuple[np.ndarray, np.ndarray]:
    score, truth = ranked(score), float64(positive)
    same_length(score, truth)
    if not np.isin(truth, (0.0, 1.0)).all():
        raise ValueError("the truth of a yes-or-no measure must be zeros and ones")
    positive = truth == 1.0
    if not positive.any():
        raise Undefined("there are no positives")
    if negatives_needed and positive.all():
        raise Undefined("there are no negatives")
    return score, positive
