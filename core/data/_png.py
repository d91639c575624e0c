"""Pixels as a PNG file without compression: the same bytes, and so the same sha256, under every compressor."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_GREY, _RGB = 0, 2


def stored_png(pixels: np.ndarray) -> bytes:
    """Of (height, width) grey or (height, width, 3) colour, uint8; for pictures under 64 KiB."""
    height, width = pixels.shape[:2]
    lines = pixels.reshape(height, -1)
    rows = np.zeros((height, 1 + lines.shape[1]), np.uint8)  # each row starts with its filter, 0 for none
    rows[:, 1:] = lines
    raw = rows.tobytes()
    if len(raw) > 0xFFFF:
        raise ValueError(f"{height} x {width} pixels do not fit one block")
    stored = (
        b"\x78\x01\x01" + struct.pack("<HH", len(raw), len(raw) ^ 0xFFFF) + raw + struct.pack(">I", zlib.adler32(raw))
    )
    header = struct.pack(">IIBBBBB", width, height, 8, _GREY if pixels.ndim == 2 else _RGB, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", stored) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
