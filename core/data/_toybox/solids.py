"""Signed distances of plain solids: negative inside, and never changing faster than the point moves.

The second property is what sphere tracing and interpolation between two solids rely on.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray


def norm(*axes: Array) -> Array:
    total = axes[0] * axes[0]
    for axis in axes[1:]:
        total += axis * axis
    return np.sqrt(total, out=total)


def union(*distances: Array) -> Array:
    nearest = distances[0]
    for distance in distances[1:]:
        nearest = np.minimum(nearest, distance)
    return nearest


def common(*distances: Array) -> Array:
    """The part inside all of them."""
    farthest = distances[0]
    for distance in distances[1:]:
        farthest = np.maximum(farthest, distance)
    return farthest


def sphere(x: Array, y: Array, z: Array, radius: float) -> Array:
    return norm(x, y, z) - radius


def ellipsoid(x: Array, y: Array, z: Array, a: float, b: float, c: float) -> Array:
    """A lower bound: the exact distance has no closed form."""
    return (norm(x / a, y / b, z / c) - 1.0) * min(a, b, c)


def box(x: Array, y: Array, z: Array, half: tuple[float, float, float], edge: float = 0.0) -> Array:
    """A box with edges rounded by ``edge``."""
    gaps = [np.abs(axis) - (size - edge) for axis, size in zip((x, y, z), half, strict=True)]
    inside = np.minimum(common(*gaps), 0.0)
    return norm(*(np.maximum(gap, 0.0) for gap in gaps)) + inside - edge


def rod(along: Array, u: Array, v: Array, radius: float, half: float, edge: float = 0.0) -> Array:
    """A cylinder whose axis is the first coordinate."""
    return _turned(norm(u, v) - (radius - edge), np.abs(along) - (half - edge)) - edge


def torus(along: Array, u: Array, v: Array, radius: float, tube: float) -> Array:
    """A ring around the first coordinate."""
    return norm(norm(u, v) - radius, along) - tube


def frustum(y: Array, u: Array, v: Array, bottom: float, top: float, height: float, edge: float = 0.0) -> Array:
    """A cone from radius ``bottom`` at y = 0 to ``top`` at ``height``, edges rounded; a lower bound."""
    slant = math.hypot(height, bottom - top)
    side = ((norm(u, v) - bottom) * height + y * (bottom - top)) / slant + edge
    joined = _turned(side, np.maximum(-y, y - height) + edge) - edge
    return joined / math.sqrt(1.0 + abs(bottom - top) / slant)  # side and caps are not at right angles


def triangle(u: Array, v: Array, corners: tuple[tuple[float, float], ...]) -> Array:
    """A convex polygon in the plane, corners counter-clockwise; a lower bound beyond its corners."""
    sides = []
    for (u0, v0), (u1, v1) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = math.hypot(u1 - u0, v1 - v0)
        sides.append((u - u0) * ((v1 - v0) / length) - (v - v0) * ((u1 - u0) / length))
    return common(*sides)


def star(u: Array, v: Array, outer: float, inner: float) -> Array:
    """Five points, one up. Mirrors fold the plane into the tenth between 54 and 90 degrees."""
    u, v = _mirror(np.abs(u), v, 18.0)
    u, v = _mirror(np.abs(u), v, 54.0)
    valley = (inner * math.cos(math.radians(54.0)), inner * math.sin(math.radians(54.0)))
    length = math.hypot(valley[0], outer - valley[1])
    return (u * (outer - valley[1]) + (v - outer) * valley[0]) / length


def slab(flat: Array, across: Array, half: float, edge: float = 0.0) -> Array:
    """A flat outline given thickness, its rim rounded."""
    return _turned(flat + edge, np.abs(across) - (half - edge)) - edge


def lean(u: Array, v: Array, degrees: float) -> tuple[Array, Array]:
    """Coordinates in a frame turned counter-clockwise."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return u * c + v * s, v * c - u * s


def _turned(side: Array, cap: Array) -> Array:
    return norm(np.maximum(side, 0.0), np.maximum(cap, 0.0)) + np.minimum(np.maximum(side, cap), 0.0)


def _mirror(u: Array, v: Array, degrees: float) -> tuple[Array, Array]:
    """Points below a line through the origin are mirrored above it."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    below = 2.0 * np.minimum(v * c - u * s, 0.0)
    return u + below * s, v - below * c
