"""Closed forms that the sounds of Soundbox obey, and how hard the set is."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from core.data import soundbox
from core.data._soundbox.machines import ClockTick
from core.data._soundbox.ships import Ship
from tests.bench._soundbox import log_mel

RATE = soundbox.RATE


def pure(name: str, source: int = 0) -> np.ndarray:
    return soundbox.morph(name, source=source).samples.astype(np.float64)


def parts(mixture: np.ndarray, *sounds: np.ndarray) -> np.ndarray:
    """Energy that each sound has in a mixture, by least squares."""
    heights = np.linalg.lstsq(np.stack(sounds, 1), mixture, rcond=None)[0]
    return heights**2 * np.array([np.sum(sound**2) for sound in sounds])


def envelope(samples: np.ndarray, lowest: float, rate: int = 500) -> np.ndarray:
    """Power above a frequency, sampled ``rate`` times a second, mean removed."""
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / RATE) < lowest] = 0
    step = RATE // rate
    power = np.square(np.fft.irfft(spectrum, len(samples)))[: len(samples) // step * step].reshape(-1, step).mean(1)
    return power - power.mean()


@pytest.mark.parametrize("source", range(4))
def test_a_clock_ticks_with_the_period_it_was_given(source: int) -> None:
    clock = soundbox.voice("clock_tick", 5000 + source, 0)
    assert isinstance(clock, ClockTick)
    power = envelope(pure("clock_tick", source), 300.0)
    likeness = np.correlate(power, power, "full")[len(power) - 1 :]
    lags = np.arange(int(0.6 * clock.period * 500), int(1.4 * clock.period * 500))
    assert lags[np.argmax(likeness[lags])] / 500 == pytest.approx(clock.period, abs=0.006)


@pytest.mark.parametrize("name", soundbox.SHIPS)
@pytest.mark.parametrize("source", range(2))
def test_a_ship_beats_at_its_blade_rate(name: str, source: int) -> None:
    ship = soundbox.voice(name, 5000 + source, 0)
    assert isinstance(ship, Ship)
    power = envelope(pure(name, source), 700.0)
    lines = np.abs(np.fft.rfft(power))
    hertz = np.fft.rfftfreq(len(power), 1 / 500)
    asked = hertz > 0.6 * ship.blade_rate  # below lie the shaft and the sway of the sea
    assert hertz[asked][np.argmax(lines[asked])] == pytest.approx(ship.blade_rate, abs=0.21)


def test_a_siren_and_birds_sweep_where_they_should() -> None:
    for name, low, high in (("siren", 300, 2200), ("chirping_birds", 1500, 9000), ("crickets", 2500, 7500)):
        for source in range(3):
            power = np.square(np.abs(np.fft.rfft(pure(name, source))))
            hertz = np.fft.rfftfreq(220_500, 1 / RATE)
            assert low < hertz[np.argmax(power * (hertz > 250))] < high, (name, source)


def test_the_ends_of_the_knob_are_the_pure_sounds() -> None:
    start, end = (soundbox.morph("dog", "rain", mix) for mix in (0.0, 1.0))
    assert np.allclose(start.samples, pure("dog"), atol=1e-6)
    assert np.allclose(end.samples, pure("rain"), atol=1e-6)
    assert not np.allclose(start.samples, end.samples, atol=1e-2)


@pytest.mark.parametrize("mix", [0.1, 0.37, 0.5, 0.9])
def test_energy_and_truth_follow_the_mixture_knob(mix: float) -> None:
    morph = soundbox.morph("cow", "siren", mix, source=3)
    first, second = parts(morph.samples, pure("cow", 3), pure("siren", 3))
    assert second / (first + second) == pytest.approx(mix, abs=1e-3)
    assert morph.truth.probs is not None
    told = dict(zip(soundbox.CLASSES, morph.truth.probs, strict=True))
    assert told["siren"] == pytest.approx(mix)
    assert told["cow"] == pytest.approx(1 - mix)
    assert np.abs(morph.samples).max() <= 0.95


@pytest.mark.parametrize("noise", [0.03, 0.5, 0.9])
def test_the_noise_knob_gives_the_ratio_it_states(noise: float) -> None:
    clean, noisy = pure("music"), soundbox.morph("music", noise=noise)
    height = np.dot(noisy.samples, clean) / np.dot(clean, clean)
    rest = noisy.samples - height * clean
    ratio = 10 * np.log10(height**2 * np.sum(clean**2) / np.sum(rest**2))
    assert ratio == pytest.approx(10 * np.log10((1 - noise) / noise), abs=0.3)
    assert noisy.truth.noise == noise
    assert noisy.truth.probs is None


def test_full_noise_holds_nothing_of_the_sound() -> None:
    clean, noisy = pure("music"), soundbox.morph("music", noise=1.0)
    assert abs(np.corrcoef(clean, noisy.samples)[0, 1]) < 0.05
    assert noisy.truth.probs == (1 / len(soundbox.CLASSES),) * len(soundbox.CLASSES)


def test_novelty_follows_the_knob_into_a_sound_never_trained_on() -> None:
    truths = [soundbox.morph("dog", "ship_ferry", mix).truth for mix in (0.0, 0.25, 1.0)]
    assert [truth.novelty for truth in truths] == [0.0, 0.25, 1.0]
    assert soundbox.morph("ship_ferry", "dog", 0.25).truth.novelty == 0.75
    assert truths[0].probs is not None
    assert truths[1].probs is None
    with pytest.raises(ValueError, match="0 to 1"):
        soundbox.morph("dog", "rain", 1.5)


@cache
def small_set() -> tuple[np.ndarray, ...]:
    """Mean log-mels of two takes of five sources of every class, with label, source and take."""
    rows = [s for s in soundbox.plan() if s.part == "clean" and s.source < 5 and s.take < 2]
    means = np.stack([log_mel(soundbox.render(spec)).mean(1) for spec in rows])
    columns = (np.array([getattr(spec, name) for spec in rows]) for name in ("label", "source", "take"))
    return means, *columns


def test_a_linear_model_on_mean_spectra_is_far_from_perfect_yet_above_chance() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    means, labels, sources, _ = small_set()
    train = sources < 3
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)).fit(means[train], labels[train])
    assert 0.2 < model.score(means[~train], labels[~train]) < 0.85


def test_a_careless_split_leaks() -> None:
    """The nearest clip is another take of the same source; told apart by source, the answer is much worse."""
    means, labels, sources, takes = small_set()
    scaled = (means - means.mean(0)) / means.std(0)
    apart = np.square(scaled[takes == 1][:, None] - scaled[takes == 0][None]).sum(2)
    labels, sources = labels[takes == 0], sources[takes == 0]
    careless = np.mean(labels[apart.argmin(1)] == labels)
    own = (labels[:, None] == labels) & (sources[:, None] == sources)
    grouped = np.mean(labels[np.where(own, np.inf, apart).argmin(1)] == labels)
    assert careless > grouped + 0.2
