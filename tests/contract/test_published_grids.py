"""CIFAR-100, MNIST and its heir on small archives of the real formats, and on broken ones."""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data import fashion_mnist, mnist, open_dataset
from core.errors import UserFacingError
from core.settings import Settings
from tests.contract.published import digest, lay, published, tarred
from tests.contract.published_pictures import CIFAR100, COARSE, FINE, cifar100, idx
from tests.contract.published_pictures import mnist as small_mnist


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
        return np.asarray(image)


@pytest.mark.parametrize("form", ["archive", "unpacked"])
def test_cifar100_has_the_fine_classes_of_its_records(settings: Settings, tmp_path: Path, form: str) -> None:
    made = cifar100()
    place = lay(tmp_path / "cifar-100-binary", made.files)
    if form == "archive":
        place = tmp_path / "cifar-100-binary.tar.gz"
        place.write_bytes(tarred("cifar-100-binary", made.files))
    dataset = open_dataset("cifar100", settings, place)
    assert list(dataset.classes) == FINE
    for part, split in enumerate(("train", "test")):
        items = [item for item in dataset.items if item.split == split]
        assert [item.id for item in items] == [f"{split}/{at:05d}" for at in range(12)]
        assert [item.label for item in items] == made.fine[part].tolist()
        for at, item in enumerate(items):
            above = dict(item.extra)["superclass"]
            assert above == COARSE[made.coarse[part, at]]
            assert dataset.classes[item.label or 0] in CIFAR100[above].split()
            np.testing.assert_array_equal(pixels_of(dataset.read(item)).transpose(2, 0, 1), made.pixels[part, at])


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("test.bin", None, "test.bin is missing"),
        ("train.bin", bytes(3073), "train.bin has 3,073 bytes"),
        ("train.bin", bytes((0, 100)) + bytes(3072), "picture 0 of train.bin has label 100"),
        ("train.bin", bytes((20, 0)) + bytes(3072), "superclass 20"),
        ("fine_label_names.txt", b"apple\nbear\n", "fine_label_names.txt names other classes"),
    ],
)
def test_a_broken_cifar100_names_the_file(
    settings: Settings, tmp_path: Path, name: str, raw: bytes | None, words: str
) -> None:
    files = {**cifar100().files, name: raw}
    place = lay(tmp_path / "broken", {key: value for key, value in files.items() if value is not None})
    assert words in refusal("cifar100", settings, place)


@pytest.mark.parametrize("form", ["packed", "unpacked", "raw"])
@pytest.mark.parametrize("key", ["mnist", "fashion_mnist"])
def test_idx_pictures_equal_the_arrays(settings: Settings, tmp_path: Path, key: str, form: str) -> None:
    made = small_mnist(packed=form == "packed")
    dataset = open_dataset(key, settings, lay(tmp_path / "MNIST" / ("raw" if form == "raw" else ""), made.files))
    assert len(dataset.classes) == 10
    for split in ("train", "test"):
        items = [item for item in dataset.items if item.split == split]
        assert [item.label for item in items] == made.labels[split].tolist()
        for item, pixels in zip(items, made.pixels[split], strict=True):
            np.testing.assert_array_equal(pixels_of(dataset.read(item)), pixels)
    assert any("20 of the 60,000" in note for note in dataset.notes)
    with pytest.raises(UserFacingError, match="has no item"):
        dataset.read(replace(dataset.items[0], id="train/99999"))


def broken_mnist() -> dict[str, tuple[str, bytes | None, str]]:
    made = small_mnist()
    images = made.files["train-images-idx3-ubyte.gz"]
    plain = gzip.decompress(images)
    labels = made.labels["train"]
    return {
        "missing": ("t10k-labels-idx1-ubyte.gz", None, "t10k-labels-idx1-ubyte.gz is missing"),
        "cut": ("train-images-idx3-ubyte.gz", images[:-20], "damaged or cut short"),
        "no gzip": ("train-images-idx3-ubyte.gz", plain, "damaged or cut short"),
        "short": ("train-images-idx3-ubyte.gz", gzip.compress(plain[:-1]), "announces 15,696"),
        "long": ("train-images-idx3-ubyte.gz", gzip.compress(plain + b"x"), "announces 15,696"),
        "no idx": ("train-images-idx3-ubyte.gz", gzip.compress(b"hello, world, how do you do"), "no IDX file"),
        "size": ("train-images-idx3-ubyte.gz", gzip.compress(idx(np.zeros((20, 28, 27), np.uint8))), "28 x 27"),
        "overflow": ("train-images-idx3-ubyte.gz", gzip.compress(plain[:4] + b"\xff" * 12 + b"x"), "announces"),
        "count": ("train-labels-idx1-ubyte.gz", gzip.compress(idx(labels[:-1])), "20 train pictures and 19 labels"),
        "label": ("train-labels-idx1-ubyte.gz", gzip.compress(idx(labels + 10)), "the classes are 0 to 9"),
    }


@pytest.mark.parametrize("kind", broken_mnist())
def test_a_broken_mnist_names_the_file(settings: Settings, tmp_path: Path, kind: str) -> None:
    name, raw, words = broken_mnist()[kind]
    files = {**small_mnist().files, name: raw}
    place = lay(tmp_path / "broken", {key: value for key, value in files.items() if value is not None})
    assert words in refusal("mnist", settings, place)


def test_a_set_of_several_files_is_downloaded_whole_and_each_is_checked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, online = small_mnist(), replace(settings, offline=False)
    with published(**made.files) as publisher:
        here = [
            replace(
                remote,
                url=f"{publisher.address}/{remote.file}",
                checksum=digest("md5", made.files[remote.file]),
                size=len(made.files[remote.file]),
            )
            for remote in mnist._FILES
        ]
        wrong = [*here[:3], replace(here[3], checksum=mnist._FILES[3].checksum)]
        monkeypatch.setattr("core.data.mnist._FILES", tuple(wrong))
        assert "ec29112dd5afa0611ce80d1b7f02629c" in refusal("mnist", online)
        monkeypatch.setattr("core.data.mnist._FILES", tuple(here))
        dataset = open_dataset("mnist", online)
    again = open_dataset("mnist", settings)
    assert again.items == dataset.items
    for remote in here:
        assert digest("sha256", made.files[remote.file]).removeprefix("sha256:") in " ".join(again.notes)
    assert not {remote.url for remote in mnist._FILES} & {remote.url for remote in fashion_mnist._FILES}
