"""CIFAR's records: from the official binary batches with numpy, or from parquet copies of the pictures.

The Python version of the archive is pickled and is never opened. Pictures of the binary version become PNG files with
stored (uncompressed) pixels: their bytes, and so their sha256, depend on no version of any compressor.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.contracts import Item, Split
from core.data._copies import Copy
from core.data._fetch import Remote
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
_RECORD = 1 + 3 * _SIDE * _SIDE  # bytes: the label, then the red, green and blue planes
_FILES: dict[Split, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """One part of the set, in its published order."""

    split: Split
    names: tuple[str, ...]  # unique within the part
    labels: tuple[int, ...]
    read: Callable[[int], bytes]  # position in the part -> an image file
    counts: np.ndarray | None = None  # (items, classes): how many people chose what, where the copy knows

    def items(self) -> tuple[Item, ...]:
        return tuple(
            Item(id=f"{self.split}/{name}", label=label, split=self.split)
            for name, label in zip(self.names, self.labels, strict=True)
        )


def pictures_of(copy: Copy, split: Split) -> Pictures:
    """A part from whichever form the copy has."""
    official = any((copy.root / name).is_file() for names in _FILES.values() for name in names)
    return _from_batches(copy, split) if official else _from_parquet(copy, split)


def reads_of(parts: tuple[Pictures, ...]) -> Callable[[Item], bytes]:
    where = {f"{part.split}/{name}": (part, at) for part in parts for at, name in enumerate(part.names)}

    def read(item: Item) -> bytes:
        if item.id not in where:
            raise DataError(f"CIFAR-10 has no item {item.id[:80]!r}.", code="no-such-item")
        part, at = where[item.id]
        return part.read(at)

    return read


def png_of(record: bytes) -> bytes:
    """A binary record's pixels as a PNG file."""
    planes = np.frombuffer(record, np.uint8, offset=1).reshape(3, _SIDE, _SIDE)
    rows = np.zeros((_SIDE, 1 + 3 * _SIDE), np.uint8)  # each row starts with its filter, 0 for none
    rows[:, 1:] = planes.transpose(1, 2, 0).reshape(_SIDE, -1)
    raw = rows.tobytes()
    stored = (
        b"\x78\x01\x01" + struct.pack("<HH", len(raw), len(raw) ^ 0xFFFF) + raw + struct.pack(">I", zlib.adler32(raw))
    )
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", stored) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _from_batches(copy: Copy, split: Split) -> Pictures:
    paths = copy.need(*_FILES[split])
    _require_class_order(copy)
    labels = [_labels_of(copy, path) for path in paths]
    ends = np.cumsum([len(batch) for batch in labels])

    def read(at: int) -> bytes:
        batch = int(np.searchsorted(ends, at, side="right"))
        within = at - (int(ends[batch - 1]) if batch else 0)
        with paths[batch].open("rb") as stream:
            stream.seek(within * _RECORD)
            record = stream.read(_RECORD)
        if len(record) != _RECORD:
            raise copy.wrong(f"{paths[batch].name} became shorter while in use")
        return png_of(record)

    every = tuple(int(label) for batch in labels for label in batch)
    return Pictures(split, tuple(f"{at:05d}" for at in range(len(every))), every, read)


def _labels_of(copy: Copy, path: Path) -> np.ndarray:
    size = path.stat().st_size
    if size == 0 or size % _RECORD:
        raise copy.wrong(f"{path.name} has {size:,} bytes, which is no whole number of {_RECORD}-byte pictures")
    labels = np.array(np.memmap(path, np.uint8, mode="r").reshape(-1, _RECORD)[:, 0])
    if (labels >= len(CLASSES)).any():
        at = int(np.argmax(labels >= len(CLASSES)))
        raise copy.wrong(f"picture {at} of {path.name} has label {labels[at]}, the classes are 0 to 9")
    return labels


def _require_class_order(copy: Copy) -> None:
    meta = copy.root / "batches.meta.txt"
    if meta.is_file() and tuple(meta.read_text(encoding="ascii", errors="replace").split()) != CLASSES:
        raise copy.wrong("batches.meta.txt names other classes than the ten of CIFAR-10")


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
