"""One toy, or a blend of two, on a floor before a wall: geometry, colours, light, pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.data._toybox import materials, tracer
from core.data._toybox.shapes import SHAPES, Parts
from core.data._toybox.source import Colour, Source, View, lattice

Array = np.ndarray

_SKY, _LAMP = 0.42, 0.85
_SWELL = 0.16  # a blend of two thin shapes would vanish half-way; it is inflated there by this much


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """A traced scene before antialiasing; arrays are (size, size) or (size, size, 3)."""

    light: Array  # linear
    toy: Array  # bool: the pixel shows the toy
    shade: Array  # 0..1 of the lamp that is kept off the floor by the toy
    lambert: Array  # cosine between surface and lamp, 0 off the toy


@dataclass(frozen=True, slots=True)
class Blend:
    """The signed distance between two toys: (1 - mix) of one and mix of the other."""

    first: str
    second: str | None
    mix: float
    source: Source

    def parts(self, x: Array, y: Array, z: Array) -> tuple[Parts, Parts]:
        u = self.source.proportions
        first = SHAPES[self.first].parts(x, y, z, u) if self.mix < 1.0 or self.second is None else ()
        second = SHAPES[self.second].parts(x, y, z, u) if self.second is not None and self.mix > 0.0 else ()
        return first, second

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        first, second = (_nearest(parts) for parts in self.parts(x, y, z))
        if first is None or second is None:
            alone = second if first is None else first
            assert alone is not None
            return alone
        swell = _SWELL * 4.0 * self.mix * (1.0 - self.mix)
        return first * (1.0 - self.mix) + second * self.mix - swell

    def colours(self, x: Array, y: Array, z: Array, tone: Array) -> list[Array]:
        """Red, green and blue of the surface; ``tone`` is the share of the body's second tone."""
        shares = (1.0 - self.mix, self.mix) if self.second is not None else (1.0, 0.0)
        mixed = [np.zeros_like(x) for _ in range(3)]
        for parts, share in zip(self.parts(x, y, z), shares, strict=True):
            for part, here in enumerate(_whose(parts)):
                for channel in range(3):
                    mixed[channel] += share * here * _paint(self.source, part, channel, tone)
        return mixed


def trace(blend: Blend, view: View, size: int) -> Layers:
    seen = tracer.rays(view, size)
    which, at = tracer.hits(blend.distance, seen)
    light, shade = _surroundings(blend, view, seen)
    lambert = np.zeros(size * size, np.float32)
    toy = np.zeros(size * size, bool)
    toy[which] = True
    if which.size:
        colours, facing = _surface(blend, view, seen, which, at)
        lambert[which] = facing
        for channel in range(3):
            light[channel][which] = colours[channel]
    shade[which] = 0.0
    square = (size, size)
    return Layers(
        light=np.stack([part.reshape(square) for part in light], axis=-1),
        toy=toy.reshape(square),
        shade=shade.reshape(square),
        lambert=lambert.reshape(square),
    )


def _surface(blend: Blend, view: View, seen: tracer.Rays, which: Array, at: tracer.Points) -> tuple[list[Array], Array]:
    source = blend.source
    normal = tracer.normals(blend.distance, at)
    facing = np.maximum(sum(normal[i] * seen.light[i] for i in range(3)), 0.0)
    off = tuple(at[i] + normal[i] * 0.02 for i in range(3))
    direct = facing * tracer.lit(blend.distance, (off[0], off[1], off[2]), seen.light, view.hardness)
    out = tuple(at[i] + normal[i] * 0.16 for i in range(3))
    open_sky = np.minimum(np.maximum(blend.distance(*out) / 0.16, 0.15), 1.0)
    open_sky = open_sky * np.minimum(0.35 + np.maximum(at[1], 0.0) * 0.9, 1.0)
    half = [seen.light[i] - seen.along[i][which] for i in range(3)]
    length = np.sqrt(half[0] * half[0] + half[1] * half[1] + half[2] * half[2])
    gloss = np.maximum((normal[0] * half[0] + normal[1] * half[1] + normal[2] * half[2]) / length, 0.0)
    for _ in range(5):
        gloss = gloss * gloss
    tone = materials.toy(source.material, *at, source.grain, source.lean, lattice(source.lattice))
    paint = blend.colours(*at, tone)
    sky = _SKY * open_sky * (0.7 + 0.3 * normal[1])
    bounce = 0.16 * np.maximum(0.6 - normal[1], 0.0) * open_sky
    lamp = _LAMP * direct
    shine = 0.28 * gloss * np.minimum(direct * 4.0, 1.0)
    return [(paint[c] * (sky + lamp + bounce * source.floor[c]) + shine) * view.light for c in range(3)], facing


def _surroundings(blend: Blend, view: View, seen: tracer.Rays) -> tuple[list[Array], Array]:
    source = blend.source
    rise = 0.86 + 0.14 * seen.height
    light = [source.wall[c] * rise * view.light for c in range(3)]
    down = np.flatnonzero(seen.along[1] < -0.02)
    t = -seen.eye[1] / seen.along[1][down]
    x, z = (seen.eye[i] + t * seen.along[i][down] for i in (0, 2))
    far = materials.step(x * x + z * z, 6.0, 60.0)
    here = np.flatnonzero(far < 1.0)
    down, x, z, far = down[here], x[here], z[here], far[here]
    on_floor = np.zeros_like(x)
    direct = tracer.lit(blend.distance, (x, on_floor + 0.002, z), seen.light, view.hardness)
    close = np.ones_like(x)
    beside = np.flatnonzero(x * x + z * z < 2.4)
    gap = np.maximum(blend.distance(x[beside], on_floor[beside] + 0.02, z[beside]), 0.0)
    close[beside] = 0.35 + 0.65 * np.minimum(gap / (gap + 0.12) * 1.25, 1.0)
    tone = materials.floor(source.floor_material, x, z, source.floor_grain, source.floor_turn, lattice(source.lattice))
    bright = (_SKY * close + _LAMP * seen.light[1] * direct) * view.light
    for channel in range(3):
        ground = (source.floor[channel] * (1.0 - tone) + source.floor_partner[channel] * tone) * bright
        light[channel][down] = ground + (light[channel][down] - ground) * far
    shade = np.zeros_like(seen.height)
    shade[down] = (1.0 - direct * close) * (1.0 - far)
    return light, shade


def _nearest(parts: Parts) -> Array | None:
    nearest = None
    for part in parts:
        nearest = part if nearest is None else np.minimum(nearest, part)
    return nearest


def _whose(parts: Parts) -> list[Array]:
    """For each part, 1 where it is the nearest."""
    nearest = _nearest(parts)
    left = np.ones_like(parts[0]) if parts else None
    shares = []
    for part in parts:
        assert left is not None
        here = (part <= nearest) * left
        left = left - here
        shares.append(here)
    return shares


def _paint(source: Source, part: int, channel: int, tone: Array) -> Array | float:
    if part == 0:
        return source.body[channel] + (source.partner[channel] - source.body[channel]) * tone
    flat: Colour = source.second if part == 1 else source.detail
    return flat[channel]
