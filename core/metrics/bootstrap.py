"""Percentile bootstrap intervals: what a figure might have been on other items of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.metrics.figure import Figure

Statistic = Callable[[np.ndarray], Figure | float]  # takes the positions of the drawn items


@dataclass(frozen=True, slots=True)
class Interval:
    """``low`` and ``high`` are None exactly when ``reason`` says why."""

    low: float | None
    high: float | None
    level: float
    resamples: int  # how many had a value
    reason: str | None = None


def resampled(
    items: int, generator: np.random.Generator, resamples: int, groups: Sequence[Any] | None = None
) -> list[np.ndarray]:
    """Positions drawn with replacement; clips of one group (one recording) come and go together."""
    if groups is None:
        return [generator.integers(items, size=items) for _ in range(resamples)]
    if len(groups) != items:
        raise ValueError(f"{len(groups)} groups do not belong to {items} items")
    members: dict[Any, list[int]] = {}
    for position, group in enumerate(groups):
        members.setdefault(group, []).append(position)
    clusters = [np.array(positions) for positions in members.values()]
    return [
        np.concatenate([clusters[index] for index in generator.integers(len(clusters), size=len(clusters))])
        for _ in range(resamples)
    ]


def bootstrap(
    statistic: Statistic,
    items: int,
    generator: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    groups: Sequence[Any] | None = None,
    around: float | None = None,
) -> Interval:
    """The central ``level`` of the statistic over resampled items.

    A difference of two methods is one statistic too: compute both on the same positions. Resamples without a value
    are left out; when they are the majority there is no interval. ``around`` moves the interval until the resamples'
    mean lies there: for figures such as a calibration error, which repeated items only ever raise.
    """
    if items < 2:
        return Interval(None, None, level, 0, "an interval needs two items or more")
    values = []
    for positions in resampled(items, generator, resamples, groups):
        result = statistic(positions)
        value = result.value if isinstance(result, Figure) else result
        if value is not None and np.isfinite(value):
            values.append(value)
    if 2 * len(values) < resamples:
        return Interval(None, None, level, len(values), f"only {len(values)} of {resamples} resamples had a value")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    shift = 0.0 if around is None else around - float(np.mean(values))
    return Interval(float(low) + shift, float(high) + shift, level, len(values))
