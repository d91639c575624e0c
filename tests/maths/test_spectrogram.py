"""The log-mel front end against librosa, an independent implementation, at default and other values."""

from __future__ import annotations

import numpy as np
import pytest

from core.media.spectrogram import PANNS, MelConfig, hann, log_mel, log_mel_torch, mel_bank, mel_power

OTHERS = [
    PANNS,
    MelConfig(16_000, 512, 160, 40, 20.0, 7600.0),
    MelConfig(44_100, 2048, 441, 128, 0.0, 22_050.0, 1e-8),
    MelConfig(22_050, 600, 150, 24, 300.0, 5000.0, 1e-6),
]


def signals(rate: int) -> dict[str, np.ndarray]:
    """Noise; a loud tone that stops (quiet bands beside loud ones, then the floor); odd lengths."""
    chance = np.random.default_rng(7)
    tone = 0.9 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    tone[rate // 2 :] = 0
    return {
        "noise": chance.normal(0, 0.1, 30_011).astype(np.float32),
        "tone": tone.astype(np.float32),
        "short": chance.normal(0, 0.1, 2 * 1024 + 3).astype(np.float32),
    }


def by_librosa(samples: np.ndarray, config: MelConfig) -> np.ndarray:
    librosa = pytest.importorskip("librosa")
    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float64),
        sr=config.rate,
        n_fft=config.n_fft,
        hop_length=config.hop,
        n_mels=config.mels,
        fmin=config.f_min,
        fmax=config.f_max,
        pad_mode="reflect",
    )
    return librosa.power_to_db(power, ref=1.0, amin=config.floor, top_db=None).T


@pytest.mark.parametrize("config", OTHERS, ids=lambda c: f"{c.rate}-{c.n_fft}-{c.hop}-{c.mels}")
@pytest.mark.parametrize("signal", ["noise", "tone", "short"])
def test_numpy_and_torch_equal_librosa(config: MelConfig, signal: str) -> None:
    import torch

    samples = signals(config.rate)[signal]
    expected = by_librosa(samples, config)
    assert expected.shape == (len(samples) // config.hop + 1, config.mels)
    assert np.abs(log_mel(samples, config) - expected).max() < 1e-4
    batch = torch.from_numpy(np.stack([samples, samples[::-1]]))
    assert np.abs(log_mel_torch(batch, config)[0].numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("config", OTHERS, ids=lambda c: str(c.rate))
def test_the_bank_equals_librosa(config: MelConfig) -> None:
    librosa = pytest.importorskip("librosa")
    expected = librosa.filters.mel(
        sr=config.rate, n_fft=config.n_fft, n_mels=config.mels, fmin=config.f_min, fmax=config.f_max, dtype=np.float64
    )
    assert np.allclose(mel_bank(config), expected, rtol=1e-10, atol=1e-14)


def test_the_defaults_are_those_of_panns() -> None:
    assert [PANNS.frames(seconds * 32_000) for seconds in (10, 5, 4)] == [1001, 501, 401]
    assert log_mel(np.zeros(160_000, np.float32)).shape == (501, 64)
    assert (log_mel(np.zeros(5000, np.float32)) == -100).all()
    assert mel_bank(PANNS).shape == (64, 513)


@pytest.mark.parametrize("size", [1, 2, 3, 100, 512, 513, 700])
def test_clips_shorter_than_a_window_are_mirrored_as_often_as_needed(size: int) -> None:
    """numpy's own reflect padding, then a naive transform frame by frame."""
    import torch

    samples = np.random.default_rng(size).normal(0, 0.1, size).astype(np.float32)
    padded = np.pad(samples.astype(np.float64), 512, mode="reflect")
    frames = [padded[at : at + 1024] * hann(1024) for at in range(0, len(padded) - 1023, 320)]
    power = np.stack([np.abs(np.fft.rfft(frame)) ** 2 for frame in frames]) @ mel_bank(PANNS).T
    expected = 10 * np.log10(np.maximum(power, 1e-10))
    assert np.abs(log_mel(samples) - expected).max() < 1e-4
    assert np.abs(log_mel_torch(torch.from_numpy(samples)[None])[0].numpy() - expected).max() < 1e-4


def test_the_power_of_a_long_clip_does_not_depend_on_the_parts_it_is_taken_in() -> None:
    """700 frames span two parts; each frame alone gives the same."""
    samples = np.random.default_rng(3).normal(0, 0.1, 700 * 320).astype(np.float32)
    power = mel_power(samples)
    for frame in (0, 511, 512, 513, 700):
        centre = frame * 320
        padded = np.pad(samples.astype(np.float64), 512, mode="reflect")[centre : centre + 1024]
        alone = np.abs(np.fft.rfft(padded * hann(1024))) ** 2 @ mel_bank(PANNS).T
        assert np.allclose(power[frame], alone, rtol=1e-9)


def test_a_clip_does_not_depend_on_its_batch_and_gradients_flow() -> None:
    import torch

    waves = torch.from_numpy(np.random.default_rng(5).normal(0, 0.1, (3, 4000)).astype(np.float32))
    together = log_mel_torch(waves)
    assert all((log_mel_torch(waves[i : i + 1])[0] - together[i]).abs().max() < 1e-5 for i in range(3))
    waves.requires_grad_()
    log_mel_torch(waves).sum().backward()
    assert waves.grad is not None
    assert torch.isfinite(waves.grad).all()
