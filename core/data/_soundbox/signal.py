"""The blocks that every voice is built from: oscillators, envelopes, filtered noise, grains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, Self

import numpy as np

RATE = 44_100
LENGTH = 5 * RATE

Rng = np.random.Generator
Gain = Callable[[np.ndarray], np.ndarray]  # frequencies in Hz -> linear gain


class Voice(Protocol):
    """One sound source: its lasting traits are drawn once, then it is heard in several takes."""

    @classmethod
    def draw(cls, rng: Rng) -> Self: ...

    def play(self, rng: Rng) -> np.ndarray:
        """(LENGTH,) dry samples at any level."""
        ...


def log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def clock(seconds: float) -> np.ndarray:
    """The times of the samples of a stretch."""
    return np.arange(max(1, round(seconds * RATE))) / RATE


def curve(count: int, at: Sequence[float], values: Sequence[float]) -> np.ndarray:
    """Straight lines through ``values`` at the places ``at`` (0 start .. 1 end)."""
    return np.interp(np.linspace(0.0, 1.0, count), at, values)


def wander(rng: Rng, count: int, rate: float) -> np.ndarray:
    """A smooth random line of about unit size that changes ``rate`` times a second."""
    knots = max(4, int(np.ceil(count / RATE * rate)) + 3)
    place = np.linspace(0.0, knots - 1.001, count)
    left = place.astype(np.int32)
    rest = place - left
    ease = rest * rest * (3.0 - 2.0 * rest)
    heights = rng.standard_normal(knots)
    return heights[left] * (1.0 - ease) + heights[left + 1] * ease


def phase(frequency: np.ndarray, start: float = 0.0) -> np.ndarray:
    return start + 2.0 * np.pi * np.cumsum(frequency) / RATE


def buzz(frequency: np.ndarray, decay: float | np.ndarray, start: float = 0.0) -> np.ndarray:
    """All harmonics at once, the k-th with height decay**(k-1): a closed form, quick and exact.

    The decay is held low enough for what would pass half the rate to stay 60 dB down; ``start`` is in turns.
    """
    limit = np.exp((-3.0 * np.log(10.0) / (RATE / 2)) * frequency.astype(np.float32))
    ratio = np.minimum(np.float32(decay) if isinstance(decay, float) else decay.astype(np.float32), limit)
    angle = _angle(np.cumsum(frequency) / RATE + start)
    return np.sin(angle) / (1.0 - 2.0 * ratio * np.cos(angle) + ratio * ratio)


def _angle(turns: np.ndarray) -> np.ndarray:
    """Radians in single precision, whose sines are ten times quicker; whole turns are dropped first."""
    return (turns - np.floor(turns)).astype(np.float32) * np.float32(2.0 * np.pi)


def strike(time: np.ndarray, attack: float, decay: float) -> np.ndarray:
    """A sudden start and an exponential end; both in seconds."""
    return (1.0 - np.exp(-time / attack)) * np.exp(-time / decay)


def swell(count: int, rise: float, fall: float) -> np.ndarray:
    """Rounded ramps over the first and last shares of a stretch, level between."""
    ramp = curve(count, (0.0, rise, 1.0 - fall, 1.0), (0.0, 1.0, 1.0, 0.0))
    return np.sin(0.5 * np.pi * ramp) ** 2


def modes(time: np.ndarray, frequencies: np.ndarray, decays: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """The ring of a struck body: a sum of damped sines. Sets of modes may be stacked in leading axes."""
    fade = (-1.0 / decays[..., None]).astype(np.float32) * time.astype(np.float32)
    rings = np.sin(_angle(frequencies[..., None] * time)) * np.exp(fade)
    return np.einsum("...m,...mt->...t", heights.astype(np.float32), rings)


def noise(rng: Rng, count: int, gain: Gain) -> np.ndarray:
    """Gaussian noise with a given spectrum."""
    return filtered(rng.standard_normal(count, dtype=np.float32), gain)


def filtered(samples: np.ndarray, gain: Gain) -> np.ndarray:
    """Zero-phase filter. A short zero tail keeps the end from leaking to the start."""
    from scipy import fft

    size = fft.next_fast_len(len(samples) + 1024, real=True)
    spectrum = fft.rfft(samples.astype(np.float32), size)
    spectrum *= gain(np.arange(len(spectrum), dtype=np.float32) * np.float32(RATE / size)).astype(np.float32)
    return np.asarray(fft.irfft(spectrum, size))[: len(samples)]


def band(low: float, high: float, order: float = 2.0) -> Gain:
    """Gain 1 between two corners; ``6 * order`` dB an octave outside."""

    def gain(frequency: np.ndarray) -> np.ndarray:
        steep = np.float32(2.0 * order)
        below = (np.float32(low) / np.maximum(frequency, 1.0)) ** steep
        above = (frequency / np.float32(high)) ** steep
        return 1.0 / np.sqrt((1.0 + below) * (1.0 + above))

    return gain


def slope(decibels: float, low: float = 30.0) -> Gain:
    """So many dB an octave, level below ``low`` Hz, 1 at 1 kHz."""
    power = np.float32(decibels / 6.0206)
    return lambda frequency: (np.maximum(frequency, np.float32(low)) / np.float32(1000.0)) ** power


def formants(centres: Sequence[float], widths: Sequence[float], heights: Sequence[float], floor: float = 0.02) -> Gain:
    """The resonances of a throat or of a box: peaks over a low floor."""

    def gain(frequency: np.ndarray) -> np.ndarray:
        total = np.full(frequency.shape, floor, np.float32)
        for centre, width, height in zip(centres, widths, heights, strict=True):
            total += np.float32(height) / (1.0 + ((frequency - np.float32(centre)) / np.float32(width / 2)) ** 2)
        return total

    return gain


def product(*gains: Gain) -> Gain:
    def gain(frequency: np.ndarray) -> np.ndarray:
        total = gains[0](frequency)
        for each in gains[1:]:
            total = total * each(frequency)
        return total

    return gain


def lay(out: np.ndarray, grain: np.ndarray, at: float, height: float = 1.0) -> None:
    """Add a grain at a time in seconds; what falls outside is cut."""
    start = round(at * RATE)
    first, last = max(start, 0), min(start + len(grain), len(out))
    if first < last:
        out[first:last] += height * grain[first - start : last - start]


def scatter(grains: np.ndarray, kinds: np.ndarray, at: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Thousands of short grains at once: ``grains[kinds[i]]`` at ``at[i]`` seconds."""
    span = grains.shape[1]
    starts = np.round(at * RATE).astype(np.int64)
    places = starts[:, None] + np.arange(span)
    values = grains[kinds] * heights[:, None]
    return np.bincount(places.ravel(), values.ravel(), LENGTH + span)[:LENGTH]


def ticks(rng: Rng, interval: float, jitter: float, first: float = 0.0, last: float = 5.0) -> np.ndarray:
    """Times of a repeated event, with a relative jitter that does not add up."""
    times = np.arange(first, last, interval)
    return times + jitter * interval * rng.standard_normal(len(times))


def bursts(rng: Rng, rate: float) -> np.ndarray:
    """Times of events that know nothing of each other, so many a second on average."""
    return np.sort(rng.uniform(0.0, LENGTH / RATE, rng.poisson(rate * LENGTH / RATE)))
