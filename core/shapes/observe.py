"""What is seen of a solid: clean and dense, as a coarse scan with a person's outlines, or as a few pixels.

A voxel's share is how much of it the solid fills, from a fixed number of places inside it. A scan's outlines are the
voxels whose share, blurred, is above one half; an unsure hand moves that half from place to place, where a voxel is
neither full nor empty. Slices may be missing. The solid itself stays at hand as the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from core.methods._knobs import check, knob
from core.shapes.solids import Box, Posed, Solid, affine_of, places_of, spacing_of, turn_of

_FIRST_LOOK = 5.0  # mm between the places that find how far a solid reaches
_REACH = 90.0  # mm from the origin, further than any solid of ours
_SURE = 1.5  # a voxel is whole or empty where the level is so many times further than its corners


@dataclass(frozen=True, eq=False)
class Observation:
    """Labels on a grid, of which some voxels may be unseen."""

    labels: np.ndarray  # booleans; False where unseen
    seen: np.ndarray  # booleans of the same shape
    affine: np.ndarray  # (dim + 1, dim + 1), from indices to millimetres

    @property
    def spacing(self) -> tuple[float, ...]:
        return spacing_of(self.affine)

    @cached_property
    def filled(self) -> np.ndarray:
        """Labels everywhere: an unseen voxel takes that of the nearest seen one."""
        from scipy.ndimage import distance_transform_edt

        if self.seen.all():
            return self.labels
        nearest = distance_transform_edt(~self.seen, sampling=self.spacing, return_distances=False, return_indices=True)
        return self.labels[tuple(np.asarray(nearest))]

    def at(self, places: np.ndarray) -> np.ndarray:
        """(points,) in [0, 1]: the filled labels, interpolated between voxel centres, 0 beyond the grid."""
        return self._read(self.filled.astype(np.float32), places, "grid-constant")

    def on(self, box: Box, shape: tuple[int, ...]) -> np.ndarray:
        """(shape) the same on the nodes of a box: what a network is given, and the plainest answer there is."""
        return self.at(box.nodes(shape)).reshape(shape)

    def distance_at(self, places: np.ndarray) -> np.ndarray:
        """(points,) the distance, interpolated; beyond the grid that of its border."""
        return self._read(self.distance, places, "nearest")

    def _read(self, values: np.ndarray, places: np.ndarray, beyond: str) -> np.ndarray:
        from scipy.ndimage import map_coordinates

        back = np.linalg.inv(self.affine)
        indices = places @ back[:-1, :-1].T + back[:-1, -1]
        return map_coordinates(values, indices.T, order=1, mode=beyond)

    @cached_property
    def distance(self) -> np.ndarray:
        """Millimetres from every voxel's centre to the outline, negative inside.

        The outline runs half a voxel (of the narrowest axis) from the centres beside it.
        """
        from scipy.ndimage import distance_transform_edt

        inside = self.filled
        if inside.all() or not inside.any():
            raise ValueError("a grid that is all inside or all outside has no outline")
        out, into = (np.asarray(distance_transform_edt(part, sampling=self.spacing)) for part in (~inside, inside))
        half = min(self.spacing) / 2
        return np.where(inside, half - into, out - half)

    def mass(self) -> np.ndarray:
        """Where the centre of what is inside lies, in millimetres."""
        from scipy.ndimage import center_of_mass

        return self.affine[:-1, :-1] @ np.array(center_of_mass(self.filled)) + self.affine[:-1, -1]


@dataclass(frozen=True, slots=True)
class Scan:
    """How a volume is taken. Slices lie along the first axis, right to left, as sagittal scans of the spine do."""

    slice_mm: float = knob(4.0, "millimetres between slices", least=0.5, most=20.0)
    pixel_mm: float = knob(1.5, "millimetres between pixels of a slice", least=0.5, most=10.0)
    degrees: float = knob(10.0, "turned by up to so much about each axis", least=0.0, most=90.0)
    blur_mm: float = knob(1.5, "standard deviation of the blur", least=0.0, most=10.0)
    label_noise: float = knob(0.15, "how unsure the hand is that outlines: 0 not at all", least=0.0, most=1.0)
    missing: float = knob(0.2, "share of the slices that are missing", least=0.0, most=0.8)
    inside: int = knob(3, "places along each axis of a voxel whose mean is its share", least=1, most=9)

    def __post_init__(self) -> None:
        check(self)


CLEAN = Scan(slice_mm=2.0, pixel_mm=2.0, degrees=0.0, blur_mm=0.0, label_noise=0.0, missing=0.0, inside=1)


def scanned(solid: Solid, scan: Scan, generator: np.random.Generator) -> tuple[Observation, Posed]:
    """The outlines of a scan, and the solid as it lay in the scanner."""
    degrees = generator.uniform(-scan.degrees, scan.degrees, 3)
    posed = Posed(solid, turn_of(tuple(map(float, degrees))))
    spacing = np.array((scan.slice_mm, scan.pixel_mm, scan.pixel_mm))
    low, high = _extent(posed)
    margin = np.maximum(2.0 * spacing, 4.0)
    first = low - margin - generator.uniform(0.0, 1.0, 3) * spacing  # the grid falls where it falls
    shape = tuple(int(n) for n in np.ceil((high + margin - first) / spacing).astype(int) + 1)
    affine = affine_of(spacing, first)
    shares = _shares(posed, affine, shape, scan.inside)
    labels = _outlined(shares, np.array(scan.blur_mm) / spacing, scan.label_noise, generator)
    seen = np.ones(shape, bool)
    seen[_missing(labels, scan.missing, generator)] = False
    return Observation(labels & seen, seen, affine), posed


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What is left of a picture."""

    kept: float = knob(0.3, "share of the pixels that are seen", least=0.02, most=1.0)
    blanked: float = knob(0.0, "share of the height that a blank band hides", least=0.0, most=0.8)
    flipped: float = knob(0.02, "share of the seen pixels that are wrong", least=0.0, most=0.5)

    def __post_init__(self) -> None:
        check(self)


