"""Cars-196: 16,185 pictures of 196 makes, models and years (Krause et al. 2013).

``split`` is the published one, with every class on both sides. ``fold`` asks the other question, as metric learning
does: fold 1 has the first 98 classes and fold 2 the last 98, which a model trained on fold 1 has never seen.
Read are both published layouts: all pictures in ``car_ims`` with ``cars_annos.mat``, or ``cars_train`` and
``cars_test`` with the development kit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.contracts import Dataset, DatasetSpec, Item, Progress, Split
from core.data._copies import Copy, copy_of, counted, first_missing, plain, reader
from core.data._fetch import Remote, announce
from core.settings import Settings

_TITLE = "Cars-196"
_CLASSES = 196
_LARGEST = 2 << 20  # bytes of one annotation file; the published ones have less than a fifth of it
_LABELLED = "cars_test_annos_withlabels.mat"
_REMOTE = Remote(
    key="cars196",
    title=_TITLE,
    url="http://ftp.cs.stanford.edu/cs/cvgl/CARS196.zip",
    file="CARS196.zip",
    size=1_960_000_000,
    checksum=None,  # of the two archives that had one, both addresses are gone; this one's publisher states none
    marks=("cars_annos.mat", "cars_meta.mat", "devkit/cars_meta.mat"),
    layout=r"(?:[^/]+/)?(cars_annos\.mat|car_ims/[0-9]+\.jpg)",
)


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(_REMOTE, location, settings, progress=progress)
    together = (copy.root / "cars_annos.mat").is_file()
    classes, rows = _together(copy) if together else _apart(copy)
    if len(classes) != _CLASSES or len(set(classes)) != _CLASSES:
        raise copy.wrong(f"it names {len(set(classes))} classes, expected {_CLASSES}")
    items = tuple(_item(copy, *row) for row in rows)
    paths = {item.id: copy.root / item.id for item in items}
    if len(paths) != len(items):
        raise copy.wrong("a picture is listed twice")
    if not items:
        raise copy.wrong("it lists no picture")
    first_missing(copy, paths)
    copy = copy.noting(
        "folds are halves of the classes: 1 the first 98, 2 the last 98", *counted(len(items), 16_185, "pictures")
    )
    read = reader(_TITLE, paths)
    return Dataset(DATASET.key, _TITLE, "image", classes, items, read, DATASET.licence, copy.notes)


_Row = tuple[str, Any, Split]


def _together(copy: Copy) -> tuple[tuple[str, ...], list[_Row]]:
    """Class names and (path, class, split) from the one table of the whole set."""
    found = _loaded(copy, "cars_annos.mat", "annotations", "class_names")
    rows: list[_Row] = [
        (str(row["relative_im_path"]), row["class"], "test" if row["test"] else "train")
        for row in _table(copy, "cars_annos.mat", found["annotations"], ("relative_im_path", "class", "test"))
    ]
    return _names(copy, "cars_annos.mat", found["class_names"]), rows


def _apart(copy: Copy) -> tuple[tuple[str, ...], list[_Row]]:
    """The same from the development kit, whose two tables count their pictures apart."""
    kit = "devkit/" if (copy.root / "devkit" / "cars_meta.mat").is_file() else ""
    beside = [name for name in (f"{kit}{_LABELLED}", _LABELLED) if (copy.root / name).is_file()]
    tables: tuple[tuple[Split, str], ...] = (
        ("train", f"{kit}cars_train_annos.mat"),
        ("test", beside[0] if beside else f"{kit}{_LABELLED}"),
    )
    rows: list[_Row] = []
    for split, name in tables:
        found = _loaded(copy, name, "annotations")["annotations"]
        for row in _table(copy, name, found, ("fname", "class")):
            rows.append((f"cars_{split}/{row['fname']}", row["class"], split))
    meta = f"{kit}cars_meta.mat"
    return _names(copy, meta, _loaded(copy, meta, "class_names")["class_names"]), rows


def _loaded(copy: Copy, name: str, *variables: str) -> dict[str, Any]:
    """Variables of a MATLAB file. Only plain arrays and structures of them are made from it; nothing is run."""
    from scipy.io import loadmat

    (path,) = copy.need(name)
    if path.stat().st_size > _LARGEST:
        raise copy.wrong(f"{name} has {path.stat().st_size:,} bytes")
    try:
        with path.open("rb") as stream:
            found = loadmat(stream, squeeze_me=True, variable_names=variables)
    except Exception as error:  # what a damaged file raises is whatever its reader happens to stumble over
        raise copy.wrong(f"{name} is damaged or no MATLAB file of version 5") from error
    if missing := [variable for variable in variables if variable not in found]:
        raise copy.wrong(f"{name} has no {missing[0]!r}")
    return found


def _table(copy: Copy, name: str, table: Any, columns: tuple[str, ...]) -> Iterator[Any]:
    """The rows of a structure that has the columns."""
    table = np.asarray(table).reshape(-1)
    if missing := [column for column in columns if column not in (table.dtype.names or ())]:
        raise copy.wrong(f"the annotations in {name} have no {missing[0]!r}")
    return iter(table)


def _names(copy: Copy, name: str, cells: Any) -> tuple[str, ...]:
    names = tuple(str(cell) for cell in np.asarray(cells).reshape(-1))
    if not all(name.strip() for name in names):
        raise copy.wrong(f"a class in {name} has no name")
    return names


def _item(copy: Copy, path: str, label: Any, split: Split) -> Item:
    number = int(label) if str(label).isdigit() else 0
    if not 1 <= number <= _CLASSES:
        raise copy.wrong(f"{path[:60]!r} has class {str(label)[:20]!r}, the classes are 1 to {_CLASSES}")
    if not plain(path):
        raise copy.wrong(f"{path[:80]!r} is no plain file name")
    return Item(id=path, label=number - 1, fold=1 if number <= _CLASSES // 2 else 2, split=split)


DATASET = DatasetSpec(
    key="cars196",
    title=_TITLE,
    kind="image",
    summary="Cars: 16,185 pictures of 196 models, published split, and folds by model for zero-shot work.",
    licence="for non-commercial research, J. Krause, M. Stark, J. Deng, L. Fei-Fei (2013)",
    open=_open,
)
