"""ESC-10: the ten easy classes of ESC-50, 400 recordings in the same 5 published folds.

Labels are 0 to 9 in alphabetical order of the class names; ESC-50's own target is kept in ``extra``. It is read from
ESC-50 itself, or from a copy of just these recordings with its part of the table (esc10.csv).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Progress
from core.data._copies import copy_of, counted
from core.data._esc import CLASSES_10, ESC50, dataset_of, rows_of
from core.data._fetch import announce
from core.settings import Settings

_ESC10 = replace(ESC50, title="ESC-10", marks=(*ESC50.marks, "esc10.csv"))


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(_ESC10, location, settings, keys=("esc10", "esc50"), progress=progress)
    rows, folder = rows_of(copy)
    rows = tuple(row for row in rows if row.in_esc10)
    if strange := sorted({row.category for row in rows} - set(CLASSES_10)):
        raise copy.wrong(f"{strange[0]!r} is no class of ESC-10")
    copy = copy.noting(*counted(len(rows), 400, "recordings"))
    return dataset_of(copy, DATASET.key, DATASET.title, DATASET.licence, rows, CLASSES_10, folder)


DATASET = DatasetSpec(
    key="esc10",
    title="ESC-10",
    kind="audio",
    summary="Ten clearly different environmental sounds: 400 recordings of 5 seconds, 5 published folds.",
    licence="CC BY 3.0, K. J. Piczak (2015), clips by Freesound contributors",
    open=_open,
    classes=CLASSES_10,
)
