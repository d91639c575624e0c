"""Test-time augmentation: the same item seen in several slightly different ways.

A view is a Media of its own: its identity comes from the item's and from what was done, so that noise and caches tell
views apart. Views depend on the item, the number and the seed alone. Ashukha et al. 2020,
https://arxiv.org/abs/2002.06470
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.contracts import Media, Note
from core.fingerprint import numpy_generator, sha256_of

SHIFT = 0.25  # of a sound's length, the largest shift to either side; what leaves at one end enters at the other
SMALLEST_CROP = 0.8  # of a picture's sides
MOST = 64  # views


@dataclass(frozen=True, slots=True, eq=False)
class View:
    name: str  # "as it is", "shifted by -0.31 s", "mirrored, 91 x 60 pixels from row 2, column 5"
    media: Media


def views(media: Media, count: int, seed: int) -> tuple[View, ...]:
    """The item itself, then ``count - 1`` others; more views begin with those of fewer."""
    if not 1 <= count <= MOST:
        raise ValueError(f"an item has 1 to {MOST} views, not {count}")
    return tuple(view(media, number, seed) for number in range(count))


def view(media: Media, number: int, seed: int) -> View:
    """One of them; the first is the item as it is."""
    if not number:
        return View("as it is", media)
    return (_shifted if media.kind == "audio" else _cropped)(media, number, seed)


def _shifted(media: Media, number: int, seed: int) -> View:
    rate = media.rate
    assert rate is not None, "a sound has a rate"
    most = max(1, round(SHIFT * len(media.samples)))
    drawn = numpy_generator("shift", seed, number, media.sha256)
    by = int(drawn.integers(1, most + 1)) * (1 if drawn.random() < 0.5 else -1)
    return _made(media, np.roll(media.samples, by), f"shifted by {by / rate:+.3f} s", f"roll {by}")


def _cropped(media: Media, number: int, seed: int) -> View:
    """Every second view is mirrored; the network's own entry brings a crop back to its size."""
    height, width = media.samples.shape[:2]
    drawn = numpy_generator("crop", seed, number, media.sha256)
    share = float(drawn.uniform(SMALLEST_CROP, 1.0))
    rows, columns = max(1, round(share * height)), max(1, round(share * width))
    top, left = int(drawn.integers(height - rows + 1)), int(drawn.integers(width - columns + 1))
    pixels = media.samples[top : top + rows, left : left + columns]
    mirrored = number % 2 == 1
    if mirrored:
        pixels = pixels[:, ::-1]
    name = f"{'mirrored, ' if mirrored else ''}{columns} x {rows} pixels from row {top}, column {left}"
    return _made(media, pixels, name, f"crop {top} {left} {rows} {columns} {mirrored}")


def _made(media: Media, samples: np.ndarray, name: str, recipe: str) -> View:
    samples = np.ascontiguousarray(samples)
    samples.setflags(write=False)
    identity = sha256_of(f"{media.sha256} {recipe}".encode())
    receipt = media.receipt.noting(Note("augmented", name))
    return View(name, replace(media, samples=samples, sha256=identity, receipt=receipt))
