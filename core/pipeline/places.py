"""Where in a file the doubt sits: along a sound by windows, across a picture by covering one part at a time.

Every part is asked with the noise of the whole file, so that parts differ by what they hold and not by their draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from core.contracts import Media
from core.errors import UserFacingError
from core.media.audio import window_starts
from core.pipeline.inspect import Asks, How
from core.runner import Answer, Request

DRAWS = 16
FEW = How(DRAWS)
MOST = 48  # windows of a sound
PARTS = 7  # of a picture, to either side
_PIECES = 5  # windows are this part of a sound that a network hears whole
_SHORTEST = 0.25  # seconds
_ENDLESS = 5.0  # seconds of a sound without an end, for a network that takes sounds whole
_SIDE = 512  # pixels of a picture's shorter side beyond which its parts are asked in less detail
_TOGETHER = 32 << 20  # bytes of parts that are asked at a time


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a sound that a model is asked about, in samples."""

    size: int
    asked: int  # how long the model gets to hear it, repeated where that is longer

    def filled(self, piece: np.ndarray) -> np.ndarray:
        return piece if len(piece) == self.asked else np.resize(piece, self.asked)


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


def along(
    media: Media,
    model: str,
    asks: Asks,
    hears: float | None,
    how: How = FEW,
    *,
    most: int = MOST,
) -> Along:
    """A long sound in windows as long as the model ``hears``; of a shorter one each window is repeated to that length.

    ``hears`` is told with every answer of the model; None: it takes a sound whole.
    """
    if media.rate is None:
        raise UserFacingError("A picture has no time to go along; ask for doubt across it.", code="kind")
    rate, frames = media.rate, len(media.samples)
    window = window_of(frames, rate, hears)
    size = window.size
    hop = max(1, size // 2, -(-(frames - size) // max(1, most - 1)))
    starts = window_starts(frames, size, hop)
    windows = [replace(media, samples=window.filled(media.samples[start : start + size])) for start in starts]
    told = _asked(asks, how.request(model, *windows, keep=False))
    said = f"windows of {size / rate:.2g} s"
    said += f", each repeated to {window.asked / rate:.3g} s" if window.asked > size else ""
    probs = np.concatenate([answer.mean for answer in told])
    return Along(np.array(starts) / rate, size / rate, _doubts(told), probs, said)


def window_of(frames: int | None, rate: int, hears: float | None) -> Window:
    """That of a sound of so many samples; None: of one without an end, which a model hears at its own length."""
    length = None if frames is None else frames / rate
    heard = hears if hears is not None else length if length is not None else _ENDLESS
    if length is None or length >= 2 * heard:
        size = max(1, round(heard * rate))
        return Window(size, size)
    assert frames is not None
    size = min(frames, max(1, round(max(_SHORTEST, min(length, heard) / _PIECES) * rate)))
    return Window(size, max(size, round(heard * rate)))


def across(
    media: Media,
    model: str,
    asks: Asks,
    how: How = FEW,
    *,
    parts: int = PARTS,
) -> Across:
    """Each part in turn is covered with the picture's mean colour."""
    if media.kind != "image":
        raise UserFacingError("A sound has no width to go across; ask for doubt along it.", code="kind")
    height, width = media.samples.shape[:2]
    media = _reduced(media)
    high, wide = media.samples.shape[:2]
    down, right = min(parts, high), min(parts, wide)
    rows, columns = (np.linspace(0, side, n + 1).round().astype(int) for side, n in ((high, down), (wide, right)))
    colour = np.rint(media.samples.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    asked = [media]
    for top, bottom in pairwise(rows.tolist()):
        for first, last in pairwise(columns.tolist()):
            covered = media.samples.copy()
            covered[top:bottom, first:last] = colour
            asked.append(replace(media, samples=covered))
    told = _asked(asks, how.request(model, *asked, keep=False))
    doubts, probs = _doubts(told), np.concatenate([answer.mean for answer in told])
    best = int(probs[0].argmax())
    less = "" if high == height else f", in {wide} x {high} pixels"
    return Across(
        np.rint(rows * (height / high)).astype(int),
        np.rint(columns * (width / wide)).astype(int),
        {name: values[1:].reshape(down, right) for name, values in doubts.items()},
        {name: float(values[0]) for name, values in doubts.items()},
        told[0].classes[best],
        float(probs[0, best]),
        probs[1:, best].reshape(down, right),
        f"each of {down} x {right} parts covered in turn with the picture's mean colour{less}",
    )


def _reduced(media: Media) -> Media:
    """No more pixels than parts are told apart by: dozens of copies of it are asked."""
    height, width = media.samples.shape[:2]
    share = _SIDE / min(height, width)
    if share >= 1.0:
        return media
    from PIL import Image

    size = (max(1, round(width * share)), max(1, round(height * share)))
    return replace(media, samples=np.asarray(Image.fromarray(media.samples).resize(size, Image.Resampling.LANCZOS)))


def _asked(asks: Asks, request: Request) -> list[Answer]:
    """A few at a time, so that neither memory nor the line is taken up by one file."""
    return [asks.ask(replace(request, media=some)) for some in _portions(request.media)]


def _portions(media: Sequence[Media]) -> Iterator[tuple[Media, ...]]:
    some: list[Media] = []
    size = 0
    for one in media:
        if some and size + one.samples.nbytes > _TOGETHER:
            yield tuple(some)
            some, size = [], 0
        some.append(one)
        size += one.samples.nbytes
    yield tuple(some)


def _doubts(told: Sequence[Answer]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([answer.doubts[name] for answer in told]) for name in told[0].doubts}
