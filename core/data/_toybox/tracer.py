"""Sphere tracing: camera rays to a surface, and how much light reaches a point past it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.data._toybox import solids
from core.data._toybox.shapes import CENTRE, REACH
from core.data._toybox.source import View

Array = np.ndarray
Vector = tuple[float, float, float]
Points = tuple[Array, Array, Array]
Field = Callable[[Array, Array, Array], Array]

DISTANCE = 5.2  # of the camera from the middle of the toy
SPREAD = 0.29  # half the picture's width, one unit away
AIM = 0.78  # height that the camera looks at
_NEAR_ENOUGH = 0.002
_STEPS = 72


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """One ray a pixel, row by row."""

    eye: Vector
    along: Points
    height: Array  # of the pixel in the picture, -1 bottom .. 1 top
    light: Vector  # direction towards the lamp


def rays(view: View, size: int) -> Rays:
    """The camera walks around the toy; the lamp walks with the camera."""
    eye = _direction(view.yaw, view.pitch)
    right = (math.cos(math.radians(view.yaw)), 0.0, -math.sin(math.radians(view.yaw)))
    up = (
        eye[1] * right[2] - eye[2] * right[1],
        eye[2] * right[0] - eye[0] * right[2],
        eye[0] * right[1] - eye[1] * right[0],
    )
    grid = (np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0
    u, v = (part.reshape(-1) for part in np.meshgrid(grid, -grid))
    across, climb = solids.lean(u - view.shift[0], v - view.shift[1], view.roll)
    across, climb = across * (SPREAD / view.zoom), climb * (SPREAD / view.zoom)
    along = [across * right[i] + climb * up[i] - eye[i] for i in range(3)]
    length = solids.norm(*along)
    return Rays(
        eye=(eye[0] * DISTANCE, eye[1] * DISTANCE + AIM, eye[2] * DISTANCE),
        along=(along[0] / length, along[1] / length, along[2] / length),
        height=v,
        light=_direction(view.yaw + view.light_turn, view.light_height),
    )


def span(start: Points | Vector, along: Points | Vector) -> tuple[Array, Array]:
    """Where each ray enters and leaves the bounding sphere; it misses where leaving is not after entering."""
    x, y, z = start[0], start[1] - CENTRE, start[2]
    middle = -(x * along[0] + y * along[1] + z * along[2])
    rest = REACH * REACH - (x * x + y * y + z * z) + middle * middle
    half = np.sqrt(np.maximum(rest, 0.0))
    return np.maximum(middle - half, 0.0), np.where(rest > 0.0, middle + half, 0.0)


def hits(field: Field, seen: Rays) -> tuple[Array, Points]:
    """Which rays meet the surface, and where."""
    near, far = span(seen.eye, seen.along)
    index = np.flatnonzero(far > near)
    t, far = near[index], far[index]
    ax, ay, az = (part[index] for part in seen.along)
    found, reached = [], []
    for _ in range(_STEPS):
        gap = field(seen.eye[0] + t * ax, seen.eye[1] + t * ay, seen.eye[2] + t * az)
        close = gap < _NEAR_ENOUGH
        if close.any():
            found.append(index[close])
            reached.append(t[close])
        t = t + gap
        going = ~close & (t < far)
        if not going.all():
            index, t, far, ax, ay, az = (part[going] for part in (index, t, far, ax, ay, az))
        if not index.size:
            break
    which = np.concatenate([np.empty(0, np.int64), *found])
    order = np.argsort(which, kind="stable")
    which, t = which[order], np.concatenate([np.empty(0, np.float32), *reached])[order]
    x, y, z = (seen.eye[i] + t * seen.along[i][which] for i in range(3))
    return which, (x, y, z)


def normals(field: Field, at: Points) -> Points:
    """The gradient of the distance, by differences along the four diagonals of a cube."""
    h = 0.004
    x = y = z = np.float32(0.0)
    for sx, sy, sz in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        gap = field(at[0] + sx * h, at[1] + sy * h, at[2] + sz * h)
        x, y, z = x + sx * gap, y + sy * gap, z + sz * gap
    length = np.maximum(solids.norm(x, y, z), 1e-9)
    return x / length, y / length, z / length


def lit(field: Field, at: Points, light: Vector, hardness: float) -> Array:
    """0 in full shadow .. 1 in full light; the penumbra is the nearest pass of the ray to the surface."""
    near, far = span(at, light)
    share = np.ones_like(at[0])
    index = np.flatnonzero(far > near)
    t, far = np.maximum(near[index], 0.03), far[index]
    x, y, z = (part[index] for part in at)
    least = np.ones_like(t)
    for _ in range(_STEPS // 2):
        gap = field(x + t * light[0], y + t * light[1], z + t * light[2])
        least = np.minimum(least, gap * hardness / t)
        t = t + np.minimum(np.maximum(gap, 0.025), 0.3)
        going = (t < far) & (least > 0.01)
        if not going.all():
            share[index[~going]] = least[~going]
            index, t, far, x, y, z, least = (part[going] for part in (index, t, far, x, y, z, least))
        if not index.size:
            break
    share[index] = least
    share = np.maximum(share, 0.0)
    return share * share * (3.0 - 2.0 * share)


def _direction(turn: float, height: float) -> Vector:
    turn, height = math.radians(turn), math.radians(height)
    return math.sin(turn) * math.cos(height), math.sin(height), math.cos(turn) * math.cos(height)
