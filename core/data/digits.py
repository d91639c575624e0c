"""scikit-learn's handwritten digits: 1,797 real pictures of 8 x 8 pixels that come with the library."""

from __future__ import annotations

import importlib.util
import io
from functools import cache
from pathlib import Path

import numpy as np

from core.contracts import Dataset, DatasetSpec, Item, Split
from core.errors import DataError
from core.fingerprint import seed_of
from core.settings import Settings

_CLASSES = tuple("0123456789")
_LICENCE = "CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits)"
_TITLE = "Digits"
_FOLDS = 5


def open_digits(location: Path | None, settings: Settings) -> Dataset:
    """The pictures in the library's order, with splits and folds of our own."""
    if location is not None:
        raise DataError("Digits come with scikit-learn and take no path; leave the path out.", code="no-location-taken")
    pictures, labels = arrays()
    rows = {f"digit-{row:04d}": row for row in range(len(labels))}
    return Dataset(
        key="digits",
        title=_TITLE,
        kind="image",
        classes=_CLASSES,
        items=tuple(_item(id_, int(labels[row])) for id_, row in rows.items()),
        read=lambda item: _png(pictures[rows[item.id]]),
        licence=_LICENCE,
        notes=(
            "The 43 writers are not named in these data, so both sides of the split may share a writer.",
            "No split was published with this copy; ours depends on the item's number only.",
        ),
    )


@cache
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """The file that scikit-learn reads; importing its reader would load pandas and much of scipy."""
    (library,) = importlib.util.find_spec("sklearn").submodule_search_locations  # type: ignore[union-attr]
    table = np.loadtxt(Path(library) / "datasets/data/digits.csv.gz", delimiter=",")
    pictures, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
    grey = np.floor(pictures * (255.0 / 16.0) + 0.5).astype(np.uint8)  # published as counts of ink, 0..16
    grey.setflags(write=False)
    return grey, labels


def _item(id_: str, label: int) -> Item:
    """Six in ten train, two validate, two test; folds apart from that."""
    split: Split = ("train", "train", "train", "validation", "test")[seed_of("digits split", id_) % 5]
    return Item(id=id_, label=label, fold=seed_of("digits fold", id_) % _FOLDS + 1, split=split)


def _png(grey: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "PNG")
    return stream.getvalue()


DATASET = DatasetSpec(
    key="digits",
    title=_TITLE,
    kind="image",
    summary="scikit-learn's 1,797 handwritten digits of 8 x 8 pixels: small, real, always there.",
    licence=_LICENCE,
    open=open_digits,
    builtin=True,
    classes=_CLASSES,
)
