"""Voices that are never trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from core.data._soundbox.signal import (
    LENGTH,
    Rng,
    band,
    buzz,
    clock,
    curve,
    filtered,
    formants,
    lay,
    log_uniform,
    noise,
    phase,
    product,
    slope,
    swell,
    unit,
    wander,
)


@dataclass(frozen=True, slots=True)
class Rooster:
    """Cock-a-doodle-doo: two short calls, a leap, and a long last one that sinks."""

    pitch: float
    pace: float
    throat: float
    rough: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        return cls(log_uniform(rng, 420, 720), rng.uniform(0.8, 1.25), rng.uniform(0.85, 1.2), rng.uniform(0.1, 0.5))

    def play(self, rng: Rng) -> np.ndarray:
        out = np.zeros(LENGTH)
        at = rng.uniform(0.1, 2.2)
        syllables = ((0.16, 0.85, 0.9), (0.14, 1.05, 1.0), (0.38, 1.35, 1.25), (0.95, 1.3, 0.7))
        for length, start, end in syllables:
            seconds = length * self.pace * rng.uniform(0.9, 1.1)
            lay(out, self._call(rng, seconds, start, end), at, 0.7 if length < 0.2 else 1.0)
            at += seconds + 0.045 * self.pace
        return out

    def _call(self, rng: Rng, seconds: float, start: float, end: float) -> np.ndarray:
        count = len(clock(seconds))
        glide = self.pitch * curve(count, (0, 0.1, 0.6, 1), (0.8 * start, start, (start + end) / 2, end))
        glide *= 1 + 0.01 * wander(rng, count, 35)
        voiced = buzz(glide, 0.85) * (1 + self.rough * np.sin(phase(glide / 2)))
        voiced += 0.3 * self.rough * noise(rng, count, slope(0.0))
        throat = formants(np.array([950.0, 2000.0, 3300.0]) * self.throat, (500, 700, 900), (1.0, 0.9, 0.4), 0.03)
        call = filtered(voiced * swell(count, 0.1, 0.3), throat)
        return call / np.abs(call).max()


@dataclass(frozen=True, slots=True)
class CryingBaby:
    """Bouts of wailing: arched, rich in harmonics, with a gasp between."""

    pitch: float
    length: float
    strain: float
    mouth: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        return cls(rng.uniform(340, 560), rng.uniform(0.5, 1.2), rng.uniform(0.1, 0.8), rng.uniform(0.9, 1.15))

    def play(self, rng: Rng) -> np.ndarray:
        out = np.zeros(LENGTH)
        at = rng.uniform(-0.3, 0.5)
        while at < 4.9:
            length = self.length * rng.uniform(0.8, 1.25)
            lay(out, self._cry(rng, length), at, rng.uniform(0.75, 1.0))
            at += length + 0.08
            gasp = noise(rng, len(clock(0.16)), band(900, 6000, 1.0))
            lay(out, unit(gasp) * swell(len(gasp), 0.3, 0.3), at, 0.04)
            at += rng.uniform(0.2, 0.45)
        return out

    def _cry(self, rng: Rng, length: float) -> np.ndarray:
        count = len(clock(length))
        glide = (
            self.pitch * curve(count, (0, 0.2, 0.6, 1), (0.75, 1.08, 1.0, 0.7)) * (1 + 0.012 * wander(rng, count, 25))
        )
        voiced = buzz(glide, 0.88) * (1 + self.strain * np.sin(phase(glide / 2)) * (wander(rng, count, 4) > 0.4))
        mouth = formants(
            np.array([1050.0, 1700.0, 3300.0, 4500.0]) * self.mouth, (300, 400, 600, 800), (1, 0.5, 0.7, 0.3)
        )
        cry = filtered(voiced * swell(count, 0.12, 0.2), mouth)
        return cry / np.abs(cry).max()


@dataclass(frozen=True, slots=True)
class Chainsaw:
    """A two-stroke engine: rough pulses that race under throttle and fall back to idle."""

    idle: float
    full: float
    throttle: float  # times a second
    rasp: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        idle = rng.uniform(40, 60)
        return cls(idle, idle * rng.uniform(2.2, 3.2), rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.9))

    def play(self, rng: Rng) -> np.ndarray:
        pull = np.clip(0.7 + 1.2 * wander(rng, LENGTH, self.throttle), 0, 1)
        glide = (self.idle + (self.full - self.idle) * pull) * (1 + 0.02 * wander(rng, LENGTH, 30))
        angle = phase(glide)
        firing = np.exp(-((angle / (2 * np.pi)) % 1.0) / 0.13)
        rasp = noise(rng, LENGTH, product(band(500, 9000, 1.0), slope(-2)))
        exhaust = filtered(
            buzz(glide, 0.95), formants((180, 700, 1900, 3800), (160, 500, 900, 1500), (1, 0.8, 0.6, 0.4))
        )
        engine = unit(exhaust) + 2.0 * self.rasp * unit(rasp) * firing
        return engine * (0.35 + 0.65 * pull)
