"""ShipsEar: 90 recordings of ships under water, in five groups by size and kind (Santos-Dominguez et al. 2016).

Its authors give it on request, so it is read from a copy only. The type of a ship stands in the file's name, as in
``Motorboat_21__18_07_13_lanchaMotora.wav``, or in a table ``shipsear.csv`` with the columns ``filename`` and ``type``
(or ``class``, A to E) and perhaps ``recording``. Pieces cut from one recording share a ``group``: the number in
the name, or what the table says. Nobody published folds or a split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Item, Progress
from core.data._copies import Copy, copy_of, counted, first_missing, plain, reader
from core.data._csv import TableLimits
from core.data._fetch import Remote, announce
from core.data._table import read_table
from core.settings import Settings

_TITLE = "ShipsEar"
_CLASSES = (
    "A fishing and work boats",
    "B motor and sailing boats",
    "C passenger ferries",
    "D ocean liners and ro-ro ships",
    "E background noise",
)
_TYPES = {
    **dict.fromkeys(("fishboat", "trawler", "musselboat", "tugboat", "dredger"), 0),
    **dict.fromkeys(("motorboat", "pilotship", "sailboat"), 1),
    **dict.fromkeys(("passengers", "passenger"), 2),
    **dict.fromkeys(("oceanliner", "roro"), 3),
    "naturalambientnoise": 4,
}
_NAME = re.compile(r"([A-Za-z]+)_([0-9]+)__.*\.wav", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"(?:[A-Za-z]+_)?([0-9]+)__.*", re.ASCII)
_TABLES = ("shipsear.csv", "shipsEar.csv", "ShipsEar.csv")
_LIMITS = TableLimits(rows=200_000, cell=2_000, text=64 << 20)
_REMOTE = Remote(
    key="shipsear",
    title=_TITLE,
    url="",
    file="",
    size=0,
    checksum=None,
    marks=("*_[0-9]*__*.wav", *_TABLES),
    closed="its authors give it on request",
)


@dataclass(frozen=True, slots=True)
class _Piece:
    name: str  # of the file, from the root
    label: int
    kind: str  # the type as written; empty where only the group is known
    recording: str


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(_REMOTE, location, settings, progress=progress)
    table = next((name for name in _TABLES if (copy.root / name).is_file()), None)
    pieces = tuple(_from_names(copy) if table is None else _from_table(copy, table))
    labels: dict[str, int] = {}
    for piece in pieces:
        if labels.setdefault(piece.recording, piece.label) != piece.label:
            raise copy.wrong(f"recording {piece.recording[:60]!r} is in two of its groups A to E")
    paths = {piece.name: copy.root / piece.name for piece in pieces}
    if len(paths) != len(pieces):
        raise copy.wrong(f"{table} names a file twice")
    if missing := [_CLASSES[at] for at in range(len(_CLASSES)) if at not in labels.values()]:
        raise copy.wrong(f"there is no recording of group {missing[0]!r}")
    first_missing(copy, paths)
    items = tuple(Item(p.name, p.label, group=p.recording, extra=(("type", p.kind),) if p.kind else ()) for p in pieces)
    notes = (*copy.notes, *counted(len(labels), 90, "recordings"))
    return Dataset(
        DATASET.key,
        _TITLE,
        "audio",
        _CLASSES,
        items,
        reader(_TITLE, paths),
        DATASET.licence,
        notes,
        locate=lambda item: paths.get(item.id),
    )


def _from_names(copy: Copy) -> Iterator[_Piece]:
    for path in sorted(copy.root.glob("*.wav")):
        match = _NAME.fullmatch(path.name)
        if match is None or match[1].lower() not in _TYPES:
            raise copy.wrong(
                f"{path.name[:60]!r} does not start with the type of a ship and a number; rename it or add shipsear.csv"
            )
        yield _Piece(path.name, _TYPES[match[1].lower()], match[1], match[2])


def _from_table(copy: Copy, name: str) -> Iterator[_Piece]:
    table = read_table(copy.root / name, limits=_LIMITS)
    columns = {column.casefold().strip(): cells for column, cells in table.texts.items()}
    if "filename" not in columns or not {"type", "class"} & columns.keys():
        raise copy.wrong(f"{name} needs the columns 'filename' and 'type' or 'class'")
    nothing = [""] * table.rows
    cells = (columns.get(column, nothing) for column in ("filename", "type", "class", "recording"))
    for at, (file, kind, group, recording) in enumerate(zip(*cells, strict=True)):
        where = f"{name}, line {table.row(at)}"
        by_type = _TYPES.get(re.sub(r"[^a-z]", "", kind.casefold()))
        by_group = "ABCDE".find(group.strip().upper()) if len(group.strip()) == 1 else -1
        if kind and by_type is None:
            raise copy.wrong(f"{where}: {kind[:40]!r} is no type of ship that {_TITLE} has")
        if group and (by_group < 0 or by_type not in (None, by_group)):
            raise copy.wrong(f"{where}: class {group[:40]!r} is not the group A to E of this ship")
        label = by_type if by_type is not None else by_group
        if label < 0:
            raise copy.wrong(f"{where}: it has neither type nor class")
        if not plain(file):
            raise copy.wrong(f"{where}: {file[:80]!r} is no plain file name")
        stem = Path(file).stem
        number = _NUMBER.fullmatch(stem)
        yield _Piece(file, label, kind, recording or (number[1] if number else stem))


DATASET = DatasetSpec(
    key="shipsear",
    title=_TITLE,
    kind="audio",
    summary="Ships under water: 90 recordings in five groups from boats to liners and background; local copy only.",
    licence="on request from its authors, for research, D. Santos-Dominguez et al. (2016)",
    open=_open,
    classes=_CLASSES,
)
