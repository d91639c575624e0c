"""New items on a drawn map: beside their nearest neighbours, which are the reason for the place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.maps.draw import Metric, directions

_K = 15


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Places of new items and why they are there."""

    points: np.ndarray  # (new, 2) float32
    neighbours: np.ndarray  # (new, k) places among the drawn items, the nearest first
    similarity: np.ndarray  # (new, k) cosine, or minus the distance
    spread: np.ndarray  # (new,) how far the neighbours lie from the place on the map, 1: as far as any item may


def place(
    fresh: np.ndarray, vectors: np.ndarray, points: np.ndarray, *, metric: Metric = "cosine", k: int = _K
) -> Placed:
    """Where most of the neighbours are, and not between two groups of them where nothing is like the new item.

    The neighbour that is nearest to the others on the map, each weighted by its similarity, is the middle; the place
    is the weighted mean of the half of the neighbours around it.
    """
    if not len(points) or len(vectors) != len(points):
        raise ValueError(f"{len(vectors)} vectors and {len(points)} points do not make a map")
    neighbours, similarity = nearest(fresh, vectors, metric, k)
    found, spread = np.empty((len(fresh), 2), np.float64), np.empty(len(fresh))
    size = float(np.linalg.norm(np.ptp(points, axis=0))) or 1.0
    for row, (near, like) in enumerate(zip(neighbours, similarity, strict=True)):
        at = np.asarray(points[near], np.float64)
        weight = np.exp(like - like[0]) if metric == "euclidean" else np.maximum(like, 1e-6)
        apart = np.linalg.norm(at[:, None] - at[None], axis=2)
        middle = int((apart * weight).sum(axis=1).argmin())
        around = np.argsort(apart[middle], kind="stable")[: max(1, (len(near) + 1) // 2)]
        found[row] = np.average(at[around], axis=0, weights=np.maximum(weight[around], 1e-12))
        spread[row] = np.average(np.linalg.norm(at - found[row], axis=1), weights=np.maximum(weight, 1e-12)) / size
    return Placed(found.astype(np.float32), neighbours, similarity, spread)


def nearest(fresh: np.ndarray, vectors: np.ndarray, metric: Metric, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(new, k) places and similarities, the most similar first, of equals the first."""
    if metric == "cosine":
        similar = directions(fresh) @ directions(vectors).T
    else:
        new, old = np.asarray(fresh, np.float64), np.asarray(vectors, np.float64)
        squares = (new**2).sum(axis=1)[:, None] + (old**2).sum(axis=1) - 2.0 * new @ old.T
        similar = -np.sqrt(np.maximum(squares, 0.0))
    order = np.argsort(-similar, axis=1, kind="stable")[:, : min(k, len(vectors))]
    return order, np.take_along_axis(similar, order, 1)
