"""Data sets: one file each, found by name; and the SOURCE language of the command line."""

from __future__ import annotations

from pathlib import Path

from core import registry
from core.contracts import Dataset, DatasetSpec
from core.errors import DataError
from core.settings import Settings

PACKAGE = "core.data"


def specs() -> tuple[DatasetSpec, ...]:
    return tuple(registry.discover(PACKAGE, "DATASET").values())


def open_dataset(key: str, settings: Settings, location: Path | None = None) -> Dataset:
    """A data set by its key; ``location`` is a local copy, needed by folder, manifest and zip."""
    spec: DatasetSpec = registry.pick(PACKAGE, "DATASET", key)
    if spec.needs_location and location is None:
        raise DataError(f"{spec.title} needs a path: give the path itself as the source.", code="no-location")
    return spec.open(location, settings)


def local(text: str) -> Path | None:
    """What lies on this machine under a path; None where nothing does, also because there can be no such path."""
    try:
        path = Path(text).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long, not allowed, of a user who is not there, with a null byte
        return None


def open_source(source: str, settings: Settings, copy: Path | None = None) -> Dataset:
    """A data-set key, a folder, a manifest (.csv, .parquet) or a .zip of any of these.

    ``copy`` is where a published set lies on this machine; without it the settings and the network are asked.
    """
    if copy is not None:
        return open_dataset(source, settings, copy.expanduser())
    path = local(source)
    if path is not None and path.is_dir():
        return open_dataset("folder", settings, path)
    if path is not None and path.is_file():
        form = {".csv": "manifest", ".tsv": "manifest", ".parquet": "manifest", ".zip": "zip"}.get(path.suffix.lower())
        if form is None:
            raise DataError(
                f"{path.name!r} is a single {path.suffix or 'nameless'} file; a source is a data-set key, a folder, "
                "a .csv or .parquet manifest, or a .zip.",
                code="not-a-source",
            )
        return open_dataset(form, settings, path)
    if source in registry.keys(PACKAGE):
        return open_dataset(source, settings)
    if Path(source).suffix or "/" in source:
        raise DataError(f"There is no file or folder {source[:200]!r}; check the path.", code="no-such-path")
    registry.pick(PACKAGE, "DATASET", source)  # raises, naming the nearest keys
    raise AssertionError("unreachable")
