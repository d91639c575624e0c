"""CUB-200-2011: 11,788 pictures of birds in 200 species (Wah et al. 2011).

``split`` is the published one, with every species on both sides. ``fold`` asks the other question, as metric learning
does: fold 1 has the first 100 species and fold 2 the last 100, which a model trained on fold 1 has never seen.
"""

from __future__ import annotations

from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Item, Progress
from core.data._copies import Copy, copy_of, counted, first_missing, plain, reader, whole
from core.data._fetch import Remote, announce
from core.data._lines import numbered
from core.settings import Settings

_TITLE = "CUB-200-2011"
_CLASSES = 200
_REMOTE = Remote(
    key="cub200",
    title=_TITLE,
    url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
    file="CUB_200_2011.tgz",
    size=1_150_585_339,
    checksum="md5:97eceeb196236b17998738112f37df78",
    marks=("image_class_labels.txt",),
    layout=(
        r"CUB_200_2011/((?:images|image_class_labels|train_test_split|classes)\.txt"
        r"|images/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+\.jpg)"
    ),
)


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(_REMOTE, location, settings, progress=progress)
    species = numbered(copy, "classes.txt")
    if species.keys() != {str(number) for number in range(1, _CLASSES + 1)}:
        raise copy.wrong(f"classes.txt has {len(species)} lines, expected the species 1 to {_CLASSES}")
    classes = tuple(_readable(species[str(number)]) for number in range(1, _CLASSES + 1))
    names, labels = numbered(copy, "images.txt"), numbered(copy, "image_class_labels.txt")
    trained = numbered(copy, "train_test_split.txt")
    for name, told in (("image_class_labels.txt", labels), ("train_test_split.txt", trained)):
        if odd := names.keys() ^ told.keys():
            raise copy.wrong(f"picture {sorted(odd)[0][:20]!r} is in images.txt or in {name} and not in the other")
    items = tuple(_item(copy, name, labels[number], trained[number]) for number, name in names.items())
    paths = {name: copy.root / "images" / name for name in names.values()}
    if len(paths) != len(items):
        raise copy.wrong("images.txt names a picture twice")
    first_missing(copy, paths)
    copy = copy.noting(
        "folds are halves of the species: 1 the first 100, 2 the last 100",
        *counted(len(items), 11_788, "pictures"),
    )
    read = reader(_TITLE, paths)
    return Dataset(DATASET.key, _TITLE, "image", classes, items, read, DATASET.licence, copy.notes)


def _readable(name: str) -> str:
    """``001.Black_footed_Albatross`` as people write it."""
    return name.partition(".")[2].replace("_", " ") or name


def _item(copy: Copy, name: str, label: str, trained: str) -> Item:
    number = whole(label, range(1, _CLASSES + 1))
    if number is None:
        raise copy.wrong(f"{name[:60]!r} has class {label[:20]!r}, the species are 1 to {_CLASSES}")
    if trained not in ("0", "1"):
        raise copy.wrong(f"{name[:60]!r} has {trained[:20]!r} in train_test_split.txt, which says 0 or 1")
    if not plain(name):
        raise copy.wrong(f"{name[:80]!r} is no plain file name")
    fold = 1 if number <= _CLASSES // 2 else 2
    return Item(id=name, label=number - 1, fold=fold, split="train" if trained == "1" else "test")


DATASET = DatasetSpec(
    key="cub200",
    title=_TITLE,
    kind="image",
    summary="Birds: 11,788 pictures of 200 species, published split, and folds by species for zero-shot work.",
    licence="for non-commercial research and education, C. Wah et al. (2011); pictures by Flickr contributors",
    open=_open,
)
