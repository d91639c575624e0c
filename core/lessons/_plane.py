"""Points of two classes in the plane, what is true at every place, and which part of them a model gets to see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.fingerprint import numpy_generator
from core.training._plane_moons import Moons, Points

CLOUDS, MOONS = "two clouds", "two moons"
SHAPES = (CLOUDS, MOONS)
HALF_WIDTH, HALF_HEIGHT = 3.5, 3.0  # of the picture
SIDE = 29  # places along each axis
MOST = 60  # points of a reader
_MIDDLE = np.array([0.65, 0.33])  # of two moons, in their own measure times 1.3
FAR = 1.2  # from every point: a place of which the model has seen nothing


@dataclass(frozen=True, slots=True)
class World:
    """Two classes, as frequent as each other."""

    shape: str
    overlap: float  # standard deviation of each class around its centre, or its moon

    def drawn(self, count: int, generator: np.random.Generator) -> Points:
        if self.shape == MOONS:
            found = self._moons().drawn(count, generator)
            return Points(found.places * 1.3 - _MIDDLE, found.labels)
        labels = np.arange(count) % 2
        centres = np.where(labels[:, None] == 1, 1.0, -1.0) * np.array([0.9, 0.0])
        return Points(centres + generator.normal(0.0, self.overlap, (count, 2)) * (1.0, 1.4), labels)

    def truth(self, places: np.ndarray) -> np.ndarray:
        """(places,) the probability of class 1 given the place."""
        if self.shape == MOONS:
            return self._moons().truth((places + _MIDDLE) / 1.3)[:, 1]
        return 1.0 / (1.0 + np.exp(np.clip(-2.0 * 0.9 * places[:, 0] / self.overlap**2, -60, 60)))

    def _moons(self) -> Moons:
        return Moons(self.overlap)


def grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both axes, and the places row by row from below."""
    x, y = np.linspace(-HALF_WIDTH, HALF_WIDTH, SIDE), np.linspace(-HALF_HEIGHT, HALF_HEIGHT, SIDE)
    return x, y, np.stack([part.ravel() for part in np.meshgrid(x, y)], axis=1)


def seen(world: World, count: int, hidden: float, added: str, seed: int) -> Points:
    """What a model is trained on: without the share of the points that lies furthest up, and with those of a reader."""
    found = world.drawn(count, numpy_generator("lesson plane", seed))
    kept = np.argsort(found.places[:, 1], kind="stable")[: max(4, round((1.0 - hidden) * count))]
    kept.sort()
    own = read_points(added)
    return Points(np.concatenate([found.places[kept], own.places]), np.concatenate([found.labels[kept], own.labels]))


def read_points(text: str) -> Points:
    """Of "x,y,class;x,y,class"; a text that is none raises ValueError."""
    rows = [tuple(float(part) for part in one.split(",")) for one in text.split(";") if one]
    if any(len(row) != 3 or row[2] not in (0.0, 1.0) for row in rows):
        raise ValueError("a point is x,y,class with class 0 or 1")
    table = np.array(rows, np.float64).reshape(-1, 3)
    inside = np.abs(table[:, :2]) <= (HALF_WIDTH, HALF_HEIGHT)
    if not inside.all() or len(rows) > MOST:
        raise ValueError(f"at most {MOST} points, inside the picture")
    return Points(table[:, :2], table[:, 2].astype(np.int64))


def written(points: Points) -> str:
    rows = zip(points.places.tolist(), points.labels.tolist(), strict=True)
    return ";".join(f"{x:.3g},{y:.3g},{label}" for (x, y), label in rows)


def distance(places: np.ndarray, points: Points) -> np.ndarray:
    """(places,) to the nearest point."""
    gaps = places[:, None, :] - points.places[None]
    return np.sqrt((gaps**2).sum(axis=2).min(axis=1))
