"""Small faithful copies of the published layouts of picture sets."""

from __future__ import annotations

import gzip
import io
import struct
from dataclasses import dataclass, field

import numpy as np

# CIFAR-100 as its page lists it: five classes in each superclass. Both are numbered alphabetically in the files.
CIFAR100 = {
    "aquatic_mammals": "beaver dolphin otter seal whale",
    "fish": "aquarium_fish flatfish ray shark trout",
    "flowers": "orchid poppy rose sunflower tulip",
    "food_containers": "bottle bowl can cup plate",
    "fruit_and_vegetables": "apple mushroom orange pear sweet_pepper",
    "household_electrical_devices": "clock keyboard lamp telephone television",
    "household_furniture": "bed chair couch table wardrobe",
    "insects": "bee beetle butterfly caterpillar cockroach",
    "large_carnivores": "bear leopard lion tiger wolf",
    "large_man-made_outdoor_things": "bridge castle house road skyscraper",
    "large_natural_outdoor_scenes": "cloud forest mountain plain sea",
    "large_omnivores_and_herbivores": "camel cattle chimpanzee elephant kangaroo",
    "medium_mammals": "fox porcupine possum raccoon skunk",
    "non-insect_invertebrates": "crab lobster snail spider worm",
    "people": "baby boy girl man woman",
    "reptiles": "crocodile dinosaur lizard snake turtle",
    "small_mammals": "hamster mouse rabbit shrew squirrel",
    "trees": "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "vehicles_1": "bicycle bus motorcycle pickup_truck train",
    "vehicles_2": "lawn_mower rocket streetcar tank tractor",
}
FINE = sorted(name for names in CIFAR100.values() for name in names.split())
COARSE = sorted(CIFAR100)


def jpeg(seed: int) -> bytes:
    """A small picture; another seed, other bytes."""
    from PIL import Image

    stream = io.BytesIO()
    colour = tuple(int(c) for c in np.random.default_rng(seed).integers(0, 256, 3))
    Image.new("RGB", (8, 6), colour).save(stream, "JPEG")
    return stream.getvalue()


@dataclass(frozen=True)
class Cifar100:
    """Both binary files of a small CIFAR-100, and what they were made from."""

    pixels: np.ndarray  # (2, records, 3, 32, 32), training first
    fine: np.ndarray  # (2, records)
    coarse: np.ndarray  # (2, records)
    files: dict[str, bytes] = field(default_factory=dict)


def cifar100(records: int = 12) -> Cifar100:
    rng = np.random.default_rng(6)
    pixels = rng.integers(0, 256, (2, records, 3, 32, 32), dtype=np.uint8)
    fine = rng.integers(0, 100, (2, records), dtype=np.uint8)
    above = [next(at for at, name in enumerate(COARSE) if fine_name in CIFAR100[name].split()) for fine_name in FINE]
    coarse = np.array(above, np.uint8)[fine]
    files = {
        f"{part}_label_names.txt": "\n".join(names).encode() for part, names in (("fine", FINE), ("coarse", COARSE))
    }
    for part, name in enumerate(("train.bin", "test.bin")):
        files[name] = b"".join(
            bytes([coarse[part, at], fine[part, at]]) + pixels[part, at].tobytes() for at in range(records)
        )
    return Cifar100(pixels, fine, coarse, files)


@dataclass(frozen=True)
class Idx:
    """The four files of a small MNIST, and what they were made from."""

    pixels: dict[str, np.ndarray]  # split -> (items, 28, 28)
    labels: dict[str, np.ndarray]
    files: dict[str, bytes]


