"""Toybox as arrays for the bench: pixels, and mean features.

The features are colours without shape (mean, spread and an 8-bin histogram of each channel, over the whole picture)
and a picture of 8 x 8 pixels.
"""

from __future__ import annotations

import io
from time import perf_counter

import numpy as np

from core.data import toybox
from core.settings import Settings
from tests.bench._box_measures import Material


def mean_features(pixels: np.ndarray) -> np.ndarray:
    """(items, 64, 64, 3) uint8 -> (items, 222)."""
    count = len(pixels)
    levels = pixels.astype(np.float32) / 255.0
    flat = levels.reshape(count, -1, 3)
    bins = np.minimum((flat * 8).astype(int), 7)
    histogram = np.stack([(bins == k).mean(1) for k in range(8)], 1).reshape(count, -1)
    small = levels.reshape(count, 8, 8, 8, 8, 3).mean((2, 4)).reshape(count, -1)
    return np.concatenate([flat.mean(1), flat.std(1), histogram, small], axis=1).astype(np.float32)


def material(settings: Settings) -> Material:
    from PIL import Image

    started = perf_counter()
    toybox.prepare(settings)
    box = toybox.open_toybox(None, settings)
    items = [item for item in box.items if dict(item.extra)["part"] in ("clean", "morph")]
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(box.read(item)))) for item in items])
    return Material(
        classes=box.classes,
        pictures=(pixels.transpose(0, 3, 1, 2) / 255.0).astype(np.float16),
        means=mean_features(pixels),
        labels=np.array([item.label for item in items]),
        groups=np.array([item.group for item in items]),
        splits=np.array([item.split for item in items]),
        clean=np.array([dict(item.extra)["part"] == "clean" for item in items]),
        rolls=False,
        seconds=perf_counter() - started,
    )
