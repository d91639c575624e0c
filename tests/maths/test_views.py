"""Views of an item, and their answers as one."""

from __future__ import annotations

import numpy as np
import pytest

from core.contracts import Media, Receipt
from core.fingerprint import sha256_of
from core.media.views import MOST, SHIFT, SMALLEST_CROP, views


def sound(seed: int = 0, rate: int = 100) -> Media:
    samples = np.random.default_rng(seed).normal(size=400).astype(np.float32)
    return Media("audio", samples, rate, sha256_of(samples.tobytes()), Receipt("wav", "PCM", 1, rate=rate))


def picture(height: int = 30, width: int = 50) -> Media:
    place = np.arange(height * width).reshape(height, width)
    pixels = np.stack([place // 256, place % 256, 0 * place], axis=-1).astype(np.uint8)  # each pixel says where it was
    return Media("image", pixels, None, sha256_of(pixels.tobytes()), Receipt("png", "RGB", 1))


def test_the_first_view_is_the_item_and_more_views_begin_with_fewer() -> None:
    for media in (sound(), picture()):
        few, many = views(media, 3, 7), views(media, 9, 7)
        assert few[0].media is media
        assert [v.name for v in many[:3]] == [v.name for v in few]
        assert len({v.media.sha256 for v in many}) == 9
        for one, other in zip(few, many, strict=False):
            assert np.array_equal(one.media.samples, other.media.samples)
        assert [v.name for v in views(media, 9, 8)][1:] != [v.name for v in many][1:]


def test_a_sound_is_shifted_around_its_end_by_what_the_name_says() -> None:
    media = sound()
    shifts = []
    for view in views(media, MOST, 0)[1:]:
        by = round(float(view.name.split()[2]) * 100)
        shifts.append(by)
        expected = [media.samples[(place - by) % 400] for place in range(400)]
        assert np.array_equal(view.media.samples, expected)
    assert 0 not in shifts
    assert max(map(abs, shifts)) <= SHIFT * 400
    assert min(shifts) < -SHIFT * 300
    assert max(shifts) > SHIFT * 300


def test_a_picture_is_a_part_of_itself_every_second_one_mirrored() -> None:
    media = picture()
    sizes = set()
    for number, view in enumerate(views(media, MOST, 0)[1:], start=1):
        pixels = view.media.samples
        height, width = pixels.shape[:2]
        sizes.add((height, width))
        assert SMALLEST_CROP * 30 - 0.5 <= height <= 30
        place = pixels[..., 0].astype(int) * 256 + pixels[..., 1]
        step = -1 if number % 2 else 1
        assert np.all(np.diff(place, axis=1) == step)
        assert np.all(np.diff(place, axis=0) == 50)
        assert view.name.startswith("mirrored") == (step == -1)
        corner = place[0, -1 if step == -1 else 0]
        assert view.name.endswith(f"from row {corner // 50}, column {corner % 50}")
    assert len(sizes) > 4


def test_views_leave_the_item_alone_and_say_what_was_done() -> None:
    media = sound()
    before = media.samples.copy()
    view = views(media, 2, 0)[1].media
    assert np.array_equal(media.samples, before)
    assert view.receipt.has("augmented")
    assert not media.receipt.has("augmented")
    assert not view.samples.flags.writeable
    assert view.rate == media.rate


def test_an_item_has_a_bounded_number_of_views() -> None:
    for count in (0, MOST + 1):
        with pytest.raises(ValueError, match="views"):
            views(sound(), count, 0)
