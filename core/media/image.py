"""Pictures: any accepted container to upright 8-bit RGB. Runs in the decode child."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.contracts import Media, Note, Receipt
from core.errors import MediaError
from core.media import _colour, _pictures

MAX_PIXELS = 50_000_000
MAX_SIDE = 32_767
MAX_ASPECT = 200
MIN_SIDE = 32  # below this a network sees little but its own padding
_FORMATS = {
    "png": "PNG",
    "jpeg": "JPEG",
    "webp": "WEBP",
    "bmp": "BMP",
    "tiff": "TIFF",
    "gif": "GIF",
    "avif": "AVIF",
    "heic": "HEIF",
}


def decode(raw: bytes, container: str, sha256: str) -> Media:
    """Header first, budget second, pixels last; any warning of the library is a refusal."""
    if container == "jpeg":
        _pictures.check_jpeg_scans(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        picture = _opened(raw, container)
        with contextlib.closing(picture):
            check_size(*picture.size)
            codec = _codec(picture, raw, container)
            width, height = picture.size
            notes = _pictures.frame_notes(picture, raw, container)
            upright, turned = _loaded(picture)
            pixels, converted = _colour.to_rgb(upright, raw, container)
    size = min(width, height)
    small = [Note("small", f"small: {width} x {height} pixels", alarm=True)] if size < MIN_SIDE else []
    pixels.flags.writeable = False
    receipt = Receipt(
        container=container,
        codec=codec,
        size_bytes=len(raw),
        channels=len(upright.getbands()),
        width=width,
        height=height,
        notes=(*notes, *turned, *converted, *small, *_flat(pixels)),
    )
    return Media("image", pixels, None, sha256, receipt)


def prepare_library() -> None:
    """Limits of the library, set once in the decode child (never at import)."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    for form in _FORMATS.values():
        Image.preinit() if form in {"PNG", "JPEG", "BMP", "GIF"} else None
    from PIL import AvifImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401  registers these readers

    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.options.DECODE_THREADS = 1
        pillow_heif.register_heif_opener(thumbnails=False)


def _opened(raw: bytes, container: str) -> Image.Image:
    form = _FORMATS[container]
    if form not in Image.OPEN or (form == "AVIF" and not _pictures.reads_avif()):
        supported = ", ".join(name.upper() for name, form in _FORMATS.items() if form in Image.OPEN)
        raise MediaError(f"{container.upper()} is not supported here; send one of {supported}.", code="unsupported")
    try:
        return Image.open(io.BytesIO(raw), formats=(form,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large() from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise _damaged(container) from None


def check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise MediaError("The picture has no pixels; send another one.", code="no-pixels")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise _too_large(width, height)
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise MediaError(
            f"The picture is {width} x {height} pixels, a strip; one side may be at most {MAX_ASPECT} times the other. "
            "Crop it.",
            code="aspect",
        )


def _loaded(picture: Image.Image) -> tuple[Image.Image, list[Note]]:
    container = (picture.format or "picture").lower()
    turn = _turn(picture)  # asked before the pixels: TIFF turns while it loads, and forgets
    try:
        picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large() from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError) as error:
        if "truncated" in str(error):
            raise MediaError("The picture is truncated; send the whole file.", code="truncated") from None
        raise _damaged(container) from None
    if turn is None:
        return picture, [Note("exif-ignored", "its EXIF block is damaged and was ignored")]
    if turn not in range(2, 9):
        return picture, []
    try:  # it writes the block anew without the turn, which can fail for one that could be read
        return ImageOps.exif_transpose(picture), [Note("turned", "turned upright as its EXIF block says")]
    except Exception:
        return picture, [Note("exif-ignored", "its EXIF block is damaged and was ignored")]


def _turn(picture: Image.Image) -> int | None:
    """The EXIF orientation; None when the block, which is free-form, is broken: that costs the turn only."""
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:
        return None


def _codec(picture: Image.Image, raw: bytes, container: str) -> str:
    names = {"1": "1 bit", "L": "grey", "P": "palette", "LA": "grey with alpha", "RGBA": "RGB with alpha", "F": "float"}
    mode = names.get(picture.mode, "grey" if picture.mode.startswith("I") else picture.mode)
    bits = _colour.depth(picture, raw, container)
    return mode if picture.mode == "1" else f"{mode} {bits} bit"


def _flat(pixels: np.ndarray) -> list[Note]:
    if (pixels == pixels[0, 0]).all():
        return [Note("flat", "a single colour everywhere", alarm=True)]
    return []


def _too_large(width: int = 0, height: int = 0) -> MediaError:
    which = f"The picture is {width} x {height} pixels" if width else "The picture is too large"
    return MediaError(
        f"{which}; at most {MAX_PIXELS // 1_000_000} million and {MAX_SIDE:,} a side are read. Send a smaller one.",
        code="too-large",
    )


def _damaged(container: str) -> MediaError:
    return MediaError(f"The {container.upper()} picture is damaged; send another copy.", code="damaged")
