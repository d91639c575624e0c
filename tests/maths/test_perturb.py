"""Perturbing a file: each step does what its note says, and nothing turned does nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts import Media, Note, Receipt
from core.errors import UserFacingError
from core.pipeline.perturb import Knobs, blurred, cropped, mixed, noised, perturbed, pitched, shifted

RATE = 8000


def tone(frequency: float, seconds: float = 1.0, rate: int = RATE, level: float = 0.5) -> Media:
    samples = (level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)
    return Media("audio", samples, rate, f"{frequency}-{rate}-{level}", Receipt("wav", "PCM 16 bit", 1, rate))


def picture(seed: int = 0, height: int = 40, width: int = 60) -> Media:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Media("image", pixels, None, f"picture-{seed}", Receipt("png", "RGB 8 bit", 1, width=width, height=height))


def loudest(media: Media) -> float:
    power = np.abs(np.fft.rfft(media.samples * np.hanning(len(media.samples))))
    return float(power.argmax()) * (media.rate or 0) / len(media.samples)


def level(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def test_nothing_turned_is_the_file_itself() -> None:
    for media in (tone(440.0), picture()):
        assert perturbed(media, Knobs()) is media


@pytest.mark.parametrize(
    ("media", "knobs"),
    [
        (tone(440.0), Knobs(noise=0.3)),
        (tone(440.0), Knobs(crop=0.5)),
        (tone(440.0), Knobs(pitch=2.0)),
        (tone(440.0), Knobs(shift=0.25)),
        (picture(), Knobs(noise=0.3)),
        (picture(), Knobs(blur=0.3)),
        (picture(), Knobs(crop=0.5)),
    ],
    ids=("noised", "cropped", "pitched", "shifted", "noised-picture", "blurred-picture", "cropped-picture"),
)
def test_every_knob_leaves_its_mark_and_the_original(media: Media, knobs: Knobs) -> None:
    before = media.samples.copy()
    found = perturbed(media, knobs)
    assert np.array_equal(media.samples, before)
    assert found.sha256 != media.sha256
    assert not found.samples.flags.writeable
    assert found.samples.dtype == media.samples.dtype
    assert len(found.receipt.notes) > len(media.receipt.notes)
    again = perturbed(media, knobs)
    assert again.sha256 == found.sha256
    assert np.array_equal(again.samples, found.samples)


def test_a_mixture_holds_both_tones_at_their_shares() -> None:
    """Powers in the spectrum: the other tone was of another rate, length and level."""
    low, high = tone(500.0), tone(1500.0, seconds=2.0, rate=16000, level=0.05)
    for share in (0.25, 0.5, 1.0):
        found = mixed(low, high, share)
        assert (found.rate, len(found.samples)) == (RATE, len(low.samples))
        power = np.abs(np.fft.rfft(found.samples)) / len(found.samples) * 2
        assert power[500] == pytest.approx(0.5 * (1 - share), abs=0.01)
        assert power[1500] == pytest.approx(0.5 * share, abs=0.02)


def test_a_mixture_of_pictures_is_the_weighted_mean() -> None:
    first, second = picture(1), picture(2)
    expected = np.rint(0.7 * first.samples.astype(float) + 0.3 * second.samples)
    assert np.array_equal(mixed(first, second, 0.3).samples, expected.astype(np.uint8))
    assert mixed(first, picture(3, 20, 31), 0.5).samples.shape == first.samples.shape


def test_all_noise_leaves_nothing_of_the_sound_but_its_level() -> None:
    media = tone(440.0, seconds=4.0)
    found = noised(media, 1.0)
    assert level(found.samples) == pytest.approx(level(media.samples), rel=0.03)
    assert abs(float(np.corrcoef(found.samples, media.samples)[0, 1])) < 0.03
    assert not np.array_equal(found.samples, noised(media, 1.0, seed=1).samples)
    grey = noised(picture(), 1.0).samples
    assert abs(float(np.corrcoef(grey.ravel(), picture().samples.ravel())[0, 1])) < 0.05


def test_blur_keeps_the_mean_and_takes_the_contrast() -> None:
    media = picture()
    spreads = [float(blurred(media, amount).samples.std()) for amount in (0.1, 0.3, 1.0)]
    assert float(media.samples.std()) > spreads[0] > spreads[1] > spreads[2]
    assert blurred(media, 0.3).samples.mean() == pytest.approx(media.samples.mean(), abs=1.0)


def test_pitch_moves_and_length_stays() -> None:
    for semitones in (-12.0, 7.0, 12.0):
        found = pitched(tone(440.0), semitones)
        assert len(found.samples) == RATE
        assert loudest(found) == pytest.approx(440.0 * 2 ** (semitones / 12), rel=0.02)


def test_a_shift_is_undone_by_its_opposite_and_a_crop_is_the_middle() -> None:
    media = tone(440.0)
    back = shifted(shifted(media, 0.3), -0.3)
    assert np.array_equal(back.samples, media.samples)
    assert np.array_equal(cropped(media, 0.5).samples, media.samples[2000:6000])
    assert np.array_equal(cropped(picture(), 0.5).samples, picture().samples[10:30, 15:45])


def test_the_receipt_tells_the_level_of_the_result() -> None:
    """A silent file that was mixed is silent no more, and its note goes."""
    silent = tone(440.0, level=0.0)
    silent = replace(silent, receipt=silent.receipt.noting(Note("silent", "digital silence", alarm=True)))
    assert not perturbed(silent, Knobs(mix=0.5), tone(300.0)).receipt.has("silent")
    assert perturbed(silent, Knobs(shift=0.5)).receipt.has("silent")
    assert perturbed(tone(440.0, seconds=1.0), Knobs(crop=0.1)).receipt.has("short")
    flat = replace(picture(), samples=np.full((40, 40, 3), 9, np.uint8))
    assert perturbed(flat, Knobs(blur=0.5)).receipt.has("flat")
    assert not perturbed(flat, Knobs(noise=0.5)).receipt.has("flat")


@pytest.mark.parametrize(
    ("media", "knobs", "other"),
    [
        (tone(1.0), Knobs(mix=0.5), None),
        (tone(1.0), Knobs(mix=0.5), picture()),
        (tone(1.0), Knobs(blur=0.5), None),
        (picture(), Knobs(pitch=1.0), None),
        (picture(), Knobs(shift=0.5), None),
        (tone(1.0), Knobs(noise=1.5), None),
        (tone(1.0), Knobs(crop=0.0), None),
        (tone(1.0), Knobs(pitch=float("nan")), None),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(media: Media, knobs: Knobs, other: Media | None) -> None:
    with pytest.raises(UserFacingError, match=r"\.$"):
        perturbed(media, knobs, other)


@given(
    st.integers(1, 300),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.1, 1.0),
    st.floats(-1.0, 1.0),
)
@settings(max_examples=60, deadline=None)
def test_any_turn_of_any_short_sound_is_a_finite_sound(
    length: int, mix: float, noise: float, crop: float, shift: float
) -> None:
    media = replace(tone(440.0), samples=tone(440.0).samples[:length])
    found = perturbed(media, Knobs(mix, noise, crop=crop, shift=shift), tone(900.0, seconds=0.01))
    assert len(found.samples) >= 1
    assert np.isfinite(found.samples).all()
