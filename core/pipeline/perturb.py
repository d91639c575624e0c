"""Perturb my file: the same sound or picture mixed, buried in noise, blurred, cropped, pitched or moved.

Every step is a pure function of a Media that writes itself into the receipt; the result has an identity of its own, so
that noise and caches tell it from what it was made of. ``perturbed`` takes the steps in one fixed order, and with
nothing turned gives the file back as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.contracts import Media, Note
from core.errors import UserFacingError
from core.fingerprint import fingerprint, numpy_generator
from core.media import vocoder
from core.media._levels import Levels
from core.media.audio import resample
from core.media.image import MIN_SIDE

SEMITONES = 12.0  # the furthest to either side
LEAST = 0.1  # share of a file that a crop leaves
BLUR = 0.1  # of a picture's shorter side: the widest standard deviation
_GREY, _SPREAD = 127.5, 64.0  # of a picture of nothing but noise
_FRESH = {"silent", "quiet", "clipped", "over-range", "dc-offset", "short", "flat", "small"}  # told anew of the result


@dataclass(frozen=True, slots=True)
class Knobs:
    """How far each slider is turned; the defaults leave a file alone."""

    mix: float = 0.0  # share of the other file, 0 .. 1
    noise: float = 0.0  # 0 clean .. 1 nothing left
    blur: float = 0.0  # pictures: standard deviation over BLUR of the shorter side, 0 .. 1
    crop: float = 1.0  # share that is left, of the length or of each side, about the middle
    pitch: float = 0.0  # sounds: semitones; the length stays
    shift: float = 0.0  # sounds: share of the length, -1 .. 1; what leaves at one end enters at the other
    seed: int = 0  # of the noise


def perturbed(media: Media, knobs: Knobs, other: Media | None = None) -> Media:
    """Cropped, pitched, moved, mixed, blurred and noised, in that order."""
    _refuse(media, knobs, other)
    found = media
    if knobs.crop < 1.0:
        found = cropped(found, knobs.crop)
    if knobs.pitch:
        found = pitched(found, knobs.pitch)
    if knobs.shift:
        found = shifted(found, knobs.shift)
    if knobs.mix and other is not None:
        found = mixed(found, other, knobs.mix)
    if knobs.blur:
        found = blurred(found, knobs.blur)
    if knobs.noise:
        found = noised(found, knobs.noise, knobs.seed)
    return found


def mixed(media: Media, other: Media, share: float) -> Media:
    """Sounds after the other was brought to the same rate, length and level; pictures after it was resized."""
    if media.kind == "image":
        from PIL import Image

        height, width = media.samples.shape[:2]
        second = np.asarray(Image.fromarray(other.samples).resize((width, height), Image.Resampling.BICUBIC))
        pixels = (1.0 - share) * media.samples.astype(np.float64) + share * second
        return _made(media, _pixels(pixels), Note("mixed", f"mixed with {share:.0%} of another picture"), other.sha256)
    assert media.rate is not None, "a sound has a rate"
    second = np.resize(resample(other, media.rate).samples, len(media.samples)).astype(np.float64)
    level, own = _level(second), _level(media.samples)
    gain = own / level if level > 0 and own > 0 else 1.0
    samples = (1.0 - share) * media.samples + share * gain * second
    return _made(media, samples, Note("mixed", f"mixed with {share:.0%} of another sound of equal level"), other.sha256)


def noised(media: Media, amount: float, seed: int = 0) -> Media:
    """White noise of the sound's own level, or of its own in grey, takes the place of that share."""
    drawn = numpy_generator("perturb", seed, media.sha256).standard_normal(media.samples.shape, np.float32)
    note = Note("noise", f"{amount:.0%} of it is noise")
    if media.kind == "image":
        pixels = (1.0 - amount) * media.samples + amount * (_GREY + _SPREAD * drawn.astype(np.float64))
        return _made(media, _pixels(pixels), note, seed)
    level = _level(media.samples) or 10 ** (-40 / 20)
    return _made(media, (1.0 - amount) * media.samples + amount * level * drawn, note, seed)


