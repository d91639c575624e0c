"""One computed sentence about a sound or a picture, for the line under its chart."""

from __future__ import annotations

import numpy as np

from core.ui import words


def of_sound(log_mel: np.ndarray, centres: np.ndarray, seconds: float) -> str:
    """Where the loudest moment is and where the energy lies. ``log_mel`` (mels, frames) in dB, ``centres`` in Hz."""
    power = np.power(10.0, log_mel.astype(np.float64) / 10)
    floor = np.power(10.0, -99 / 10)
    if power.max() <= floor:
        return "There is nothing to hear: every sample is at the floor."
    moment = float(power.sum(axis=0).argmax()) * seconds / power.shape[1]
    share = np.cumsum(power.sum(axis=1)) / power.sum()
    middle = float(centres[int(np.searchsorted(share, 0.5))])
    low, high = (float(centres[int(np.searchsorted(share, s))]) for s in (0.05, 0.95))
    start = words.seconds(moment) if moment else "the very start"
    return (
        f"Loudest at {start}; half of the energy lies below {words.hertz(middle)}, "
        f"nine tenths between {words.hertz(low)} and {words.hertz(high)}."
    )


def of_picture(pixels: np.ndarray) -> str:
    """How bright and how contrasted it is. ``pixels`` (height, width, 3) uint8."""
    luminance = pixels.astype(np.float64) @ np.array([0.2126, 0.7152, 0.0722]) / 255
    spread = float(luminance.std())
    tone = "dark" if luminance.mean() < 0.33 else "bright" if luminance.mean() > 0.67 else "mid-toned"
    if spread < 1e-3:
        return f"Every pixel is the same: a flat {tone} picture."
    contrast = "low" if spread < 0.12 else "high" if spread > 0.27 else "medium"
    return (
        f"A {tone} picture of {contrast} contrast: mean brightness {words.percent(float(luminance.mean()))} of white."
    )
