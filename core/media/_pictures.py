"""What is read of a picture's container before its pixels: frames of animations, scans of a JPEG."""

from __future__ import annotations

import io
import struct

from PIL import Image, features

from core.contracts import Note
from core.errors import MediaError

MAX_SCANS = 100  # of a progressive JPEG; usual are about ten
MAX_SCAN_PIXELS = 1_000_000_000  # scans x pixels: each scan walks the whole picture
_FRAME_CAP = 10_000


def reads_avif() -> bool:
    return bool(features.check("avif"))


def check_jpeg_scans(raw: bytes) -> None:
    """Refuse a JPEG whose many scans would cost minutes; the count comes from its markers alone."""
    at, scans, pixels = 2, 0, 0
    while at >= 0 and at + 4 <= len(raw):
        if raw[at] != 0xFF:
            at = raw.find(b"\xff", at)
            continue
        marker = raw[at + 1]
        if marker in (0xFF, 0x00) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            break
        size = int.from_bytes(raw[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and at + 9 <= len(raw):
            height, width = struct.unpack_from(">HH", raw, at + 5)
            pixels = max(pixels, width * height)
        scans += marker == 0xDA
        if scans > MAX_SCANS or (scans > 1 and scans * pixels > MAX_SCAN_PIXELS):
            raise MediaError(
                f"The JPEG has more than {min(scans - 1, MAX_SCANS)} scans, which would take too long; save it again.",
                code="too-complex",
            )
        at = _scan_end(raw, at + 2 + size) if marker == 0xDA else at + 2 + max(2, size)


def _scan_end(raw: bytes, at: int) -> int:
    """The next marker that is neither a stuffed byte nor a restart."""
    while (at := raw.find(b"\xff", at)) >= 0 and at + 1 < len(raw):
        if raw[at + 1] != 0 and not 0xD0 <= raw[at + 1] <= 0xD7:
            return at
        at += 2
    return -1


def frame_notes(picture: Image.Image, raw: bytes, container: str) -> list[Note]:
    if container == "gif":
        count = _gif_frames(raw)
    elif container == "tiff":
        count = _tiff_pages(raw)
    else:
        count = int(getattr(picture, "n_frames", 1))
    if count < 2:
        return []
    shown = f"{count:,}" if count < _FRAME_CAP else f"{_FRAME_CAP:,} or more"
    what = "pages" if container == "tiff" else "frames"
    return [Note("first-frame", f"{shown} {what}; only the first is used", alarm=True)]


def _gif_frames(raw: bytes) -> int:
    """Count image blocks by their sizes, without decoding any."""
    if len(raw) < 13:
        return 0
    at, count = 13 + (3 << (raw[10] & 7) + 1 if raw[10] & 0x80 else 0), 0
    while at < len(raw) and count < _FRAME_CAP:
        if raw[at] == 0x2C and at + 10 < len(raw):
            count += 1
            at += 10 + (3 << (raw[at + 9] & 7) + 1 if raw[at + 9] & 0x80 else 0) + 1
        elif raw[at] == 0x21:
            at += 2
        else:
            break
        while at < len(raw) and raw[at]:
            at += raw[at] + 1
        at += 1
    return count


def _tiff_pages(raw: bytes) -> int:
    """Follow the chain of directories of a classic TIFF; a loop ends at the cap."""
    order = "<" if raw[:2] == b"II" else ">"
    if raw[2:4] not in (b"*\0", b"\0*"):
        return 1
    stream, count = io.BytesIO(raw), 0
    at = struct.unpack(order + "I", raw[4:8])[0] if len(raw) >= 8 else 0
    while 0 < at <= len(raw) - 2 and count < _FRAME_CAP:
        count += 1
        entries = struct.unpack_from(order + "H", raw, at)[0]
        stream.seek(at + 2 + 12 * entries)
        link = stream.read(4)
        at = struct.unpack(order + "I", link)[0] if len(link) == 4 else 0
    return count
