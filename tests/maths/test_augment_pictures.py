"""Augmentation of pictures against plain loops and known distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from core.fingerprint import numpy_generator
from core.training import _pictures
from core.training.augment import Augment
from tests.maths.augmenting import noise_like, seen


@pytest.mark.parametrize("fill", ["reflect", "edge"])
def test_a_moved_picture_is_a_window_of_a_padded_one(fill: Any) -> None:
    items, shift = 360, 2
    pictures = noise_like(items, 3, 7, 9)
    out = seen(pictures, Augment(flip=True, shift=shift, shift_fill=fill))[0].inputs
    found = []
    for old, new in zip(pictures.numpy(), out.numpy(), strict=True):
        fits = []
        for mirrored in (False, True):
            source = old[:, :, ::-1] if mirrored else old
            padded = np.pad(source, ((0, 0), (shift, shift), (shift, shift)), mode=fill)
            for top in range(2 * shift + 1):
                for left in range(2 * shift + 1):
                    if np.array_equal(padded[:, top : top + 7, left : left + 9], new):
                        fits.append((mirrored, top, left))
        assert len(fits) == 1
        found += fits
    mirrored, top, left = np.array(found).T
    for values, kinds in ((mirrored, 2), (top, 5), (left, 5)):
        assert stats.chisquare(np.bincount(values, minlength=kinds)).pvalue > 1e-3


def test_a_shift_beyond_the_picture_still_fills_it() -> None:
    pictures = noise_like(200, 1, 3, 1)
    for fill in ("reflect", "edge"):
        out = seen(pictures, Augment(shift=30, shift_fill=fill))[0].inputs
        assert all(bool(torch.isin(new, old).all()) for old, new in zip(pictures, out, strict=True))


def test_a_crop_is_a_part_of_the_picture_in_the_size_of_the_whole() -> None:
    """On planes, whose enlargement is a plane: its slopes are the sides of the crop, its middle the place."""
    items, height, width = 2000, 16, 24
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    planes = torch.stack([y[:, None].expand(-1, width), x[None].expand(height, -1)]).expand(items, -1, -1, -1)
    out = seen(planes.contiguous(), Augment(crop=0.4), labels=torch.zeros(items, dtype=torch.int64), classes=2)[
        0
    ].inputs
    assert out.shape == planes.shape
    rows, columns = out[:, 0, :, 0].double(), out[:, 1, 0].double()
    high = (rows[:, 9] - rows[:, 6]) * height / 3
    wide = (columns[:, 14] - columns[:, 9]) * width / 5
    top = (rows[:, 7] + rows[:, 8]) / 2 - high / 2
    left = (columns[:, 11] + columns[:, 12]) / 2 - wide / 2
    area = (high * wide).numpy()
    assert stats.kstest(area, stats.uniform(0.4, 0.6).cdf).pvalue > 1e-3
    for start, side in ((top, high), (left, wide)):
        assert float(start.min()) > -1e-5
        assert float((start + side).max()) < 1 + 1e-5
        free = side < 0.9
        assert stats.kstest((start / (1 - side))[free].numpy(), stats.uniform.cdf).pvalue > 1e-3
    bends = np.log((wide / high).numpy())
    fits = area < 0.75  # any aspect does
    assert stats.kstest(bends[fits], stats.uniform(np.log(0.75), 2 * np.log(4 / 3)).cdf).pvalue > 1e-3
    assert (np.abs(bends) < -np.log(area) + 1e-4).all()


def test_a_crop_of_nearly_all_is_nearly_the_picture() -> None:
    pictures = noise_like(1, 2, 8, 8)
    whole = _pictures.cropped(pictures, 1.0 - 1e-9, Square())  # type: ignore[arg-type]
    assert torch.allclose(whole, pictures, atol=1e-4)


class Square:
    """Draws the middle of every range: a centred crop of the picture's own shape."""

    def uniform(self, low: float, high: float, items: int) -> np.ndarray:
        return np.full(items, (low + high) / 2)


def test_colours_change_as_a_loop_over_items_says() -> None:
    pictures, most = noise_like(6, 3, 5, 4), 0.3
    out = _pictures.recoloured(pictures, most, numpy_generator(0))
    drawn = numpy_generator(0)
    saturations, contrasts = drawn.uniform(1 - most, 1 + most, (2, 6, 1, 1)).reshape(2, 6)
    added = drawn.uniform(-most, most, 6)
    for n in range(6):
        picture = pictures[n].double().numpy()
        grey = picture.mean(axis=0, keepdims=True)
        picture = grey + saturations[n] * (picture - grey)
        picture = picture.mean() + contrasts[n] * (picture - picture.mean()) + added[n]
        assert np.allclose(out[n].numpy(), picture, atol=1e-5)
    assert np.abs(added).max() <= most
    assert torch.allclose(seen(pictures, Augment(colour=1e-9))[0].inputs, pictures, atol=1e-6)


def test_a_hole_is_a_grey_square_and_the_rest_stays() -> None:
    pictures, side = noise_like(400, 3, 12, 10), 4
    out = seen(pictures, Augment(cutout=side))[0].inputs
    sizes = []
    for old, new in zip(pictures, out, strict=True):
        gone = (new == 0).all(dim=0)
        assert torch.equal(new[:, ~gone], old[:, ~gone])
        rows, columns = gone.any(dim=1), gone.any(dim=0)
        assert torch.equal(gone, rows[:, None] & columns)
        sizes.append((int(rows.sum()), int(columns.sum())))
    high, wide = np.array(sizes).T
    assert max(high) == max(wide) == side
    # centres 0 .. 11 cut off rows at 0, 1 and 11, and columns alike
    assert abs((high == side).mean() - 9 / 12) < 0.1
    assert abs((wide == side).mean() - 7 / 10) < 0.1
    assert min(high) == min(wide) == 2


@pytest.mark.parametrize("mixup", [0.0, 1.0])
def test_a_pasted_part_is_a_rectangle_and_labels_follow_its_area(mixup: float) -> None:
    pictures = noise_like(400, 2, 10, 8)
    batch, _ = seen(pictures, Augment(cutmix=1.0, mixup=mixup))
    pasted = 0
    for n in range(200):
        first, second, new = pictures[2 * n], pictures[2 * n + 1], batch.inputs[n]
        share = float(batch.labels[n, 2 * n])
        kept = (new == first).all(dim=0)
        if mixup and float(kept.float().mean()) < share - 1e-5:
            assert torch.allclose(new, share * first + (1 - share) * second, atol=1e-5)
            continue
        pasted += 1
        assert torch.equal(new[:, ~kept], second[:, ~kept])
        rows, columns = (~kept).any(dim=1), (~kept).any(dim=0)
        assert torch.equal(~kept, rows[:, None] & columns)
        assert share == pytest.approx(float(kept.float().mean()), abs=1e-6)
        assert float(batch.labels[n, 2 * n + 1]) == pytest.approx(1 - share, abs=1e-6)
    assert pasted == 200 if not mixup else 70 < pasted < 130


def test_pictures_keep_their_memory_format() -> None:
    everything = Augment(flip=True, shift=2, crop=0.6, colour=0.1, cutout=3, mixup=0.4)
    pictures = noise_like(6, 3, 8, 8)
    plain = seen(pictures, everything)[0].inputs
    last = seen(pictures.contiguous(memory_format=torch.channels_last), everything)[0].inputs
    assert plain.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(plain, last, atol=1e-5)
    assert not torch.allclose(plain, pictures[::2], atol=0.1)
