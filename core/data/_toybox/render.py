"""From a specification to pixels, and from pixels to the bytes of a PNG."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from core.data._toybox import knobs
from core.data._toybox.scene import Blend, Layers, trace
from core.data._toybox.source import Source, View

SIZE = 64
_SAMPLES = 2  # rays a pixel, each way
_BLOCK = 0xFFFF  # bytes that one stored block of a zlib stream holds


@dataclass(frozen=True, slots=True)
class Look:
    """All that decides the pixels of one picture."""

    first: str
    second: str | None
    mix: float  # share of the second toy
    source: Source
    view: View
    occlusion: float = 0.0
    blur: float = 0.0


def layers(look: Look, size: int) -> Layers:
    """The traced scene, ``size`` rays wide, before any knob but the morph."""
    return trace(Blend(look.first, look.second, look.mix, look.source), look.view, size)


def draw(look: Look, size: int = SIZE) -> np.ndarray:
    """(size, size, 3) uint8."""
    scene = layers(look, size * _SAMPLES)
    light = np.minimum(np.maximum(scene.light, 0.0), 1.0)
    light = knobs.occlude(light, knobs.signal(scene.toy, scene.shade), look.occlusion, look.source.lattice)
    light = knobs.blur(_smaller(light), look.blur)
    return np.floor(np.sqrt(light) * 255.0 + 0.5).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """A PNG without compression: the same bytes under every version of zlib, since they are an item's identity."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * 3)], axis=1).tobytes()
    starts = range(0, len(rows), _BLOCK)
    blocks = [rows[start : start + _BLOCK] for start in starts]
    stored = b"".join(
        struct.pack("<BHH", block is blocks[-1], len(block), len(block) ^ _BLOCK) + block for block in blocks
    )
    body = b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(rows))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _smaller(light: np.ndarray) -> np.ndarray:
    total = np.zeros((light.shape[0] // _SAMPLES, light.shape[1] // _SAMPLES, 3), np.float32)
    for row in range(_SAMPLES):
        for column in range(_SAMPLES):
            total += light[row::_SAMPLES, column::_SAMPLES]
    return total / np.float32(_SAMPLES * _SAMPLES)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