def blurred(media: Media, amount: float) -> Media:
    """A Gaussian over rows and columns; borders are mirrored."""
    from scipy.ndimage import gaussian_filter

    sigma = amount * BLUR * min(media.samples.shape[:2])
    pixels = gaussian_filter(media.samples.astype(np.float64), (sigma, sigma, 0.0), mode="reflect")
    return _made(media, _pixels(pixels), Note("blurred", f"blurred over {sigma:.1f} pixels"))


def cropped(media: Media, share: float) -> Media:
    """The middle: of a sound's length, or of both sides of a picture."""
    sides = media.samples.shape[: 1 if media.kind == "audio" else 2]
    cuts = []
    for side in sides:
        left = max(1, round(share * side))
        start = (side - left) // 2
        cuts.append(slice(start, start + left))
    what = "length" if media.kind == "audio" else "sides"
    return _made(media, media.samples[tuple(cuts)], Note("cut", f"cut to the middle {share:.0%} of its {what}"))


def pitched(media: Media, semitones: float) -> Media:
    """By a phase vocoder: the length stays."""
    assert media.rate is not None, "a sound has a rate"
    size = 1 << max(5, min(11, len(media.samples).bit_length() - 1))  # a window that fits into a short sound
    moved = vocoder.pitched(media.samples, media.rate, semitones, size)
    return _made(media, moved, Note("pitched", f"pitch moved by {semitones:+.1f} semitones"))


def shifted(media: Media, share: float) -> Media:
    assert media.rate is not None, "a sound has a rate"
    by = round(share * len(media.samples))
    return _made(media, np.roll(media.samples, by), Note("shifted", f"moved by {by / media.rate:+.2f} s"))


def _refuse(media: Media, knobs: Knobs, other: Media | None) -> None:
    ranges = {"mix": (0.0, 1.0), "noise": (0.0, 1.0), "blur": (0.0, 1.0), "crop": (LEAST, 1.0)}
    ranges |= {"pitch": (-SEMITONES, SEMITONES), "shift": (-1.0, 1.0)}
    for name, (low, high) in ranges.items():
        value = getattr(knobs, name)
        if not low <= value <= high:
            raise UserFacingError(f"A {name} of {value:g} was asked for; it lies between {low:g} and {high:g}.")
    if media.kind == "audio" and knobs.blur:
        raise UserFacingError("A sound cannot be blurred; leave blur at 0.", code="kind")
    if media.kind == "image" and (knobs.pitch or knobs.shift):
        raise UserFacingError("A picture has no pitch and no time; leave both at 0.", code="kind")
    if knobs.mix and other is None:
        raise UserFacingError("There is nothing to mix with; choose a second file.", code="no-file")
    if knobs.mix and other is not None and other.kind != media.kind:
        raise UserFacingError("A sound and a picture cannot be mixed; choose two of a kind.", code="kind")


def _level(samples: np.ndarray) -> float:
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean()))


def _pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _made(media: Media, samples: np.ndarray, note: Note, *recipe: str | int) -> Media:
    """The result with its own identity; what the receipt says of level and size is told anew."""
    dtype = np.float32 if media.kind == "audio" else np.uint8
    samples = np.ascontiguousarray(samples, dtype)
    if samples is media.samples:
        samples = samples.copy()
    samples.setflags(write=False)
    identity = fingerprint("perturbed", media.sha256, note.code, note.text, *recipe)
    kept = tuple(old for old in media.receipt.notes if old.code not in _FRESH)
    receipt = replace(media.receipt, notes=(*kept, note, *_told(samples, media.rate)))
    return replace(media, samples=samples, sha256=identity, receipt=receipt)


def _told(samples: np.ndarray, rate: int | None) -> tuple[Note, ...]:
    if rate is not None:
        levels = Levels(None)
        levels.add(samples[:, None], samples, rate)
        return levels.notes(rate)
    height, width = samples.shape[:2]
    small = min(height, width) < MIN_SIDE
    found = [Note("small", f"small: {width} x {height} pixels", alarm=True)] if small else []
    if (samples == samples[0, 0]).all():
        found.append(Note("flat", "a single colour everywhere", alarm=True))
    return tuple(found)
