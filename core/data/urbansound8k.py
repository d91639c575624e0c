"""UrbanSound8K: 8,732 slices of city sounds in 10 classes and 10 published folds (Salamon, Jacoby, Bello 2014).

Slices cut from one recording share a ``group`` and, as published, a fold: never divide the set in another way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Item, Progress
from core.data._copies import Copy, copy_of, counted, first_missing, plain, reader, whole
from core.data._csv import TableLimits
from core.data._fetch import Remote, announce
from core.data._table import read_table
from core.settings import Settings

_TITLE = "UrbanSound8K"
_CLASSES = (
    *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
    *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
)
_FOLDS = range(1, 11)
_SALIENCE: dict[str, str] = {"1": "foreground", "2": "background"}
_TABLE = "metadata/UrbanSound8K.csv"
_NEEDED = ("slice_file_name", "fsID", "salience", "fold", "classID", "class")
_LIMITS = TableLimits(rows=20_000, cell=1_000, text=16 << 20)  # the published table has 8,732 rows
_REMOTE = Remote(
    key="urbansound8k",
    title=_TITLE,
    url="https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",
    file="UrbanSound8K.tar.gz",
    size=6_023_741_708,
    checksum="md5:9aa69802bbf37fb986f71ec1483a196e",
    marks=(_TABLE,),
    layout=r"UrbanSound8K/(metadata/UrbanSound8K\.csv|audio/fold(?:[1-9]|10)/[0-9-]+\.wav)",
)


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(_REMOTE, location, settings, progress=progress)
    items = tuple(_items(copy))
    fold_of: dict[str, int] = {}
    for item in items:
        if fold_of.setdefault(item.group or "", item.fold or 0) != item.fold:
            raise copy.wrong(f"recording {item.group!r} is in folds {fold_of[item.group or '']} and {item.fold}")
    paths = {item.id: copy.root / "audio" / item.id for item in items}
    if len(paths) != len(items):
        raise copy.wrong("its table names a slice twice")
    first_missing(copy, paths)
    notes = (*copy.notes, *counted(len(items), 8732, "slices"))
    return Dataset(DATASET.key, _TITLE, "audio", _CLASSES, items, reader(_TITLE, paths), DATASET.licence, notes)


def _items(copy: Copy) -> Iterator[Item]:
    (path,) = copy.need(_TABLE)
    table = read_table(path, limits=_LIMITS)
    if missing := [column for column in _NEEDED if column not in table.texts]:
        raise copy.wrong(f"{path.name} has no column {missing[0]!r}")
    for at, cells in enumerate(zip(*(table.texts[column] for column in _NEEDED), strict=True)):
        name, source, salience, fold, number, category = cells
        where = f"{path.name}, line {table.row(at)}"
        label, place = whole(number, range(len(_CLASSES))), whole(fold, _FOLDS)
        if label is None or _CLASSES[label] != category:
            raise copy.wrong(f"{where}: classID {number[:20]!r} is not {category[:40]!r}")
        if place is None:
            raise copy.wrong(f"{where}: fold {fold[:20]!r} is not 1 to 10")
        if "/" in name or not plain(name):
            raise copy.wrong(f"{where}: {name[:80]!r} is no plain file name")
        if not source:
            raise copy.wrong(f"{where}: fsID is empty")
        extra = (("salience", _SALIENCE.get(salience) or salience),)
        yield Item(id=f"fold{place}/{name}", label=label, fold=place, group=source, extra=extra)


DATASET = DatasetSpec(
    key="urbansound8k",
    title=_TITLE,
    kind="audio",
    summary="City sounds: 8,732 slices of up to 4 seconds in 10 classes, 10 published folds.",
    licence="CC BY-NC 4.0 (3.0 in its readme), J. Salamon, C. Jacoby, J. P. Bello (2014), clips from Freesound",
    open=_open,
    classes=_CLASSES,
)
