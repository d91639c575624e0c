"""Voices of machines and signals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from core.data._soundbox.signal import (
    LENGTH,
    RATE,
    Rng,
    band,
    buzz,
    clock,
    filtered,
    formants,
    lay,
    log_uniform,
    modes,
    noise,
    phase,
    product,
    slope,
    ticks,
    unit,
    wander,
)


@dataclass(frozen=True, slots=True)
class VacuumCleaner:
    """Steady rush of air shaped by a hose, and the harmonics of a fast motor."""

    motor: float
    whine: float
    hose: tuple[float, float, float]
    tilt: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        hose = (log_uniform(rng, 250, 700), log_uniform(rng, 900, 2200), log_uniform(rng, 3000, 7000))
        return cls(log_uniform(rng, 160, 520), rng.uniform(0.25, 0.9), hose, rng.uniform(-4.5, -1.5))

    def play(self, rng: Rng) -> np.ndarray:
        pipe = formants(self.hose, (300, 700, 2000), (2.0, 1.2, 0.8), 0.7)
        air = noise(rng, LENGTH, product(pipe, slope(self.tilt), band(90, 13_000)))
        speed = self.motor * (1 + 0.006 * wander(rng, LENGTH, 0.8))
        motor = buzz(speed, 0.75) + 0.7 * np.sin(6 * phase(speed)) + 0.4 * np.sin(phase(speed / 2))
        stroke = 1 + 0.12 * wander(rng, LENGTH, 1.2)
        return unit(air) * stroke + self.whine * unit(motor)


@dataclass(frozen=True, slots=True)
class Helicopter:
    """The thump of each blade, rotor noise that comes and goes with it, a thin turbine."""

    blade_rate: float
    thump: float
    turbine: float
    tail: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        return cls(rng.uniform(9, 20), rng.uniform(0.6, 1.6), rng.uniform(1200, 4200), rng.uniform(55, 120))

    def play(self, rng: Rng) -> np.ndarray:
        place = np.cumsum(self.blade_rate * (1 + 0.01 * wander(rng, LENGTH, 0.7))) / RATE + rng.random()
        cycle = place % 1.0
        slap = np.exp(-cycle / 0.16) * (1 - np.exp(-cycle / 0.02))
        low = noise(rng, LENGTH, product(band(35, 260, 1.5), slope(-2)))
        wash = noise(rng, LENGTH, product(band(250, 7000, 1.0), slope(-4)))
        thumps = np.sin(2 * np.pi * 4.0 * cycle) * np.exp(-cycle / 0.22)
        body = unit(low) * (0.4 + 1.8 * slap) + unit(wash) * (0.3 + 1.3 * slap) * 0.7
        orders = np.arange(1, 7)
        tail = 0.25 * modes(5.0, self.tail * orders, np.full(6, np.inf), 0.6 ** (orders - 1))
        turbine = 0.06 * np.sin(phase(self.turbine * (1 + 0.002 * wander(rng, LENGTH, 1))))
        flight = np.exp(0.3 * wander(rng, LENGTH, 0.5))
        return (body + self.thump * 1.5 * thumps + tail + turbine) * flight


@dataclass(frozen=True, slots=True)
class Siren:
    """Wail, yelp or two tones from a horn."""

    kind: str
    low: float
    high: float
    period: float
    horn: float
    edge: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        kind = ("wail", "yelp", "two-tone")[int(rng.integers(3))]
        period = {"wail": (2.2, 4.5), "yelp": (0.24, 0.45), "two-tone": (0.8, 1.6)}[kind]
        low = rng.uniform(380, 720)
        ratio = rng.uniform(1.25, 1.5) if kind == "two-tone" else rng.uniform(1.7, 2.6)
        return cls(kind, low, low * ratio, rng.uniform(*period), rng.uniform(900, 2400), rng.uniform(0.35, 0.75))

    def play(self, rng: Rng) -> np.ndarray:
        cycle = (clock(LENGTH / RATE) / self.period + rng.random()) % 1.0
        if self.kind == "two-tone":
            lift = np.clip(0.5 + 40 * (0.25 - np.abs(cycle - 0.5)), 0, 1)
        elif self.kind == "wail":
            lift = 0.5 - 0.5 * np.cos(2 * np.pi * cycle)
        else:
            lift = np.where(cycle < 0.7, cycle / 0.7, (1 - cycle) / 0.3)
        pitch = self.low * (self.high / self.low) ** lift
        passing = 1 + 0.02 * np.tanh(wander(rng, LENGTH, 0.4))
        tone = filtered(
            buzz(pitch * passing, self.edge), formants((self.horn, 2.7 * self.horn), (700, 1500), (1, 0.5), 0.2)
        )
        return tone * np.exp(0.35 * wander(rng, LENGTH, 0.6))


@dataclass(frozen=True, slots=True)
class ClockTick:
    """Tick and tock: two short rings of a small case, exactly periodic."""

    period: float  # seconds from one tick to the next tock
    ring: tuple[tuple[float, float, float], ...]  # frequency, decay, height of each mode
    tock: float  # pitch and height of every second one against the first

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        small = [(log_uniform(rng, 1800, 8000), rng.uniform(0.002, 0.012), rng.uniform(0.4, 1)) for _ in range(4)]
        case = [(log_uniform(rng, 350, 1300), rng.uniform(0.008, 0.03), rng.uniform(0.15, 0.7))]
        return cls(float(rng.choice([0.2, 0.25, 0.5, 0.5, 1.0])), tuple(small + case), rng.uniform(0.7, 1.0))

    def play(self, rng: Rng) -> np.ndarray:
        out = np.zeros(LENGTH)
        frequencies, decays, heights = (np.array(column) for column in zip(*self.ring, strict=True))
        time = clock(0.12)
        click = 1.2 * rng.standard_normal(len(time)) * np.exp(-time / 0.0013)
        tick = modes(0.12, frequencies, decays, heights) + click
        tock = self.tock * modes(0.12, frequencies * self.tock, decays, heights[::-1]) + click
        for number, at in enumerate(ticks(rng, self.period, 0.0, first=rng.uniform(0, self.period))):
            lay(out, tock if number % 2 else tick, at, rng.uniform(0.9, 1.0))
        return out


@dataclass(frozen=True, slots=True)
class ChurchBells:
    """Struck bells: hum, prime, minor third, fifth, nominal and above, each with its own decay and beat."""

    bells: tuple[float, ...]  # prime of each bell, Hz
    interval: float
    ring: float
    bright: float

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        prime = log_uniform(rng, 180, 620)
        steps = rng.choice([1.0, 9 / 8, 5 / 4, 4 / 3, 3 / 2], size=int(rng.integers(1, 4)), replace=False)
        return cls(tuple(prime * steps), rng.uniform(0.7, 2.2), rng.uniform(0.6, 1.6), rng.uniform(0.7, 1.3))

    def play(self, rng: Rng) -> np.ndarray:
        partials = np.array([0.5, 1.0, 1.005, 1.2, 1.203, 1.5, 2.0, 2.006, 2.5, 2.67, 3.01, 4.1, 5.4])
        heights = np.array([0.5, 0.5, 0.3, 0.6, 0.4, 0.25, 0.9, 0.5, 0.3, 0.3, 0.35, 0.25, 0.15])
        heights = heights * self.bright ** np.log2(2 * partials)
        decays = self.ring * 1.8 / (0.5 + partials) * rng.uniform(0.9, 1.1, len(partials))
        time = clock(3.0)
        hit = 0.3 * noise(rng, len(time), band(1500, 9000)) * np.exp(-time / 0.006)
        rings = [modes(3.0, bell * partials, decays, heights) + hit for bell in self.bells]
        rings = [ring * np.minimum((time[-1] - time) / 0.4, 1.0) for ring in rings]
        out = np.zeros(LENGTH)
        times = ticks(rng, self.interval, 0.03, first=rng.uniform(-self.interval, 0.5))
        for number, at in enumerate(times):
            lay(out, rings[number % len(rings)], at, rng.uniform(0.7, 1.0))
        return out
