"""The toys: each is up to three parts (body, second part, detail) that stand on y = 0 inside one bounding sphere.

``u`` are four proportions in 0..1 that a source keeps for all of its pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from core.data._toybox import solids as s

Array = np.ndarray
Proportions = tuple[float, float, float, float]
Parts = tuple[Array, ...]

CENTRE = 0.85  # height of the bounding sphere's middle
REACH = 1.25  # its radius


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    parts: Callable[[Array, Array, Array, Proportions], Parts]
    turn: float = 180.0  # degrees it may turn away from its good side
    both_sides: bool = True  # it may also show its back


def _ball(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    radius = 0.82 + 0.13 * u[0]
    return (s.sphere(x, y - radius, z, radius),)


def _cube(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    half = 0.62 + 0.12 * u[0]
    return (s.box(x, y - half, z, (half, half, half), 0.03 + 0.06 * u[1]),)


def _cone(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    return (s.frustum(y, x, z, 0.72 + 0.2 * u[0], 0.06, 1.5 + 0.3 * u[1], 0.05),)


def _ring(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    tube, tilt = 0.2 + 0.1 * u[0], 30.0 + 40.0 * u[1]
    y, z = s.lean(y - tube - 0.66 * math.sin(math.radians(tilt)), z, tilt)
    return (s.torus(y, x, z, 0.66, tube),)


def _star(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    flat = s.star(x, y - 0.9, 1.05, 0.44 + 0.1 * u[0])
    return (s.slab(flat, z, 0.2 + 0.08 * u[1], 0.07),)


def _car(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    length, wheel = 0.98 + 0.1 * u[0], 0.25 + 0.05 * u[1]
    body = s.box(x, y - 0.5, z, (length, 0.25, 0.48), 0.12)
    nose = 0.12 + 0.22 * u[2]
    outline = ((-0.86 + 0.2 * u[3], 0.6), (0.62 - nose * 0.4, 0.6), (0.34 - nose, 1.18), (-0.62 + 0.1 * u[3], 1.18))
    cabin = s.slab(s.triangle(x, y, outline), z, 0.41, 0.06)
    wheels = s.rod(np.abs(z) - 0.46, np.abs(x) - 0.58, y - wheel, wheel, 0.11, 0.04)
    hubs = s.rod(np.abs(z) - 0.58, np.abs(x) - 0.58, y - wheel, 0.45 * wheel, 0.02)
    lamps = s.sphere(np.abs(x) - length, y - 0.55, np.abs(z) - 0.3, 0.09)
    return s.union(body, hubs), s.union(cabin, lamps), wheels


def _house(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    width, depth, wall = 0.68 + 0.1 * u[0], 0.6 + 0.14 * u[1], 0.82 + 0.12 * u[2]
    walls = s.box(x, y - wall / 2, z, (width, wall / 2, depth), 0.02)
    top = wall + 0.5 + 0.2 * u[3]
    roof = s.slab(
        s.triangle(x, y, ((-width - 0.16, wall - 0.06), (width + 0.16, wall - 0.06), (0.0, top))), z, depth + 0.1
    )
    chimney = s.box(x - 0.38, y - wall - 0.4, z + 0.2, (0.1, 0.34, 0.1))
    door = s.box(x, y - 0.26, np.abs(z) - depth, (0.15, 0.26, 0.03))
    panes = s.box(np.abs(x) - 0.43, y - 0.5, np.abs(z) - depth, (0.12, 0.12, 0.03))
    side = s.box(np.abs(x) - width, y - 0.48, np.abs(z) - 0.28, (0.03, 0.15, 0.13))
    return s.union(walls, chimney), roof, s.union(door, panes, side)


def _boat(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    deck, spread = 0.48, 0.75 + 0.2 * u[0]
    lens = s.norm(x, (y - deck) * 1.0, np.abs(z) + spread) - (spread + 0.45)
    hull = s.common(lens, y - deck, -y, -x - 0.82)
    inner = s.norm(x, y - deck, np.abs(z) + spread) - (spread + 0.36)
    hull = s.common(hull, -s.common(inner, 0.3 - y, -x - 0.72))
    mast = s.rod(y - 1.1, x - 0.08, z, 0.045, 0.85)
    top = 1.8 + 0.12 * u[1]
    main = s.slab(s.triangle(x, y, ((-0.76, 0.66), (0.02, 0.62), (0.04, top))), z, 0.035)
    jib = s.slab(s.triangle(x, y, ((0.18, 0.66), (0.84, 0.62), (0.16, top - 0.2))), z, 0.035)
    return hull, s.union(main, jib), mast


def _tree(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    wide = 0.7 + 0.14 * u[0]
    low = s.frustum(y - 0.52, x, z, wide, 0.16, 0.62, 0.03)
    middle = s.frustum(y - 0.93, x, z, wide * 0.78, 0.1, 0.54, 0.03)
    high = s.frustum(y - 1.3, x, z, wide * 0.54, 0.03, 0.56 + 0.1 * u[1], 0.03)
    trunk = s.rod(y - 0.3, x, z, 0.15 + 0.07 * u[2], 0.3, 0.02)
    return s.union(low, middle, high), trunk


def _key(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    radius, thick = 0.34 + 0.06 * u[0], 0.11 + 0.03 * u[1]
    head = s.torus(z, x, y - 1.48, radius, thick + 0.03)
    shaft = s.box(x, y - 0.58, z, (0.11, 0.58, thick), 0.05)
    reach = 0.38 + 0.1 * u[2]
    teeth = s.union(
        s.box(x - reach / 2, y - 0.11, z, (reach / 2, 0.11, thick), 0.04),
        s.box(x - reach / 2, y - 0.46, z, (reach / 2 * 0.8, 0.1, thick), 0.04),
    )
    collar = s.rod(y - 1.08, x, z, 0.2, 0.06, 0.03)
    return s.union(head, shaft, teeth), collar


def _cup(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    height, foot, rim = 1.3 + 0.2 * u[0], 0.5 + 0.1 * u[1], 0.66 + 0.08 * u[2]
    outside = s.frustum(y, x, z, foot, rim, height, 0.03)
    hollow = s.frustum(y - 0.1, x, z, foot - 0.09, rim - 0.07, height)
    wall = s.common(outside, -hollow)
    handle = s.torus(z, x - rim - 0.02, (y - height * 0.52) * 0.9, 0.3 + 0.05 * u[3], 0.085)
    handle = s.common(handle, -outside)
    drink = s.rod(y - 0.35 * height, x, z, foot - 0.02, 0.35 * height)
    return wall, handle, s.common(drink, hollow - 0.02)


def _fish(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    tall = 0.46 + 0.12 * u[0]
    x, y = x - 0.14, y - tall - 0.12
    body = s.ellipsoid(x, y, z, 0.82, tall, 0.3 + 0.06 * u[1])
    upper = s.triangle(x, y, ((-0.58, 0.0), (-1.22, 0.62), (-1.0, 0.0)))
    lower = s.triangle(x, y, ((-0.58, 0.0), (-1.0, 0.0), (-1.22, -0.5)))
    high = tall + 0.26 + 0.1 * u[2]
    back = s.triangle(x, y, ((0.3, tall - 0.14), (-0.46, high), (-0.42, tall - 0.2)))
    belly = s.triangle(x, y, ((-0.34, -tall - 0.06), (0.14, -tall + 0.14), (-0.3, -tall + 0.14)))
    fins = s.slab(s.union(upper, lower, back, belly), z, 0.06, 0.02)
    eyes = s.sphere(x - 0.5, y - 0.14, np.abs(z) - 0.2, 0.11)
    return body, fins, eyes


def _duck(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    body = s.ellipsoid(x + 0.1, y - 0.48, z, 0.84, 0.48, 0.56)
    tx, ty = s.lean(x + 0.86, y - 0.8, 130.0)
    tail = s.ellipsoid(tx, ty, z, 0.32, 0.14, 0.24)
    size = 0.38 + 0.06 * u[0]
    head = s.sphere(x - 0.42, y - 1.22, z, size)
    beak = s.ellipsoid(x - 0.42 - size - 0.06, y - 1.14, z, 0.26, 0.09, 0.2)
    wing = s.ellipsoid(x + 0.16, y - 0.58, np.abs(z) - 0.48, 0.44, 0.22, 0.12)
    eyes = s.sphere(x - 0.62, y - 1.34, np.abs(z) - 0.26, 0.085)
    return s.union(body, tail, head), s.union(beak, wing), eyes


def _rocket(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    girth = 0.36 + 0.08 * u[0]
    body = s.ellipsoid(x, y - 0.95, z, girth, 1.05, girth)
    body = s.common(body, 0.3 - y)
    fin = ((0.1, 0.85), (0.66 + 0.1 * u[1], 0.02), (0.8 + 0.1 * u[1], 0.1), (0.3, 1.0))
    across = s.slab(s.triangle(np.abs(x), y, fin), z, 0.05)
    along = s.slab(s.triangle(np.abs(z), y, fin), x, 0.05)
    nozzle = s.frustum(y - 0.12, x, z, 0.26, 0.18, 0.24)
    window = s.torus(np.abs(z) - girth + 0.02, x, y - 1.22, 0.15, 0.05)
    return body, s.union(across, along), s.union(nozzle, window)


def _mushroom(x: Array, y: Array, z: Array, u: Proportions) -> Parts:
    stem = s.frustum(y, x, z, 0.32 + 0.08 * u[0], 0.2, 1.1, 0.06)
    wide, tall, brim = 0.78 + 0.12 * u[1], 0.6 + 0.12 * u[2], 0.92
    cap = s.common(s.ellipsoid(x, y - brim, z, wide, tall, wide), brim - y)
    spots = s.union(
        s.sphere(np.abs(x) - 0.38 * wide, y - brim - tall * 0.78, np.abs(z) - 0.38 * wide, 0.13),
        s.sphere(np.abs(x) - 0.84 * wide, y - brim - tall * 0.42, z, 0.15),
        s.sphere(x, y - brim - tall * 0.42, np.abs(z) - 0.84 * wide, 0.15),
        s.sphere(x, y - brim - tall * 0.97, z, 0.13),
    )
    return cap, stem, spots


SHAPES = MappingProxyType(
    {
        shape.name: shape
        for shape in (
            Shape("ball", _ball),
            Shape("boat", _boat, 55.0),
            Shape("car", _car),
            Shape("cone", _cone),
            Shape("cube", _cube),
            Shape("cup", _cup, 60.0),
            Shape("fish", _fish, 50.0),
            Shape("house", _house),
            Shape("key", _key, 50.0),
            Shape("ring", _ring, 70.0, both_sides=False),
            Shape("star", _star, 50.0),
            Shape("tree", _tree),
            Shape("duck", _duck, 80.0),
            Shape("mushroom", _mushroom),
            Shape("rocket", _rocket),
        )
    }
)
HELD_OUT = ("duck", "mushroom", "rocket")
CLASSES = tuple(sorted(set(SHAPES) - set(HELD_OUT)))
