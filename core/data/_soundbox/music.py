"""A small band: chords, a bass and a melody in one key, played by an instrument of the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from core.data._soundbox.signal import LENGTH, Rng, buzz, clock, curve, lay, modes, swell

_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_WALKS = ((0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 5, 3), (5, 3, 0, 4), (0, 0, 3, 4))
_INSTRUMENTS = ("pluck", "organ", "flute", "strings", "piano")


@dataclass(frozen=True, slots=True)
class Music:
    tonic: float  # Hz
    scale: str
    walk: tuple[int, ...]  # scale step under each chord
    beat: float  # seconds
    lead: str
    backing: str
    high: int  # octave of the melody over the chords

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        return cls(
            tonic=110.0 * 2.0 ** (rng.uniform(-3, 9) / 12),
            scale=str(rng.choice(list(_SCALES))),
            walk=_WALKS[int(rng.integers(len(_WALKS)))],
            beat=rng.uniform(0.26, 0.5),
            lead=str(rng.choice(_INSTRUMENTS)),
            backing=str(rng.choice(_INSTRUMENTS)),
            high=int(rng.integers(1, 3)),
        )

    def play(self, rng: Rng) -> np.ndarray:
        out = np.zeros(LENGTH)
        start = -rng.uniform(0, 4) * self.beat
        bar = 4 * self.beat
        for number in range(int(5.0 / bar) + 2):
            root = self.walk[number % len(self.walk)]
            at = start + number * bar
            for step in (0, 2, 4):
                lay(out, note(rng, self.backing, self.pitch(root + step), bar * 0.97), at, 0.3)
            lay(out, note(rng, self.backing, self.pitch(root) / 2, bar * 0.9), at, 0.5)
            self._melody(rng, out, at, root)
        return out

    def _melody(self, rng: Rng, out: np.ndarray, at: float, root: int) -> None:
        step = root + int(rng.choice([0, 2, 4])) + 7 * self.high
        for length in _RHYTHMS[int(rng.integers(len(_RHYTHMS)))]:
            if -length * self.beat < at < 5.0:
                lay(out, note(rng, self.lead, self.pitch(step), length * self.beat), at, rng.uniform(0.55, 0.8))
            at += length * self.beat
            step += int(rng.choice([-2, -1, -1, 0, 1, 1, 2]))

    def pitch(self, step: int) -> float:
        tones = _SCALES[self.scale]
        return self.tonic * 2.0 ** (tones[step % 7] / 12 + step // 7)


_RHYTHMS = ((1, 1, 1, 1), (0.5, 0.5, 1, 1, 1), (1.5, 0.5, 1, 1), (2, 1, 1), (0.5, 0.5, 0.5, 0.5, 2))


def note(rng: Rng, instrument: str, pitch: float, seconds: float) -> np.ndarray:
    """One note; plucked ones get duller as they fade, blown and bowed ones stay."""
    seconds = max(seconds, 0.15)
    time = clock(seconds)
    count = len(time)
    orders = np.arange(1, max(2, int(min(16, 16_000 / pitch))))
    if instrument in ("pluck", "piano"):
        fade, edge, dull = (0.45, 0.8, 0.5) if instrument == "pluck" else (0.9, 0.6, 0.25)
        tone = modes(seconds, pitch * orders, fade / (1 + dull * (orders - 1)), edge ** (orders - 1.0))
        return tone * (1 - np.exp(-time / 0.002)) * swell(count, 0.0, 0.05)
    if instrument == "organ":
        stops = np.array([1, 2, 4, 8])
        tone = modes(seconds, pitch * stops, np.full(4, np.inf), np.array([1.0, 0.6, 0.3, 0.15]))
        return 0.6 * tone * swell(count, 0.03, 0.06)
    vibrato = 1 + 0.006 * np.sin(2 * np.pi * rng.uniform(4.5, 6.0) * time) * curve(count, (0, 0.4, 1), (0, 1, 1))
    if instrument == "flute":
        tone = buzz(pitch * vibrato, 0.25) + 0.03 * rng.standard_normal(count)
        return tone * swell(count, 0.12, 0.15)
    return 0.5 * buzz(pitch * vibrato, 0.78) * swell(count, 0.2, 0.2)
