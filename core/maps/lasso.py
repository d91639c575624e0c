"""Which points a drawn outline holds, over all points and not only over those that were drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Outline = Sequence[tuple[float, float]]


def inside(outline: Outline | np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Even-odd rule, as the outline is drawn: a point is held if a ray to its right crosses it an odd number of times.

    Points are sorted by height once, so each edge looks only at the points of its own height. A point with a
    coordinate that is not finite is never held; fewer than three corners hold nothing.
    """
    corners = np.asarray(outline, dtype=np.float64).reshape(-1, 2)
    held = np.zeros(len(x), dtype=bool)
    if len(corners) < 3 or not np.isfinite(corners).all():
        return held
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    near = near[np.argsort(y[near], kind="stable")]
    xs, ys = x[near].astype(np.float64), y[near].astype(np.float64)
    odd = np.zeros(len(near), dtype=bool)
    ends = np.roll(corners, -1, axis=0)
    bottoms, tops = np.minimum(corners[:, 1], ends[:, 1]), np.maximum(corners[:, 1], ends[:, 1])
    starts, stops = np.searchsorted(ys, bottoms, "left"), np.searchsorted(ys, tops, "left")  # bottom <= y < top
    for (x0, y0), (x1, y1), start, stop in zip(corners, ends, starts, stops, strict=True):
        if start < stop:
            part = slice(start, stop)
            odd[part] ^= xs[part] < x0 + (ys[part] - y0) * (x1 - x0) / (y1 - y0)
    held[near[odd]] = True
    return held


def inside_any(outlines: Sequence[Outline], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Held by at least one of several outlines."""
    held = np.zeros(len(x), dtype=bool)
    for outline in outlines:
        held |= inside(outline, x, y)
    return held
