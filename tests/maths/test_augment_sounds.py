"""Stripes, moves in time, gains and noise against plain loops and known distributions."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from core.fingerprint import numpy_generator
from core.layers.augmentsite import AugmentSite
from core.training import _sounds
from core.training.augment import LECTURE, Augment
from tests.maths.augmenting import noise_like, ramp, seen

PANNS_SITE, LECTURE_SITE = AugmentSite(0.0), AugmentSite(-80.0, time=3, bands=2)
STRIPES = Augment(time_stripes=2, mel_stripes=2)


def test_stripes_are_rectangles_of_the_whole_other_axis_and_leave_the_rest() -> None:
    for site in (PANNS_SITE, LECTURE_SITE):
        shown = noise_like(50, 1, *((300, 40) if site.time == 2 else (40, 300)))
        before = shown.clone()
        _, out = seen(noise_like(50, 4), STRIPES, site=site, spectrograms=shown)
        assert out is not None
        assert torch.equal(shown, before), "the input is not written to"
        for old, new in zip(shown[:, 0], out[:, 0], strict=True):
            gone = new == site.blank
            assert torch.equal(new[~gone], old[~gone])
            time, bands = gone.all(dim=3 - site.time), gone.all(dim=site.time - 2)
            cross = time[:, None] | bands[None] if site.time == 2 else bands[:, None] | time[None]
            assert torch.equal(gone, cross)
            assert int(time.sum()) <= 2 * 63
            assert int(bands.sum()) <= 2 * 7


def test_widths_and_starts_are_those_of_panns() -> None:
    """Against a loop over items and stripes: the width never W, 0 possible, the start up to L - d - 1."""
    width, length, items = 8, 20, 40_000
    mask = _sounds.stripes_of(numpy_generator(0), items, length, _sounds.Stripes(1, width))
    widths = mask.sum(axis=1)
    assert set(widths.tolist()) == set(range(width))
    assert stats.chisquare(np.bincount(widths)).pvalue > 1e-3
    for d in range(1, width):
        starts = mask[widths == d].argmax(axis=1)
        assert (mask[widths == d][np.arange(len(starts)), starts + d - 1]).all(), "a stripe has no gap"
        assert starts.max() == length - d - 1
        assert stats.chisquare(np.bincount(starts, minlength=length - d)).pvalue > 1e-4
    drawn, hits = np.random.default_rng(5), np.zeros(length)
    for _ in range(items):
        d = drawn.integers(0, width)
        start = drawn.integers(0, length - d)
        hits[start : start + d] += 1
    assert np.abs(hits - mask.sum(axis=0)).max() < 5 * np.sqrt(2 * hits.max())


def test_stripes_of_one_item_differ_and_a_short_axis_is_never_wholly_masked() -> None:
    mask = _sounds.stripes_of(numpy_generator(1), 2000, 5, _sounds.Stripes(1, 64))
    assert set(mask.sum(axis=1).tolist()) == {0, 1, 2, 3, 4}
    two = _sounds.stripes_of(numpy_generator(2), 2000, 200, _sounds.Stripes(2, 8))
    runs = (np.diff(two.astype(int), axis=1, prepend=0) == 1).sum(axis=1)
    assert set(runs.tolist()) == {0, 1, 2}
    assert len({row.tobytes() for row in two}) > 1800  # 2000 / 64 have no stripe at all


@pytest.mark.parametrize("fill", ["wrap", "silence"])
@pytest.mark.parametrize("where", ["waveform", "site"])
def test_a_roll_is_the_one_of_a_loop(fill: Any, where: str) -> None:
    items, length, augment = 300, 50, Augment(roll=0.2, roll_fill=fill)
    if where == "waveform":
        found, blank = seen(ramp(items, length), augment)[0].inputs, 0.0
    else:
        shown = ramp(items, length)[:, None, None].expand(-1, 1, 3, -1).contiguous()
        _, out = seen(noise_like(items, 4), augment, site=LECTURE_SITE, spectrograms=shown)
        assert out is not None
        assert torch.equal(out, out[:, :, :1].expand_as(out))
        found, blank = out[:, 0, 0], -80.0
    moves = []
    for row in found.numpy():
        fits = [k for k in range(-length, length) if np.array_equal(row, rolled(length, k, fill, blank))]
        moves.append(min(fits, key=abs))
    counts = np.bincount(np.array(moves) + 9, minlength=19)  # f < 0.2: at most 9 of 50
    assert len(counts) == 19
    assert stats.chisquare(counts, np.array([1] * 9 + [2] + [1] * 9) * items / 20).pvalue > 1e-3


def rolled(length: int, k: int, fill: str, blank: float) -> np.ndarray:
    out = np.roll(np.arange(1, length + 1, dtype=np.float32), k)
    if fill == "silence":
        out[:k] = blank if k > 0 else out[:k]
        out[k:] = blank if k < 0 else out[k:]
    return out


def test_a_move_of_nothing_leaves_the_spectrogram_alone() -> None:
    """The second fault of the lecture notes: a move of 0 columns blanked all of them."""
    shown = noise_like(64, 1, 128, 157)
    _, out = seen(
        noise_like(64, 4), dataclasses.replace(LECTURE, roll=0.9 / 157), site=LECTURE_SITE, spectrograms=shown
    )
    assert out is not None
    assert torch.equal(out, shown)


def test_gains_are_even_in_decibels() -> None:
    waves = noise_like(2000, 6)
    batch, _ = seen(waves, Augment(gain_db=6.0))
    factors = batch.inputs / waves
    assert torch.allclose(factors, factors[:, :1].expand_as(factors), rtol=1e-5)
    decibels = 20 * np.log10(factors[:, 0].double().numpy())
    assert stats.kstest(decibels, stats.uniform(-6, 12).cdf).pvalue > 1e-3


def test_noise_is_white_and_has_its_level() -> None:
    waves = noise_like(100, 6400) * torch.linspace(0.01, 1.0, 100)[:, None]
    waves[0] = 0.0
    batch, _ = seen(waves, Augment(snr_least=3.0, snr_most=9.0))
    assert torch.equal(batch.inputs[0], waves[0])
    signal, added = waves[1:].double().numpy(), (batch.inputs - waves)[1:].double().numpy()
    decibels = 10 * np.log10((signal**2).mean(axis=1) / (added**2).mean(axis=1))
    assert stats.kstest(decibels, stats.uniform(3, 6).cdf).pvalue > 1e-3
    unit = added / added.std(axis=1, keepdims=True)
    power = (np.abs(np.fft.rfft(unit)) ** 2 / 6400).mean(axis=0)[1:-1]
    assert abs(power.mean() - 1) < 0.01
    assert power.std() < 1.3 * 0.1  # each is the mean of 99 exponentials
    alike = unit @ unit.T / 6400 - np.eye(99)
    assert np.abs(alike).max() < 6 / np.sqrt(6400), "every item has noise of its own"
