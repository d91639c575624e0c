"""The table and the recordings that ESC-50 and ESC-10 share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.contracts import Dataset, Item
from core.data._copies import Copy, first_missing, plain, reader, whole
from core.data._csv import TableLimits
from core.data._fetch import Remote
from core.data._table import read_table

ESC50 = Remote(
    key="esc50",
    title="ESC-50",
    url="https://github.com/karolpiczak/ESC-50/archive/refs/heads/master.zip",
    file="ESC-50-master.zip",
    size=645_000_000,
    checksum=None,  # the archive is made on demand by the host; its publisher states none
    marks=("meta/esc50.csv", "esc50.csv"),
    layout=r"[^/]+/(meta/esc50\.csv|audio/[0-9A-Z-]+\.wav)",
)
CLASSES = (
    *("dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow"),
    *("rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds"),
    *("water_drops", "wind", "pouring_water", "toilet_flush", "thunderstorm"),
    *("crying_baby", "sneezing", "clapping", "breathing", "coughing"),
    *("footsteps", "laughing", "brushing_teeth", "snoring", "drinking_sipping"),
    *("door_wood_knock", "mouse_click", "keyboard_typing", "door_wood_creaks", "can_opening"),
    *("washing_machine", "vacuum_cleaner", "clock_alarm", "clock_tick", "glass_breaking"),
    *("helicopter", "chainsaw", "siren", "car_horn", "engine"),
    *("train", "church_bells", "airplane", "fireworks", "hand_saw"),
)
CLASSES_10 = tuple(sorted(CLASSES[target] for target in (0, 1, 10, 11, 12, 20, 21, 38, 40, 41)))
_FOLDS = range(1, 6)
_NEEDED = ("filename", "fold", "target", "category", "src_file", "take")
_LIMITS = TableLimits(rows=10_000, cell=1_000, text=4 << 20)  # the published table has 2,000 rows


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the published table."""

    filename: str
    fold: int
    target: int
    category: str
    source: str
    take: str
    in_esc10: bool


def rows_of(copy: Copy) -> tuple[tuple[Row, ...], Path]:
    """The checked table of a copy, and the folder its file names start from."""
    names = ("meta/esc50.csv", "esc50.csv", "esc10.csv")
    name = next((name for name in names if (copy.root / name).is_file()), names[0])
    (table,) = copy.need(name)
    folder = copy.root / "audio" if (copy.root / "audio").is_dir() else copy.root
    read = read_table(table, limits=_LIMITS)
    missing = [column for column in _NEEDED if column not in read.texts]
    if missing:
        raise copy.wrong(f"{name} has no column {missing[0]!r}")
    columns = [column for column in (*_NEEDED, "esc10") if column in read.texts]
    lines = zip(*(read.texts[column] for column in columns), strict=True)
    rows = tuple(
        _row(copy, f"{name}, line {read.row(at)}", dict(zip(columns, cells, strict=True)))
        for at, cells in enumerate(lines)
    )
    _require_sound(copy, rows)
    return rows, folder


def dataset_of(
    copy: Copy, key: str, title: str, licence: str, rows: tuple[Row, ...], classes: tuple[str, ...], folder: Path
) -> Dataset:
    items = tuple(
        Item(
            id=row.filename,
            label=classes.index(row.category),
            fold=row.fold,
            group=row.source,
            extra=(("take", row.take), ("esc50_target", str(row.target))),
        )
        for row in rows
    )
    paths = {row.filename: folder / row.filename for row in rows}
    first_missing(copy, paths)
    return Dataset(key, title, "audio", classes, items, reader(title, paths), licence, copy.notes)


def _row(copy: Copy, where: str, line: dict[str, str]) -> Row:
    fold = whole(line["fold"], _FOLDS)
    target = whole(line["target"], range(len(CLASSES)))
    if fold is None:
        raise copy.wrong(f"{where}: fold {line['fold'][:20]!r} is not 1 to 5")
    if target is None or CLASSES[target] != line["category"]:
        raise copy.wrong(f"{where}: target {line['target'][:20]!r} is not {line['category'][:40]!r}")
    if not plain(line["filename"]):
        raise copy.wrong(f"{where}: {line['filename'][:80]!r} is no plain file name")
    if not line["src_file"]:
        raise copy.wrong(f"{where}: src_file is empty")
    member = "esc10" not in line or line["esc10"].lower() == "true"
    return Row(line["filename"], fold, target, line["category"], line["src_file"], line["take"], member)


def _require_sound(copy: Copy, rows: tuple[Row, ...]) -> None:
    seen: set[str] = set()
    fold_of: dict[str, int] = {}
    for row in rows:
        if row.filename in seen:
            raise copy.wrong(f"its table names {row.filename!r} twice")
        seen.add(row.filename)
        if fold_of.setdefault(row.source, row.fold) != row.fold:
            raise copy.wrong(f"recording {row.source!r} is in folds {fold_of[row.source]} and {row.fold}")
