"""What a network says of two moons: maps of its doubt, near the points and far from them, and how right it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.lessons import _plane
from core.lessons._pictures import Field, Plane
from core.lessons._plane import FAR, MOONS, World
from core.training._plane_moons import Points

if TYPE_CHECKING:
    from core.lessons._plane_fits import Answered

_OVERLAP, _NEAR, _NEW = 0.3, 0.3, 400


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What one network, or several together, say. ``near`` and ``far`` are means of the unfamiliarity."""

    ambiguous: np.ndarray  # (places of the grid,)
    unfamiliar: np.ndarray
    near: float
    far: float
    accuracy: float  # on new points
    nll: float


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    points: Points
    new: Points
    x: np.ndarray
    y: np.ndarray
    asked: np.ndarray  # the grid's places, then those of the new points
    near: np.ndarray  # of the grid
    far: np.ndarray

    def told(self, answer: Answered) -> Told:
        count = len(self.near)
        right = np.where(self.new.labels == 1, answer.probs[count:], 1.0 - answer.probs[count:])
        losses = -np.log(np.maximum(right, 1e-12))
        odd = np.maximum(answer.doubt.epistemic[:count], 0.0)  # alike to the last digit is not below 0
        near, far = float(odd[self.near].mean()), float(odd[self.far].mean())
        return Told(answer.doubt.aleatoric[:count], odd, near, far, float((right > 0.5).mean()), float(losses.mean()))

    def plane(self, title: str, finding: str, one: Told, top: float) -> Plane:
        shape = (len(self.y), len(self.x))
        fields = (
            Field("ambiguous", "aleatoric", one.ambiguous.reshape(shape).astype(np.float32), math.log(2.0)),
            Field("unfamiliar", "epistemic", one.unfamiliar.reshape(shape).astype(np.float32), top),
        )
        return Plane(title, finding, self.x, self.y, fields, self.points.places, self.points.labels)


def scene_of(count: int, seed: int) -> Scene:
    world = World(MOONS, _OVERLAP)
    points, new = (_plane.seen(world, *asked) for asked in ((count, 0.0, "", seed), (_NEW, 0.0, "", seed + 10_000)))
    x, y, places = _plane.grid()
    gaps = _plane.distance(places, points)
    return Scene(points, new, x, y, np.concatenate([places, new.places]), gaps < _NEAR, gaps > FAR)
