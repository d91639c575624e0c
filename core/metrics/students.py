"""The mean of a few runs, with Student's interval for the mean of as many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Mean:
    """No interval of a single value."""

    value: float
    low: float | None
    high: float | None


def mean_of(values: Sequence[float]) -> Mean:
    count, value = len(values), math.fsum(values) / len(values)
    if count < 2:
        return Mean(value, None, None)
    return told_of(value, math.sqrt(math.fsum((each - value) ** 2 for each in values) / (count - 1)), count)


def told_of(value: float, sd: float, count: int) -> Mean:
    """The same of runs of which only the mean and the standard deviation are known."""
    from scipy.special import stdtrit

    half = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * sd / math.sqrt(count)
    return Mean(value, value - half, value + half)
