"""What one toy looks like (its source) and how it is looked at (a view): plain numbers drawn from a seed.

Nothing here knows which class is drawn, so colours, materials and light cannot give it away.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.fingerprint import numpy_generator, seed_of

Colour = tuple[float, float, float]  # linear light, 0..1

MATERIALS = ("plain", "stripes", "checks", "dots", "marble", "wood")
FLOORS = ("plain", "tiles", "planks", "speckle", "stripes")


@dataclass(frozen=True, slots=True)
class Source:
    """One synthesised toy in its place: every picture of it shares this."""

    proportions: tuple[float, float, float, float]
    body: Colour
    partner: Colour  # second tone of the body's material
    second: Colour
    detail: Colour
    material: str
    grain: float  # pattern repeats a unit of length
    lean: float  # degrees the pattern is turned by
    floor: Colour
    floor_partner: Colour
    floor_material: str
    floor_grain: float
    floor_turn: float
    wall: Colour
    lattice: int  # seed of the noise in both materials


@dataclass(frozen=True, slots=True)
class View:
    """Camera and light of one picture; angles in degrees."""

    yaw: float = 30.0
    pitch: float = 25.0
    roll: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)  # of the half width, right and up
    light_turn: float = -40.0  # from the camera's side, positive to the right
    light_height: float = 50.0
    hardness: float = 10.0  # of the shadow's edge
    light: float = 1.0


@lru_cache(maxsize=8)
def draw_source(*seed: int | str) -> Source:
    """Asked again for every picture of a group, so the last few are kept."""
    rng = numpy_generator("toybox source", *seed)
    hue = float(rng.random())
    body = _colour(hue, rng.uniform(0.6, 0.95), rng.uniform(0.72, 1.0))
    pale = bool(rng.integers(2))
    partner = _colour(
        hue + rng.uniform(-0.15, 0.15),
        rng.uniform(0.04, 0.3) if pale else rng.uniform(0.5, 0.9),
        rng.uniform(0.85, 1.0) if pale else rng.uniform(0.28, 0.5),
    )
    second = _colour(hue + rng.uniform(0.25, 0.75), rng.uniform(0.55, 0.95), rng.uniform(0.65, 1.0))
    detail = _colour(float(rng.random()), rng.uniform(0.0, 0.6), rng.choice((0.2, 0.3, 0.95)))
    ground, value = hue + rng.uniform(0.2, 0.8), rng.uniform(0.45, 0.97)
    floor = _colour(ground, rng.uniform(0.04, 0.45), value)
    floor_partner = _colour(ground + rng.uniform(-0.1, 0.1), rng.uniform(0.05, 0.5), value * rng.uniform(0.68, 0.88))
    return Source(
        proportions=(float(rng.random()), float(rng.random()), float(rng.random()), float(rng.random())),
        body=body,
        partner=partner,
        second=second,
        detail=detail,
        material=MATERIALS[int(rng.integers(len(MATERIALS)))],
        grain=float(rng.uniform(1.6, 3.2)),
        lean=float(rng.uniform(-50.0, 50.0)),
        floor=floor,
        floor_partner=floor_partner,
        floor_material=FLOORS[int(rng.integers(len(FLOORS)))],
        floor_grain=float(rng.uniform(0.7, 1.6)),
        floor_turn=float(rng.uniform(0.0, 180.0)),
        wall=_colour(ground + rng.uniform(-0.3, 0.3), rng.uniform(0.02, 0.35), rng.uniform(0.45, 0.97)),
        lattice=seed_of("toybox lattice", *seed),
    )


def draw_view(turn: float, both_sides: bool, *seed: int | str) -> View:
    """A view of something that shows its shape within ``turn`` degrees of its good side."""
    rng = numpy_generator("toybox view", *seed)
    back = 180.0 if bool(rng.integers(2)) and both_sides else 0.0
    return View(
        yaw=back + turn * float(rng.uniform(-1.0, 1.0)),
        pitch=float(rng.uniform(12.0, 42.0)),
        roll=float(rng.uniform(-12.0, 12.0)),
        zoom=float(rng.uniform(0.86, 1.2)),
        shift=(float(rng.uniform(-0.14, 0.14)), float(rng.uniform(-0.12, 0.12))),
        light_turn=float(rng.uniform(-85.0, 85.0)),
        light_height=float(rng.uniform(28.0, 68.0)),
        hardness=float(rng.uniform(5.0, 20.0)),
        light=float(rng.uniform(0.75, 1.15)),
    )


def lattice(seed: int) -> np.ndarray:
    """A cube of random numbers that repeats: the corners of value noise."""
    return numpy_generator("toybox noise", seed).random((16, 16, 16), dtype=np.float32)


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(float(hue) % 1.0, float(saturation), float(value))
    return red * red, green * green, blue * blue  # the picture is encoded with a square root
