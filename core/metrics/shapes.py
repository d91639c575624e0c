"""How near a found solid is to the true one, in units of its voxels' spacing, and does its doubt know where it is not?

Equation:
    Dice = 2 |P and G| / (|P| + |G|),      IoU = |P and G| / |P or G|
    HD_q = max( q-th percentile over P's surface of d(., G's surface), the same from G's surface to P's )

A surface is the voxels of a solid that have a neighbour (across a face) outside it; beyond the grid is outside.
Distances run between centres of voxels. HD is q = 100; HD95 is the larger of the two directed percentiles, not the
percentile of both heaps together. Two empty solids agree (Dice 1); the distance to an empty one is undefined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.metrics import reliability, scoring
from core.metrics.arrays import float64
from core.metrics.figure import Figure, Undefined, or_reason
from core.metrics.ranks import auroc
from core.metrics.selective import selective_risk


@or_reason
def dice(found: Any, truth: Any) -> float:
    found, truth = _solids(found, truth)
    mass = int(found.sum()) + int(truth.sum())
    return 2.0 * int((found & truth).sum()) / mass if mass else 1.0


@or_reason
def iou(found: Any, truth: Any) -> float:
    found, truth = _solids(found, truth)
    if not (union := int((found | truth).sum())):
        raise Undefined("both solids are empty")
    return int((found & truth).sum()) / union


@or_reason
def hausdorff(found: Any, truth: Any, spacing: Sequence[float], percentile: float = 100.0) -> float:
    """Largest (or a percentile) of the distances from either surface to the other."""
    there, back = surface_distances(found, truth, spacing)
    return float(max(np.percentile(there, percentile), np.percentile(back, percentile)))


def surface_distances(found: Any, truth: Any, spacing: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """From every surface voxel of the found solid to the true surface, and the other way round."""
    from scipy.ndimage import distance_transform_edt

    found, truth = _solids(found, truth)
    for solid, name in ((found, "found"), (truth, "true")):
        if not solid.any():
            raise Undefined(f"the {name} solid is empty")
    ours, theirs = surface(found), surface(truth)
    to_truth, to_found = (np.asarray(distance_transform_edt(~skin, sampling=tuple(spacing))) for skin in (theirs, ours))
    return to_truth[ours], to_found[theirs]


def surface(solid: np.ndarray) -> np.ndarray:
    from scipy.ndimage import binary_erosion

    return solid & ~binary_erosion(solid)


def band(truth: Any, spacing: Sequence[float], reach: float) -> np.ndarray:
    """Voxels at most ``reach`` from the nearest one on the other side of the true surface.

    A solid fills little of its box, and far from its surface all are right: figures of all voxels hide the mistakes.
    """
    from scipy.ndimage import distance_transform_edt

    truth = _solid(truth)
    if truth.all() or not truth.any():
        return np.zeros(truth.shape, bool)
    sides = [np.asarray(distance_transform_edt(side, sampling=tuple(spacing))) for side in (truth, ~truth)]
    return sides[0] + sides[1] <= reach


@dataclass(frozen=True, slots=True)
class VoxelScores:
    """Of the probability of being inside, over some voxels."""

    nll: Figure
    brier: Figure  # (p - y)^2, 0 to 1
    ece: Figure  # of the probability of being inside, 15 bins of equal width
    error_auroc: Figure  # of the doubt, for voxels that are wrong at the threshold
    sparsification: Figure


def voxel_scores(probs: Any, truth: Any, doubt: Any, where: Any = None, threshold: float = 0.5) -> VoxelScores:
    """``where`` chooses voxels, such as a ``band``; None: all."""
    truth = _solid(truth)
    chosen = np.ones(truth.shape, bool) if where is None else _solid(where)
    p, y, u = float64(probs)[chosen], truth[chosen].astype(np.float64), float64(doubt)[chosen]
    wrong = ((p > threshold) != (y > 0)).astype(np.float64)
    return VoxelScores(
        scoring.nll(p[:, None], y[:, None]),
        scoring.brier(p[:, None], y[:, None]),
        reliability.ece(p, y),
        auroc(u, wrong),
        sparsification(u, wrong),
    )


@or_reason
def sparsification(doubt: Any, errors: Any) -> float:
    """Area between two curves of what error is left when the most doubtful voxels go: by this doubt, and by the error
    itself. 0 is a doubt that puts every mistake before every hit."""
    errors = float64(errors)
    return float((selective_risk(doubt, errors) - selective_risk(errors, errors)).mean())


def _solids(found: Any, truth: Any) -> tuple[np.ndarray, np.ndarray]:
    found, truth = _solid(found), _solid(truth)
    if found.shape != truth.shape:
        raise ValueError(f"solids on grids of {found.shape} and {truth.shape} voxels cannot be compared")
    return found, truth


def _solid(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype != np.bool_:
        raise ValueError(f"a solid is an array of booleans, not of {array.dtype}; cut it at a threshold")
    return array
