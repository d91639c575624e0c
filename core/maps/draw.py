"""A map: vectors -> directions -> the 50 principal ones -> neighbours -> UMAP in two dimensions.

UMAP: McInnes et al. 2018, arXiv 1802.03426. It starts from the two first principal directions, so that two maps of
slightly different items look alike, and runs on one thread, so that a seed gives one map.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.contracts import Progress, no_progress
from core.errors import UserFacingError

VERSION = 1  # of what is computed; part of a map's key
EXACT = 10_000  # items up to which neighbours are found by looking at every pair
_DIRECTIONS = 50
_FEW_EPOCHS, _MANY_EPOCHS, _LARGE = 60, 300, 10_000
_LEAST = 8  # items; fewer are laid out by their principal directions
_BLOCK = 1 << 22  # similarities held at a time
_STEPS = 4

Metric = Literal["cosine", "euclidean"]


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What changes a map."""

    neighbours: int = 15
    min_dist: float = 0.1
    metric: Metric = "cosine"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.neighbours <= 200:
            raise UserFacingError(f"A map takes 2 to 200 neighbours, not {self.neighbours}.", code="neighbours")
        if not 0.0 <= self.min_dist <= 0.99:
            raise UserFacingError(f"A map takes a distance from 0 to 0.99, not {self.min_dist}.", code="min-dist")
        if self.metric not in ("cosine", "euclidean"):
            raise UserFacingError(
                f"A map takes the metric cosine or euclidean, not {str(self.metric)[:40]!r}.", code="metric"
            )
        if not 0 <= self.seed < 1 << 32:
            raise UserFacingError(f"A map's seed is a whole number from 0 below 2^32, not {self.seed}.", code="seed")


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    points: np.ndarray  # (items, 2) float32
    method: Literal["umap", "pca"]
    notes: tuple[str, ...] = ()


def draw(vectors: np.ndarray, options: MapOptions | None = None, progress: Progress = no_progress) -> Drawing:
    """Two coordinates an item; the same vectors and options give the same ones. Without UMAP, and said so, PCA's."""
    options = options or MapOptions()
    if len(vectors) < _LEAST:
        note = f"{len(vectors)} items are too few for neighbourhoods; they lie along their principal directions"
        return Drawing(_flat(_principal(vectors, options)), "pca", (note,))
    reduced = _principal(vectors, options)
    progress(1, _STEPS, "map")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of packages that UMAP looks for and does not need
            indices, distances = neighbour_graph(reduced, options)
            progress(2, _STEPS, "map")
            points = _umap(reduced, indices, distances, options)
        if not np.isfinite(points).all():
            raise ValueError("a coordinate is not finite")
    except Exception as error:  # numba and UMAP fail in many ways, and a plainer map is better than none
        note = f"UMAP failed here ({type(error).__name__}); this map shows the two principal directions instead"
        return Drawing(_flat(reduced), "pca", (note,))
    progress(3, _STEPS, "map")
    return Drawing(points, "umap")


def directions(vectors: np.ndarray) -> np.ndarray:
    """Float32 rows of length 1; a row of zeros stays."""
    rows = np.array(vectors, np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1.0)


def neighbour_graph(points: np.ndarray, options: MapOptions) -> tuple[np.ndarray, np.ndarray]:
    """(items, k) places and distances, an item itself first. Exact up to EXACT items."""
    k = min(options.neighbours, len(points))
    if len(points) > EXACT:
        from pynndescent import NNDescent

        found = NNDescent(points, metric=options.metric, n_neighbors=k, random_state=options.seed)
        graph: Any = found.neighbor_graph
        indices, distances = graph
        return np.asarray(indices, np.int32), np.asarray(distances, np.float32)
    return _exact(points, k, options.metric)


def _exact(points: np.ndarray, k: int, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    rows = directions(points) if metric == "cosine" else np.asarray(points, np.float32)
    squares = (rows**2).sum(axis=1)
    indices, distances = np.empty((len(rows), k), np.int32), np.empty((len(rows), k), np.float32)
    step = max(1, _BLOCK // len(rows))
    for start in range(0, len(rows), step):
        some = np.arange(start, min(start + step, len(rows)))
        inner = rows[some] @ rows.T
        far = 1.0 - inner if metric == "cosine" else squares[some, None] + squares - 2.0 * inner
        far[np.arange(len(some)), some] = -np.inf  # first, even where others are equal to it
        near = np.argpartition(far, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(far, near, 1), axis=1, kind="stable")
        indices[some] = np.take_along_axis(near, order, 1)
        found = np.maximum(np.take_along_axis(far, indices[some].astype(np.int64), 1), 0.0)
        distances[some] = found if metric == "cosine" else np.sqrt(found)
    return indices, distances


def _principal(vectors: np.ndarray, options: MapOptions) -> np.ndarray:
    """(items, at most 50): the directions in which the vectors differ most, the first one first."""
    rows = directions(vectors) if options.metric == "cosine" else np.array(vectors, np.float32)
    rows -= rows.mean(axis=0)
    wide = rows.shape[1] > rows.shape[0]
    values, axes = np.linalg.eigh((rows @ rows.T if wide else rows.T @ rows).astype(np.float64))
    leading = axes[:, ::-1][:, :_DIRECTIONS]
    scale = np.sqrt(np.maximum(values[::-1][:_DIRECTIONS], 0.0))
    found = leading * scale if wide else rows @ leading
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=0)[None], 0)
    return np.asarray(found * np.where(largest < 0, -1.0, 1.0), np.float32)  # a direction has no sign of its own


def _flat(reduced: np.ndarray) -> np.ndarray:
    points = np.zeros((len(reduced), 2), np.float32)
    points[:, : min(2, reduced.shape[1])] = reduced[:, :2]
    return points


def _umap(reduced: np.ndarray, indices: np.ndarray, distances: np.ndarray, options: MapOptions) -> np.ndarray:
    from sklearn.utils import check_random_state
    from umap import umap_

    state = check_random_state(options.seed)
    graph: Any = umap_.fuzzy_simplicial_set(
        reduced, indices.shape[1], state, options.metric, knn_indices=indices, knn_dists=distances
    )[0]
    a, b = umap_.find_ab_params(1.0, options.min_dist)
    points, _ = umap_.simplicial_set_embedding(
        reduced,
        graph,
        n_components=2,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=_FEW_EPOCHS if len(reduced) > _LARGE else _MANY_EPOCHS,
        init=_flat(reduced),
        random_state=state,
        metric=options.metric,
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
    )
    return np.asarray(points, np.float32)
