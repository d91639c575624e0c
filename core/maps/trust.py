"""How far to trust a map: are neighbours on it neighbours in truth, and would another seed draw the same?

Equation:  T(k) = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in U_i} (r(i, j) - k)

U_i   those of the k nearest on the map that are not among the k nearest in truth;  r(i, j) rank of j seen from i
Paper: Venna and Kaski 2001. Above EVERY items, the sum runs over that many, spread evenly, and is scaled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.maps.beside import stay
from core.maps.draw import Metric, directions

EVERY = 2000  # items that are asked for their neighbours
_K = 15
_ROWS = 128


@dataclass(frozen=True, slots=True)
class Trust:
    trustworthiness: float | None  # 1: every neighbour on the map is one in truth; None: too few items
    kept: float | None  # share of the nearest in truth that are among the nearest on the map
    k: int
    asked: int  # items that were asked


def trust(vectors: np.ndarray, points: np.ndarray, *, metric: Metric = "cosine", k: int = _K) -> Trust:
    n = len(points)
    k = min(k, (n - 1) // 2)
    if k < 1 or 2 * n - 3 * k - 1 <= 0:
        return Trust(None, None, max(k, 0), 0)
    rows = directions(vectors) if metric == "cosine" else np.asarray(vectors, np.float32)
    queries = _queries(n)
    penalty, shared = 0, 0
    for start in range(0, len(queries), _ROWS):
        some = queries[start : start + _ROWS]
        truth, drawn = _distances(rows, some), _distances(points, some)
        order = np.argsort(truth, axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(n)[None], 1)  # 0 is the item itself
        near = np.argsort(drawn, axis=1, kind="stable")[:, 1 : k + 1]
        places = np.take_along_axis(rank, near, 1)
        penalty += int(np.maximum(places - k, 0).sum())
        shared += int((places <= k).sum())
    asked = len(queries)
    value = 1.0 - 2.0 * penalty / (asked * k * (2 * n - 3 * k - 1))
    return Trust(float(value), shared / (asked * k), k, asked)


def agreement(points: np.ndarray, others: np.ndarray, k: int = _K) -> float | None:
    """Share of the nearest on one map that are among the nearest on another one of the same items."""
    found = stay(points, others, k=k)
    return None if found is None else found.share


def _queries(n: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, EVERY)).round().astype(np.int64))


def _distances(rows: np.ndarray, some: np.ndarray) -> np.ndarray:
    """(some, items) squared, an item nearest to itself. Between directions they order items as the cosine does."""
    rows = np.asarray(rows, np.float64)
    squares = (rows**2).sum(axis=1)
    found = squares[some, None] + squares - 2.0 * rows[some] @ rows.T
    found[np.arange(len(some)), some] = -np.inf
    return found
