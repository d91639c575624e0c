"""The list of items that goes out to be corrected and comes back: its columns, and how it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from core.data._table import read_table
from core.errors import TableError
from core.pipeline._atlas import Atlas
from core.pipeline.marks import Marks
from core.pipeline.relabel import Line
from core.store.export import safe_cell

COLUMNS = ("id", "file", "label", "model_class", "confidence", "new_label", "note")
_NEEDED = ("id", "label", "new_label")


def columns(atlas: Atlas, rows: np.ndarray, marks: Marks) -> dict[str, list[str | float | None]]:
    """One line an item, ``new_label`` to be filled in."""
    found: dict[str, list[str | float | None]] = {name: [] for name in COLUMNS}
    for row in rows.tolist():
        id_, place, sure = atlas.ids[row], int(atlas.predicted[row]), float(atlas.confidence[row])
        line = {
            "id": id_,
            "file": id_.rpartition("#")[0] or id_,  # a window of a recording
            "label": atlas.label_names[row] or "",
            "model_class": atlas.classes[place] if place >= 0 else "",
            "confidence": round(sure, 4) if np.isfinite(sure) else None,
            "new_label": "",
            "note": marks.notes.get(id_, ""),
        }
        for name, value in line.items():
            found[name].append(value)
    return found


def csv_of(found: Mapping[str, Sequence[str | float | None]]) -> bytes:
    """UTF-8 with its mark, so that spreadsheets read other letters than English ones; no cell is a formula."""
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow(list(found))
    for line in zip(*found.values(), strict=True):
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in line])
    return b"\xef\xbb\xbf" + target.getvalue().encode()


def read(path: Path, name: str | None = None) -> tuple[Line, ...]:
    """The lines of a list that came back, as .csv, .tsv or .parquet. Raises UserFacingError."""
    table = read_table(path, name=name)
    if missing := [column for column in _NEEDED if column not in table.texts]:
        raise TableError(
            f"{table.name!r} has no column {missing[0]}: it has {', '.join(table.columns)[:160]}. A list of new labels "
            f"has {', '.join(_NEEDED)}; export one, fill in new_label and bring it back.",
            code="no-column",
        )
    notes = table.texts.get("note")
    ids, labels, new = (table.texts[column] for column in _NEEDED)
    return tuple(
        Line(table.row(at), ids[at], labels[at], new[at], None if notes is None else notes[at])
        for at in range(table.rows)
    )


def lines_of(edited: Mapping[str, Sequence[object]]) -> tuple[Line, ...]:
    """The lines of a table that was filled in on the page."""
    cells = {name: ["" if cell is None else str(cell) for cell in edited[name]] for name in (*_NEEDED, "note")}
    return tuple(
        Line(at + 1, id_, label, new, note)
        for at, (id_, label, new, note) in enumerate(zip(*cells.values(), strict=True))
    )
