"""Sets published as four IDX files of 28 x 28 grey pictures: MNIST and those made to replace it.

The files are read with numpy, packed or unpacked. Pictures become PNG files with stored (uncompressed) pixels, so
that their sha256 depends on no version of any compressor.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.contracts import Dataset, DatasetSpec, Item, Progress, Split
from core.data._copies import Copy, copy_of, counted
from core.data._fetch import Remote
from core.data._png import stored_png
from core.errors import DataError
from core.settings import Settings

_SIDE = 28
_PREFIX: Mapping[Split, tuple[str, int]] = {"train": ("train", 60_000), "test": ("t10k", 10_000)}
_MOST = 256 << 20  # bytes of one unpacked file; the largest published one has 47 MB


@dataclass(frozen=True, slots=True)
class _Part:
    """One side of the set."""

    split: Split
    images: np.ndarray  # (items, 28, 28) uint8
    labels: np.ndarray  # (items,) uint8


def remotes(key: str, title: str, base: str, files: Mapping[str, tuple[int, str]]) -> tuple[Remote, ...]:
    """The four files, by their name without ``.gz``: bytes and md5."""
    name = "train-images-idx3-ubyte"
    marks = tuple(f"{folder}{name}{end}" for folder in ("", "raw/") for end in (".gz", ""))
    return tuple(
        Remote(key, title, f"{base}{file}.gz", f"{file}.gz", size, f"md5:{md5}", marks)
        for file, (size, md5) in files.items()
    )


def open_idx(
    spec: DatasetSpec, files: tuple[Remote, ...], location: Path | None, settings: Settings, progress: Progress
) -> Dataset:
    first, *others = files
    copy = copy_of(first, location, settings, parts=tuple(others), progress=progress)
    parts: dict[Split, _Part] = {split: _part_of(copy, split, len(spec.classes)) for split in _PREFIX}
    notes = tuple(
        note
        for split, (_, count) in _PREFIX.items()
        for note in counted(len(parts[split].labels), count, f"{split} pictures")
    )
    items = tuple(
        Item(f"{split}/{at:05d}", int(label), split=split)
        for split, part in parts.items()
        for at, label in enumerate(part.labels)
    )
    where = {item.id: (parts["train" if item.split == "train" else "test"], int(item.id[-5:])) for item in items}

    def read(item: Item) -> bytes:
        if item.id not in where:
            raise DataError(f"{spec.title} has no item {item.id[:80]!r}.", code="no-such-item")
        part, at = where[item.id]
        return stored_png(part.images[at])

    return Dataset(spec.key, spec.title, "image", spec.classes, items, read, spec.licence, (*copy.notes, *notes))


def _part_of(copy: Copy, split: Split, classes: int) -> _Part:
    prefix = _PREFIX[split][0]
    images = _array(copy, f"{prefix}-images-idx3-ubyte", 3)
    labels = _array(copy, f"{prefix}-labels-idx1-ubyte", 1)
    if images.shape[1:] != (_SIDE, _SIDE):
        raise copy.wrong(f"the {split} pictures are {' x '.join(map(str, images.shape[1:]))} pixels, not 28 x 28")
    if not 0 < len(labels) == len(images):
        raise copy.wrong(f"there are {len(images):,} {split} pictures and {len(labels):,} labels")
    if labels.max() >= classes:
        raise copy.wrong(f"a {split} picture has label {labels.max()}, the classes are 0 to {classes - 1}")
    return _Part(split, images, labels)


def _array(copy: Copy, name: str, axes: int) -> np.ndarray:
    """An IDX file of bytes: two zeros, the type, the number of axes, each length as four bytes, the values."""
    root = copy.root / "raw" if (copy.root / "raw").is_dir() else copy.root
    path = next((path for path in (root / f"{name}.gz", root / name) if path.is_file()), None)
    if path is None:
        raise DataError(f"The copy of {copy.title} is incomplete: {name}.gz is missing.", code="layout")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            raw = stream.read(_MOST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise copy.wrong(f"{path.name} is damaged or cut short") from error
    start = 4 + 4 * axes
    if len(raw) < start or raw[:4] != bytes((0, 0, 8, axes)):
        raise copy.wrong(f"{path.name} is no IDX file with {axes} axes of bytes")
    shape = tuple(int(length) for length in np.frombuffer(raw, ">u4", axes, 4))
    if (expected := start + int(np.prod([int(n) for n in shape], dtype=object))) != len(raw):
        raise copy.wrong(f"{path.name} has {len(raw):,} bytes and announces {expected:,}")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)
