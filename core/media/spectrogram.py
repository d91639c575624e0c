"""Log-mel spectrograms as PANNs computes them, in numpy (decode child, display) and torch (networks).

Both work in float64 inside: in float32 the FFT's rounding noise of a loud tone moves the quiet bands by
more than a decibel hundredth, which is above the 1e-4 dB that the two promise of each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

RATE = 32_000  # Hz
N_FFT = 1024  # samples of the periodic Hann window and of the FFT
HOP = 320  # samples between frames
MELS = 64  # bands
F_MIN = 50.0  # Hz
F_MAX = 14_000.0  # Hz
FLOOR = 1e-10  # power below which the logarithm stops: -100 dB
# Slaney's mel scale: linear below a knee, logarithmic above
_KNEE = 1000.0  # Hz
_LINEAR_STEP = 200.0 / 3  # Hz a mel below the knee
_LOG_STEP = np.log(6.4) / 27  # nepers a mel above the knee
_FRAMES_AT_ONCE = 512  # numpy transforms this many, so that memory does not grow with the clip


@dataclass(frozen=True, slots=True)
class MelConfig:
    """The front end of one network. The defaults are those of PANNs at 32 kHz."""

    rate: int = RATE
    n_fft: int = N_FFT
    hop: int = HOP
    mels: int = MELS
    f_min: float = F_MIN
    f_max: float = F_MAX
    floor: float = FLOOR

    def frames(self, samples: int) -> int:
        return samples // self.hop + 1


PANNS = MelConfig()


def mel_bank(config: MelConfig) -> np.ndarray:
    """Triangles on Slaney's scale with unit area a hertz, (mels, n_fft // 2 + 1) float64."""
    edges = mel_edges(config.f_min, config.f_max, config.mels)
    bins = np.arange(config.n_fft // 2 + 1) * (config.rate / config.n_fft)
    low, centre, high = (edges[i : i + config.mels, None] for i in range(3))
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))


def mel_edges(f_min: float, f_max: float, mels: int) -> np.ndarray:
    """Hz of the lower edge, the centres and the upper edge of the bands, (mels + 2,), even on Slaney's scale."""
    return _hertz(np.linspace(_mel(f_min), _mel(f_max), mels + 2))


def hann(size: int) -> np.ndarray:
    """The periodic Hann window, float64."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def log_mel(samples: np.ndarray, config: MelConfig = PANNS) -> np.ndarray:
    """(time,) to (frames, mels) float32 in dB re 1: 10 log10(max(S, floor)), frames centred, edges reflected."""
    return decibels(mel_power(samples, config), config.floor)


def mel_power(samples: np.ndarray, config: MelConfig = PANNS) -> np.ndarray:
    """(time,) to (frames, mels) float64 power."""
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"expected (time,) with at least one sample, got {samples.shape}")
    window, bank = _constants(config)
    count, half = config.frames(len(samples)), config.n_fft // 2
    power = np.empty((count, config.mels))
    for first in range(0, count, _FRAMES_AT_ONCE):
        last = min(count, first + _FRAMES_AT_ONCE)
        places = np.arange(first * config.hop - half, (last - 1) * config.hop + half)
        stretch = samples[reflected(places, len(samples))].astype(np.float64)
        framed = np.lib.stride_tricks.sliding_window_view(stretch, config.n_fft)[:: config.hop]
        spectrum = np.fft.rfft(framed * window)
        power[first:last] = (spectrum.real**2 + spectrum.imag**2) @ bank.T
    return power


def decibels(power: np.ndarray, floor: float = FLOOR) -> np.ndarray:
    return (10.0 * np.log10(np.maximum(power, floor))).astype(np.float32)


def log_mel_torch(waves: torch.Tensor, config: MelConfig = PANNS) -> torch.Tensor:
    """(items, time) to (items, frames, mels) float32 on the device of the input; pure and differentiable."""
    import torch

    if waves.ndim != 2 or not waves.shape[1]:
        raise ValueError(f"expected (items, time) with at least one sample, got {tuple(waves.shape)}")
    precision = torch.float32 if waves.device.type == "mps" else torch.float64  # mps has no float64
    window, bank = _torch_constants(config, waves.device, precision)
    half, size = config.n_fft // 2, waves.shape[1]
    if size > half:
        padded = torch.nn.functional.pad(waves.to(precision), (half, half), mode="reflect")
    else:  # torch reflects once only; a clip shorter than half a window needs several turns
        places = torch.from_numpy(reflected(np.arange(-half, size + half), size)).to(waves.device)
        padded = waves.to(precision)[:, places]
    spectrum = torch.fft.rfft(padded.unfold(1, config.n_fft, config.hop) * window)
    power = (spectrum.real.square() + spectrum.imag.square()) @ bank
    return (10.0 * torch.log10(torch.clamp(power, min=config.floor))).to(torch.float32)


def reflected(places: np.ndarray, size: int) -> np.ndarray:
    """Indices into ``size`` samples mirrored at both ends, without repeating the edge, as often as needed."""
    if size == 1:
        return np.zeros_like(places)
    turn = 2 * (size - 1)
    wrapped = np.abs(places) % turn
    return np.where(wrapped < size, wrapped, turn - wrapped)


@lru_cache(maxsize=16)
def _constants(config: MelConfig) -> tuple[np.ndarray, np.ndarray]:
    window, bank = hann(config.n_fft), mel_bank(config)
    window.flags.writeable = bank.flags.writeable = False
    return window, bank


@lru_cache(maxsize=16)
def _torch_constants(
    config: MelConfig, device: torch.device, precision: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    window, bank = _constants(config)
    with torch.inference_mode(False):  # the cached tensors serve training too
        return (
            torch.tensor(window, dtype=precision, device=device),
            torch.tensor(bank.T.copy(), dtype=precision, device=device),
        )


def _mel(hertz: float) -> float:
    if hertz < _KNEE:
        return hertz / _LINEAR_STEP
    return _KNEE / _LINEAR_STEP + float(np.log(hertz / _KNEE)) / _LOG_STEP


def _hertz(mel: np.ndarray) -> np.ndarray:
    knee = _KNEE / _LINEAR_STEP
    return np.where(mel < knee, mel * _LINEAR_STEP, _KNEE * np.exp(_LOG_STEP * (np.maximum(mel, knee) - knee)))
