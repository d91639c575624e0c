"""Where the doubt sits: windows along a sound, covered parts of a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.checkpoints.saved import Model
from core.contracts import Media, Receipt
from core.errors import UserFacingError
from core.pipeline import places
from core.pipeline.inspect import How
from core.pipeline.places import Across, Along
from core.runner import Answer, Request
from core.settings import Settings
from tests.inspecting import HEARS, RATE, Inspector, inspect, sound
from tests.saving import CONVNET, made


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder: Path = tmp_path_factory.mktemp("places")
    return Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)


@pytest.fixture(scope="module")
def hears(here: Settings) -> Model:
    return made(here, "mc_dropout", "head", start=CONVNET, name="hears").model


@pytest.fixture(scope="module")
def sees(here: Settings) -> Model:
    return made(here, "mc_dropout", "head", name="sees").model


def picture(pixels: np.ndarray) -> Media:
    return Media("image", pixels, None, "cd" * 32, Receipt("png", "RGB 8 bit", 1))


def along(media: Media, model: Model, *, most: int = places.MOST, **how: Any) -> Along:
    return places.along(media, model.name, Inspector(model).here, HEARS, How(**how), most=most)


def across(media: Media, model: Model, *, parts: int = places.PARTS, **how: Any) -> Across:
    return places.across(media, model.name, Inspector(model).here, How(**how), parts=parts)


def test_windows_of_a_long_sound_are_what_the_network_hears(hears: Model) -> None:
    """The first window is the answer to the first half second alone, with the same noise."""
    media = sound(2.0)
    found = along(media, hears, draws=6, seed=2)
    assert found.seconds == 0.5
    assert found.starts.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5]
    for place in (0, 3):
        start = round(found.starts[place] * RATE)
        piece = replace(media, samples=media.samples[start : start + RATE // 2])
        alone = inspect(piece, Inspector(hears, None), draws=6, seed=2)
        by_class = {prediction.label: prediction.p for prediction in alone.predictions}
        assert found.probs[place].tolist() == pytest.approx([by_class[name] for name in hears.card.classes], abs=1e-5)
        assert found.doubts["total"][place] == pytest.approx(alone.doubts["total"], abs=1e-5)


def test_windows_of_a_short_sound_are_repeated_and_cover_it(hears: Model) -> None:
    media = sound(0.5)
    found = along(media, hears, draws=3)
    twice = replace(media, samples=np.tile(media.samples[: RATE // 4], 2))
    alone = inspect(twice, Inspector(hears, None), draws=3)
    assert found.doubts["total"][0] == pytest.approx(alone.doubts["total"], abs=1e-5)
    assert found.seconds == 0.25
    assert "repeated to 0.5 s" in found.how
    assert found.starts[0] == 0.0
    assert found.starts[-1] + found.seconds == pytest.approx(0.5)
    one = along(sound(0.1), hears, draws=3)
    assert len(one.starts) == 1


def test_hours_take_no_more_windows_than_allowed(hears: Model) -> None:
    found = along(sound(40.0), hears, draws=2, most=10)
    assert len(found.starts) <= 11
    assert found.starts[-1] + found.seconds == pytest.approx(40.0)


def test_silence_at_one_end_shows_where_it_is(hears: Model) -> None:
    """Equal stretches have equal doubt whatever lies around them: noise belongs to the file, not to the window."""
    samples = np.concatenate([sound(1.0).samples, np.zeros(RATE, np.float32), sound(1.0).samples])
    found = along(replace(sound(1.0), samples=samples), hears, draws=8)
    total = found.doubts["total"]
    place = {round(start, 2): row for row, start in enumerate(found.starts.tolist())}
    assert total[place[0.0]] == pytest.approx(total[place[2.0]], abs=1e-6)
    assert total[place[1.0]] == pytest.approx(total[place[1.5]], abs=1e-6)
    assert abs(total[place[0.0]] - total[place[1.25]]) > 1e-3


def test_covering_a_part_is_asking_of_the_picture_without_it(sees: Model) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    found = across(picture(pixels), sees, draws=5, seed=1, parts=4)
    assert found.without.shape == found.doubts["total"].shape == (4, 4)
    covered = pixels.copy()
    covered[8:16, 24:32] = np.rint(pixels.reshape(-1, 3).mean(axis=0))
    alone = inspect(picture(covered), Inspector(sees, None), draws=5, seed=1)
    assert found.doubts["total"][1, 3] == pytest.approx(alone.doubts["total"], abs=1e-5)
    by_class = {prediction.label: prediction.p for prediction in alone.predictions}
    assert found.without[1, 3] == pytest.approx(by_class[found.label], abs=1e-5)
    whole = inspect(picture(pixels), Inspector(sees, None), draws=5, seed=1)
    assert (found.label, found.p) == (whole.predictions[0].label, pytest.approx(whole.predictions[0].p, abs=1e-5))


def test_covering_what_is_of_the_mean_colour_already_changes_nothing(sees: Model) -> None:
    pixels = np.full((32, 32, 3), 128, np.uint8)
    pixels[:8, :8] = np.random.default_rng(0).choice([28, 228], (8, 8, 1))
    pixels[:8, :8] = np.where(np.indices((8, 8)).sum(axis=0)[..., None] % 2, 28, 228)  # its mean is 128
    found = across(picture(pixels), sees, draws=5, parts=4)
    changed = np.abs(found.doubts["total"] - found.whole["total"]) > 1e-6
    assert changed[0, 0]
    assert changed.sum() == 1


def test_a_tiny_picture_has_as_many_parts_as_pixels(sees: Model) -> None:
    found = across(picture(np.arange(27, dtype=np.uint8).reshape(3, 3, 3)), sees, draws=2)
    assert found.without.shape == (3, 3)


def test_a_large_picture_is_asked_in_less_detail_and_told_in_its_own_pixels(
    sees: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_SIDE", 32)
    small = np.random.default_rng(5).integers(0, 256, (32, 64, 3)).astype(np.uint8)
    large = np.asarray(Image.fromarray(small).resize((256, 128), Image.Resampling.NEAREST))
    found = across(picture(large), sees, draws=3, parts=4)
    assert (found.rows.tolist(), found.columns.tolist()) == ([0, 32, 64, 96, 128], [0, 64, 128, 192, 256])
    assert "in 64 x 32 pixels" in found.how
    reduced = np.asarray(Image.fromarray(large).resize((64, 32), Image.Resampling.LANCZOS))
    expected = across(picture(reduced), sees, draws=3, parts=4)
    np.testing.assert_allclose(found.without, expected.without, atol=1e-6)
    assert "pixels" not in expected.how


def test_parts_are_asked_a_few_at_a_time_with_one_answer(sees: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    whole = across(picture(pixels), sees, draws=3, parts=3)
    monkeypatch.setattr(places, "_TOGETHER", 4 * pixels.nbytes)
    asked: list[int] = []

    class Counts:
        def ask(self, request: Request) -> Answer:
            asked.append(len(request))
            return Inspector(sees).here.ask(request)

    found = places.across(picture(pixels), sees.name, Counts(), How(3), parts=3)
    assert asked == [4, 4, 2]
    np.testing.assert_allclose(found.without, whole.without, atol=1e-6)
    assert found.whole == pytest.approx(whole.whole, abs=1e-6)


def test_the_other_kind_is_refused(hears: Model, sees: Model) -> None:
    with pytest.raises(UserFacingError):
        along(picture(np.zeros((32, 32, 3), np.uint8)), sees)
    with pytest.raises(UserFacingError):
        across(sound(1.0), hears)


def test_noise_of_the_original_keeps_the_draws(sees: Model) -> None:
    media = picture(np.random.default_rng(3).integers(0, 256, (32, 32, 3)).astype(np.uint8))
    first = inspect(media, Inspector(sees, None), draws=6)
    same = inspect(replace(media, sha256="ef" * 32), Inspector(sees, None), draws=6, noise_of=media.sha256)
    other = inspect(replace(media, sha256="ef" * 32), Inspector(sees, None), draws=6)
    assert torch.equal(torch.from_numpy(first.probs.copy()), torch.from_numpy(same.probs.copy()))
    assert not np.allclose(first.probs, other.probs)
