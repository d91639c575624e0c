"""A lumbar vertebra from 16 measures: body, pedicles, laminae, spinous, transverse and articular processes, canal.

The ranges are those of adults from L1 to L5, rounded outward around the means that studies of dry and cadaver
vertebrae report (Panjabi et al., Spine 1992, of whole lumbar vertebrae; Zindrick et al., Spine 1987, of pedicles;
Berry et al., Spine 1987). They were set from memory of these, not from their tables: plausible shapes for trying
methods, no atlas and no medical device.

Each part is a rod of elliptic cross-section or an elliptic drum. Parts melt into each other over 1.5 mm, and the canal
is cut out of all of them. The level is a distance times a factor near 1, which is enough for a surface.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from core.shapes.solids import Box

SIZE = (104.0, 104.0, 76.0)  # mm: a box that holds every vertebra of these ranges, also when it leans a little
_BEHIND = 12.0  # mm from the centre of mass back to the middle of that box
_MELT = 1.5
_RANGES: dict[str, tuple[float, float, float]] = {  # mm: least, most, and the share that the level (L1 to L5) decides
    "body_width": (40.0, 54.0, 0.6),
    "body_depth": (30.0, 37.0, 0.4),
    "body_height": (24.0, 30.0, 0.0),
    "waist": (1.0, 3.5, 0.0),  # how far the sides are drawn in at half height
    "canal_width": (21.0, 28.0, 0.4),
    "canal_depth": (14.0, 20.0, 0.0),
    "pedicle_width": (7.0, 17.0, 0.8),
    "pedicle_height": (13.0, 17.0, 0.0),
    "lamina_thickness": (5.0, 8.0, 0.0),
    "lamina_height": (15.0, 23.0, 0.0),
    "spinous_length": (22.0, 34.0, 0.0),  # behind the laminae
    "spinous_height": (14.0, 22.0, 0.0),
    "spinous_width": (5.0, 9.0, 0.0),
    "transverse_span": (70.0, 94.0, 0.5),  # tip to tip
    "transverse_thickness": (7.0, 11.0, 0.3),
    "articular_height": (12.0, 18.0, 0.0),
}


@dataclass(frozen=True, slots=True)
class Vertebra:
    """Millimetres. The origin is the middle of the body; the processes point to the back (-y)."""

    body_width: float
    body_depth: float
    body_height: float
    waist: float
    canal_width: float
    canal_depth: float
    pedicle_width: float
    pedicle_height: float
    lamina_thickness: float
    lamina_height: float
    spinous_length: float
    spinous_height: float
    spinous_width: float
    transverse_span: float
    transverse_thickness: float
    articular_height: float
    lean: float = 0.0  # -1 .. 1: the tip of the spinous process stands so many times 4 mm to one side

    def __post_init__(self) -> None:
        for name, (least, most, _) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} of {getattr(self, name)} mm is not between {least:g} and {most:g}")

    def level(self, places: np.ndarray) -> np.ndarray:
        places = np.asarray(places, np.float32)
        found = self._body(places)
        for rod in self._rods():
            found = _melted(found, _rod(places, *rod))
        return np.maximum(found, -self._canal(places))

    def _body(self, places: np.ndarray) -> np.ndarray:
        """A drum with a waist and edges rounded by 2 mm."""
        x, y, z = places.T
        drawn = self.waist * np.maximum(1.0 - (2.0 * z / self.body_height) ** 2, 0.0)
        across, along = self.body_width / 2 - drawn, self.body_depth / 2 - drawn
        side = (np.hypot(x / across, y / along) - 1.0) * np.minimum(across, along) + 2.0
        lid = np.abs(z) - self.body_height / 2 + 2.0
        return np.hypot(np.maximum(side, 0.0), np.maximum(lid, 0.0)) + np.minimum(np.maximum(side, lid), 0.0) - 2.0

    def _canal(self, places: np.ndarray) -> np.ndarray:
        x, y, _ = places.T
        across, along = self.canal_width / 2, self.canal_depth / 2
        return (np.hypot(x / across, (y - self.canal_middle) / along) - 1.0) * min(across, along)

    @property
    def canal_middle(self) -> float:
        """Along y: the canal's front is the back of the body, 1 mm hollowed."""
        return 1.0 - self.body_depth / 2 - self.canal_depth / 2

    def _rods(self) -> list[tuple[tuple[float, float, float], tuple[float, float, float], float, float]]:
        """From, to, half width, half height; mirrored ones twice."""
        root = (self.canal_width + self.pedicle_width) / 2  # of the pedicles, to the side
        high = self.body_height / 2 - self.pedicle_height / 2 - 1.0
        middle = self.canal_middle
        back = middle - self.canal_depth / 2 - self.lamina_thickness / 2 + 1.0
        tip, low = self.transverse_span / 2, high - 5.0
        thick, tall = self.lamina_thickness / 2, self.lamina_height / 2
        arm, leg = self.transverse_thickness / 2, self.articular_height / 2
        spine = self.spinous_height / 2
        rods = [
            (
                (0.0, back + 1.0, low),
                (4.0 * self.lean, back - self.spinous_length + spine / 2, low - 5.0),
                self.spinous_width / 2,
                spine,
            )
        ]
        for side in (-1.0, 1.0):
            rods += [
                (
                    (side * root, 4.0 - self.body_depth / 2, high),
                    (side * root, middle - 2.0, high),
                    self.pedicle_width / 2,
                    self.pedicle_height / 2,
                ),
                ((side * root, middle - 1.0, high - 2.0), (0.0, back, low), thick, tall),
                ((side * root, middle, high - 1.0), (side * (tip - arm), middle - 7.0, high + 2.0), arm, arm * 1.2),
                ((side * root, middle - 3.0, high), (side * root, middle - 5.0, high + 1.6 * leg), 5.0, 5.0),
                (
                    (side * root * 0.8, back + 3.0, low - 2.0),
                    (side * root * 0.85, back + 1.0, low - tall - leg),
                    5.0,
                    5.0,
                ),
            ]
        return rods


