"""Two maps of the same items beside each other: do neighbours on the one stay neighbours on the other?

Equation:  share = 1 / (n k) sum_i |A_i and B_i|,   chance = k / (N - 1)

A_i, B_i  the k items nearest to item i on either map, itself left out;  n items asked, of the N that both maps draw
Two maps that have nothing to do with each other share k / (N - 1) on average: B_i is then any k of the N - 1 others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

K = 15
_MOST = 2000  # items that are asked, spread evenly over those that are to be


@dataclass(frozen=True, slots=True)
class Stay:
    share: float  # of an item's nearest on one map that are among its nearest on the other
    chance: float  # what maps without anything in common would share
    k: int
    asked: int


def stay(points: np.ndarray, others: np.ndarray, rows: np.ndarray | None = None, k: int = K) -> Stay | None:
    """Of the items ``rows``, or of all; None: too few items to have neighbours."""
    n = len(points)
    if n != len(others):
        raise ValueError(f"maps of {n} and {len(others)} items")
    rows = np.arange(n) if rows is None else np.asarray(rows, np.int64)
    k = min(k, n - 1)
    if k < 1 or not len(rows):
        return None
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST)).round().astype(np.int64))]
    first, second = _near(points, some, k), _near(others, some, k)
    shared = sum(len(np.intersect1d(one, other)) for one, other in zip(first, second, strict=True))
    return Stay(shared / (len(some) * k), k / (n - 1), k, len(some))


def _near(points: np.ndarray, some: np.ndarray, k: int) -> np.ndarray:
    """(some, k) places of the nearest others."""
    from scipy.spatial import KDTree

    points = np.asarray(points, np.float64)
    _, found = KDTree(points).query(points[some], k=k + 1)
    others = found != some[:, None]  # of many at one place an item may not even be among its own nearest
    return np.take_along_axis(found, np.argsort(~others, axis=1, kind="stable")[:, :k], 1)
