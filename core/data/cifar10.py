"""CIFAR-10: 60,000 pictures of 32 x 32 in 10 classes, official training and test set (Krizhevsky 2009)."""

from __future__ import annotations

from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Progress
from core.data._cifar import CIFAR10, CLASSES, pictures_of, reads_of
from core.data._copies import copy_of, counted
from core.data._fetch import announce
from core.settings import Settings


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(CIFAR10, location, settings, progress=progress)
    train, test = pictures_of(copy, "train"), pictures_of(copy, "test")
    notes = (
        *copy.notes,
        *counted(len(train.labels), 50_000, "training pictures"),
        *counted(len(test.labels), 10_000, "test pictures"),
    )
    items = train.items() + test.items()
    return Dataset(DATASET.key, DATASET.title, "image", CLASSES, items, reads_of((train, test)), DATASET.licence, notes)


DATASET = DatasetSpec(
    key="cifar10",
    title="CIFAR-10",
    kind="image",
    summary="Small colour pictures: 50,000 for training and 10,000 for testing, 32 by 32 pixels in 10 classes.",
    licence="CIFAR-10, A. Krizhevsky (2009); its publisher states no licence and asks to be cited",
    open=_open,
    classes=CLASSES,
)
