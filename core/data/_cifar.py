"""CIFAR's records: from the official binary batches with numpy, or from parquet copies of the pictures.

The Python version of the archive is pickled and is never opened. Pictures of the binary version become PNG files with
stored (uncompressed) pixels: their bytes, and so their sha256, depend on no version of any compressor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from core.contracts import Item, Split
from core.data._copies import Copy
from core.data._fetch import Remote
from core.data._png import stored_png
from core.data._table import Cells, read_table
from core.errors import DataError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10 = Remote(
    key="cifar10",
    title="CIFAR-10",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    file="cifar-10-binary.tar.gz",
    size=170_052_171,
    checksum="md5:c32a1d4ab5d03f1284b67883e8d87530",
    marks=("data_batch_1.bin", "test_batch.bin", "cifar10_test.parquet", "cifar10_train.parquet"),
    layout=r"cifar-10-batches-bin/((?:data_batch_[1-5]|test_batch)\.bin|batches\.meta\.txt)",
)
_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE  # bytes: the red, green and blue planes


@dataclass(frozen=True, slots=True)
class Form:
    """How the binary version of a set is laid out."""

    title: str
    classes: tuple[str, ...]
    names: str  # the text file with the class names in order
    files: Mapping[Split, tuple[str, ...]]
    head: int  # label bytes before the pixels; the last one is the class

    @property
    def record(self) -> int:
        return self.head + _PIXELS


TEN = Form(
    title="CIFAR-10",
    classes=CLASSES,
    names="batches.meta.txt",
    files=MappingProxyType(
        {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)}
    ),
    head=1,
)


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """One part of the set, in its published order."""

    split: Split
    names: tuple[str, ...]  # unique within the part
    labels: tuple[int, ...]
    read: Callable[[int], bytes]  # position in the part -> an image file
    counts: np.ndarray | None = None  # (items, classes): how many people chose what, where the copy knows
    coarse: tuple[int, ...] = ()  # the label byte before the class's, where there is one

    def items(self) -> tuple[Item, ...]:
        return tuple(
            Item(id=f"{self.split}/{name}", label=label, split=self.split)
            for name, label in zip(self.names, self.labels, strict=True)
        )


def pictures_of(copy: Copy, split: Split) -> Pictures:
    """A part of CIFAR-10 from whichever form the copy has."""
    official = any((copy.root / name).is_file() for names in TEN.files.values() for name in names)
    return from_batches(copy, split, TEN) if official else _from_parquet(copy, split)


def reads_of(parts: tuple[Pictures, ...], title: str = TEN.title) -> Callable[[Item], bytes]:
    where = {f"{part.split}/{name}": (part, at) for part in parts for at, name in enumerate(part.names)}

    def read(item: Item) -> bytes:
        if item.id not in where:
            raise DataError(f"{title} has no item {item.id[:80]!r}.", code="no-such-item")
        part, at = where[item.id]
        return part.read(at)

    return read


def from_batches(copy: Copy, split: Split, form: Form) -> Pictures:
    """A part from its binary files."""
    paths = copy.need(*form.files[split])
    _require_class_order(copy, form)
    heads = [_heads_of(copy, path, form) for path in paths]
    ends = np.cumsum([len(batch) for batch in heads])

    def read(at: int) -> bytes:
        batch = int(np.searchsorted(ends, at, side="right"))
        within = at - int(ends[batch] - len(heads[batch]))
        with paths[batch].open("rb") as stream:
            stream.seek(within * form.record)
            record = stream.read(form.record)
        if len(record) != form.record:
            raise copy.wrong(f"{paths[batch].name} became shorter while in use")
        planes = np.frombuffer(record, np.uint8, offset=form.head).reshape(3, _SIDE, _SIDE)
        return stored_png(planes.transpose(1, 2, 0))

    every = np.concatenate(heads)
    coarse = tuple(every[:, -2].tolist()) if form.head > 1 else ()
    names = tuple(f"{at:05d}" for at in range(len(every)))
    return Pictures(split, names, tuple(every[:, -1].tolist()), read, coarse=coarse)


def _heads_of(copy: Copy, path: Path, form: Form) -> np.ndarray:
    """(records, head): the label bytes."""
    size = path.stat().st_size
    if size == 0 or size % form.record:
        raise copy.wrong(f"{path.name} has {size:,} bytes, which is no whole number of {form.record}-byte pictures")
    heads = np.array(np.memmap(path, np.uint8, mode="r").reshape(-1, form.record)[:, : form.head])
    wrong = heads[:, -1] >= len(form.classes)
    if wrong.any():
        at = int(np.argmax(wrong))
        last = len(form.classes) - 1
        raise copy.wrong(f"picture {at} of {path.name} has label {heads[at, -1]}, the classes are 0 to {last}")
    return heads


def _require_class_order(copy: Copy, form: Form) -> None:
    path = copy.root / form.names
    if path.is_file() and tuple(path.read_text(encoding="ascii", errors="replace").split()) != form.classes:
        raise copy.wrong(f"{form.names} names other classes than the {len(form.classes)} of {form.title}")


def _from_parquet(copy: Copy, split: Split) -> Pictures:
    (path,) = copy.need(f"cifar10_{split}.parquet")
    table = read_table(path)
    for column, columns in (("file", table.texts), ("label", table.texts), ("image", table.files)):
        if column not in columns:
            raise copy.wrong(f"{path.name} has no column {column!r}")
    names, words = table.texts["file"], table.texts["label"]
    if strange := [word for word in words if word not in CLASSES]:
        raise copy.wrong(f"{path.name} has the label {strange[0][:40]!r}")
    if len(set(names)) != len(names):
        raise copy.wrong(f"{path.name} names a picture twice")
    labels = tuple(CLASSES.index(word) for word in words)
    return Pictures(split, names, labels, Cells(path, table, "image").read, table.numbers.get("human_counts"))
