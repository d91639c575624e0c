"""The active part of a sound: what is left without the silence around it, cut to a length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.contracts import Media, Note
from core.media.audio import fit_length

GATE_DB = -40.0  # below the loudest frame: quieter frames at both ends are silence
FRAME = 0.02  # seconds


def bounds(media: Media) -> tuple[int, int]:
    """First sample of the first active frame and the one behind the last; all of a sound that is silent throughout."""
    power, size = _power(media)
    loudest = float(power.max())
    if loudest <= 0.0:
        return 0, len(media.samples)
    active = np.flatnonzero(power >= loudest * 10.0 ** (GATE_DB / 10.0))
    return int(active[0]) * size, min(len(media.samples), (int(active[-1]) + 1) * size)


def active_seconds(media: Media) -> float:
    assert media.rate is not None, "a picture has no length"
    start, end = bounds(media)
    return (end - start) / media.rate


def loudest_part(media: Media, seconds: float) -> Media:
    """Exactly ``seconds``: of a longer active part the stretch with the most energy; a shorter one gets zeros."""
    assert media.rate is not None, "a picture has no length"
    start, end = bounds(media)
    size = round(seconds * media.rate)
    if end - start > size:
        energy = np.cumsum(np.square(media.samples[start:end], dtype=np.float64))
        held = energy[size - 1 :] - np.concatenate([[0.0], energy[:-size]])
        start += int(held.argmax())
        end = start + size
    samples = np.ascontiguousarray(media.samples[start:end])
    samples.setflags(write=False)
    told = f"only its active part is used, {start / media.rate:.2f} to {end / media.rate:.2f} s"
    cut = replace(media, samples=samples, receipt=media.receipt.noting(Note("active", told)))
    return fit_length(cut, seconds)


def _power(media: Media) -> tuple[np.ndarray, int]:
    """Mean square of each frame, the last one over what it holds."""
    assert media.rate is not None, "a picture has no frames"
    size = max(1, round(FRAME * media.rate))
    starts = np.arange(0, len(media.samples), size)
    sums = np.add.reduceat(np.square(media.samples, dtype=np.float64), starts)
    return sums / np.diff(np.append(starts, len(media.samples))), size