def idx(array: np.ndarray) -> bytes:
    """The format of its authors' page: two zeros, 8 for bytes, the axes, big-endian lengths, values."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def mnist(items: int = 20, packed: bool = True) -> Idx:
    rng = np.random.default_rng(7)
    pixels = {split: rng.integers(0, 256, (items, 28, 28), dtype=np.uint8) for split in ("train", "test")}
    labels = {split: rng.integers(0, 10, items, dtype=np.uint8) for split in ("train", "test")}
    files = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        files[f"{prefix}-images-idx3-ubyte"] = idx(pixels[split])
        files[f"{prefix}-labels-idx1-ubyte"] = idx(labels[split])
    if packed:
        files = {f"{name}.gz": gzip.compress(raw, mtime=0) for name, raw in files.items()}
    return Idx(pixels, labels, files)


def cub_files() -> dict[str, bytes]:
    """200 species of two pictures, the first to train on and the second to test on."""
    species = [f"{number:03d}.Bird_number_{number}" for number in range(1, 201)]
    pictures = [f"{name}/Bird_{at:04d}_{take}.jpg" for at, name in enumerate(species) for take in (7, 9)]
    lists = {
        "classes.txt": [f"{at} {name}" for at, name in enumerate(species, 1)],
        "images.txt": [f"{at} {name}" for at, name in enumerate(pictures, 1)],
        "image_class_labels.txt": [f"{at + 1} {at // 2 + 1}" for at in range(len(pictures))],
        "train_test_split.txt": [f"{at + 1} {1 - at % 2}" for at in range(len(pictures))],
    }
    files = {name: "".join(f"{line}\n" for line in lines).encode() for name, lines in lists.items()}
    return files | {f"images/{name}": jpeg(at % 7) for at, name in enumerate(pictures)} | {"README": b"about"}


def sop_files() -> dict[str, bytes]:
    """Three products to train on and two to test on, two pictures each, in two kinds."""
    files: dict[str, bytes] = {}
    number = 0
    for name, products in (("Ebay_train.txt", (1, 2, 3)), ("Ebay_test.txt", (11319, 11320))):
        lines = ["image_id class_id super_class_id path"]
        for product in products:
            kind, which = (("bicycle", 1), ("coffee_maker", 4))[product % 2]
            for take in (0, 1):
                number += 1
                path = f"{kind}_final/1110851{product:05d}_{take}.JPG"
                lines.append(f"{number} {product} {which} {path}")
                files[path] = jpeg(number)
        files[name] = ("\n".join(lines) + "\n").encode()
    return files


def mat(**variables: object) -> bytes:
    from scipy.io import savemat

    stream = io.BytesIO()
    savemat(stream, variables, do_compression=True)
    return stream.getvalue()


def _structure(rows: list[dict[str, object]]) -> np.ndarray:
    """A MATLAB structure array of one row, as the published files have."""
    table = np.empty((1, len(rows)), [(name, object) for name in rows[0]])
    for at, row in enumerate(rows):
        table[0, at] = tuple(row.values())
    return table


def _cells(names: list[str]) -> np.ndarray:
    cells = np.empty((1, len(names)), object)
    cells[0, :] = names
    return cells


CARS = [f"Maker{number} Model C/V {1990 + number % 20}" for number in range(1, 197)]
_BOX = {"bbox_x1": 1, "bbox_y1": 1, "bbox_x2": 7, "bbox_y2": 5}


def cars_files(apart: bool = False) -> dict[str, bytes]:
    """196 classes of two pictures, the first to train on and the second to test on, in either published layout."""
    if not apart:
        rows = [
            {
                "relative_im_path": f"car_ims/{at + 1:06d}.jpg",
                **_BOX,
                "class": np.uint8(at // 2 + 1),
                "test": np.uint8(at % 2),
            }
            for at in range(2 * len(CARS))
        ]
        pictures = {str(row["relative_im_path"]): jpeg(at % 7) for at, row in enumerate(rows)}
        return {"cars_annos.mat": mat(annotations=_structure(rows), class_names=_cells(CARS)), **pictures}
    rows = [{**_BOX, "class": np.uint8(at + 1), "fname": f"{at + 1:05d}.jpg"} for at in range(len(CARS))]
    pictures = {
        f"cars_{split}/{row['fname']}": jpeg(at % 7 + (split == "test"))
        for split in ("train", "test")
        for at, row in enumerate(rows)
    }
    return {
        "devkit/cars_meta.mat": mat(class_names=_cells(CARS)),
        "devkit/cars_train_annos.mat": mat(annotations=_structure(rows)),
        "cars_test_annos_withlabels.mat": mat(annotations=_structure(rows)),
        **pictures,
    }
