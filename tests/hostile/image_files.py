"""Pictures that mean harm or trouble, made on the spot: rows I-01 to I-22 of the table of bad inputs."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

from tests.hostile.audio_files import Case


def pixels(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)  # pyright: ignore[reportArgumentType]
    return stream.getvalue()


def plain(form: str, **options: object) -> bytes:
    if form == "HEIF":
        import pillow_heif

        return _heif(pillow_heif.from_pillow(Image.fromarray(pixels())))
    return saved(Image.fromarray(pixels()), form, **options)


def _heif(file: object) -> bytes:
    stream = io.BytesIO()
    file.save(stream, quality=-1)  # pyright: ignore[reportAttributeAccessIssue]
    return stream.getvalue()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    width: int, height: int, bits: int = 1, colour: int = 0, rows: bytes | None = None, extra: bytes = b""
) -> bytes:
    """A PNG by hand: rows of zeros unless given, compressed as well as they are."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    packer = zlib.compressobj(9)
    body = b""
    if rows is None:
        line = bytes(1 + (width * bits * channels + 7) // 8)
        body = b"".join(packer.compress(line) for _ in range(height))
    else:
        body = packer.compress(rows)
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = png_chunk(b"IDAT", body + packer.flush())
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + extra + data + png_chunk(b"IEND", b"")


def png_header_only(width: int, height: int) -> bytes:
    return png(width, height, rows=b"\0")


def compressed_text(size: int, name: bytes) -> bytes:
    packed = zlib.compress(bytes(size), 9)
    key = b"comment\0\0" if name == b"zTXt" else b"icc\0\0"
    return png(8, 8, 8, extra=png_chunk(name, key + packed))


def animated(form: str, frames: int) -> bytes:
    pictures = [Image.fromarray(np.full((4, 4), value % 256, np.uint8)) for value in range(frames)]
    return saved(pictures[0], form, save_all=True, append_images=pictures[1:], duration=20)


def many_gif_frames(count: int) -> bytes:
    raw = saved(Image.fromarray(np.zeros((4, 4), np.uint8)), "GIF")
    at = raw.find(b"\x2c", 13 + (3 << (raw[10] & 7) + 1))
    return raw[:at] + raw[at:-1] * count + raw[-1:]


def float_tiff(*values: float) -> bytes:
    grey = np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
    grey.flat[: len(values)] = values
    return saved(Image.fromarray(grey), "TIFF")


def jpeg_with_scans(count: int, side: int = 64) -> bytes:
    """A progressive JPEG whose first scan is told again and again."""
    raw = saved(Image.fromarray(pixels(side, side)), "JPEG", progressive=True)
    first = raw.find(b"\xff\xda")
    second = raw.find(b"\xff\xda", first + 2)
    between = raw.rfind(b"\xff\xc4", first, second)
    stop = between if between > 0 else second
    return raw[:first] + raw[first:stop] * count + raw[stop:]


def zero_quantised() -> bytes:
    raw = bytearray(plain("JPEG"))
    at = raw.find(b"\xff\xdb")
    size = int.from_bytes(raw[at + 2 : at + 4], "big")
    raw[at + 5 : at + 2 + size] = bytes(size - 3)
    return bytes(raw)


def with_profile(profile: bytes) -> bytes:
    return plain("PNG", icc_profile=profile)


def commented() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "<script>alert(1)</script>")
    return plain("PNG", pnginfo=info)


def exif_with_place() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "<script>alert(1)</script>"
    exif.get_ifd(0x8825)[1] = "N"
    return plain("JPEG", exif=exif)


REFUSED_FORMATS = {
    "fits": b"SIMPLE  =                    T" + bytes(2880),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "eps-binary": b"\xc5\xd0\xd3\xc6" + bytes(100),
    "psd": b"8BPS\0\x01" + bytes(100),
    "pdf": b"%PDF-1.7\n",
    "blp": b"BLP2" + bytes(100),
    "fli": bytes(4) + b"\x11\xaf" + bytes(200),
    "icns": b"icns" + bytes(100),
    "sgi": b"\x01\xda\x01\x01" + bytes(600),
    "wmf": b"\xd7\xcd\xc6\x9a" + bytes(100),
    "svg": b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "svg-bare": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "jpeg-2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100),
    "exr": b"\x76\x2f\x31\x01" + bytes(100),
}

