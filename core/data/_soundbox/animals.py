"""Voices of animals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from core.data._soundbox.signal import (
    LENGTH,
    RATE,
    Rng,
    buzz,
    clock,
    curve,
    filtered,
    formants,
    lay,
    log_uniform,
    noise,
    phase,
    slope,
    strike,
    swell,
    unit,
    wander,
)


@dataclass(frozen=True, slots=True)
class Dog:
    """One to four barks: short harmonic bursts whose pitch jumps up and falls, through a throat."""

    pitch: float
    throat: float  # 1 a middling dog, below a large one
    rough: float
    length: float
    gap: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        size = rng.uniform(0.65, 1.5)
        pitch = 430.0 * size * rng.uniform(0.75, 1.3)
        return cls(pitch, size, rng.uniform(0.2, 0.9), rng.uniform(0.12, 0.28), rng.uniform(0.18, 0.6))

    def play(self, rng: Rng) -> np.ndarray:
        out = np.zeros(LENGTH)
        count = int(rng.integers(1, 5))
        at = rng.uniform(0.05, 4.6 - count * (self.length + self.gap))
        for _ in range(count):
            lay(out, self._bark(rng), at, rng.uniform(0.6, 1.0))
            at += self.length * 1.2 + self.gap * rng.uniform(0.8, 1.3)
        return out

    def _bark(self, rng: Rng) -> np.ndarray:
        length = self.length * rng.uniform(0.85, 1.2)
        time = clock(length * 1.6)
        count = len(time)
        pitch = self.pitch * rng.uniform(0.93, 1.08)
        glide = (
            pitch
            * curve(count, (0, 0.15, 0.4, 0.7, 1), (0.72, 1.12, 1.15, 0.9, 0.7))
            * (1 + 0.02 * wander(rng, count, 60))
        )
        voiced = buzz(glide, 0.86) * (1.0 + 0.35 * self.rough * np.sign(np.sin(phase(glide / 2))))
        breath = (0.2 + 0.9 * self.rough) * noise(rng, count, slope(-2.0))
        mouth = np.array([620.0, 1350.0, 2700.0, 4200.0]) * self.throat ** np.array([0.8, 0.6, 0.4, 0.3])
        throat = formants(mouth, (260, 380, 600, 900), (1.0, 0.8, 0.35, 0.15), 0.03)
        envelope = strike(time, 0.012, length * 0.4) * swell(count, 0.05, 0.5)
        bark = filtered((voiced + breath) * envelope, throat)
        return bark / np.abs(bark).max()


@dataclass(frozen=True, slots=True)
class Cow:
    """A long low moo: pitch rises and falls, the mouth opens and closes."""

    pitch: float
    length: float
    rough: float
    mouth: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        return cls(log_uniform(rng, 85, 210), rng.uniform(1.1, 2.6), rng.uniform(0.05, 0.5), rng.uniform(0.85, 1.25))

    def play(self, rng: Rng) -> np.ndarray:
        out = np.zeros(LENGTH)
        length = self.length * rng.uniform(0.85, 1.15)
        twice = length < 1.7 and rng.random() < 0.6
        at = rng.uniform(0.1, 0.6) if twice else rng.uniform(0.1, max(0.15, 4.8 - length))
        lay(out, self._moo(rng, length), at)
        if twice:
            lay(out, self._moo(rng, length * rng.uniform(0.8, 1.2)), at + length + rng.uniform(0.3, 0.9), 0.8)
        return out

    def _moo(self, rng: Rng, length: float) -> np.ndarray:
        count = len(clock(length))
        peak = rng.uniform(0.3, 0.6)
        glide = self.pitch * curve(count, (0, 0.12, peak, 0.85, 1), (0.65, 0.92, 1.4, 1.12, 0.62))
        glide *= 1 + 0.012 * wander(rng, count, 18)
        growl = 1 + self.rough * curve(count, (0, 0.3, 1), (1.0, 0.3, 0.6)) * np.sin(phase(glide / 2))
        voiced = buzz(glide, 0.93) * growl + 0.12 * self.rough * noise(rng, count, slope(-3.0))
        shut = filtered(voiced, formants((230 * self.mouth, 900, 2300), (140, 200, 500), (1.0, 0.12, 0.02), 0.004))
        wide = filtered(
            voiced, formants(np.array([560.0, 1050.0, 2500.0]) * self.mouth, (200, 260, 500), (1, 0.6, 0.2))
        )
        opening = curve(count, (0, 0.15, 0.4, 0.8, 1), (0.0, 0.25, 1.0, 0.9, 0.15))
        moo = (unit(shut) * (1 - opening) + unit(wide) * opening) * swell(count, 0.12, 0.25)
        return moo / np.abs(moo).max()


@dataclass(frozen=True, slots=True)
class ChirpingBirds:
    """Phrases of quick whistles that sweep between 2 and 8 kHz, a second bird answering from afar."""

    centre: float
    reach: float  # share of an octave swept
    bend: tuple[float, float, float]  # shape of one whistle
    rate: float
    length: float
    phrase: int

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        bends = ((1.0, 0.2, -1.0), (-1.0, 0.0, 1.0), (-0.8, 1.0, -0.8), (0.8, -1.0, 0.9))
        rate = rng.uniform(4.5, 13)
        return cls(
            centre=log_uniform(rng, 2600, 6000),
            reach=rng.uniform(0.25, 0.7),
            bend=bends[int(rng.integers(len(bends)))],
            rate=rate,
            length=rng.uniform(0.35, 0.75) / rate,
            phrase=int(rng.integers(3, 10)),
        )

    def play(self, rng: Rng) -> np.ndarray:
        out = np.zeros(LENGTH)
        self._sing(rng, out, 1.0, 1.0)
        if rng.random() < 0.7:
            self._sing(rng, out, rng.uniform(0.7, 1.35), rng.uniform(0.1, 0.45))
        return out

    def _sing(self, rng: Rng, out: np.ndarray, key: float, height: float) -> None:
        at = rng.uniform(0.0, 0.8)
        while at < 4.8:
            step = rng.uniform(-0.04, 0.05)
            for position in range(max(2, self.phrase + int(rng.integers(-2, 3)))):
                whistle = self._whistle(rng, key * (1 + step * position))
                lay(out, whistle, at, height * rng.uniform(0.6, 1.0))
                at += rng.uniform(0.9, 1.1) / self.rate
            at += rng.uniform(0.25, 1.1)

    def _whistle(self, rng: Rng, key: float) -> np.ndarray:
        count = len(clock(self.length * rng.uniform(0.8, 1.2)))
        octaves = self.reach * curve(count, (0, 0.5, 1), self.bend)
        pitch = np.clip(self.centre * key * rng.uniform(0.97, 1.03) * 2.0 ** (octaves / 2), 1900, 8500)
        angle = phase(pitch)
        return (np.sin(angle) + 0.04 * np.sin(2 * angle)) * swell(count, 0.25, 0.45)


@dataclass(frozen=True, slots=True)
class Crickets:
    """A thin carrier cut into pulses, the pulses grouped into chirps or running on as a trill."""

    carrier: float
    pulse_rate: float
    chirp_rate: float
    pulses: int  # in one chirp; 0 for a trill
    insects: int

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        pulses = 0 if rng.random() < 0.3 else int(rng.integers(2, 6))
        return cls(
            carrier=rng.uniform(2900, 6500),
            pulse_rate=rng.uniform(22, 55),
            chirp_rate=rng.uniform(1.6, 4.0),
            pulses=pulses,
            insects=int(rng.integers(1, 4)),
        )

    def play(self, rng: Rng) -> np.ndarray:
        time = clock(LENGTH / RATE)
        out = np.zeros(LENGTH)
        for insect in range(self.insects):
            carrier = self.carrier * (1 + 0.04 * rng.standard_normal() * (insect > 0))
            beat = self.pulse_rate * rng.uniform(0.95, 1.05)
            place = time * beat + rng.random()
            gate = np.sin(np.pi * np.minimum((place % 1.0) / 0.7, 1.0)) ** 1.5
            if self.pulses:
                period = max(beat / self.chirp_rate * rng.uniform(0.95, 1.05), self.pulses + 2)
                number = np.floor(place + rng.uniform(0, period)) % np.floor(period)
                gate = gate * (number < self.pulses)
            height = rng.uniform(0.7, 1.0) if insect == 0 else rng.uniform(0.1, 0.5)
            angle = 2 * np.pi * carrier * time + 0.6 * gate
            out += height * gate * (1 + 0.15 * wander(rng, LENGTH, 3)) * (np.sin(angle) + 0.1 * np.sin(2 * angle))
        return out
