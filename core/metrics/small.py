"""Intervals and tests that are honest for a handful of items, where a bootstrap is not."""

from __future__ import annotations

import math

LEVEL = 0.95


def share_interval(right: int, items: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper and Pearson's: it holds the true share in at least ``level`` of all cases, however few items there are.

    >>> [round(end, 3) for end in share_interval(12, 12)]
    [0.735, 1.0]
    """
    if not 0 <= right <= items or not items:
        raise ValueError(f"{right} of {items} is no share")
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = 0.0 if right == 0 else float(beta.ppf(tail, right, items - right + 1))
    high = 1.0 if right == items else float(beta.ppf(1 - tail, right + 1, items - right))
    return low, high


def sign_test(first: int, second: int) -> float:
    """The chance that two equals differ as unevenly as this: ``first`` and ``second`` are the items that only one of
    them got right. McNemar's exact test, both sides.

    >>> sign_test(1, 5)
    0.21875
    """
    if min(first, second) < 0:
        raise ValueError("counts are not negative")
    items = first + second
    tail = sum(math.comb(items, count) for count in range(min(first, second) + 1)) / 2**items
    return min(1.0, 2 * tail)


def rank_interval(correlation: float, items: int, level: float = LEVEL) -> tuple[float, float] | None:
    """Of Spearman's rank correlation, by Bonett and Wright (2000); None where it has none: for fewer than four items,
    and for a perfect order.

    >>> [round(end, 2) for end in rank_interval(0.5, 12)]
    [-0.14, 0.85]
    """
    if items < 4 or abs(correlation) >= 1:
        return None
    from statistics import NormalDist

    error = math.sqrt((1 + correlation**2 / 2) / (items - 3))
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    middle = math.atanh(correlation)
    return math.tanh(middle - reach), math.tanh(middle + reach)
