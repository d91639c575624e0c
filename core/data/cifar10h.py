"""CIFAR-10H: what about 50 people each said about every test picture of CIFAR-10 (Peterson et al. 2019).

Only the test set: its pictures and labels are CIFAR-10's, ``truth.probs`` are the shares of the people's votes. The
counts are read, not the published probabilities, and must be in the order of the pictures: their favourites agree
with the labels on 99.21 % of the published set and on about 10 % of any other order.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from core.contracts import Dataset, DatasetSpec, Progress, Truth
from core.data._cifar import CIFAR10, CLASSES, Pictures, pictures_of, reads_of
from core.data._copies import Copy, copy_of, counted
from core.data._fetch import Remote, announce
from core.errors import DataError
from core.settings import Settings

_LOWEST_AGREEMENT = 0.9
_COUNTS = Remote(
    key="cifar10h",
    title="CIFAR-10H",
    url="https://raw.githubusercontent.com/jcpeterson/cifar-10h/master/data/cifar10h-counts.npy",
    file="cifar10h-counts.npy",
    size=800_128,
    checksum=None,  # its publisher states none; shape, sums and agreement with the labels are checked instead
    marks=("cifar10h-counts.npy", "data/cifar10h-counts.npy", "cifar10_test.parquet"),
)


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    votes = copy_of(_COUNTS, location, settings, also=("cifar10",), progress=progress)
    parquet = (votes.root / "cifar10_test.parquet").is_file()
    copy = votes if parquet else _pictures_beside(location, settings, progress)
    pictures = pictures_of(copy, "test")
    counts = pictures.counts if parquet else _load(votes)
    probs = _probs(votes, pictures, counts)
    items = tuple(
        replace(item, truth=Truth(probs=tuple(row))) for item, row in zip(pictures.items(), probs.tolist(), strict=True)
    )
    notes = tuple(dict.fromkeys((*votes.notes, *copy.notes, *counted(len(items), 10_000, "pictures"))))
    return Dataset(DATASET.key, DATASET.title, "image", CLASSES, items, reads_of((pictures,)), DATASET.licence, notes)


def _pictures_beside(location: Path | None, settings: Settings, progress: Progress) -> Copy:
    """CIFAR-10 from the same given folder if it is there, otherwise from where CIFAR-10 is read."""
    if location is not None and location.is_dir():
        try:
            return copy_of(CIFAR10, location, settings)
        except DataError as error:
            if error.code != "layout":
                raise
    return copy_of(CIFAR10, None, settings, progress=progress)


def _load(votes: Copy) -> np.ndarray:
    name = next((mark for mark in _COUNTS.marks[:2] if (votes.root / mark).is_file()), _COUNTS.marks[0])
    (path,) = votes.need(name)
    if path.stat().st_size > _COUNTS.limit:
        raise votes.wrong(f"{name} has {path.stat().st_size:,} bytes")
    try:
        with path.open("rb") as stream:  # an .npy and nothing else: np.load would also try archives and pickles
            return np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise votes.wrong(f"{name} is cut short or no array of numbers") from error


def _probs(votes: Copy, pictures: Pictures, counts: np.ndarray | None) -> np.ndarray:
    if counts is None:
        raise votes.wrong("cifar10_test.parquet has no column 'human_counts'")
    expected = (len(pictures.labels), len(CLASSES))
    if counts.shape != expected:
        raise votes.wrong(f"the counts are an array of {counts.shape} and the pictures need {expected}")
    if counts.dtype.kind not in "iuf" or not np.isfinite(counts).all() or (counts < 0).any() or (counts % 1).any():
        raise votes.wrong("the counts are not whole numbers from 0")
    totals = counts.sum(axis=1, keepdims=True)
    if (totals == 0).any():
        raise votes.wrong(f"nobody voted on picture {int(np.argmin(totals))}")
    agreement = float((counts.argmax(axis=1) == np.array(pictures.labels)).mean())
    if agreement < _LOWEST_AGREEMENT:
        raise votes.wrong(f"people and labels agree on {agreement:.0%} of the pictures, so their order differs")
    return counts / totals


DATASET = DatasetSpec(
    key="cifar10h",
    title="CIFAR-10H",
    kind="image",
    summary="The 10,000 test pictures of CIFAR-10 with the share of about 50 people who chose each class.",
    licence="counts CC BY-NC-SA 4.0, Peterson, Battleday, Griffiths, Russakovsky (2019); pictures as CIFAR-10",
    open=_open,
    classes=CLASSES,
)
