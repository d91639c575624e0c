"""AudioSet: 10-second pieces of videos with any number of 527 labels (Gemmeke et al. 2017).

Published are lists of pieces, not their sounds, so it is read from a copy: the lists, ``class_labels_indices.csv``
and a folder of sounds that somebody collected, named after the video (``-0RWZT-miFs.wav``, ``Y-0RWZT-miFs.wav``,
perhaps with the times behind it). Pieces whose sound is not there are left out and counted. The balanced and the
unbalanced list train, the evaluation list tests; which list an item is from stands in ``extra``.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Item, Progress, Split
from core.data._copies import Copy, copy_of, reader
from core.data._fetch import Remote, announce
from core.settings import Settings

_TITLE = "AudioSet"
_CLASSES = 527
_LABELS = "class_labels_indices.csv"
_LISTS: tuple[tuple[str, Split], ...] = (
    ("balanced_train_segments", "train"),
    ("unbalanced_train_segments", "train"),
    ("eval_segments", "test"),
)
_HEADER = 3  # lines that start with a #
_LONGEST = 4_096  # characters of one line
_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".ogg", ".m4a", ".opus", ".webm"})
_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)
_SOUND = re.compile(r"Y?([A-Za-z0-9_-]{11})(?:_[0-9.]+){0,2}", re.ASCII)
_REMOTE = Remote(
    key="audioset",
    title=_TITLE,
    url="",
    file="",
    size=0,
    checksum=None,
    marks=(_LABELS,),
    closed="only the lists of its pieces are published, their sounds are not",
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """One line of a list."""

    video: str
    start: str
    labels: tuple[int, ...]


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(_REMOTE, location, settings, progress=progress)
    numbers, classes = _classes(copy)
    lists: list[tuple[str, Split]] = [(name, split) for name, split in _LISTS if (copy.root / f"{name}.csv").is_file()]
    if not lists:
        copy.need(f"{_LISTS[0][0]}.csv")
    sounds = _sounds(copy.root)
    items: list[Item] = []
    paths: dict[str, Path] = {}
    silent = 0
    for name, split in lists:
        for piece in _pieces(copy, f"{name}.csv", numbers):
            if (path := sounds.get(piece.video)) is None:
                silent += 1
                continue
            if piece.video in paths:
                raise copy.wrong(f"video {piece.video!r} is in its lists twice")
            paths[piece.video] = path
            told = (("list", name.removesuffix("_segments")), ("start", piece.start))
            items.append(Item(piece.video, group=piece.video, split=split, extra=told, labels=piece.labels))
    if not items:
        raise copy.wrong(f"none of the {silent:,} pieces in its lists has a sound in the folder")
    notes = (*copy.notes, *((f"pieces left out for want of a sound: {silent:,}",) if silent else ()))
    return Dataset(
        DATASET.key,
        _TITLE,
        "audio",
        classes,
        tuple(items),
        reader(_TITLE, paths),
        DATASET.licence,
        notes,
        locate=lambda item: paths.get(item.id),
        task="multilabel",
    )


def _classes(copy: Copy) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """The number of each label's machine name, and what people call it."""
    numbers: dict[str, int] = {}
    names: list[str] = []
    for where, cells in _rows(copy, _LABELS, 3):
        number, machine, name = cells
        if where == 1:
            if cells != ["index", "mid", "display_name"]:
                raise copy.wrong(f"{_LABELS} does not start with 'index,mid,display_name'")
            continue
        if number != str(len(names)) or machine in numbers or not name:
            raise copy.wrong(
                f"{_LABELS}, line {where}: {number[:20]!r} {machine[:40]!r} is out of order or there twice"
            )
        numbers[machine] = len(names)
        names.append(f"{name} ({machine})" if name in names else name)
    if len(names) != _CLASSES:
        raise copy.wrong(f"{_LABELS} has {len(names)} labels, expected {_CLASSES}")
    return numbers, tuple(names)


def _pieces(copy: Copy, name: str, numbers: Mapping[str, int]) -> Iterator[_Piece]:
    for where, (video, start, _, labels) in _rows(copy, name, 4, skip=_HEADER):
        if not _VIDEO.fullmatch(video):
            raise copy.wrong(f"{name}, line {where}: {video[:40]!r} is no video")
        machines = labels.split(",")
        if unknown := [machine for machine in machines if machine not in numbers]:
            raise copy.wrong(f"{name}, line {where}: {unknown[0][:40]!r} is no label of {_LABELS}")
        yield _Piece(video, start, tuple(sorted({numbers[machine] for machine in machines})))


def _rows(copy: Copy, name: str, cells: int, skip: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of a list. Its lines are cut short here, so that no line fills the memory."""
    (path,) = copy.need(name)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = iter(lambda: stream.readline(_LONGEST), "")
        try:
            for number, line in enumerate(lines, 1):
                if number <= skip:
                    if not line.startswith("#"):
                        raise copy.wrong(f"{name} does not start with {skip} lines that begin with #")
                    continue
                if not line.strip():
                    continue
                row = next(csv.reader([line], skipinitialspace=True, strict=True), [])
                if len(row) != cells:
                    raise copy.wrong(f"{name}, line {number}: it has {len(row)} of {cells} cells")
                yield number, row
        except (UnicodeDecodeError, csv.Error) as error:
            raise copy.wrong(f"{name} is no list of cells in UTF-8") from error


def _sounds(root: Path) -> dict[str, Path]:
    """The sound of each video, wherever below the root it lies; of several the first by name."""
    found: dict[str, Path] = {}
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if path.suffix.lower() in _SUFFIXES and (match := _SOUND.fullmatch(path.stem)):
                found.setdefault(match[1], path)
    return found


DATASET = DatasetSpec(
    key="audioset",
    title=_TITLE,
    kind="audio",
    summary="Any of 527 labels for 10-second pieces of videos; your copy of the lists and of the sounds.",
    licence="labels CC BY 4.0, Google (2017); the sounds are their makers'",
    open=_open,
)
