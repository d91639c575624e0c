"""Where in a file the doubt sits: along a sound by windows, across a picture by covering one part at a time.

Every part is asked with the noise of the whole file, so that parts differ by what they hold and not by their draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from core.checkpoints.saved import Model
from core.contracts import Media
from core.errors import UserFacingError
from core.media.audio import window_starts
from core.pipeline.inspect import said_of

DRAWS = 16
MOST = 48  # windows of a sound
PARTS = 7  # of a picture, to either side
_PIECES = 5  # windows are this part of a sound that a network hears whole
_SHORTEST = 0.25  # seconds


@dataclass(frozen=True, slots=True, eq=False)
class Along:
    """Doubt of each window of a sound."""

    starts: np.ndarray  # (windows,) seconds
    seconds: float  # of one window
    doubts: dict[str, np.ndarray]  # measure -> (windows,)
    probs: np.ndarray  # (windows, classes)
    how: str  # for people


@dataclass(frozen=True, slots=True, eq=False)
class Across:
    """Doubt of a picture with one part covered; ``rows`` and ``columns`` are the edges of the parts in pixels."""

    rows: np.ndarray  # (parts + 1,)
    columns: np.ndarray
    doubts: dict[str, np.ndarray]  # measure -> (parts, parts) of the picture without that part
    whole: dict[str, float]  # measure -> that of the whole picture
    label: str  # the most probable class of the whole picture
    p: float  # its probability
    without: np.ndarray  # (parts, parts) its probability without that part: low where it mattered
    how: str


def along(media: Media, model: Model, *, draws: int = DRAWS, seed: int = 0, most: int = MOST) -> Along:
    """A long sound in windows as long as the network hears; of a shorter one each window is repeated to that length."""
    if media.rate is None:
        raise UserFacingError("A picture has no time to go along; ask for doubt across it.", code="kind")
    rate, length = media.rate, len(media.samples) / media.rate
    heard = float(getattr(model.network.entry, "seconds", length))
    whole = length >= 2 * heard
    seconds = heard if whole else max(_SHORTEST, min(length, heard) / _PIECES)
    size = min(len(media.samples), max(1, round(seconds * rate)))
    hop = max(1, size // 2, -(-(len(media.samples) - size) // max(1, most - 1)))
    starts = window_starts(len(media.samples), size, hop)
    tensors = []
    for start in starts:
        piece = media.samples[start : start + size]
        piece = piece if whole else np.resize(piece, max(size, round(heard * rate)))
        tensors.append(model.network.prepare(replace(media, samples=piece)).tensor)
    told = said_of(model, tensors, [media.sha256] * len(starts), draws, seed)
    how = f"windows of {size / rate:.2g} s" + ("" if whole else f", each repeated to {heard:.3g} s")
    return Along(np.array(starts) / rate, size / rate, dict(told.doubts), told.probs, how)


def across(media: Media, model: Model, *, draws: int = DRAWS, seed: int = 0, parts: int = PARTS) -> Across:
    """Each part in turn is covered with the picture's mean colour."""
    if media.kind != "image":
        raise UserFacingError("A sound has no width to go across; ask for doubt along it.", code="kind")
    height, width = media.samples.shape[:2]
    down, right = min(parts, height), min(parts, width)
    rows, columns = (np.linspace(0, side, n + 1).round().astype(int) for side, n in ((height, down), (width, right)))
    colour = np.rint(media.samples.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    tensors = [model.network.prepare(media).tensor]
    for top, bottom in pairwise(rows.tolist()):
        for first, last in pairwise(columns.tolist()):
            covered = media.samples.copy()
            covered[top:bottom, first:last] = colour
            tensors.append(model.network.prepare(replace(media, samples=covered)).tensor)
    told = said_of(model, tensors, [media.sha256] * len(tensors), draws, seed)
    best = int(told.probs[0].argmax())
    return Across(
        rows,
        columns,
        {name: values[1:].reshape(down, right) for name, values in told.doubts.items()},
        {name: float(values[0]) for name, values in told.doubts.items()},
        model.card.classes[best],
        float(told.probs[0, best]),
        told.probs[1:, best].reshape(down, right),
        f"each of {down} x {right} parts covered in turn with the picture's mean colour",
    )
