"""Several sounds one after the other as one file, and where each of them lies in it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.contracts import Media

FADE = 0.02  # seconds at each end of a sound, so that joints do not click


@dataclass(frozen=True, slots=True)
class Mark:
    """One of the sounds."""

    start: float  # seconds
    ends: float
    name: str


@dataclass(frozen=True, slots=True)
class Medley:
    raw: bytes  # WAV, mono, 16 bit
    marks: tuple[Mark, ...]


def medley(sounds: Sequence[tuple[str, Media]]) -> Medley:
    """All at the rate of the first."""
    import soundfile
    import soxr

    rate = sounds[0][1].rate
    assert rate is not None, "a medley is of sounds"
    pieces, marks, at = [], [], 0
    for name, media in sounds:
        assert media.rate is not None, "a medley is of sounds"
        samples = media.samples if media.rate == rate else soxr.resample(media.samples, media.rate, rate, "HQ")
        pieces.append(_faded(samples, round(FADE * rate)))
        marks.append(Mark(at / rate, (at + len(samples)) / rate, name))
        at += len(samples)
    levels = np.round(np.clip(np.concatenate(pieces), -1.0, 1.0) * 32767).astype(np.int16)
    target = io.BytesIO()
    soundfile.write(target, levels, rate, format="WAV", subtype="PCM_16")
    return Medley(target.getvalue(), tuple(marks))


def at(marks: Sequence[Mark], seconds: float) -> Mark | None:
    """Which of them is heard then."""
    return next((mark for mark in marks if mark.start <= seconds < mark.ends), None)


def _faded(samples: np.ndarray, length: int) -> np.ndarray:
    ramp = np.minimum(1.0, np.arange(len(samples), dtype=np.float32) / max(1, length))
    return samples * np.minimum(ramp, ramp[::-1])
