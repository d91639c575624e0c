"""The blocks that every voice is built from: oscillators, envelopes, filtered noise, grains.

Everything is double precision but white noise, which is drawn, not computed: processors differ in the last bit of a
sine, which single precision would carry into the 16-bit files, and one clip would have two fingerprints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, Self, cast

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


def phase(frequency: np.ndarray) -> np.ndarray:
    return np.cumsum(frequency) * (2.0 * np.pi / RATE)


def buzz(frequency: np.ndarray, decay: float | np.ndarray) -> np.ndarray:
    """All harmonics at once, the k-th with height decay**(k-1): a closed form, quick and exact.

    The decay is held low enough for what would pass half the rate to stay 60 dB down.
    """
    ratio = np.minimum(decay, np.exp(-3.0 * np.log(10.0) * frequency.max() / (RATE / 2)))
    angle = phase(frequency)
    return np.sin(angle) / (1.0 + ratio * ratio - 2.0 * ratio * np.cos(angle))


def strike(time: np.ndarray, attack: float, decay: float) -> np.ndarray:
    """A sudden start and an exponential end; both in seconds."""
    return (1.0 - np.exp(-time / attack)) * np.exp(-time / decay)


def swell(count: int, rise: float, fall: float) -> np.ndarray:
    """Rounded ramps over the first and last shares of a stretch, level between."""
    ramp = curve(count, (0.0, rise, 1.0 - fall, 1.0), (0.0, 1.0, 1.0, 0.0))
    return np.sin(0.5 * np.pi * ramp) ** 2


def modes(seconds: float, frequencies: np.ndarray, decays: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """The ring of a struck body: a sum of damped sines. Sets of modes may be stacked in leading axes.

    A damped sine is a power of one complex number, so whole blocks are products of a coarse and a fine power.
    """
    count, block = len(clock(seconds)), 256
    turn = (2j * np.pi * frequencies - 1.0 / decays)[..., None] / RATE
    coarse = heights[..., None] * np.exp(turn * (block * np.arange(-(-count // block))))
    fine = np.exp(turn * np.arange(block))
    left = np.concatenate([np.imag(coarse), np.real(coarse)], -2)
    right = np.concatenate([np.real(fine), np.imag(fine)], -2)
    rings = np.einsum("...ma,...mb->...ab", left, right)  # not @, whose threads get in each other's way in workers
    return rings.reshape(*rings.shape[:-2], -1)[..., :count]


def unit(samples: np.ndarray) -> np.ndarray:
    """Scaled to a spread of one."""
    return samples / float(samples.std(dtype=np.float64))


def noise(rng: Rng, count: int, gain: Gain) -> np.ndarray:
    """Gaussian noise with a given spectrum."""
    return filtered(rng.standard_normal(count, dtype=np.float32), gain)


def filtered(samples: np.ndarray, gain: Gain) -> np.ndarray:
    """Zero-phase filter, in the precision of the samples. A short zero tail keeps the end from leaking to the start."""
    from scipy import fft

    size = cast("int", fft.next_fast_len(len(samples) + 1024, real=True))
    spectrum = np.asarray(fft.rfft(samples, size)) * response(gain, size).astype(samples.dtype)
    return np.asarray(fft.irfft(spectrum, size))[: len(samples)]


_GRID = np.concatenate([[0.0], np.geomspace(10.0, RATE / 2, 1200)])


def response(gain: Gain, size: int) -> np.ndarray:
    """A gain at every frequency of a real transform; long ones are read off a fine grid (0.6 % of the frequency)."""
    hertz = np.arange(size // 2 + 1) * (RATE / size)
    return gain(hertz) if len(hertz) < 4 * len(_GRID) else np.interp(hertz, _GRID, gain(_GRID))


def band(low: float, high: float, order: float = 2.0) -> Gain:
    """Gain 1 between two corners; ``6 * order`` dB an octave outside."""

    def gain(frequency: np.ndarray) -> np.ndarray:
        below = (low / np.maximum(frequency, 1.0)) ** (2.0 * order)
        above = (frequency / high) ** (2.0 * order)
        return 1.0 / np.sqrt((1.0 + below) * (1.0 + above))

    return gain


def slope(decibels: float, low: float = 30.0) -> Gain:
    """So many dB an octave, level below ``low`` Hz, 1 at 1 kHz."""
    return lambda frequency: (np.maximum(frequency, low) / 1000.0) ** (decibels / 6.0206)


Numbers = Sequence[float] | np.ndarray


def formants(centres: Numbers, widths: Numbers, heights: Numbers, floor: float = 0.02) -> Gain:
    """The resonances of a throat or of a box: peaks over a low floor."""

    def gain(frequency: np.ndarray) -> np.ndarray:
        total = np.full(frequency.shape, floor)
        for centre, width, height in zip(centres, widths, heights, strict=True):
            total += height / (1.0 + ((frequency - centre) / (width / 2)) ** 2)
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
