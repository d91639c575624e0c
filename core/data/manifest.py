"""A table with one row a file: a path or the bytes themselves, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Item, Kind, Split
from core.data._labels import PROBS, Labels, labels_of, refuse_cells, whole
from core.data._table import Cells, Table, read_table
from core.data._tree import DiskTree, Leaf, Tree, kind_of, listed, plain_file, sorted_by_kind
from core.errors import DataError, TableError
from core.media._names import BadName, shown
from core.settings import Settings

NO_PATH_COLUMN = "no-path-column"
SPLITS: dict[str, Split] = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "test", "testing": "test", "ood": "ood",
}  # fmt: skip
_PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "fname", "audio", "image")
_BYTES = ("bytes", "image", "audio", "image_bytes", "audio_bytes", "picture", "sound", "data", "content")
_FOLDS = ("fold",)
_GROUPS = ("group", "src_file", "source", "recording", "source_file", "recording_id", "group_id")
_SPLITS = ("split", "subset", "partition")
_SAMPLE = 64  # cells of a byte column that tell the kind of the whole


@dataclass(frozen=True, slots=True)
class _Roles:
    """Which column says what; None where no column does."""

    path: str | None
    data: str | None
    fold: str | None
    group: str | None
    split: str | None

    def all(self) -> set[str | None]:
        return {self.path, self.data, self.fold, self.group, self.split}


def _open(location: Path | None, settings: Settings) -> Dataset:
    if location is None or not location.is_file():
        raise DataError("The source is not a file; give the path of a .csv or .parquet table.", code="no-such-path")
    name, place = shown(location.name, 80), location.resolve()
    return dataset_of(Leaf(name, name, place), DiskTree(place.parent, shown(place.stem, 80)), "manifest")


def dataset_of(leaf: Leaf, tree: Tree, key: str) -> Dataset:
    """The data set that the table ``leaf`` of a tree describes; its paths start where the tree does."""
    table = read_table(leaf.path, name=leaf.name)
    roles, labels = _roles(table), labels_of(table)
    _check(table, roles)
    if roles.data is not None:
        kind, rows, read, notes = _from_cells(leaf.path, table, roles.data)
        ids = table.texts[roles.path] if roles.path else [f"row-{table.row(n):07d}" for n in range(table.rows)]
        ids = _unique([shown(name) for name in ids])
        by_id = dict(zip(ids, range(table.rows), strict=True))
        locate: Callable[[Item], Path | None] | None = None
        reader: Callable[[Item], bytes] = lambda item: read(by_id[item.id])  # noqa: E731
    else:
        kind, rows, leaves, notes = _from_files(table, roles, tree)
        ids = _unique([found.name if found else "" for found in leaves])
        by_leaf = {name: found for name, found in zip(ids, leaves, strict=True) if found}
        reader = lambda item: tree.read(by_leaf[item.id])  # noqa: E731
        locate = lambda item: plain_file(by_leaf[item.id])  # noqa: E731
    used = roles.all() | labels.used
    extra = tuple(column for column in table.texts if column not in used)
    items = tuple(_item(table, roles, labels, extra, ids[row], row) for row in rows)
    unused = [column for column in (*table.numbers, *table.files) if column not in used]
    notes += (
        *tree.notes(),
        *_facts(table),
        *listed(len(unused), "unused columns of lists or bytes", unused),
    )
    return Dataset(key, tree.title, kind, labels.classes, items, reader, "yours", notes, locate=locate)


def _roles(table: Table) -> _Roles:
    texts = {column.casefold(): column for column in table.texts}
    files = {column.casefold(): column for column in table.files}

    def first(names: Sequence[str], among: dict[str, str]) -> str | None:
        return next((among[name] for name in names if name in among), None)

    data = first(_BYTES, files) or (next(iter(table.files)) if len(table.files) == 1 else None)
    path = first(_PATHS, texts) or (first(("id", "name"), texts) if data else None)
    if path is None and data is None:
        raise TableError(
            f"{table.name!r} has no column with files: it has {', '.join(table.columns)[:160]}; expected one called "
            f"{', '.join(_PATHS[:4])}, or a column of bytes called image or audio.",
            code=NO_PATH_COLUMN,
        )
    return _Roles(path, data, first(_FOLDS, texts), first(_GROUPS, texts), first(_SPLITS, texts))


def _check(table: Table, roles: _Roles) -> None:
    if roles.fold is not None:
        refuse_cells(
            table, roles.fold, lambda cell: bool(cell) and whole(cell) is None, "a fold is a whole number from 0"
        )
    if roles.split is not None:
        unknown = "a split is train, validation, test or ood"
        refuse_cells(table, roles.split, lambda cell: bool(cell) and cell.casefold() not in SPLITS, unknown)


def _from_cells(
    path: Path, table: Table, column: str
) -> tuple[Kind, Sequence[int], Callable[[int], bytes], tuple[str, ...]]:
    cells = Cells(path, table, column)
    kinds: list[str] = []
    for row in range(min(table.rows, _SAMPLE)):
        try:
            kinds.append(kind_of(cells.read(row)))
        except TableError as refusal:
            if refusal.code != "empty-cell":
                raise
    sounds, pictures = kinds.count("audio"), kinds.count("image")
    if not sounds and not pictures:
        reason = f" ({kinds[0]})" if kinds else ""
        raise DataError(
            f"Column {column!r} of {table.name!r} holds neither sounds nor pictures{reason}.", code="no-media"
        )
    return ("audio" if sounds >= pictures else "image"), range(table.rows), cells.read, ()


def _from_files(
    table: Table, roles: _Roles, tree: Tree
) -> tuple[Kind, Sequence[int], list[Leaf | None], tuple[str, ...]]:
    """The rows whose file is there and of the kind that most have; the others become notes."""
    assert roles.path is not None
    found: list[Leaf | None] = []
    refused, missing = [], []
    for row, cell in enumerate(table.texts[roles.path]):
        leaf, where = None, f"row {table.row(row):,} {shown(cell, 60)!r}"
        try:
            leaf = tree.locate(cell)
            if leaf is None:
                missing.append(where)
        except BadName as fault:
            refused.append(f"{where}: {fault}")
        found.append(leaf)
    notes = (
        *listed(len(refused), "rows never opened, as they point outside the folder", refused),
        *listed(len(missing), "skipped rows without their file", missing),
    )
    kind, media, others = sorted_by_kind([leaf for leaf in found if leaf is not None])
    if kind is None:
        reason = "; ".join((*notes, *others)) or "it is empty"
        raise DataError(f"No row of {table.name!r} leads to a sound or a picture: {reason}.", code="no-media")
    kept = {leaf.path for leaf in media}
    rows = [row for row, leaf in enumerate(found) if leaf is not None and leaf.path in kept]
    return kind, rows, found, (*notes, *others)


def _unique(names: Sequence[str]) -> list[str]:
    """Ids: a name that came before gets a number."""
    seen: dict[str, int] = {}
    out = []
    taken = set(names)
    for name in names:
        times = seen.get(name, 0) + 1
        if times > 1:
            while f"{name}#{times}" in taken:
                times += 1
        seen[name] = times
        out.append(name if times == 1 else f"{name}#{times}")
    return out


def _item(table: Table, roles: _Roles, labels: Labels, extra: Sequence[str], name: str, row: int) -> Item:
    def cell(column: str | None) -> str:
        return table.texts[column][row] if column is not None else ""

    return Item(
        id=name,
        label=labels.labels[row],
        fold=whole(cell(roles.fold)),
        group=cell(roles.group) or None,
        split=SPLITS.get(cell(roles.split).casefold()),
        truth=labels.truths[row],
        extra=tuple((column, cell(column)) for column in extra),
    )


def _facts(table: Table) -> tuple[str, ...]:
    """How the table was read, where it could have been read otherwise."""
    if table.delimiter in {None, "comma"}:
        return ()
    decimal = " with decimal commas" if any(column.startswith(PROBS) for column in table.texts) else ""
    return (f"{table.name} is separated by {table.delimiter}{decimal}",)


DATASET = DatasetSpec(
    key="manifest",
    title="A manifest",
    kind=None,
    summary="Your own .csv or .parquet table: a path or bytes, and optional label, fold, group, split and votes.",
    licence="yours",
    open=_open,
    needs_location=True,
)
