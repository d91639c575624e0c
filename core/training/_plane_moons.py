"""Two half moons in the plane, a turned and moved copy of them, and what is true at every place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CENTRE = (0.5, 0.25)  # of both moons together: turning by half a circle about it swaps them
_PARTS = 512  # places on a moon that stand for all of it


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    places: np.ndarray  # (points, 2) float64
    labels: np.ndarray  # (points,) int64: 0 the upper moon, 1 the lower one

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True, slots=True)
class Moons:
    """Half circles of radius 1 with round normal noise, turned about their common centre and then moved."""

    noise: float = 0.1  # standard deviation
    degrees: float = 0.0  # counter-clockwise
    shift: tuple[float, float] = (0.0, 0.0)

    def drawn(self, count: int, generator: np.random.Generator, *, half: bool = False) -> Points:
        """Even in angle, as many of each moon. ``half``: only where the unturned moons lie right of their centre."""
        labels = np.arange(count) % 2
        places = np.empty((count, 2))
        missing = np.arange(count)
        while len(missing):
            angles = generator.uniform(0.0, math.pi, len(missing))
            found = outline(angles, labels[missing]) + generator.normal(0.0, self.noise, (len(missing), 2))
            places[missing] = found
            missing = missing[found[:, 0] <= CENTRE[0]] if half else missing[:0]
        return Points(self.moved(places), labels)

    def moved(self, places: np.ndarray) -> np.ndarray:
        return (places - CENTRE) @ self._turn().T + CENTRE + self.shift

    def unmoved(self, places: np.ndarray) -> np.ndarray:
        return (places - CENTRE - self.shift) @ self._turn() + CENTRE

    def truth(self, places: np.ndarray) -> np.ndarray:
        """(points, 2): the probability of each moon given the place, when both are as frequent.

        p(x | moon) is the mean over the moon's places of a normal density around them.
        """
        from scipy.special import logsumexp, softmax

        if not self.noise:
            raise ValueError("moons without noise have no density; give them some")
        angles = (np.arange(_PARTS) + 0.5) * math.pi / _PARTS
        back = self.unmoved(places)
        logs = []
        for label in (0, 1):
            curve = outline(angles, np.full(_PARTS, label))
            squares = (back**2).sum(1)[:, None] + (curve**2).sum(1) - 2.0 * back @ curve.T
            logs.append(logsumexp(-squares / (2.0 * self.noise**2), axis=1))
        return softmax(np.stack(logs, axis=1), axis=1)

    def _turn(self) -> np.ndarray:
        angle = math.radians(self.degrees)
        return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def outline(angles: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(points, 2) on the moons: (cos, sin) for the upper one, (1 - cos, 1/2 - sin) for the lower one."""
    x, y = np.cos(angles), np.sin(angles)
    lower = labels == 1
    return np.stack([np.where(lower, 1.0 - x, x), np.where(lower, 0.5 - y, y)], axis=1)
