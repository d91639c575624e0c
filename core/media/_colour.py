"""Any of Pillow's modes to 8-bit RGB by a defined rule, and a note for every rule that was needed."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from core.contracts import Note
from core.errors import MediaError

_MAX_PROFILE = 4 << 20  # bytes of an embedded colour profile
_SPACES = {"RGB ": "RGB", "CMYK": "CMYK", "GRAY": "L", "Lab ": "LAB"}
_STRIP = 1 << 20  # pixels flattened at a time


def to_rgb(picture: Image.Image, raw: bytes, container: str) -> tuple[np.ndarray, list[Note]]:
    """Pixels (height, width, 3) uint8."""
    if picture.mode in {"F", "I"} or picture.mode.startswith("I;"):
        return _scaled(picture)
    notes = []
    bits = depth(picture, raw, container)
    if bits > 8:
        notes.append(Note("16-bit", f"reduced from {bits} to 8 bits a channel"))
    if picture.mode in {"P", "PA"}:
        transparent = picture.mode == "PA" or "transparency" in picture.info
        picture = _keeping_profile(picture, "RGBA" if transparent else "RGB")
        notes.append(Note("palette", "palette colours expanded"))
    elif "transparency" in picture.info and picture.mode in {"L", "RGB"}:
        picture = _keeping_profile(picture, "RGBA")
    if picture.mode == "1":
        picture = picture.convert("L")
        notes.append(Note("1-bit", "black and white expanded"))
    picture, alpha, flattened = _without_alpha(picture)
    picture, coloured = _managed(picture)
    pixels = np.array(picture, dtype=np.uint8)  # a copy of our own, not Pillow's
    if alpha is not None:
        _over_white(pixels, alpha)
    return pixels, [*notes, *flattened, *coloured]


def depth(picture: Image.Image, raw: bytes, container: str) -> int:
    """Bits a channel as stored; Pillow does not say that it halves 16-bit colour."""
    if container == "png" and len(raw) > 24:
        return raw[24]
    if container == "tiff":
        bits = getattr(picture, "tag_v2", {}).get(258, (8,))
        return int(max(bits)) if isinstance(bits, tuple) else int(bits)
    if container in {"heic", "avif"}:
        return int(picture.info.get("bit_depth", 8))
    return 8


def _scaled(picture: Image.Image) -> tuple[np.ndarray, list[Note]]:
    """Grey of more than 8 bits: by its own full scale where it has one, never clipped."""
    values = np.array(picture)
    if picture.mode == "F":
        values, note = _float_levels(values)
    elif picture.mode.startswith("I;") or (values.min() >= 0 and values.max() <= 65535):
        wide = values.astype(np.uint32)
        values = ((wide + 128) // 257).astype(np.uint8)
        note = Note("16-bit", "16-bit grey scaled to 8 bits")
    else:
        values, note = _stretched(values.astype(np.float64))
    return np.repeat(values[:, :, None], 3, axis=2), [note]


def _float_levels(values: np.ndarray) -> tuple[np.ndarray, Note]:
    if not np.isfinite(values).all():
        raise MediaError("The picture holds values that are not numbers; export it again.", code="non-finite")
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return np.rint(values * 255).astype(np.uint8), Note("float", "float values 0 to 1 scaled to 0 to 255")
    if low >= 0 and high <= 255:
        return np.rint(values).astype(np.uint8), Note("float", "float values rounded to 0 to 255")
    return _stretched(values.astype(np.float64))


def _stretched(values: np.ndarray) -> tuple[np.ndarray, Note]:
    low, high = float(values.min()), float(values.max())
    levels = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    note = Note("stretched", f"values {low:.4g} to {high:.4g} stretched to 0 to 255", alarm=True)
    return np.rint(levels).astype(np.uint8), note


def _keeping_profile(picture: Image.Image, mode: str) -> Image.Image:
    profile = picture.info.get("icc_profile")
    converted = picture.convert(mode)
    if profile:
        converted.info["icc_profile"] = profile
    return converted


def _without_alpha(picture: Image.Image) -> tuple[Image.Image, Image.Image | None, list[Note]]:
    """The colours and the alpha apart, so that a profile sees colours only."""
    straight = {"RGBa": "RGBA", "La": "LA"}.get(picture.mode)
    if straight:
        picture = _keeping_profile(picture, straight)
    if picture.mode not in {"RGBA", "LA"}:
        return picture, None, []
    alpha = picture.getchannel("A")
    colours = _keeping_profile(picture, "RGB" if picture.mode == "RGBA" else "L")
    if alpha.getextrema() == (255, 255):
        return colours, None, []
    return colours, alpha, [Note("flattened", "transparency laid over white")]


def _over_white(pixels: np.ndarray, alpha: Image.Image) -> None:
    """In strips, so that a large picture needs no float twin. Rounded to the nearest level."""
    cover = np.asarray(alpha)
    rows = max(1, _STRIP // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows].astype(np.uint32)
        part = cover[top : top + rows, :, None].astype(np.uint32)
        pixels[top : top + rows] = (strip * part + 255 * (255 - part) + 127) // 255


def _managed(picture: Image.Image) -> tuple[Image.Image, list[Note]]:
    """To RGB through the embedded profile if it is sound and not sRGB already, else by Pillow's rule."""
    icc = picture.info.get("icc_profile")
    if icc:
        try:
            converted = _through_profile(picture, icc)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError, KeyError):
            return _plain(picture), [Note("icc-ignored", "its colour profile is damaged and was ignored")]
        if converted is not None:
            return converted, [Note("icc", "converted from its own colour profile to sRGB")]
    names = {"CMYK": ("cmyk", "converted from CMYK"), "LAB": ("lab", "converted from Lab")}
    known = names.get(picture.mode)
    return _plain(picture), [Note(*known)] if known else []


def _through_profile(picture: Image.Image, icc: bytes) -> Image.Image | None:
    if len(icc) > _MAX_PROFILE:
        raise ValueError("oversized")
    opened = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    profile: Any = opened.profile
    mode = _SPACES[profile.xcolor_space]
    if mode != picture.mode:
        raise ValueError("a profile of another colour space")
    if mode == "RGB" and "srgb" in (profile.profile_description or "").lower():
        return None
    return ImageCms.profileToProfile(picture, opened, ImageCms.createProfile("sRGB"), outputMode="RGB")


def _plain(picture: Image.Image) -> Image.Image:
    if picture.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    return picture if picture.mode == "RGB" else picture.convert("RGB")