CASES = (
    Case("I-01", "empty", lambda: b"", "empty"),
    Case("I-01", "one-byte", lambda: b"\x89", "unknown-format"),
    Case("I-01", "text", lambda: b"this is not a picture at all", "unknown-format"),
    Case("I-02", "196-MP", lambda: png_header_only(14_000, 14_000), "too-large"),
    Case("I-03", "100-MP", lambda: png_header_only(10_000, 10_000), "too-large"),
    Case("I-03", "51-MP", lambda: png_header_only(7_200, 7_100), "too-large"),
    Case("I-04", "13000-squared", lambda: png(13_000, 13_000), "too-large"),
    Case("I-05", "strip", lambda: png_header_only(1, 89_000_000), "too-large"),
    Case("I-05", "long-side", lambda: png_header_only(1_000, 40_000), "too-large"),
    Case("I-05", "thin", lambda: png(2, 20_000), "aspect"),
    Case("I-06", "no-width", lambda: png_header_only(0, 10), "damaged"),
    Case("I-07", "half-png", lambda: _part(plain("PNG"), 0.5), "truncated"),
    Case("I-07", "half-jpeg", lambda: _part(plain("JPEG"), 0.5), "truncated"),
    Case("I-07", "half-webp", lambda: _part(plain("WEBP"), 0.5), "damaged"),
    Case("I-07", "half-tiff", lambda: _part(plain("TIFF"), 0.5), "truncated"),
    Case("I-07", "half-avif", lambda: _part(plain("AVIF"), 0.5), "damaged"),
    Case("I-07", "half-heic", lambda: _part(plain("HEIF"), 0.5), "damaged"),
    Case("I-08", "100-MB-text", lambda: compressed_text(100 << 20, b"zTXt"), "damaged"),
    Case("I-08", "100-MB-profile", lambda: compressed_text(100 << 20, b"iCCP"), "damaged"),
    Case("I-09", "gif", lambda: many_gif_frames(10_000), notes=("first-frame",)),
    Case("I-09", "webp", lambda: animated("WEBP", 20), notes=("first-frame",)),
    Case("I-09", "apng", lambda: animated("PNG", 20), notes=("first-frame",)),
    Case("I-09", "tiff", lambda: animated("TIFF", 5), notes=("first-frame",)),
    *(Case("I-10", name, lambda raw=raw: raw, "unknown-format") for name, raw in REFUSED_FORMATS.items()),
    Case("I-11", "eps-named-png", lambda: REFUSED_FORMATS["eps"], "unknown-format"),
    Case("I-15", "svg", lambda: REFUSED_FORMATS["svg"], "unknown-format"),
    Case("I-16", "zero-table", zero_quantised),
    Case("I-16", "1000-scans", lambda: jpeg_with_scans(1000), "too-complex"),
    Case("I-17", "nan", lambda: float_tiff(float("nan")), "non-finite"),
    Case("I-17", "infinite", lambda: float_tiff(float("inf")), "non-finite"),
    Case("I-18", "1x1", lambda: saved(Image.new("RGB", (1, 1)), "PNG"), notes=("small",)),
    Case("I-18", "31x31", lambda: saved(Image.fromarray(pixels(31, 31)), "PNG"), notes=("small",)),
    Case("I-19", "black", lambda: saved(Image.new("RGB", (64, 64)), "PNG"), notes=("flat",)),
    Case("I-19", "white", lambda: saved(Image.new("RGB", (64, 64), "white"), "PNG"), notes=("flat",)),
    Case("I-20", "profile-of-noise", lambda: with_profile(bytes(range(256)) * 4), notes=("icc-ignored",)),
)


def _part(raw: bytes, share: float) -> bytes:
    return raw[: int(len(raw) * share)]
