"""A picture's ink as a solid of the plane: inside is where the ink, interpolated between pixels, is above one half."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from core.contracts import Dataset, Item
from core.shapes.observe import Observation
from core.shapes.solids import Box, affine_of, places_of


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    """Rows run down the first axis; the unit is one pixel."""

    pixels: np.ndarray  # (rows, columns) in [0, 1]

    def level(self, places: np.ndarray) -> np.ndarray:
        from scipy.ndimage import map_coordinates

        return 0.5 - map_coordinates(self.pixels.astype(np.float64), places.T, order=1, mode="grid-constant")

    @property
    def box(self) -> Box:
        """From the first pixel's centre to the last one's."""
        rows, columns = (count - 1.0 for count in self.pixels.shape)
        return Box((rows / 2, columns / 2), (rows, columns))

    def whole(self, step: float = 1.0) -> Observation:
        """All of it, looked at every ``step`` pixels."""
        shape = tuple(int((count - 1) / step) + 1 for count in self.pixels.shape)
        affine = affine_of((step, step), (0.0, 0.0))
        labels = (self.level(places_of(affine, shape)) < 0).reshape(shape)
        return Observation(labels, np.ones(shape, bool), affine)


def ink_of(dataset: Dataset, item: Item) -> Ink:
    """Of a set of light strokes on black, such as the digits."""
    from PIL import Image

    with Image.open(io.BytesIO(dataset.read(item))) as picture:
        return Ink(np.asarray(picture.convert("L"), np.float64) / 255.0)