def glimpsed(whole: Observation, glimpse: Glimpse, generator: np.random.Generator) -> Observation:
    """Some pixels of a picture, some of them wrong; at least one is seen."""
    shape = whole.labels.shape
    seen = generator.random(shape) < glimpse.kept
    hidden = round(glimpse.blanked * shape[0])
    start = int(generator.integers(shape[0] - hidden + 1))
    seen[start : start + hidden] = False
    if not seen.any():
        seen[tuple(int(generator.integers(count)) for count in shape)] = True
    wrong = generator.random(shape) < glimpse.flipped
    return replace(whole, labels=(whole.labels ^ wrong) & seen, seen=seen)


def _extent(solid: Solid) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a box around a solid of space, a little too large."""
    count = int(2 * _REACH / _FIRST_LOOK) + 1
    places = places_of(affine_of((_FIRST_LOOK,) * 3, (-_REACH,) * 3), (count,) * 3)
    inside = places[solid.level(places) < 0]
    if not len(inside):
        raise ValueError("this solid is nowhere near the origin")
    return inside.min(axis=0) - _FIRST_LOOK, inside.max(axis=0) + _FIRST_LOOK


def _shares(solid: Solid, affine: np.ndarray, shape: tuple[int, ...], inside: int) -> np.ndarray:
    """(shape) how much of each voxel lies in the solid; only voxels near the surface are looked at inside."""
    centres = places_of(affine, shape)
    level = solid.level(centres)
    shares = (level < 0).astype(np.float64)
    near = np.abs(level) < _SURE * np.linalg.norm(affine[:-1, :-1].sum(axis=1)) / 2
    if inside > 1 and near.any():
        dim = len(shape)
        offsets = places_of(affine_of((1.0 / inside,) * dim, ((1 - inside) / (2 * inside),) * dim), (inside,) * dim)
        fine = centres[near][:, None] + offsets @ affine[:-1, :-1].T
        shares[near] = (solid.level(fine.reshape(-1, len(shape))) < 0).reshape(fine.shape[:2]).mean(axis=1)
    return shares.reshape(shape)


def _outlined(shares: np.ndarray, blur: np.ndarray, noise: float, generator: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    threshold = 0.5
    if noise:
        wobble = gaussian_filter(generator.normal(size=shares.shape), 1.0)
        threshold = np.clip(0.5 + noise * wobble / wobble.std(), 0.1, 0.9)  # what is plain is outlined right
    return (gaussian_filter(shares, blur) if blur.any() else shares) > threshold


def _missing(labels: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Slices that show the solid and go missing; the first and the last of them stay."""
    inside = np.flatnonzero(labels.any(axis=(1, 2)))[1:-1]
    return np.sort(generator.permutation(inside)[: round(share * len(inside))])
