"""Quality of the answers that are kept when the most doubtful are set aside, against the share kept.

A useful doubt gives a curve that rises as fewer items are kept, between the flat line of a random order and the
curve of an oracle that knows every error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.metrics.arrays import float64, ranked
from core.metrics.bootstrap import resampled
from core.metrics.figure import ClassMean, Figure, Undefined
from core.metrics.scoring import accuracy, mean_average_precision
from core.metrics.selective import selective_risk

PERCENTS = tuple(range(100, 0, -5))  # the shares kept: 1.00, 0.95 ... 0.05

Measure = Callable[[np.ndarray], Figure | ClassMean]  # takes the positions of the kept items


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """``value`` is NaN where nothing can be said; ``reason`` tells why the whole curve is empty."""

    kept: np.ndarray  # (points,) shares in (0, 1]
    value: np.ndarray
    low: np.ndarray | None = None  # pointwise band
    high: np.ndarray | None = None
    left_out: np.ndarray | None = None  # classes without a value at each point, for means over classes
    reason: str | None = None


def retention(doubt: Any, right: Any) -> Curve:
    """Accuracy of the k least doubtful items for k = 1 to N; equally doubtful items count with their mean.

    ``right`` is 1 for a right answer, or any quality from 0 to 1.
    """
    try:
        risks = selective_risk(doubt, 1.0 - float64(right))
    except Undefined as reason:
        return _empty(str(reason))
    return Curve(np.arange(1, len(risks) + 1) / len(risks), 1.0 - risks)


def oracle(right: Any) -> Curve:
    """The best curve that any order of these answers can have."""
    return retention(1.0 - float64(right), right)


def chance(right: Any) -> Curve:
    """The curve of an order that knows nothing, in the mean over orders: flat."""
    right = float64(right)
    return retention(np.zeros(len(right)), right)


def on_grid(curve: Curve, percents: Sequence[int] = PERCENTS) -> Curve:
    """The points of a full curve where ceil(share N) items are kept."""
    if curve.reason:
        return curve
    counts = keep_counts(len(curve.kept), percents)
    return Curve(np.array(percents) / 100, curve.value[counts - 1])


def with_band(
    doubt: Any,
    right: Any,
    generator: np.random.Generator,
    *,
    percents: Sequence[int] = PERCENTS,
    resamples: int = 500,
    level: float = 0.95,
    groups: Sequence[Any] | None = None,
) -> Curve:
    """The retention curve on a grid with a pointwise percentile band over resampled items."""
    whole = on_grid(retention(doubt, right), percents)
    if whole.reason:
        return whole
    doubt, right = float64(doubt), float64(right)
    if len(doubt) < 2:
        return whole
    draws = resampled(len(doubt), generator, resamples, groups)
    values = np.stack([on_grid(retention(doubt[rows], right[rows]), percents).value for rows in draws])
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return replace(whole, low=low, high=high)


def keep_counts(items: int, percents: Sequence[int]) -> np.ndarray:
    """ceil(share N) in whole numbers, so that 55 % of 100 is 55 and not 56."""
    if not all(0 < percent <= 100 for percent in percents):
        raise ValueError("shares are whole percents from 1 to 100")
    return np.array([-(-percent * items // 100) for percent in percents])


def kept_curve(doubt: Any, measure: Measure, percents: Sequence[int] = PERCENTS) -> Curve:
    """Any measure of the ceil(share N) least doubtful items; equally doubtful items in the order in which they came.

    This is VI-PANN's curve, for measures that are not a mean over items.
    """
    try:
        order = np.argsort(ranked(doubt, "doubts"), kind="stable")
    except Undefined as reason:
        return _empty(str(reason))
    found = [measure(order[:count]) for count in keep_counts(len(order), percents)]
    values = np.array([np.nan if point.value is None else point.value for point in found])
    missing = [len(point.left_out) if isinstance(point, ClassMean) else 0 for point in found]
    any_class = any(isinstance(point, ClassMean) for point in found)
    return Curve(np.array(percents) / 100, values, left_out=np.array(missing) if any_class else None)


def map_curve(doubt: Any, probs: Any, labels: Any, percents: Sequence[int] = PERCENTS) -> Curve:
    """Mean average precision of the kept items; classes without a positive among them are left out and counted."""
    probs, labels = float64(probs), float64(labels)
    return kept_curve(doubt, lambda rows: mean_average_precision(probs[rows], labels[rows]), percents)


def accuracy_curve(doubt: Any, probs: Any, labels: Any, percents: Sequence[int] = PERCENTS) -> Curve:
    """Accuracy of the kept items by VI-PANN's rule of ties; ``retention`` is the one that no order of ties moves."""
    probs, labels = float64(probs), float64(labels)
    return kept_curve(doubt, lambda rows: accuracy(probs[rows], labels[rows]), percents)


def chance_curve(
    items: int,
    measure: Measure,
    generator: np.random.Generator,
    percents: Sequence[int] = PERCENTS,
    repeats: int = 20,
) -> Curve:
    """The mean of ``kept_curve`` over random orders, with the band of 95 % of them."""
    if not items:
        return _empty("there are no items")
    runs = [kept_curve(generator.permutation(items), measure, percents) for _ in range(repeats)]
    values = np.stack([run.value for run in runs])
    known = ~np.isnan(values).any(axis=0)
    mean, low, high = (np.full(values.shape[1], np.nan) for _ in range(3))
    mean[known] = values[:, known].mean(axis=0)
    low[known], high[known] = np.quantile(values[:, known], [0.025, 0.975], axis=0)
    return Curve(runs[0].kept, mean, low, high)


def _empty(reason: str) -> Curve:
    return Curve(np.zeros(0), np.zeros(0), reason=reason)
