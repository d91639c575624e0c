"""What a browser plays or shows: exactly what is analysed, in a form that every browser knows."""

from __future__ import annotations

import io

import numpy as np

from core.contracts import Media

_LONGEST = 1024  # pixels of a shown picture
_ENLARGED = 512  # pixels that a tiny picture is enlarged to, by whole pixels


def of_sound(media: Media) -> bytes:
    assert media.rate is not None, "a picture has no sound"
    return of_samples(media.samples, media.rate)


def of_samples(samples: np.ndarray, rate: int) -> bytes:
    """FLAC, mono, 16 bit. Its head holds the MD5 of the samples, so two sounds never share an address:
    Streamlit names long media by length, head, middle and tail alone."""
    import soundfile

    levels = np.round(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
    target = io.BytesIO()
    soundfile.write(target, levels, rate, format="FLAC", subtype="PCM_16")
    return target.getvalue()


def of_picture(media: Media) -> bytes:
    """PNG of at most 1024 pixels a side; a tiny picture is enlarged without smoothing its pixels away."""
    from PIL import Image

    picture = Image.fromarray(media.samples)
    longest = max(picture.size)
    if longest > _LONGEST:
        picture.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    elif longest * 2 <= _ENLARGED:
        times = _ENLARGED // longest
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    target = io.BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()
