"""The app's mark, drawn here so that no icon is fetched: a disc that passes from light into shadow."""

from __future__ import annotations

from functools import cache

import numpy as np

_SIDE = 64  # pixels
_LIGHT, _SHADOW = np.array([242.0, 184, 75]), np.array([17.0, 60, 105])


@cache
def icon() -> np.ndarray:
    """(64, 64, 4) uint8 with a soft edge."""
    y, x = np.indices((_SIDE, _SIDE)) - (_SIDE - 1) / 2
    radius = np.hypot(x, y)
    shade = np.clip(0.5 + x / (_SIDE * 0.45), 0, 1)[..., None]
    colour = _LIGHT * (1 - shade) + _SHADOW * shade
    alpha = 255 * np.clip(_SIDE / 2 - 1 - radius, 0, 1)
    return np.dstack([colour, alpha]).astype(np.uint8)
