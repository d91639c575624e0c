"""Digits are scikit-learn's own arrays, as pictures."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data import open_dataset
from core.errors import DataError
from core.settings import Settings


def test_every_picture_and_label_is_the_librarys_in_its_order(settings: Settings) -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    box = open_dataset("digits", settings)
    assert len(box.items) == len(bunch.target) == 1797
    assert [box.classes[item.label] for item in box.items if item.label is not None] == [str(t) for t in bunch.target]
    for item, counts in zip(box.items, bunch.images, strict=True):
        picture = Image.open(io.BytesIO(box.read(item)))
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (8, 8))
        assert np.abs(np.asarray(picture) / 255 - counts / 16).max() <= 0.5 / 255 + 1e-9


def test_the_split_is_fixed_and_holds_every_digit(settings: Settings) -> None:
    first, second = (open_dataset("digits", settings).items for _ in range(2))
    assert first == second
    sizes = Counter(item.split for item in first)
    assert {split: round(count / 1797, 1) for split, count in sizes.items()} == {
        "train": 0.6,
        "validation": 0.2,
        "test": 0.2,
    }
    assert {(item.split, item.label) for item in first} == {(s, d) for s in sizes for d in range(10)}
    assert {item.fold for item in first} == {1, 2, 3, 4, 5}
    assert len({item.id for item in first}) == 1797


def test_the_missing_writers_are_admitted(settings: Settings) -> None:
    box = open_dataset("digits", settings)
    assert {item.group for item in box.items} == {None}
    assert any("writer" in note for note in box.notes)


def test_a_path_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="take no path"):
        open_dataset("digits", settings, tmp_path)
