"""A selection of items as data to train on: their files in a folder with a manifest, labels as they were."""

from __future__ import annotations

import csv
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.contracts import Progress, no_progress
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.media.sniff import sniff
from core.pipeline.atlas import Atlas, read_item, source_of
from core.settings import Settings

MOST = 5_000  # items of one selection: each is a file
_MANIFEST = "-selection.csv"  # after the name of the data
_KEY = re.compile(r"[0-9a-f]{32}")
_SEVERAL = "These items have several labels each, which a table of files cannot say; train on the whole set instead."
_FEWEST = 3  # items of a class: one to train on, one to choose by, one to be judged by


@dataclass(frozen=True, slots=True)
class Holding:
    """What a selection holds, before anything is written."""

    items: int
    labelled: int
    classes: tuple[tuple[str, int], ...]  # the most frequent first
    why_not: str | None  # nothing could be trained on it


def holding(atlas: Atlas, ids: Sequence[str]) -> Holding:
    chosen = set(ids)
    counts = Counter(name for id_, name in zip(atlas.ids, atlas.label_names, strict=True) if id_ in chosen and name)
    classes = tuple(counts.most_common())
    several = atlas.labels.ndim == 2
    why = _SEVERAL if several else _why_not(len(chosen), classes)
    return Holding(len(chosen), sum(counts.values()), classes, why)


def _why_not(items: int, classes: tuple[tuple[str, int], ...]) -> str | None:
    if items > MOST:
        return f"{items:,} items are selected, and at most {MOST:,} can be trained on from a map; select fewer."
    if not classes:
        return "None of the selected items has a label, and a classifier learns from labels."
    if len(classes) < 2:
        only = next(iter(classes))[0]
        return f"All labelled items of the selection are {only}; a classifier needs two classes at least."
    if poor := [f"{name} {count}" for name, count in classes if count < _FEWEST]:
        return (
            f"Too few items of some classes are selected ({', '.join(poor[:5])}): each needs {_FEWEST}, one to learn "
            "from, one to choose by and one to be judged by. Draw a larger outline, or leave those classes out of it."
        )
    return None


def write(atlas: Atlas, ids: Sequence[str], settings: Settings, progress: Progress = no_progress) -> Path:
    """What a training takes: labelled items, and only where one could learn from them."""
    told = holding(atlas, ids)
    if told.why_not is not None:
        raise UserFacingError(told.why_not, code="selection")
    labelled = [id_ for id_, name in zip(atlas.ids, atlas.label_names, strict=True) if name is not None]
    return _written(atlas, set(ids) & set(labelled), fingerprint(atlas.fingerprint, sorted(ids)), settings, progress)


def write_all(atlas: Atlas, ids: Sequence[str], settings: Settings, progress: Progress = no_progress) -> Path:
    """What a collection can be made of: every item, all of them labelled or none."""
    if atlas.labels.ndim == 2:
        raise UserFacingError(_SEVERAL.replace("train on", "index"), code="selection")
    if len(ids) > MOST:
        raise UserFacingError(f"{len(ids):,} items are selected, and at most {MOST:,} are copied from a map; select "
                              "fewer.", code="selection")  # fmt: skip
    bare = holding(atlas, ids)
    if 0 < bare.labelled < bare.items:
        raise UserFacingError(f"{bare.items - bare.labelled:,} of these items have no label and the others have one; "
                              "select one kind or the other.", code="selection")  # fmt: skip
    return _written(atlas, set(ids), fingerprint(atlas.fingerprint, sorted(ids), "all"), settings, progress)


def _written(atlas: Atlas, chosen: set[str], key: str, settings: Settings, progress: Progress) -> Path:
    """The manifest, whole or not there; the same selection is written once."""
    folder = _folder(key[:32], settings)
    manifest = folder / f"{atlas.name}{_MANIFEST}"
    if manifest.is_file():
        return manifest
    draft = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    draft.mkdir(parents=True)
    try:
        _fill(draft / manifest.name, atlas, chosen, settings, progress)
        draft.replace(folder)
    except OSError as error:
        if not manifest.is_file():  # else another visitor wrote the same
            raise UserFacingError("The selection could not be stored here; free some space, then try again.",
                                  code="disk") from error  # fmt: skip
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def key_of(manifest: Path) -> str:
    """By which a written selection is found again, from a link for one."""
    return manifest.parent.name


def manifest_of(key: str, settings: Settings) -> Path | None:
    """None: no selection of this key is kept here."""
    if not _KEY.fullmatch(key):
        return None
    return next(iter(sorted(_folder(key, settings).glob(f"*{_MANIFEST}"))), None)


def origin(source: str, settings: Settings) -> str | None:
    """The name of the data that a written selection was taken from; None: the source is no selection."""
    path = Path(source)
    if path.parent.parent != _folder("", settings) or not path.name.endswith(_MANIFEST):
        return None
    return path.name.removesuffix(_MANIFEST)


def _folder(key: str, settings: Settings) -> Path:
    return settings.uploads / "selections" / key


def _fill(manifest: Path, atlas: Atlas, chosen: set[str], settings: Settings, progress: Progress) -> None:
    source = source_of(atlas, settings)
    rows = [row for row, id_ in enumerate(atlas.ids) if id_ in chosen]
    split = _split(atlas, rows)
    names = {row: name for row in rows if (name := atlas.label_names[row]) is not None}
    with manifest.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "group", "id", *(("label",) if names else ()), *(("split",) if split else ())))
        for done, row in enumerate(rows, 1):
            raw = read_item(atlas, atlas.ids[row], settings, source)
            name = f"{row:06d}.{sniff(raw).container}"
            (manifest.parent / name).write_bytes(raw)
            told = [one[row] for one in (names, split) if one]
            writer.writerow((name, f"recording-{int(atlas.groups[row])}", atlas.ids[row], *told))
            progress(done, len(rows), "copy")


def _split(atlas: Atlas, rows: Sequence[int]) -> dict[int, str]:
    """Their own splits, where all have one and there is something to learn from and to be judged by."""
    column = atlas.columns.get("split")
    found = {row: column[row] or "" for row in rows} if column else {}
    return found if {"train", "test"} <= set(found.values()) and "" not in found.values() else {}
