"""CIFAR-100: 60,000 pictures of 32 x 32 in 100 fine classes of 20 superclasses (Krizhevsky 2009)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from core.contracts import Dataset, DatasetSpec, Item, Progress
from core.data._cifar import Form, Pictures, from_batches, reads_of
from core.data._copies import Copy, copy_of, counted
from core.data._fetch import Remote, announce
from core.settings import Settings

_TITLE = "CIFAR-100"
_CLASSES = (
    *("apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle"),
    *("bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle"),
    *("chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur"),
    *("dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard"),
    *("lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain"),
    *("mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree"),
    *("plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket"),
    *("rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider"),
    *("squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger"),
    *("tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm"),
)
_SUPERCLASSES = (
    *("aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables"),
    *("household_electrical_devices", "household_furniture", "insects", "large_carnivores"),
    *("large_man-made_outdoor_things", "large_natural_outdoor_scenes", "large_omnivores_and_herbivores"),
    *("medium_mammals", "non-insect_invertebrates", "people", "reptiles", "small_mammals", "trees"),
    *("vehicles_1", "vehicles_2"),
)
_REMOTE = Remote(
    key="cifar100",
    title=_TITLE,
    url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    file="cifar-100-binary.tar.gz",
    size=168_513_733,
    checksum="md5:03b5dce01913d631647c71ecec9e9cb8",
    marks=("fine_label_names.txt",),
    layout=r"cifar-100-binary/((?:train|test)\.bin|(?:fine|coarse)_label_names\.txt)",
)
_FORM = Form(
    title=_TITLE,
    classes=_CLASSES,
    names="fine_label_names.txt",
    files=MappingProxyType({"train": ("train.bin",), "test": ("test.bin",)}),
    head=2,
)


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(_REMOTE, location, settings, progress=progress)
    train, test = from_batches(copy, "train", _FORM), from_batches(copy, "test", _FORM)
    notes = (
        *copy.notes,
        *counted(len(train.labels), 50_000, "training pictures"),
        *counted(len(test.labels), 10_000, "test pictures"),
    )
    items = _items(copy, train) + _items(copy, test)
    reads = reads_of((train, test), _TITLE)
    return Dataset(DATASET.key, _TITLE, "image", _CLASSES, items, reads, DATASET.licence, notes)


def _items(copy: Copy, part: Pictures) -> tuple[Item, ...]:
    if max(part.coarse) >= len(_SUPERCLASSES):
        raise copy.wrong(f"a {part.split} picture has superclass {max(part.coarse)}, they are 0 to 19")
    return tuple(
        replace(item, extra=(("superclass", _SUPERCLASSES[coarse]),))
        for item, coarse in zip(part.items(), part.coarse, strict=True)
    )


DATASET = DatasetSpec(
    key="cifar100",
    title=_TITLE,
    kind="image",
    summary="Small colour pictures in 100 fine classes: 50,000 for training and 10,000 for testing.",
    licence="CIFAR-100, A. Krizhevsky (2009); its publisher states no licence and asks to be cited",
    open=_open,
    classes=_CLASSES,
)
