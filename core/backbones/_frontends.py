"""First stages of networks for sound: waveforms (items, time) to spectrograms, each item by itself.

All compute in float64 inside, as core.media.spectrogram says why. Nothing here is trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.media import spectrogram
from core.media.spectrogram import MelConfig

_HTK_SLOPE, _HTK_CORNER = 2595.0, 700.0  # mel = slope log10(1 + f / corner)


class FrontEnd(nn.Module):
    """What already is a spectrogram passes, so that training may keep those of sounds that it asks for again."""

    def forward(self, waves: Tensor) -> Tensor:
        return waves if waves.dim() == 4 else self.spectrogram(waves)

    def spectrogram(self, waves: Tensor) -> Tensor:
        raise NotImplementedError


class LogMel(FrontEnd):
    """(items, time) to (items, 1, frames, mels) in dB, as PANNs."""

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config

    def spectrogram(self, waves: Tensor) -> Tensor:
        return spectrogram.log_mel_torch(waves, self.config)[:, None]


@dataclass(frozen=True, slots=True)
class PaddedMel:
    """A mel power spectrogram whose edges are padded with zeros, as librosa's default."""

    rate: int
    n_fft: int
    hop: int
    mels: int
    f_max: float
    f_min: float = 0.0
    scale: Literal["slaney", "htk"] = "slaney"  # slaney: bands of unit area a hertz; htk: of unit sum

    def frames(self, samples: int) -> int:
        return samples // self.hop + 1

    def power(self, waves: Tensor) -> Tensor:
        """(items, time) to (items, frames, mels)."""
        precision = torch.float32 if waves.device.type == "mps" else torch.float64
        window, bank = _constants(self, waves.device, precision)
        padded = F.pad(waves.to(precision), (self.n_fft // 2, self.n_fft // 2))
        spectrum = torch.fft.rfft(padded.unfold(1, self.n_fft, self.hop) * window)
        return (spectrum.real.square() + spectrum.imag.square()) @ bank


class PeakDecibels(FrontEnd):
    """(items, time) to (items, 1, mels, frames) in dB below the item's own maximum, at most ``depth`` below it."""

    def __init__(self, mel: PaddedMel, depth: float = 80.0, floor: float = 1e-10) -> None:
        super().__init__()
        self.mel, self.depth, self.floor = mel, depth, floor

    def spectrogram(self, waves: Tensor) -> Tensor:
        level = 10.0 * torch.log10(self.mel.power(waves).clamp(min=self.floor))
        level = level - level.amax(dim=(1, 2), keepdim=True)
        return level.clamp(min=-self.depth).to(waves.dtype).transpose(1, 2)[:, None]


class LinearLog(FrontEnd):
    """(items, time) to (items, 1, frames, mels): log10(1 + gain m) / top."""

    def __init__(self, mel: PaddedMel, gain: float, top: float) -> None:
        super().__init__()
        self.mel, self.gain, self.top = mel, gain, top

    def spectrogram(self, waves: Tensor) -> Tensor:
        return (torch.log10(1.0 + self.gain * self.mel.power(waves)) / self.top).to(waves.dtype)[:, None]


class MelPicture(FrontEnd):
    """(items, time) to (items, 3, height, width): a log-mel shown to a network for pictures as a grey one.

    Low bands are at the bottom. -60 to 40 dB is black to white, normalised as the network's pictures.
    """

    BLACK, RANGE = -60.0, 100.0  # dB

    def __init__(
        self,
        config: MelConfig,
        size: tuple[int, int],
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.config, self.size = config, size
        self.mean, self.std = mean, std

    def spectrogram(self, waves: Tensor) -> Tensor:
        level = spectrogram.log_mel_torch(waves, self.config)
        grey = ((level - self.BLACK) / self.RANGE).clamp(0.0, 1.0).transpose(1, 2).flip(1)[:, None]
        if grey.shape[2:] != self.size:
            grey = F.interpolate(grey, self.size, mode="bilinear", antialias=True, align_corners=False)
        mean, std = (grey.new_tensor(values).reshape(1, 3, 1, 1) for values in (self.mean, self.std))
        return (grey - mean) / std


def htk_bank(mel: PaddedMel) -> np.ndarray:
    """Triangles even on HTK's mel scale, each with sum 1 over the bins, (mels, n_fft // 2 + 1) float64."""
    low_end, high_end = (_HTK_SLOPE * math.log10(1.0 + hertz / _HTK_CORNER) for hertz in (mel.f_min, mel.f_max))
    edges = _HTK_CORNER * (10.0 ** (np.linspace(low_end, high_end, mel.mels + 2) / _HTK_SLOPE) - 1.0)
    bins = np.arange(mel.n_fft // 2 + 1) * (mel.rate / mel.n_fft)
    low, centre, high = (edges[i : i + mel.mels, None] for i in range(3))
    triangles = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    return triangles / triangles.sum(axis=1, keepdims=True)


@lru_cache(maxsize=16)
def _constants(mel: PaddedMel, device: torch.device, precision: torch.dtype) -> tuple[Tensor, Tensor]:
    slaney = MelConfig(mel.rate, mel.n_fft, mel.hop, mel.mels, mel.f_min, mel.f_max)
    bank = htk_bank(mel) if mel.scale == "htk" else spectrogram.mel_bank(slaney)
    with torch.inference_mode(False):  # the cached tensors serve training too
        return (
            torch.tensor(spectrogram.hann(mel.n_fft), dtype=precision, device=device),
            torch.tensor(bank.T.copy(), dtype=precision, device=device),
        )
