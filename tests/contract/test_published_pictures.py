"""CUB-200, Cars-196 and Online Products on small faithful copies, and on broken ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.data import open_dataset
from core.data._splits import split_by_fold
from core.errors import UserFacingError
from core.settings import Settings
from tests.contract.published import lay, tarred, zipped
from tests.contract.published_pictures import CARS, cars_files, cub_files, mat, sop_files


def refusal(key: str, settings: Settings, location: Path | None = None) -> str:
    with pytest.raises(UserFacingError) as caught:
        open_dataset(key, settings, location)
    message = str(caught.value)
    assert message.endswith(".")
    assert str(settings.home.parent) not in message, "a path of the server"
    return message


@pytest.mark.parametrize("form", ["archive", "unpacked"])
def test_cub_has_the_published_split_and_folds_of_unseen_species(settings: Settings, tmp_path: Path, form: str) -> None:
    files = cub_files()
    place = lay(tmp_path / "CUB_200_2011", files)
    if form == "archive":
        place = tmp_path / "CUB_200_2011.tgz"
        place.write_bytes(tarred("CUB_200_2011", files))
    dataset = open_dataset("cub200", settings, place)
    assert dataset.classes == tuple(f"Bird number {number}" for number in range(1, 201))
    assert len(dataset.items) == 400
    for item in dataset.items:
        assert item.label == int(item.id[:3]) - 1
        assert item.split == ("train" if item.id.endswith("_7.jpg") else "test")
        assert dataset.read(item) == files[f"images/{item.id}"]
    splits = split_by_fold(dataset, test=2)
    assert {item.label for item in splits.train} == set(range(100))
    assert {item.label for item in splits.test} == set(range(100, 200))


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("classes.txt", "200 200.Bird_number_200\n", "", "199 lines"),
        ("classes.txt", "200 200.", "201 200.", "expected the species 1 to 200"),
        ("images.txt", "\n2 ", "\n1 ", "images.txt, line 2: '1' is there twice"),
        ("images.txt", "1 001.Bird_number_1/", "1 ../", "no plain file name"),
        ("images.txt", "Bird_0000_9.jpg", "Bird_0000_7.jpg", "names a picture twice"),
        ("images.txt", "Bird_0000_9.jpg", "Bird_0000_8.jpg", "Bird_0000_8.jpg is missing"),
        ("images.txt", "2 001.Bird_number_1/Bird_0000_9.jpg", "2", "images.txt, line 2: '2' has 1 of 2 cells"),
        ("image_class_labels.txt", "2 1\n", "2 201\n", "has class '201'"),
        ("image_class_labels.txt", "2 1\n", "", "picture '2' is in images.txt or in image_class_labels.txt"),
        ("train_test_split.txt", "2 0\n", "2 2\n", "has '2' in train_test_split.txt"),
    ],
)
def test_a_wrong_cub_list_is_refused_with_the_place(
    settings: Settings, tmp_path: Path, name: str, old: str, new: str, words: str
) -> None:
    files = cub_files()
    text = files[name].decode()
    assert old in text
    files[name] = text.replace(old, new, 1).encode()
    assert words in refusal("cub200", settings, lay(tmp_path / "wrong", files))


@pytest.mark.parametrize("form", ["together", "apart", "archive"])
def test_cars_have_the_published_split_and_folds_of_unseen_models(
    settings: Settings, tmp_path: Path, form: str
) -> None:
    files = cars_files(apart=form == "apart")
    place = lay(tmp_path / "cars", files)
    if form == "archive":
        place = tmp_path / "CARS196.zip"
        place.write_bytes(zipped("cars196", files))
    dataset = open_dataset("cars196", settings, place)
    assert dataset.classes == tuple(CARS)
    assert len(dataset.items) == 392
    for item in dataset.items:
        number = int(item.id.split("/")[1].removesuffix(".jpg"))
        assert item.label == (number - 1 if form == "apart" else (number - 1) // 2)
        test = item.id.startswith("cars_test/") if form == "apart" else number % 2 == 0
        assert item.split == ("test" if test else "train")
        assert item.fold == (1 if item.label < 98 else 2)
        assert dataset.read(item) == files[item.id]


def broken_cars() -> dict[str, tuple[str, bytes | None, str]]:
    good = cars_files()["cars_annos.mat"]
    whole, names = np.zeros((1, 2)), np.array(CARS, object)
    rows = np.empty((1, 1), [("relative_im_path", object), ("class", object), ("test", object)])
    rows[0, 0] = ("car_ims/000001.jpg", 197, 0)
    outside = rows.copy()
    outside[0, 0] = ("../secret.jpg", 1, 0)
    return {
        "missing": ("car_ims/000007.jpg", None, "car_ims/000007.jpg is missing"),
        "cut": ("cars_annos.mat", good[: len(good) // 2], "damaged or no MATLAB file"),
        "text": ("cars_annos.mat", b"annotations" * 90, "damaged or no MATLAB file"),
        "large": ("cars_annos.mat", bytes(3 << 20), "has 3,145,728 bytes"),
        "no table": ("cars_annos.mat", mat(class_names=names), "has no 'annotations'"),
        "no columns": ("cars_annos.mat", mat(annotations=whole, class_names=names), "have no 'relative_im_path'"),
        "classes": ("cars_annos.mat", mat(annotations=rows, class_names=names[:5]), "names 5 classes, expected 196"),
        "class": ("cars_annos.mat", mat(annotations=rows, class_names=names), "has class '197'"),
        "outside": ("cars_annos.mat", mat(annotations=outside, class_names=names), "no plain file name"),
    }


@pytest.mark.parametrize("kind", broken_cars())
def test_broken_cars_say_what_is_wrong(settings: Settings, tmp_path: Path, kind: str) -> None:
    name, raw, words = broken_cars()[kind]
    files = {**cars_files(), name: raw}
    place = lay(tmp_path / "broken", {key: value for key, value in files.items() if value is not None})
    assert words in refusal("cars196", settings, place)


@pytest.mark.parametrize("form", ["archive", "unpacked"])
def test_online_products_are_on_one_side_each(settings: Settings, tmp_path: Path, form: str) -> None:
    files = sop_files()
    place = lay(tmp_path / "Stanford_Online_Products", files)
    if form == "archive":
        place = tmp_path / "Stanford_Online_Products.zip"
        place.write_bytes(zipped("Stanford_Online_Products", files))
    dataset = open_dataset("sop", settings, place)
    kinds = ["coffee maker 00001", "bicycle 00002", "coffee maker 00003", "coffee maker 11319", "bicycle 11320"]
    assert list(dataset.classes) == kinds
    for item in dataset.items:
        product = int(item.id.split("/")[1][7:12])
        assert dataset.classes[item.label or 0].endswith(f"{product:05d}")
        assert (item.split, item.fold) == (("train", 1) if product < 11319 else ("test", 2))
        assert dict(item.extra)["superclass"] == dataset.classes[item.label or 0][:-6]
        assert dataset.read(item) == files[item.id]
    train, test = ({i.label for i in dataset.items if i.split == split} for split in ("train", "test"))
    assert not train & test
    assert any("6 of the 59,551" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("image_id class_id", "id class_id", "does not start with 'image_id class_id"),
        ("7 11319 4", "7 1 4", "product 1 is in Ebay_train.txt and in Ebay_test.txt"),
        ("7 11319 4", "7 11320 4", "product 11320 is a coffee maker and a bicycle"),
        ("7 11319 4", "7 x 4", "line 2: class_id 'x'"),
        ("7 11319 4 coffee", "7 11319 4 ../coffee", "no plain file name"),
        ("11319_1.JPG", "11319_0.JPG", "listed twice"),
        ("11319_1.JPG", "11319_7.JPG", "11319_7.JPG is missing"),
        ("7 11319 4 ", "7 11319 ", "line 2"),
    ],
)
def test_a_wrong_list_of_products_is_refused_with_the_place(
    settings: Settings, tmp_path: Path, old: str, new: str, words: str
) -> None:
    files = sop_files()
    text = files["Ebay_test.txt"].decode()
    assert old in text
    files["Ebay_test.txt"] = text.replace(old, new, 1).encode()
    assert words in refusal("sop", settings, lay(tmp_path / "wrong", files))


SETS = ("cifar100", "mnist", "fashion_mnist", "cub200", "cars196", "sop", "urbansound8k", "dcase2013")


@pytest.mark.parametrize("key", SETS)
def test_offline_without_a_copy_tells_what_to_do(settings: Settings, key: str) -> None:
    message = refusal(key, settings)
    assert "PENUMBRA_OFFLINE" in message
    assert "PENUMBRA_DATA" in message


@pytest.mark.parametrize("key", [*SETS, "shipsear", "audioset"])
def test_an_unrelated_folder_is_named(settings: Settings, tmp_path: Path, key: str) -> None:
    copies = lay(tmp_path / "copies", {f"{key}/holiday.jpg": b"x"})
    assert f"The folder '{key}' holds no copy" in refusal(key, replace(settings, data=copies))
