"""The phase vocoder against librosa's, on tones, noise and silence, in one block and in several."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from core.media import vocoder

RATE = 8000


def sounds() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    time = np.arange(RATE) / RATE
    return {
        "tone": np.sin(2 * np.pi * 440 * time),
        "noise": generator.normal(0, 0.2, RATE + 37),
        "clicks": (np.arange(RATE) % 1000 == 3).astype(float),
        "silence": np.zeros(RATE),
        "short": generator.normal(0, 0.2, 300),
    }


def by_librosa(samples: np.ndarray, speed: float, size: int) -> np.ndarray:
    spectra = librosa.stft(samples.astype(np.float64), n_fft=size)
    slower = librosa.phase_vocoder(spectra, rate=speed, n_fft=size)
    return librosa.istft(slower, n_fft=size, length=round(len(samples) / speed))


@pytest.mark.parametrize("name", sounds())
@pytest.mark.parametrize("speed", [0.5, 0.9, 1.0, 1.37, 2.0])
@pytest.mark.parametrize("block", [512, 7])
def test_a_sound_is_stretched_as_librosa_does(
    name: str, speed: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocoder, "_BLOCK", block)
    samples = sounds()[name].astype(np.float32)
    found = vocoder.stretched(samples, speed, 256)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_librosa(samples, speed, 256), atol=2e-4)


def test_a_moved_pitch_is_a_stretched_sound_at_another_rate() -> None:
    samples = sounds()["noise"].astype(np.float32)
    for semitones in (-12.0, -3.0, 0.5, 12.0):
        speed = 2.0 ** (-semitones / 12.0)
        found = vocoder.pitched(samples, RATE, semitones, 1024)
        expected = librosa.resample(by_librosa(samples, speed, 1024), orig_sr=RATE / speed, target_sr=RATE)
        assert len(found) == len(samples)
        inside = slice(0, min(len(expected), len(samples)))
        np.testing.assert_allclose(found[inside], expected[inside], atol=2e-3)
