"""A recipe's own test folds against another set, as they are and brought to one band and one active length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.contracts import Dataset, Item
from core.data._soundbox.render import encoded
from core.errors import UserFacingError
from core.pipeline.outside import told_from
from core.settings import Settings
from core.training.augment import Augment
from core.training.plan import Division, Plan
from core.training.schedule import Schedule
from tests.toy_models import other_pictures, trained

RATE = 44_100
PLAN = Plan(
    data="tones",
    backbone="convnet",
    network=("widths=4,4", "seconds=1.2", "hidden=8"),
    division=Division(by="fold", test_fold=1),
    schedule=Schedule(epochs=3, batch=8, rate=3e-2),
    augment=Augment(),
)


def tones(name: str, seconds: float, high: bool, count: int = 18) -> Dataset:
    """Two classes: a low and a less low tone in a second of silence. With ``high`` there is a hiss above 6 kHz too."""
    raw = {}
    for place in range(count):
        rng = np.random.default_rng([count, place, int(high)])
        time = np.arange(round(seconds * RATE)) / RATE
        sound = np.sin(2 * np.pi * (300 if place % 2 else 900) * (1 + 0.05 * rng.random()) * time)
        if high:
            hiss = np.fft.rfft(rng.normal(size=len(time)))
            hiss[np.fft.rfftfreq(len(time), 1 / RATE) < 6_000] = 0
            sound = sound + 0.3 * np.fft.irfft(hiss, len(time))
        raw[f"{name}-{place}"] = encoded(np.pad(0.2 * sound, (0, round((1.2 - seconds) * RATE))).astype(np.float32))
    items = tuple(Item(id_, place % 2, fold=place // 2 % 3 + 1) for place, id_ in enumerate(raw))
    return Dataset("folder", name, "audio", ("high", "low"), items, lambda item: raw[item.id])


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    found = tones("Own", 1.0, high=True)
    for module in ("core.pipeline.outside", "core.pipeline.ready"):
        monkeypatch.setattr(f"{module}.open_source", lambda *given: found)
    return found


def test_bandwidth_and_silence_no_longer_tell_the_sets_apart(settings: Settings, own: Dataset) -> None:
    """The other set has the same tones, shorter and without the hiss: nothing but what matching takes away."""
    other = tones("Other", 0.5, high=False, count=20)
    plain, none = told_from(PLAN, other, settings, only=(1,), resamples=20)
    alike, notes = told_from(PLAN, other, settings, matched=True, only=(1, 2), resamples=20)
    assert plain.measures["novelty"].mean > 0.95
    assert alike.measures["novelty"].mean < 0.85
    assert none == ()
    assert "8 kHz and to 0.50 s" in notes[0]
    assert [piece.left_out for piece in alike.pieces] == [("Other",), ("Other",)]
    for piece in alike.pieces:
        assert piece.outside.sum() == 20
        assert (~piece.outside).sum() == sum(item.fold == piece.fold for item in own.items)
    first, second = (set(piece.places[~piece.outside].tolist()) for piece in alike.pieces)
    assert not first & second
    assert alike.pieces[0].places[alike.pieces[0].outside].tolist() == list(range(20))
    assert alike.items == 20 + sum(item.fold in (1, 2) for item in own.items)


def test_features_of_a_fixed_network_are_kept_apart_too(settings: Settings, own: Dataset) -> None:
    trained_plan = replace(PLAN, start="base", fit="fixed")
    from core.checkpoints.card import Start

    base = replace(own, classes=("high", "low"), items=tuple(replace(i, split="train") for i in own.items))
    trained(
        base,
        settings,
        name="base",
        scope="network",
        epochs=2,
        start=Start("convnet", {"widths": [4, 4], "seconds": 1.2, "hidden": 8}),
    )
    other = tones("Other", 0.5, high=False, count=20)
    found = [
        told_from(trained_plan, other, settings, matched=matched, only=(1,), resamples=5)[0].pieces[0].doubts["novelty"]
        for matched in (False, True, False)
    ]
    assert not np.allclose(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_sets_that_share_items_and_pictures_are_refused(settings: Settings, own: Dataset) -> None:
    with pytest.raises(UserFacingError, match="18 items of Own are in Own too"):
        told_from(PLAN, own, settings, only=(1,))
    with pytest.raises(UserFacingError, match="Only sounds"):
        told_from(PLAN, other_pictures(settings), settings, matched=True, only=(1,))
