"""A zip of a folder or of a manifest with its files."""

from __future__ import annotations

from pathlib import Path

from core.contracts import Dataset, DatasetSpec
from core.data import folder, manifest
from core.data._table import SUFFIXES
from core.data._tree import ArchiveTree
from core.errors import ArchiveError, DataError, TableError
from core.media._names import shown
from core.media.archive import open_archive
from core.settings import Settings


def _open(location: Path | None, settings: Settings) -> Dataset:
    if location is None or not location.is_file():
        raise DataError("The source is not a file; give the path of a .zip.", code="no-such-path")
    archive = open_archive(location, settings)
    tree = ArchiveTree(archive, shown(location.stem, 80))
    if not archive.files:
        reason = f": {archive.problems[0].id} was refused, {archive.problems[0].reason}" if archive.problems else ""
        raise ArchiveError(f"The archive holds no file that can be used{reason}. Make a new .zip.", code="no-files")
    tables = [leaf for leaf in tree.leaves() if "/" not in leaf.name and leaf.name.lower().endswith(SUFFIXES)]
    if len(tables) == 1:  # a zip cannot be opened by pointing at the table inside, so the only one is meant
        try:
            return manifest.dataset_of(tables[0], tree, "zip")
        except TableError as refusal:
            if refusal.code != manifest.NO_PATH_COLUMN:
                raise
    return folder.dataset_in(tree, "zip")


DATASET = DatasetSpec(
    key="zip",
    title="A zip archive",
    kind=None,
    summary="A .zip of a folder of classes, or of a manifest with its files.",
    licence="yours",
    open=_open,
    needs_location=True,
)
