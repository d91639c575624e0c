"""Maps without UMAP, for tests of what is kept of a map and when.

UMAP itself is what tests/maths/test_maps.py tests; in a fresh environment it compiles for half a minute in every
process that draws with it.
"""

from __future__ import annotations

import numpy as np
import pytest

from core.fingerprint import numpy_generator
from core.maps import draw
from core.maps.draw import MapOptions


def lay_out_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place for each item that depends on the seed alone."""

    def laid_out(reduced: np.ndarray, indices: np.ndarray, distances: np.ndarray, options: MapOptions) -> np.ndarray:
        return numpy_generator("laid out", options.seed).normal(size=(len(reduced), 2)).astype(np.float32)

    monkeypatch.setattr(draw, "_umap", laid_out)