def drawn(generator: np.random.Generator) -> Vertebra:
    """One of a random level: what grows from L1 to L5 grows together, the rest is its own."""
    level = float(generator.uniform())
    values = {}
    for name, (least, most, share) in _RANGES.items():
        values[name] = least + (most - least) * (share * level + (1.0 - share) * float(generator.uniform()))
    return Vertebra(**values, lean=float(generator.uniform(-1.0, 1.0)))


def ranges() -> dict[str, tuple[float, float]]:
    """Least and most of each measure in millimetres."""
    return {field.name: _RANGES[field.name][:2] for field in fields(Vertebra) if field.name in _RANGES}


def box_about(mass: np.ndarray) -> Box:
    """Around a vertebra of which the centre of mass is known, with room on all sides."""
    return Box((float(mass[0]), float(mass[1]) - _BEHIND, float(mass[2])), SIZE)


def _rod(
    places: np.ndarray, start: tuple[float, float, float], end: tuple[float, float, float], wide: float, tall: float
) -> np.ndarray:
    """Round a segment: ``tall`` along the direction that stands on it and is nearest to z, ``wide`` elsewhere."""
    first, axis = np.array(start, np.float32), np.subtract(end, start).astype(np.float32)
    length = float(np.linalg.norm(axis))
    axis /= length
    up = np.array((0.0, 0.0, 1.0), np.float32) if abs(axis[2]) < 0.9 else np.array((0.0, 1.0, 0.0), np.float32)
    up -= axis * float(axis @ up)
    up /= np.linalg.norm(up)
    away = places - first
    away = away - np.clip(away @ axis, 0.0, length)[:, None] * axis
    height = away @ up
    rest = np.sqrt(np.maximum((away**2).sum(axis=1) - height**2, 0.0))
    return (np.hypot(rest / wide, height / tall) - 1.0) * min(wide, tall)


def _melted(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The lower of both, rounded where they meet (a polynomial minimum)."""
    near = np.maximum(_MELT - np.abs(first - second), 0.0) / _MELT
    return np.minimum(first, second) - near**2 * (_MELT / 4)
