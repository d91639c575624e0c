"""ESC-50: 2,000 environmental recordings of 5 s in 50 classes and 5 published folds (Piczak 2015)."""

from __future__ import annotations

from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Progress
from core.data._copies import copy_of, counted
from core.data._esc import CLASSES, ESC50, dataset_of, rows_of
from core.data._fetch import announce
from core.settings import Settings

_LICENCE = "CC BY-NC 3.0, K. J. Piczak (2015), clips by Freesound contributors; the ESC-10 part is CC BY 3.0"


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(ESC50, location, settings, progress=progress)
    rows, folder = rows_of(copy)
    copy = copy.noting(*counted(len(rows), 2000, "recordings"))
    return dataset_of(copy, DATASET.key, DATASET.title, DATASET.licence, rows, CLASSES, folder)


DATASET = DatasetSpec(
    key="esc50",
    title="ESC-50",
    kind="audio",
    summary="Environmental sounds: 2,000 recordings of 5 seconds in 50 classes, 5 published folds.",
    licence=_LICENCE,
    open=_open,
    classes=CLASSES,
)
