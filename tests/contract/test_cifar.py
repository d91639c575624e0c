"""CIFAR-10 and CIFAR-10H on small archives of the real binary format."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data import open_dataset
from core.data._cifar import CIFAR10
from core.errors import UserFacingError
from core.settings import Settings
from tests.contract.published import (
    CIFAR_CLASSES,
    cifar,
    lay,
    npy,
    published,
    tarred,
    votes_for,
)


def refusal(key: str, settings: Settings, location: Path | None = None) -> str:
    with pytest.raises(UserFacingError) as caught:
        open_dataset(key, settings, location)
    message = str(caught.value)
    assert message.endswith(".")
    assert str(settings.home.parent) not in message, "a path of the server"
    return message


def pixels_of(raw: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(raw)) as image:
        assert image.format == "PNG"
        return np.asarray(image).transpose(2, 0, 1)


@pytest.fixture
def copies(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a folder of local copies, still empty."""
    (tmp_path / "copies").mkdir()
    return replace(settings, data=tmp_path / "copies")


@pytest.mark.parametrize("form", ["archive", "folder with the archive", "unpacked"])
def test_cifar10_pictures_equal_the_binary_records(settings: Settings, tmp_path: Path, form: str) -> None:
    made = cifar()
    place = tmp_path / "copy"
    if form == "unpacked":
        lay(place / "cifar-10-batches-bin", made.files)
    else:
        lay(place, {"cifar-10-binary.tar.gz": tarred("cifar-10-batches-bin", made.files)})
    dataset = open_dataset("cifar10", settings, place / "cifar-10-binary.tar.gz" if form == "archive" else place)
    assert dataset.classes == CIFAR_CLASSES
    assert [item.id for item in dataset.items if item.split == "train"] == [f"train/{n:05d}" for n in range(100)]
    assert [item.id for item in dataset.items if item.split == "test"] == [f"test/{n:05d}" for n in range(20)]
    assert [item.label for item in dataset.items] == made.labels.reshape(-1).tolist()
    for item, pixels in zip(dataset.items, made.pixels.reshape(-1, 3, 32, 32), strict=True):
        np.testing.assert_array_equal(pixels_of(dataset.read(item)), pixels)
    assert any("100 of the 50,000" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("test_batch.bin", None, "test_batch.bin is missing"),
        ("data_batch_3.bin", None, "data_batch_3.bin is missing"),
        ("data_batch_3.bin", b"\x00" * 3072, "data_batch_3.bin has 3,072 bytes"),
        ("data_batch_3.bin", b"", "data_batch_3.bin has 0 bytes"),
        ("test_batch.bin", b"\x0a" + b"\x00" * 3072, "picture 0 of test_batch.bin has label 10"),
        ("batches.meta.txt", b"apple\nbear\n", "batches.meta.txt"),
    ],
)
def test_a_broken_cifar10_names_the_file(
    settings: Settings, tmp_path: Path, name: str, raw: bytes | None, words: str
) -> None:
    files = {**cifar(3).files, name: raw}
    place = lay(tmp_path / "broken", {key: value for key, value in files.items() if value is not None})
    assert words in refusal("cifar10", settings, place)


@pytest.mark.parametrize("folder", ["", "data/"])
def test_cifar10h_gives_the_shares_of_the_votes(settings: Settings, tmp_path: Path, folder: str) -> None:
    made = cifar()
    place = lay(tmp_path / "h", {**made.files, f"{folder}cifar10h-counts.npy": npy(votes_for(made.labels[5]))})
    dataset = open_dataset("cifar10h", settings, place)
    assert [item.id for item in dataset.items] == [f"test/{n:05d}" for n in range(20)]
    for at, item in enumerate(dataset.items):
        label = int(made.labels[5, at])
        assert item.truth is not None
        assert item.truth.probs is not None
        assert item.label == label
        assert item.truth.probs[label] == pytest.approx(40 / 51, abs=1e-12)
        assert item.truth.probs[(label + 1) % 10] == pytest.approx(11 / 51, abs=1e-12)
        assert sum(item.truth.probs) == pytest.approx(1, abs=1e-12)
        np.testing.assert_array_equal(pixels_of(dataset.read(item)), made.pixels[5, at])


def test_cifar10h_takes_its_pictures_from_where_cifar10_is(copies: Settings) -> None:
    assert copies.data is not None
    made = cifar()
    lay(copies.data / "cifar10", made.files)
    lay(copies.data / "cifar10h", {"cifar10h-counts.npy": npy(votes_for(made.labels[5]))})
    assert len(open_dataset("cifar10h", copies).items) == 20
    assert len(open_dataset("cifar10h", replace(copies), copies.data / "cifar10h").items) == 20


def broken_votes() -> dict[str, tuple[bytes, str]]:
    counts = votes_for(cifar().labels[5])
    nobody, negative = counts.copy(), counts.copy()
    nobody[7] = 0
    negative[7, 0] = -1
    pickled = io.BytesIO()
    np.save(pickled, np.array([[{"a": 1}]], dtype=object), allow_pickle=True)
    return {
        "another order": (npy(counts[::-1]), "their order differs"),
        "too few": (npy(counts[:-1]), "(19, 10)"),
        "transposed": (npy(counts.T), "(10, 20)"),
        "nobody": (npy(nobody), "nobody voted on picture 7"),
        "negative": (npy(negative), "not whole numbers"),
        "shares": (npy(counts / 51), "not whole numbers"),
        "cut short": (npy(counts)[:-9], "cut short"),
        "pickled": (pickled.getvalue(), "no array of numbers"),
        "no array": (b"PK\x03\x04 not an array", "no array of numbers"),
    }


@pytest.mark.parametrize("kind", broken_votes())
def test_votes_that_cannot_belong_to_the_pictures_are_refused(settings: Settings, tmp_path: Path, kind: str) -> None:
    raw, words = broken_votes()[kind]
    assert words in refusal("cifar10h", settings, lay(tmp_path / "h", {**cifar().files, "cifar10h-counts.npy": raw}))


def test_a_download_with_another_md5_never_becomes_a_set(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    tar = tarred("cifar-10-batches-bin", cifar().files)
    with published(**{"c.tar.gz": tar}) as publisher:
        monkeypatch.setattr("core.data.cifar10.CIFAR10", replace(CIFAR10, url=f"{publisher.address}/c.tar.gz"))
        message = refusal("cifar10", replace(settings, offline=False))
    assert "c32a1d4ab5d03f1284b67883e8d87530" in message
    assert list((settings.home / "downloads" / "cifar10").iterdir()) == []
