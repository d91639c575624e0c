"""The surface that a field draws, and by how much it says it may be off.

Equation:
    p = sigmoid(z),      play = ln(19) / |grad z|

Across a surface z, the logit of the mean probability, falls about evenly, so the chance that a place at a distance d
from the drawn surface is still inside is sigmoid(-d |grad z|): nine times in ten the true surface lies within
``play`` of the drawn one, if the field is right about itself. A sharp field has little play; members that disagree
make their mean less steep.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.shapes.mesh import mesh_of
from core.shapes.observe import Observation
from core.shapes.solids import spacing_of

MOST = 20.0  # mm (pixels) of play that are told: beyond, the field says nothing of a surface
_CERTAIN = 1e-6


def play_of(probs: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """At every node of a grid."""
    p = np.clip(probs.astype(np.float64), _CERTAIN, 1.0 - _CERTAIN)
    slopes = np.gradient(np.log(p / (1.0 - p)), *spacing)
    steep = np.sqrt(sum(slope**2 for slope in slopes))
    return np.minimum(math.log(19.0) / np.maximum(steep, 1e-9), MOST)


def surface_of(probs: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(points, dim) mm where the probability is one half; none where it never is."""
    if not probs.min() < 0.5 < probs.max():
        return np.zeros((0, probs.ndim))
    return mesh_of(probs, affine).vertices if probs.ndim == 3 else outline_of(probs, affine)


def outline_of(probs: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The same in the plane: the points of its lines."""
    lines = lines_of(probs, affine)
    return np.concatenate(lines) if lines else np.zeros((0, 2))


def lines_of(probs: np.ndarray, affine: np.ndarray) -> list[np.ndarray]:
    """Where a picture crosses one half, one line after another."""
    from skimage.measure import find_contours

    return [line @ affine[:2, :2].T + affine[:2, 2] for line in find_contours(probs, 0.5)]


@dataclass(frozen=True, slots=True)
class Admitted:
    """Shares of the points of two surfaces, the drawn and the true one; None of nothing."""

    off: float | None  # of the drawn one, that are further than ``far`` from the true one: made up
    admitted: float | None  # of those, whose play reaches the true one
    missed: float | None  # of the true one, that are further than ``far`` from the drawn one
    feared: float | None  # of those, where the field was not sure of either side: between 5 and 95 %
    held: float | None  # of the drawn one, whose play reaches the truth; nine in ten, if it is right about itself


def admitted_of(probs: np.ndarray, truth: np.ndarray, affine: np.ndarray, far: float) -> Admitted:
    points, true = surface_of(probs, affine), surface_of(truth.astype(np.float64), affine)
    if not len(points) or not len(true):
        return Admitted(None, None, None, None, None)
    distance = _away(points, truth, affine)
    reached = distance <= read(play_of(probs, spacing_of(affine)), points, affine)
    lost = _away(true, probs > 0.5, affine) > far
    unsure = np.abs(read(probs, true, affine) - 0.5) < 0.45
    off = distance > far
    return Admitted(float(off.mean()), _share(reached, off), float(lost.mean()), _share(unsure, lost), _share(reached))


def _away(points: np.ndarray, solid: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Millimetres to the surface of a solid."""
    if solid.all() or not solid.any():
        return np.full(len(points), np.inf)
    return np.abs(Observation(solid, np.ones(solid.shape, bool), affine).distance_at(points))


def _share(of: np.ndarray, among: np.ndarray | None = None) -> float | None:
    chosen = of if among is None else of[among]
    return float(chosen.mean()) if len(chosen) else None


def read(values: np.ndarray, points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """A grid's values at places in millimetres."""
    from scipy.ndimage import map_coordinates

    indices = (points - affine[:-1, -1]) @ np.linalg.inv(affine[:-1, :-1]).T
    return map_coordinates(values, indices.T, order=1, mode="nearest")
