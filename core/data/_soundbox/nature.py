"""Voices of weather, water and fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from core.data._soundbox.signal import (
    LENGTH,
    RATE,
    Rng,
    band,
    bursts,
    clock,
    log_uniform,
    modes,
    noise,
    product,
    scatter,
    slope,
    strike,
    unit,
    wander,
)


@dataclass(frozen=True, slots=True)
class Rain:
    """Thousands of small drops over a hiss, and a few near ones that ring."""

    rate: float
    hiss: float
    surface: tuple[float, float]  # band in which drops ring, Hz
    tilt: float
    near: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        low = log_uniform(rng, 900, 3000)
        return cls(
            log_uniform(rng, 120, 900),
            rng.uniform(0.3, 1.2),
            (low, low * rng.uniform(2, 4)),
            rng.uniform(-3, 1),
            log_uniform(rng, 2, 14),
        )

    def play(self, rng: Rng) -> np.ndarray:
        hiss = noise(rng, LENGTH, product(band(500, 12_000, 1.0), slope(self.tilt)))
        drops = self._drops(rng, self.rate, 0.006, (0.0006, 0.002), 0.8)
        near = self._drops(rng, self.near, 0.03, (0.003, 0.009), 0.5)
        level = np.sqrt(np.mean(drops**2)) + 1e-9
        return self.hiss * unit(hiss) + drops / level + 1.5 * near / (np.abs(near).max() + 1e-9)

    def _drops(self, rng: Rng, rate: float, length: float, decay: tuple[float, float], spread: float) -> np.ndarray:
        kinds = 24
        pitch = np.exp(rng.uniform(np.log(self.surface[0]), np.log(self.surface[1]), (kinds, 2)))
        grains = modes(length, pitch, rng.uniform(*decay, (kinds, 2)), rng.uniform(0.4, 1.0, (kinds, 2)))
        at = bursts(rng, rate)
        return scatter(grains, rng.integers(kinds, size=len(at)), at, np.exp(spread * rng.standard_normal(len(at))))


@dataclass(frozen=True, slots=True)
class CracklingFire:
    """Low roar that flutters, clusters of dry crackles of all sizes, a few pops."""

    rate: float
    roar: float
    bright: float
    pops: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        return cls(log_uniform(rng, 10, 50), rng.uniform(0.2, 1.0), rng.uniform(1500, 5000), rng.uniform(0.5, 3.0))

    def play(self, rng: Rng) -> np.ndarray:
        flutter = np.exp(0.5 * wander(rng, LENGTH, 6) + 0.3 * wander(rng, LENGTH, 1))
        roar = noise(rng, LENGTH, product(band(40, 700, 1.0), slope(-4))) * flutter
        hiss = noise(rng, LENGTH, band(2000, 10_000, 1.0))
        crackle = self._crackle(rng, self.rate, 0.008, (0.0004, 0.002), self.bright, 1.0)
        pops = self._crackle(rng, self.pops, 0.05, (0.004, 0.012), 0.35 * self.bright, 0.5)
        peak = np.quantile(np.abs(crackle), 0.9995) + 1e-9
        return 0.15 * self.roar * unit(roar) + 0.012 * unit(hiss) + crackle / peak + 1.2 * pops

    def _crackle(
        self, rng: Rng, rate: float, length: float, decay: tuple[float, float], centre: float, spread: float
    ) -> np.ndarray:
        kinds = 24
        time = clock(length)
        pitch = centre * np.exp(0.5 * rng.standard_normal((kinds, 3)))
        decays = rng.uniform(*decay, (kinds, 3))
        grains = modes(length, pitch, decays, rng.standard_normal((kinds, 3)))
        grains += 1.5 * rng.standard_normal(grains.shape) * np.exp(-time / decay[0])
        parents = bursts(rng, rate / 3)
        at = np.repeat(parents, rng.poisson(3, len(parents)))
        at = np.clip(at + rng.exponential(0.05, len(at)), 0, LENGTH / RATE - 0.001)
        heights = np.exp(spread * rng.standard_normal(len(at)))
        return scatter(grains, rng.integers(kinds, size=len(at)), at, heights)


@dataclass(frozen=True, slots=True)
class SeaWaves:
    """Waves that swell, break brightly and drain away as foam."""

    period: float
    depth: float
    tilt: float
    foam: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        return cls(rng.uniform(2.8, 6.0), rng.uniform(1.2, 2.4), rng.uniform(-5, -2), rng.uniform(0.4, 1.1))

    def play(self, rng: Rng) -> np.ndarray:
        low = noise(rng, LENGTH, product(band(50, 900, 1.0), slope(self.tilt)))
        high = noise(rng, LENGTH, product(band(700, 11_000, 1.0), slope(self.tilt + 2)))
        time = clock(LENGTH / RATE)
        cycle = (time / (self.period * rng.uniform(0.9, 1.1)) + rng.random() + 0.05 * wander(rng, LENGTH, 0.5)) % 1.0
        rising = np.clip(cycle / 0.55, 0, 1) ** 2
        breaking = np.where(cycle < 0.55, rising, np.exp(-(cycle - 0.55) / 0.13))
        draining = np.where(cycle < 0.5, 0.15 * np.exp(-cycle / 0.1), strike(cycle - 0.5, 0.05, 0.22))
        ripple = np.exp(0.12 * wander(rng, LENGTH, 7))
        floor = 0.10
        swell_low = floor + breaking**self.depth
        swell_high = 0.5 * floor + 0.7 * breaking ** (1.5 * self.depth) + self.foam * draining
        return (unit(low) * swell_low + 0.9 * unit(high) * swell_high) * ripple
