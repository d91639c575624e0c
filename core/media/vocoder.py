"""A sound made longer or shorter at its pitch, and moved in pitch at its length: a phase vocoder.

Equation:
    phase_k = phase_0 + sum_{j<k} (w + wrap(arg X(i_j + 1) - arg X(i_j) - w)),   i_j = floor(j speed)

X are short-time spectra a hop apart, w what each frequency turns in a hop; magnitudes are interpolated between the two
spectra. Paper: Flanagan and Golden 1966, https://doi.org/10.1002/j.1538-7305.1966.tb01706.x. In blocks, so that an
hour takes no more memory than a minute, and in plain numpy: a page may ask for it at every turn of a knob.
"""

from __future__ import annotations

import numpy as np

_LAPS = 4  # hops in a window
_BLOCK = 512  # spectra held at a time
_SILENT = 1e-8


def pitched(samples: np.ndarray, rate: int, semitones: float, size: int) -> np.ndarray:
    """Of the same length, for windows of ``size`` samples."""
    import soxr

    speed = 2.0 ** (-semitones / 12.0)
    longer = stretched(samples, speed, size)
    moved = soxr.resample(longer, rate / speed, rate, quality="HQ").astype(np.float32)
    return np.pad(moved[: len(samples)], (0, max(0, len(samples) - len(moved))))


def stretched(samples: np.ndarray, speed: float, size: int) -> np.ndarray:
    """``speed`` times as fast, at the same pitch."""
    hop = size // _LAPS
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)
    # silence on both sides, so that first and last sample lie in whole windows; two more spectra to look ahead
    padded = np.pad(samples.astype(np.float64), (size // 2, size // 2 + 2 * hop + size))
    count = 1 + len(samples) // hop
    steps = np.arange(0.0, count, speed)
    turns = np.linspace(0.0, np.pi * hop, size // 2 + 1)
    out, weight = np.zeros(len(steps) * hop + size), np.zeros(len(steps) * hop + size)
    phase = np.angle(_spectra(padded, 0, 1, window, hop, count))[0]
    for start in range(0, len(steps), _BLOCK):
        some = steps[start : start + _BLOCK]
        places = some.astype(np.int64)
        first = int(places[0])
        spectra = _spectra(padded, first, int(places[-1]) + 2 - first, window, hop, count)
        here, there = spectra[places - first], spectra[places - first + 1]
        turned = np.angle(there) - np.angle(here) - turns
        turned += turns - 2.0 * np.pi * np.round(turned / (2.0 * np.pi))
        phases = phase + np.concatenate([np.zeros((1, len(turns))), turned.cumsum(axis=0)])
        share = (some - places)[:, None]
        sizes = (1.0 - share) * np.abs(here) + share * np.abs(there)
        pieces = np.fft.irfft(sizes * np.exp(1j * phases[:-1]), size) * window
        for row, piece in enumerate(pieces, start):
            out[row * hop : row * hop + size] += piece
            weight[row * hop : row * hop + size] += window**2
        phase = phases[-1]
    length = round(len(samples) / speed)
    inside = slice(size // 2, size // 2 + length)
    found = out[inside] / np.where(weight[inside] > _SILENT, weight[inside], 1.0)
    return np.pad(found, (0, length - len(found))).astype(np.float32)


def _spectra(padded: np.ndarray, first: int, many: int, window: np.ndarray, hop: int, count: int) -> np.ndarray:
    """(many, frequencies) from the first one on; beyond the last of the sound there are none."""
    size = len(window)
    part = padded[first * hop : (first + many - 1) * hop + size]
    spectra = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(part, size)[::hop] * window)
    spectra[max(0, count - first) :] = 0.0
    return spectra
