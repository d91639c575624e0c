"""Small pictures that stand for a sound or a picture in grids and hovers, at most 6 KB each."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

MAX_BYTES = 6 * 1024
SIZE = (192, 128)  # width, height in pixels that a thumbnail fits into
_LONGEST = 3  # times its other side that a thumbnail may be long
DYNAMIC_RANGE = 80.0  # dB shown below the loudest band
# Cividis, dark blue to yellow, at ten even steps; readable with every common colour-vision deficiency
_CIVIDIS = (
    (0, 34, 78),
    (18, 53, 112),
    (59, 73, 108),
    (87, 93, 109),
    (112, 113, 115),
    (138, 134, 120),
    (165, 156, 116),
    (195, 179, 105),
    (225, 204, 85),
    (254, 232, 56),
)
_QUALITIES = (80, 60, 40, 20, 5)


def cividis() -> np.ndarray:
    """(256, 3) uint8, interpolated between the anchors."""
    anchors = np.array(_CIVIDIS, float)
    at = np.linspace(0, len(anchors) - 1, 256)
    return (
        np.stack([np.interp(at, np.arange(len(anchors)), anchors[:, c]) for c in range(3)], axis=1)
        .round()
        .astype(np.uint8)
    )


def of_sound(log_mel: np.ndarray) -> bytes:
    """WebP of a (mels, frames) spectrogram in dB: low bands at the bottom, loud is yellow."""
    top = float(log_mel.max())
    levels = np.clip((log_mel - (top - DYNAMIC_RANGE)) * (255 / DYNAMIC_RANGE), 0, 255).astype(np.uint8)
    if top <= -100.0 + 1e-3:  # the floor everywhere: silence is dark, not bright
        levels[:] = 0
    picture = Image.fromarray(cividis()[levels[::-1]])
    return _small(picture.resize(SIZE, Image.Resampling.BOX if picture.width > SIZE[0] else Image.Resampling.BILINEAR))


def of_picture(pixels: np.ndarray) -> bytes:
    """WebP of an (height, width, 3) picture, its shape kept; a strip lies on grey."""
    height, width = pixels.shape[:2]
    step = max(1, min(width // (2 * SIZE[0]), height // (2 * SIZE[1])))  # a coarse cut first: no second full copy
    picture = Image.fromarray(np.ascontiguousarray(pixels[::step, ::step]))
    scale = min(SIZE[0] / width, SIZE[1] / height, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return _small(_on_ground(picture.resize(size, Image.Resampling.LANCZOS)))


def _on_ground(picture: Image.Image) -> Image.Image:
    """A strip lies on grey: drawn as wide as its card it would be pages high."""
    least = -(-max(picture.size) // _LONGEST)
    if min(picture.size) >= least:
        return picture
    ground = Image.new("RGB", (max(picture.width, least), max(picture.height, least)), (128, 128, 128))
    ground.paste(picture, ((ground.width - picture.width) // 2, (ground.height - picture.height) // 2))
    return ground


def _small(picture: Image.Image) -> bytes:
    """The best quality that fits; noise that fits at none is made smaller."""
    while True:
        for quality in _QUALITIES:
            stream = io.BytesIO()
            picture.save(stream, "WEBP", quality=quality, method=2)
            if stream.tell() <= MAX_BYTES:
                return stream.getvalue()
        picture = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)))
