"""The real tables through the ordinary sources: ESC-10's own table, CIFAR-10 as Parquet, folders of clips."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.contracts import Dataset, Item
from core.data import open_source
from core.data._splits import folds_of, leaks, split_by_fold
from core.fingerprint import sha256_of
from core.media.door import open_media
from core.settings import Settings

FEW = 24  # items that the small part reads and decodes


def part(dataset: Dataset, full: bool) -> tuple[Item, ...]:
    return dataset.items if full else dataset.items[:: max(1, len(dataset.items) // FEW)]


def assert_decodes(dataset: Dataset, items: tuple[Item, ...]) -> None:
    for item in items:
        raw = dataset.read(item)
        media = open_media(raw, kind=dataset.kind)
        assert media.sha256 == sha256_of(raw)
        assert media.samples.size


def test_esc10_reads_as_a_manifest_with_its_folds(shared_data: Path, settings: Settings, full: bool) -> None:
    dataset = open_source(str(shared_data / "esc10" / "esc10.csv"), settings)
    with (shared_data / "esc10" / "esc10.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [item.id for item in dataset.items] == [row["filename"] for row in rows]
    assert [str(item.fold) for item in dataset.items] == [row["fold"] for row in rows]
    assert [item.group for item in dataset.items] == [row["src_file"] for row in rows]
    assert [dataset.classes[item.label or 0] for item in dataset.items] == [row["category"] for row in rows]
    targets = {row["category"]: int(row["target"]) for row in rows}
    assert list(dataset.classes) == sorted(targets, key=lambda name: targets[name])
    assert Counter(item.fold for item in dataset.items) == dict.fromkeys(folds_of(dataset), 80)
    assert not leaks(dataset)
    for fold in folds_of(dataset):
        assert len(split_by_fold(dataset, fold).train) == 320
    assert_decodes(dataset, part(dataset, full))


def test_esc10_reads_as_a_folder_and_as_a_zip(shared_data: Path, settings: Settings, tmp_path: Path) -> None:
    table = open_source(str(shared_data / "esc10" / "esc10.csv"), settings)
    folder = open_source(str(shared_data / "esc10"), settings)
    assert folder.classes == tuple(sorted(table.classes))
    named = {item.id: table.classes[item.label or 0] for item in table.items}
    assert {item.id: folder.classes[item.label or 0] for item in folder.items} == named
    with zipfile.ZipFile(tmp_path / "esc10.zip", "w") as archive:
        for path in sorted((shared_data / "esc10").rglob("*")):
            archive.write(path, path.relative_to(shared_data))
    packed = open_source(str(tmp_path / "esc10.zip"), settings)
    assert packed.items == table.items
    for item in packed.items[::40]:
        assert packed.read(item) == table.read(item) == (shared_data / "esc10" / item.id).read_bytes()


@pytest.mark.parametrize("name", ["cifar10_test", "cifar10_train"])
def test_cifar10_reads_as_a_table_of_bytes(shared_data: Path, settings: Settings, full: bool, name: str) -> None:
    dataset = open_source(str(shared_data / f"{name}.parquet"), settings)
    table = pq.read_table(shared_data / f"{name}.parquet")
    assert dataset.kind == "image"
    assert len(dataset.classes) == 10
    assert [item.id for item in dataset.items] == table["file"].to_pylist()
    assert [dataset.classes[item.label or 0] for item in dataset.items] == table["label"].to_pylist()
    rows = range(len(dataset.items)) if full else range(0, len(dataset.items), len(dataset.items) // 200)
    images = table["image"]
    assert all(dataset.read(dataset.items[row]) == images[row].as_py() for row in rows)
    assert_decodes(dataset, dataset.items[:: (5 if full else 500)])


def test_the_votes_of_people_are_the_truth_of_cifar10h(shared_data: Path, settings: Settings) -> None:
    dataset = open_source(str(shared_data / "cifar10_test.parquet"), settings)
    counts = np.array(
        pq.read_table(shared_data / "cifar10_test.parquet", columns=["human_counts"])["human_counts"].to_pylist()
    )
    probs = np.array([item.truth.probs for item in dataset.items if item.truth and item.truth.probs])
    np.testing.assert_allclose(probs, counts / counts.sum(axis=1, keepdims=True), rtol=0, atol=1e-12)
    labels = np.array([item.label for item in dataset.items])
    assert (probs.argmax(axis=1) == labels).mean() > 0.99  # people and the published labels nearly always agree


def test_spoken_digits_read_as_a_folder_of_classes(shared_data: Path, settings: Settings, full: bool) -> None:
    dataset = open_source(str(shared_data / "fsdd"), settings)
    assert dataset.classes == tuple("0123456789")
    assert all(Path(item.id).name[0] == dataset.classes[item.label or 0] for item in dataset.items)
    assert_decodes(dataset, part(dataset, full))
