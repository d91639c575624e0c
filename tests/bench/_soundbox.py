"""Soundbox as arrays for the bench: log-mels, and their means over time."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np

from core.contracts import Dataset, Item
from core.data import soundbox
from core.settings import Settings
from tests.bench._box_measures import Material

MELS, WINDOW, HOP = 64, 1024, 512


def log_mel(samples: np.ndarray) -> np.ndarray:
    """(mels, time) in decibels."""
    import librosa

    bank = librosa.filters.mel(sr=soundbox.RATE, n_fft=WINDOW, n_mels=MELS, fmin=50, fmax=14_000)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP] * np.hanning(WINDOW).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(frames))).astype(np.float32)
    return 10.0 * np.log10(np.maximum(bank @ power.T, 1e-10))


def halved(mels: np.ndarray) -> np.ndarray:
    """Pairs of frames become one: what the net needs of time, at half the cost."""
    pairs = mels[..., : mels.shape[-1] // 2 * 2].reshape(*mels.shape[:-1], -1, 2)
    return pairs.mean(-1)


def material(settings: Settings) -> Material:
    started = perf_counter()
    soundbox.prepare(settings)
    box = soundbox.open_soundbox(None, settings)
    items = [item for item in box.items if item.label is not None and dict(item.extra)["part"] in ("clean", "mixture")]
    with ThreadPoolExecutor(2) as pool:
        mels = np.stack(list(pool.map(lambda item: _log_mel_of(box, item), items)))
    return Material(
        classes=box.classes,
        pictures=halved(mels)[:, None].astype(np.float16),
        means=mels.mean(2),
        labels=np.array([item.label for item in items]),
        groups=np.array([item.group for item in items]),
        splits=np.array([item.split for item in items]),
        clean=np.array([dict(item.extra)["part"] == "clean" for item in items]),
        rolls=True,
        seconds=perf_counter() - started,
    )


def _log_mel_of(box: Dataset, item: Item) -> np.ndarray:
    import soundfile

    samples, _ = soundfile.read(io.BytesIO(box.read(item)), dtype="float32")
    return log_mel(samples)
