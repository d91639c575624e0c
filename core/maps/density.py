"""How many items lie where: a picture for maps with more points than a page can draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Bounds = tuple[float, float, float, float]  # x from, x to, y from, y to


@dataclass(frozen=True, slots=True, eq=False)
class MapDensity:
    counts: np.ndarray  # (height, width) int64; the first row is the lowest y
    bounds: Bounds
    left_out: int  # points outside the bounds

    def shade(self) -> np.ndarray:
        """(height, width) float32, 0 where nothing is and 1 at the fullest; logarithmic, so that few are seen too."""
        top = np.log1p(self.counts.max(initial=0))
        return (np.log1p(self.counts) / (top or 1.0)).astype(np.float32)


def bounds_of(points: np.ndarray, margin: float = 0.03) -> Bounds:
    """A frame around all points."""
    if not len(points):
        return (0.0, 1.0, 0.0, 1.0)
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    pad = np.where(high > low, margin * (high - low), 0.5)
    return (float(low[0] - pad[0]), float(high[0] + pad[0]), float(low[1] - pad[1]), float(high[1] + pad[1]))


def density(points: np.ndarray, width: int = 512, height: int = 512, bounds: Bounds | None = None) -> MapDensity:
    """A count for every cell of a grid."""
    frame = bounds or bounds_of(points)
    if width < 1 or height < 1 or not (frame[0] < frame[1] and frame[2] < frame[3]):
        raise ValueError(f"no grid of {width} x {height} cells fits {frame}")
    counts, _, _ = np.histogram2d(
        points[:, 1], points[:, 0], bins=(height, width), range=((frame[2], frame[3]), (frame[0], frame[1]))
    )
    counts = counts.astype(np.int64)
    return MapDensity(counts, frame, len(points) - int(counts.sum()))
