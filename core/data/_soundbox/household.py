"""Voices of hands and feet: steps, knocks, keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from core.data._soundbox.signal import (
    LENGTH,
    Rng,
    band,
    clock,
    lay,
    log_uniform,
    modes,
    noise,
    strike,
    unit,
)


@dataclass(frozen=True, slots=True)
class Footsteps:
    """Heel, then toe, left and right in turn, on wood, stone or gravel."""

    pace: float  # seconds a step
    ground: str
    body: tuple[tuple[float, float], ...]  # frequency and decay of the floor
    roll: float  # seconds from heel to toe

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        ground = ("wood", "stone", "gravel")[int(rng.integers(3))]
        low, high = {"wood": (90, 500), "stone": (400, 2600), "gravel": (80, 300)}[ground]
        body = tuple((log_uniform(rng, low, high), rng.uniform(0.008, 0.035)) for _ in range(4))
        return cls(rng.uniform(0.36, 0.72), ground, body, rng.uniform(0.06, 0.12))

    def play(self, rng: Rng) -> np.ndarray:
        out = np.zeros(LENGTH)
        at, number = rng.uniform(0, self.pace), 0
        while at < 4.95:
            foot = 1.0 if number % 2 else 0.85
            lay(out, self._contact(rng, 1.0), at, foot * rng.uniform(0.8, 1.0))
            lay(out, self._contact(rng, 1.35), at + self.roll * rng.uniform(0.85, 1.15), foot * rng.uniform(0.3, 0.55))
            at += self.pace * rng.uniform(0.94, 1.06)
            number += 1
        return out

    def _contact(self, rng: Rng, key: float) -> np.ndarray:
        time = clock(0.22)
        frequencies, decays = (np.array(column) for column in zip(*self.body, strict=True))
        thump = modes(0.22, key * frequencies * rng.uniform(0.97, 1.03), decays, rng.uniform(0.5, 1.0, len(decays)))
        if self.ground == "gravel":
            grit = np.zeros(len(time))
            for start, size in zip(rng.exponential(0.045, 30), rng.exponential(1.0, 30), strict=True):
                lay(grit, rng.standard_normal(130) * np.exp(-np.arange(130) / 30), start, size)
            grit = grit * strike(time, 0.008, 0.06)
            return 0.5 * thump + 0.5 * grit
        scrape = noise(rng, len(time), band(600, 7000, 1.0))
        return thump + 0.25 * unit(scrape) * strike(time, 0.001, 0.012 if self.ground == "stone" else 0.02)


@dataclass(frozen=True, slots=True)
class DoorKnock:
    """Two to six knocks on a panel in quick succession, perhaps once more."""

    gap: float
    count: int
    panel: tuple[tuple[float, float, float], ...]  # frequency, decay, height
    knuckle: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        panel = [(log_uniform(rng, 100, 1400), rng.uniform(0.006, 0.028), rng.uniform(0.3, 1.0)) for _ in range(12)]
        return cls(rng.uniform(0.11, 0.27), int(rng.integers(3, 7)), tuple(panel), rng.uniform(0.2, 0.8))

    def play(self, rng: Rng) -> np.ndarray:
        out = np.zeros(LENGTH)
        at = rng.uniform(0.05, 1.5)
        while at < 4.9:
            for _ in range(max(2, self.count + int(rng.integers(-1, 2)))):
                lay(out, self._knock(rng), at, rng.uniform(0.7, 1.0))
                at += self.gap * rng.uniform(0.92, 1.08)
            at += rng.uniform(0.9, 2.2)
        return out

    def _knock(self, rng: Rng) -> np.ndarray:
        time = clock(0.3)
        frequencies, decays, heights = (np.array(column) for column in zip(*self.panel, strict=True))
        body = modes(0.3, frequencies, decays, heights * rng.uniform(0.8, 1.2, len(heights)))
        tap = noise(rng, len(time), band(800, 6000, 1.0))
        return body + self.knuckle * unit(tap) * strike(time, 0.0005, 0.006)


@dataclass(frozen=True, slots=True)
class KeyboardTyping:
    """Irregular runs of key strokes; each goes down and comes up again."""

    speed: float  # strokes a second while typing
    keys: tuple[tuple[float, float, float], ...]
    thock: float
    lift: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        keys = [(log_uniform(rng, 1300, 7000), rng.uniform(0.0015, 0.006), rng.uniform(0.3, 1.0)) for _ in range(5)]
        thock = [(log_uniform(rng, 180, 700), rng.uniform(0.006, 0.02), rng.uniform(0.2, 0.9))]
        return cls(rng.uniform(4.5, 10.0), tuple(keys + thock), rng.uniform(0.2, 1.0), rng.uniform(0.3, 0.7))

    def play(self, rng: Rng) -> np.ndarray:
        out = np.zeros(LENGTH)
        at = rng.uniform(0, 0.5)
        while at < 4.95:
            for _ in range(int(rng.integers(3, 14))):
                height = np.exp(0.35 * rng.standard_normal())
                lay(out, self._click(rng, 1.0), at, height)
                lay(out, self._click(rng, 1.2), at + rng.uniform(0.05, 0.12), height * self.lift)
                at += rng.gamma(4.0, 0.25) / self.speed
            at += rng.uniform(0.1, 0.7)
        return out

    def _click(self, rng: Rng, key: float) -> np.ndarray:
        time = clock(0.06)
        frequencies, decays, heights = (np.array(column) for column in zip(*self.keys, strict=True))
        key = key * np.exp(0.08 * rng.standard_normal())
        ring = modes(0.06, key * frequencies, decays, heights * rng.uniform(0.5, 1.5, len(heights)))
        return ring + 0.6 * rng.standard_normal(len(time)) * np.exp(-time / 0.0012)
