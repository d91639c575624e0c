"""Mel banks of librosa, and mel power on spectra as bare operations.

librosa's transforms and norms are not called: in a fresh environment they compile for a quarter of a minute first.
"""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np


def mel_bank(*, htk: bool, sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Slaney's unit area as librosa has it; in HTK's scale triangles of unit sum between librosa's edges."""
    if not htk:
        return librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    edges = librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax, htk=True)
    bank = np.array(
        [
            np.interp(librosa.fft_frequencies(sr=sr, n_fft=n_fft), edges[band : band + 3], (0, 1, 0))
            for band in range(n_mels)
        ]
    )
    return bank / bank.sum(axis=1, keepdims=True)


def mel_power(wave: np.ndarray, *, n_fft: int, hop: int, **bands: Any) -> np.ndarray:
    """(bands, frames) of periodic Hann windows, edges padded with zeros."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, n_fft // 2), n_fft)[::hop]
    return mel_bank(n_fft=n_fft, **bands) @ (np.abs(np.fft.rfft(frames * window)) ** 2).T
