"""Figures of many resamples of the same items at once: a resample only says how often each item counts.

``weights`` is (resamples, items) from ``reweighted.weights``. Each function gives (resamples,) values that equal those
of ``scoring``, ``reliability``, ``ranks`` and ``selective`` on the drawn items, and NaN where those are undefined. Two
models judged with the same weights were judged on the same draws, so their values may be subtracted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.metrics.arrays import float64, ranked, same_length
from core.metrics.selective import tie_averaged

_TPR = 0.95


def means(weights: np.ndarray, values: Any) -> np.ndarray:
    """The mean of the drawn values; items whose value is NaN have none and are left out."""
    values = float64(values)
    known = ~np.isnan(values)
    if known.all():
        return _ratio(weights @ values, weights.sum(axis=1))
    return _ratio(weights[:, known] @ values[known], weights[:, known].sum(axis=1))


def ece(weights: np.ndarray, confidence: Any, correct: Any, bins: int = 15) -> np.ndarray:
    """Expected calibration error in bins of equal width, closed on the right.

    ``confidence`` is (items,), or (items, classes) where every pair counts on its own.
    """
    confidence, correct = float64(confidence), float64(correct)
    same_length(confidence, correct)
    confidence, correct = confidence.reshape(len(confidence), -1), correct.reshape(len(correct), -1)
    index = np.maximum(np.searchsorted(np.arange(bins + 1) / bins, confidence, side="left") - 1, 0)
    gaps = np.zeros((len(confidence), bins))
    np.add.at(gaps, (np.arange(len(index))[:, None], index), correct - confidence)
    drawn = weights.sum(axis=1) * confidence.shape[1]
    return _ratio(np.abs(weights @ gaps).sum(axis=1), drawn)


def auroc(weights: np.ndarray, score: Any, positive: Any) -> np.ndarray:
    """Chance that a drawn positive scores above a drawn negative, a tie counting one half."""
    true, false = _sums(weights, score, positive)
    below = np.cumsum(false, axis=0) - false / 2
    return _ratio((true * below).sum(axis=0), true.sum(axis=0) * false.sum(axis=0))


def fpr_at_tpr(weights: np.ndarray, score: Any, positive: Any, tpr: float = _TPR) -> np.ndarray:
    """The smallest false positive rate of a threshold that finds at least ``tpr`` of the drawn positives."""
    true, false = (np.cumsum(part[::-1], axis=0) for part in _sums(weights, score, positive))
    needed = np.ceil(np.round(tpr * true[-1], 9))
    first = (true >= needed).argmax(axis=0)
    return np.where(true[-1] > 0, _ratio(false[first, np.arange(len(first))], false[-1]), np.nan)


def average_precision(weights: np.ndarray, score: Any, positive: Any) -> np.ndarray:
    true, false = (np.cumsum(part[::-1], axis=0) for part in _sums(weights, score, positive))
    gained = np.diff(true, prepend=0, axis=0)
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)
    return _ratio((gained * precision).sum(axis=0), true[-1])


def mean_average_precision(weights: np.ndarray, probs: Any, truth: Any) -> np.ndarray:
    """Over the classes that have a positive among the drawn items."""
    probs, truth = float64(probs), np.asarray(truth)
    each = np.stack([average_precision(weights, probs[:, c], truth[:, c] > 0) for c in range(probs.shape[1])])
    known = ~np.isnan(each)
    return _ratio(np.where(known, each, 0.0).sum(axis=0), known.sum(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """What one order of the items leaves to go wrong, and how well it knows the errors."""

    aurc: np.ndarray
    augrc: np.ndarray
    error_auroc: np.ndarray


def areas(weights: np.ndarray, doubt: Any, errors: Any) -> Areas:
    """Between two distinct doubts the errors grow evenly, so the sum of the selective risks is one of harmonics."""
    errors = ranked(errors, "errors")
    drawn, wrong = _running(weights, doubt, errors)
    items = drawn[-1]
    harmonic = np.append(0.0, np.cumsum(1.0 / np.arange(1, int(items.max(initial=0)) + 1)))
    steps, more = np.diff(drawn, axis=0), np.diff(wrong, axis=0)
    slope = np.divide(more, steps, out=np.zeros_like(more), where=steps > 0)
    level = wrong[:-1] - slope * drawn[:-1]
    aurc = _ratio((level * np.diff(harmonic[drawn.astype(np.int64)], axis=0)).sum(axis=0) + wrong[-1], items)
    augrc = _ratio((steps * (wrong[1:] + wrong[:-1])).sum(axis=0) / 2, items**2)
    if not np.isin(errors, (0.0, 1.0)).all():
        return Areas(aurc, augrc, auroc(weights, doubt, errors > 0))
    right = drawn - wrong
    above = (more * (right[1:] + right[:-1])).sum(axis=0) / 2
    return Areas(aurc, augrc, _ratio(above, wrong[-1] * right[-1]))


def interval(values: np.ndarray, level: float = 0.95, around: float | None = None) -> tuple[float, float] | None:
    """The central ``level`` of what has a value, as ``bootstrap`` gives it; None where fewer than half have one."""
    known = values[np.isfinite(values)]
    if not len(known) or 2 * len(known) < len(values):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    shift = 0.0 if around is None else around - float(np.mean(known))
    return float(low) + shift, float(high) + shift


def block(items: int, budget: int = 1 << 17) -> int:
    """Resamples that are weighed at a time, so that memory does not grow with the items."""
    return max(1, math.floor(budget / max(1, items)))


def _sums(weights: np.ndarray, score: Any, positive: Any) -> tuple[np.ndarray, np.ndarray]:
    """(distinct scores, resamples) drawn positives and negatives at each score, from the lowest."""
    score, positive = ranked(score), np.asarray(positive, bool)
    same_length(score, positive)
    order, starts = _groups(score)
    drawn, mark = _inorder(weights, order), positive[order][:, None]
    true = _each(drawn * mark, starts)
    return true, _each(drawn, starts) - true


def _running(weights: np.ndarray, doubt: Any, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(1 + distinct doubts, resamples) items drawn, and errors among them, up to each distinct doubt."""
    doubt = ranked(doubt, "doubts")
    tie_averaged(doubt, errors)  # the same refusals
    order, starts = _groups(doubt)
    drawn = _inorder(weights, order)
    return _climbing(_each(drawn, starts)), _climbing(_each(drawn * errors[order][:, None], starts))


def _each(parts: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sums of the rows that belong to one distinct value."""
    return parts if len(starts) == len(parts) else np.add.reduceat(parts, starts, axis=0)


def _climbing(parts: np.ndarray) -> np.ndarray:
    """Running sums from zero."""
    found = np.zeros((len(parts) + 1, parts.shape[1]))
    np.cumsum(parts, axis=0, out=found[1:])
    return found


def _inorder(weights: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(items, resamples) so that items are walked in rows, which lie together in memory."""
    return np.take(weights.T, order, axis=0).astype(np.float64, copy=False)


def _groups(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order of some values, and where each distinct one begins in it."""
    order = np.argsort(values, kind="stable")
    inorder = values[order]
    return order, np.flatnonzero(np.append(True, inorder[1:] != inorder[:-1]))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=np.asarray(whole) > 0)
