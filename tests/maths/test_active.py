"""The active part of a sound is found and cut as its definition says, and the common entry applies it first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.backbones._entry import SoundEntry
from core.backbones._matched import RATE, MatchedEntry, matched
from core.contracts import Dataset, Item, Media, Receipt
from core.data._soundbox.render import encoded
from core.errors import UserFacingError
from core.media import active
from core.pipeline.matched import common_length
from core.settings import Settings
from core.training.prepared import prepare


def sound(samples: np.ndarray, rate: int = 1_000) -> Media:
    return Media("audio", samples.astype(np.float32), rate, "0" * 64, Receipt("wav", "PCM 16 bit", 1, rate))


def burst(before: float, held: float, after: float, rate: int = 1_000, level: float = 0.5) -> np.ndarray:
    time = np.arange(round(held * rate)) / rate
    tone = level * np.sin(2 * np.pi * 100 * time)
    return np.concatenate([np.zeros(round(before * rate)), tone, np.zeros(round(after * rate))])


def test_silence_at_both_ends_is_no_part() -> None:
    assert active.active_seconds(sound(burst(0.4, 1.0, 0.6))) == pytest.approx(1.0)
    assert active.bounds(sound(burst(0.4, 1.0, 0.6))) == (400, 1400)


def test_the_gate_is_40_db_below_the_loudest_frame() -> None:
    for level, seconds in ((0.0051, 2.0), (0.0049, 1.0)):  # 39.8 and 40.2 dB below
        both = np.concatenate([burst(0, 1.0, 0, level=0.5), burst(0, 1.0, 0, level=level)])
        assert active.active_seconds(sound(both)) == pytest.approx(seconds), level


def test_a_silent_sound_is_all_active() -> None:
    assert active.active_seconds(sound(np.zeros(500))) == 0.5


def test_the_loudest_stretch_is_kept() -> None:
    """Against every window tried one by one."""
    rng = np.random.default_rng(5)
    samples = np.concatenate([np.zeros(333), rng.normal(size=700) * rng.uniform(0.2, 1, size=700), np.zeros(220)]) * 0.1
    part = active.loudest_part(sound(samples), 0.25)
    start, end = active.bounds(sound(samples))
    energy = [np.square(samples[at : at + 250]).sum() for at in range(start, end - 250 + 1)]
    best = start + int(np.argmax(energy))
    np.testing.assert_array_equal(part.samples, samples[best : best + 250].astype(np.float32))
    assert part.receipt.has("active")


def test_a_short_sound_gets_zeros_behind_it() -> None:
    part = active.loudest_part(sound(burst(0.2, 0.3, 0.2)), 0.5)
    assert len(part.samples) == 500
    assert np.abs(part.samples[:300]).max() > 0.4
    assert not part.samples[300:].any()


def test_nothing_above_4_khz_reaches_the_network() -> None:
    time = np.arange(44_100) / 44_100
    low, high = np.sin(2 * np.pi * 1_000 * time), np.sin(2 * np.pi * 9_000 * time)
    entry = SoundEntry(44_100, 1.0)
    for entrance, share in ((entry, 0.5), (MatchedEntry(entry, 1.0), 1.0)):
        power = np.abs(np.fft.rfft(entrance.prepare(sound(0.4 * (low + high), 44_100)).tensor.numpy())) ** 2
        assert power[:4_000].sum() / power.sum() == pytest.approx(share, abs=0.02)
    assert RATE == 8_000


def dataset(lengths: dict[str, float]) -> Dataset:
    raw = {name: encoded(np.tile(burst(0.5, held, 0.5, 44_100), 1)) for name, held in lengths.items()}
    items = tuple(Item(name, 0) for name in raw)
    return Dataset("folder", "Bursts", "audio", ("tone",), items, lambda item: raw[item.id])


def test_the_common_length_is_one_that_nine_in_ten_of_either_set_have(settings: Settings) -> None:
    ten = {f"{place}": 0.22 + 0.1 * place for place in range(10)}  # the second shortest is 0.32
    long = {f"{place}": 0.8 for place in range(12)}
    assert common_length([dataset(ten), dataset(long)]) == pytest.approx(0.3)
    assert common_length([dataset({**ten, "x": 0.2}), dataset(long)]) == pytest.approx(0.2)
    assert common_length([dataset(long)]) == pytest.approx(0.8)


def test_matched_inputs_are_prepared_apart_from_others(settings: Settings) -> None:
    from core.backbones import convnet
    from core.fingerprint import torch_generator

    network = convnet.build(2, torch_generator("test"))
    source = dataset({"a": 0.4, "b": 0.6})
    plain = prepare(source, network, settings, "multiclass").examples
    short = prepare(source, matched(network, 0.2), settings, "multiclass").examples
    longer = prepare(source, matched(network, 0.5), settings, "multiclass").examples
    rows = plain.keys.argsort()
    assert (short.keys == plain.keys).all()  # they are the same items: what was trained on is still known
    taken = [found.inputs.take(rows, 0) for found in (plain, short, longer)]
    assert not any((one == other).all() for one, other in ((taken[0], taken[1]), (taken[1], taken[2])))
    assert network.entry == convnet.build(2, torch_generator("test")).entry


def test_pictures_have_no_band(settings: Settings) -> None:
    from core.pipeline.matched import matched_model
    from tests.toy_models import few_digits, trained

    digits = few_digits(settings, 40)
    model, _ = trained(digits, settings, epochs=1)
    with pytest.raises(UserFacingError, match="Only sounds"):
        matched_model(model, [replace(digits, title="Digits")])
