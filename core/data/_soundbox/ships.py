"""Ships heard under water: cavitation noise that beats with the propeller, and the lines of the machinery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from core.data._soundbox.signal import LENGTH, RATE, Rng, band, clock, noise, product, slope, unit, wander


@dataclass(frozen=True, slots=True)
class Hull:
    """What one type of ship has in common; ranges are (low, high)."""

    shaft: tuple[float, float]  # turns a second
    blades: tuple[int, int]
    peak: tuple[float, float]  # Hz, where cavitation noise is loudest
    fall: tuple[float, float]  # dB an octave above the peak
    depth: tuple[float, float]  # of the beat
    engine: tuple[float, float]  # Hz, firing rate
    lines: tuple[float, float]  # height of the machinery against the noise


@dataclass(frozen=True, slots=True)
class Ship:
    hull: ClassVar[Hull]

    shaft: float
    blades: int
    peak: float
    fall: float
    depth: float
    engine: float
    mains: float
    lines: float

    @property
    def blade_rate(self) -> float:
        """Hz; the strongest line in the spectrum of the envelope."""
        return self.shaft * self.blades

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        hull = cls.hull
        return cls(
            shaft=rng.uniform(*hull.shaft),
            blades=int(rng.integers(hull.blades[0], hull.blades[1] + 1)),
            peak=rng.uniform(*hull.peak),
            fall=rng.uniform(*hull.fall),
            depth=rng.uniform(*hull.depth),
            engine=rng.uniform(*hull.engine),
            mains=float(rng.choice([50.0, 60.0])),
            lines=rng.uniform(*hull.lines),
        )

    def play(self, rng: Rng) -> np.ndarray:
        cavitation = noise(rng, LENGTH, product(band(self.peak, 16_000, 1.0), slope(-self.fall, low=self.peak)))
        rumble = noise(rng, LENGTH, product(band(20, self.peak, 1.0), slope(-3)))
        sway = np.exp(0.12 * wander(rng, LENGTH, 0.8))
        wake = unit(cavitation) * self.beat(rng) + 0.5 * unit(rumble)
        return (wake + self.lines * self._machinery(rng)) * sway

    def beat(self, rng: Rng) -> np.ndarray:
        """How the noise swells as blades pass the hull: the blade rate and its harmonics, and the shaft between."""
        turn = 2 * np.pi * (self.shaft * clock(LENGTH / RATE) + rng.random())
        blade = (
            np.cos(self.blades * turn) + 0.4 * np.cos(2 * self.blades * turn) + 0.15 * np.cos(3 * self.blades * turn)
        )
        uneven = 0.25 * np.cos(turn + 1.0) + 0.1 * np.cos(2 * turn + 2.0)
        return np.maximum(1 + self.depth * (blade / 1.3 + uneven), 0.02)

    def _machinery(self, rng: Rng) -> np.ndarray:
        """Firing of the engine, generators and blades, with harmonics: lines on the 0.2 Hz grid of five seconds."""
        from scipy import fft

        spectrum = np.zeros(LENGTH // 2 + 1, np.complex64)
        orders = np.arange(1, 9)
        for base, height in ((self.engine, 1.0), (self.mains, 0.5), (self.blade_rate, 0.8)):
            places = np.round(base * orders * LENGTH / RATE).astype(np.int64)
            heights = height * rng.uniform(0.3, 1.0, len(orders)) / np.sqrt(orders)
            spectrum[places] += heights * np.exp(2j * np.pi * rng.random(len(orders)))
        lines = np.asarray(fft.irfft(spectrum, LENGTH))
        return unit(lines)


class Tanker(Ship):
    """Large and slow: a deep beat of a few turns a second."""

    __slots__ = ()
    hull = Hull((1.2, 1.9), (4, 5), (60, 160), (4, 6), (0.4, 0.8), (9, 16), (0.5, 1.0))


class Ferry(Ship):
    """Medium speed, two decks of machinery."""

    __slots__ = ()
    hull = Hull((2.5, 4.0), (4, 5), (120, 320), (3, 5), (0.35, 0.7), (24, 40), (0.3, 0.8))


class Tug(Ship):
    """Hard working: strong diesel lines."""

    __slots__ = ()
    hull = Hull((3.0, 4.5), (3, 4), (150, 400), (3.5, 5.5), (0.3, 0.6), (35, 70), (0.8, 1.6))


class Motorboat(Ship):
    """Small and fast: a bright rasp, the blades too quick to count."""

    __slots__ = ()
    hull = Hull((12.0, 22.0), (3, 3), (400, 1200), (1.5, 3.5), (0.4, 0.8), (60, 130), (0.3, 0.9))
