"""The real recordings and pictures beside the project, through the ordinary adapters."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.contracts import Dataset, Item
from core.data import open_dataset
from core.media import door
from core.settings import Settings

SAMPLE = 12  # items decoded of a set when not all of it is asked for
ODD_LENGTHS = {  # seconds of the published clips that are not 5 s long, as libsndfile and FFmpeg both count them
    "helicopter/1-172649-F.ogg": 7.0,
    "crackling_fire/1-17808-B.ogg": 7.24,
    "crackling_fire/4-164661-B.ogg": 3.64,
}
COUNTS = {"esc10": 400, "fsdd": 600, "cifar10": 60_000, "cifar10h": 10_000}


@pytest.fixture
def real(settings: Settings, shared_data: Path) -> Settings:
    return replace(settings, data=shared_data)


def chosen(dataset: Dataset, full: bool) -> tuple[Item, ...]:
    step = 1 if full else max(1, len(dataset.items) // SAMPLE)
    return tuple(item for at, item in enumerate(dataset.items) if at % step == 0 or item.id in ODD_LENGTHS)


@pytest.mark.parametrize("key", COUNTS)
def test_the_counts_are_those_of_the_copy(key: str, real: Settings) -> None:
    dataset = open_dataset(key, real)
    assert len(dataset.items) == COUNTS[key]
    per_class = Counter((item.split, item.label) for item in dataset.items)
    assert len(set(per_class.values())) <= 2, "the classes of one split are not equally many"
    assert {label for _, label in per_class} == set(range(10))


@pytest.mark.parametrize("key", COUNTS)
def test_every_item_decodes(key: str, real: Settings, full: bool) -> None:
    dataset = open_dataset(key, real)
    for item in chosen(dataset, full):
        media = door.open_media(dataset.read(item), kind=dataset.kind)
        if dataset.kind == "image":
            assert media.samples.shape == (32, 32, 3)
            continue
        assert media.rate == {"esc10": 44_100, "fsdd": 8_000}[key]
        assert media.seconds is not None
        if key == "esc10":
            assert media.seconds == pytest.approx(ODD_LENGTHS.get(item.id, 5), abs=0.15)
        assert np.abs(media.samples).max() > 0, f"{item.id} is silent"


def test_esc10_agrees_with_its_table_line_by_line(real: Settings, shared_data: Path) -> None:
    dataset = open_dataset("esc10", real)
    with (shared_data / "esc10" / "esc10.csv").open(newline="") as table:
        lines = list(csv.DictReader(table))
    assert [item.id for item in dataset.items] == [line["filename"] for line in lines]
    for item, line in zip(dataset.items, lines, strict=True):
        assert item.label is not None
        assert dataset.classes[item.label] == line["category"] == item.id.split("/")[0]
        assert (item.fold, item.group) == (int(line["fold"]), line["src_file"])
        assert Path(item.id).name.startswith(f"{item.fold}-{item.group}-"), "the file's own name says otherwise"
    assert dataset.classes == tuple(sorted(dataset.classes))


def test_no_recording_of_esc10_is_in_two_folds(real: Settings) -> None:
    folds: dict[str | None, set[int | None]] = defaultdict(set)
    items = open_dataset("esc10", real).items
    for item in items:
        folds[item.group].add(item.fold)
    assert all(len(where) == 1 for where in folds.values())
    assert len(folds) < len(items), "some recordings gave several clips, so the grouping matters"
    assert Counter(item.fold for item in items) == dict.fromkeys(range(1, 6), 80)


def test_spoken_digits_follow_the_official_rule(real: Settings) -> None:
    items = open_dataset("fsdd", real).items
    assert Counter(item.split for item in items) == {"train": 300, "test": 300}  # the copy has takes 0 to 9
    assert Counter(item.fold for item in items) == dict.fromkeys(range(1, 7), 100)
    for item in items:
        digit, speaker, take = item.id.split("_")
        assert item.label == int(digit)
        assert item.split == ("test" if int(take) < 5 else "train")
        assert dict(item.extra)["speaker"] == speaker


def test_cifar10_is_split_as_published(real: Settings) -> None:
    dataset = open_dataset("cifar10", real)
    per_class = Counter((item.split, item.label) for item in dataset.items)
    assert {per_class["train", label] for label in range(10)} == {5_000}
    assert {per_class["test", label] for label in range(10)} == {1_000}
    assert dataset.notes == ()


def test_people_agree_with_the_labels_on_99_21_percent(real: Settings) -> None:
    dataset = open_dataset("cifar10h", real)
    probs = np.array([item.truth.probs for item in dataset.items if item.truth is not None])
    labels = np.array([item.label for item in dataset.items])
    assert probs.shape == (10_000, 10)
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-12)
    assert (probs.argmax(axis=1) == labels).mean() == pytest.approx(0.9921, abs=1e-12)


def test_both_cifar_sets_give_the_same_bytes(real: Settings, full: bool) -> None:
    pictures, people = open_dataset("cifar10", real), open_dataset("cifar10h", real)
    tests = [item for item in pictures.items if item.split == "test"]
    assert [item.id for item in tests] == [item.id for item in people.items]
    assert [item.label for item in tests] == [item.label for item in people.items]
    for item in chosen(people, full):
        assert pictures.read(item) == people.read(item)


def test_a_copy_can_also_be_given_as_a_path(settings: Settings, shared_data: Path) -> None:
    places = {"esc10": "esc10", "fsdd": "fsdd", "cifar10": ".", "cifar10h": "."}
    for key, place in places.items():
        assert len(open_dataset(key, settings, shared_data / place).items) == COUNTS[key]
