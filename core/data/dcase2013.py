"""DCASE 2013 acoustic scenes: 10 places, 10 recordings of 30 s each for development and as many for evaluation.

The development set is ``train`` and the evaluation set, published after the challenge, is ``test``. Neither archive
has folds; the challenge divided its evaluation set by a list of its own.
"""

from __future__ import annotations

import re
from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Item, Progress, Split
from core.data._copies import Copy, copy_of, counted, reader
from core.data._fetch import Remote, announce
from core.errors import DataError
from core.settings import Settings

_TITLE = "DCASE 2013 scenes"
_CLASSES = (
    *("bus", "busystreet", "office", "openairmarket", "park"),
    *("quietstreet", "restaurant", "supermarket", "tube", "tubestation"),
)
_NAME = re.compile(r"([a-z]+)([0-9]{2})\.wav", re.ASCII)
_MEMBERS = r"(?:[^/]+/)*([a-z]+[0-9]{2}\.wav)"
_DEVELOPMENT = Remote(
    key="dcase2013",
    title=f"{_TITLE} (development)",
    url="https://archive.org/download/dcase2013_scene_classification/scenes_stereo.zip",
    file="scenes_stereo.zip",
    size=361_748_263,
    checksum="md5:abdefde136d84de33b0f20a0f13a6b97",
    marks=("scenes_stereo/*[0-9][0-9].wav",),
    layout=_MEMBERS,
)
_EVALUATION = Remote(
    key="dcase2013",
    title=f"{_TITLE} (evaluation)",
    url="https://archive.org/download/dcase2013_scene_classification_testset/scenes_stereo_testset.zip",
    file="scenes_stereo_testset.zip",
    size=371_994_727,
    checksum=None,  # its publisher states none
    marks=("scenes_stereo_testset/*[0-9][0-9].wav",),
    layout=_MEMBERS,
)
_SIDES: tuple[tuple[Split, Remote], ...] = (("train", _DEVELOPMENT), ("test", _EVALUATION))


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    if location is not None and location.is_file():
        raise DataError(
            f"{_TITLE} are two archives and {location.name!r} is one file; give the folder that holds both.",
            code="layout",
        )
    paths: dict[str, Path] = {}
    items: list[Item] = []
    notes: list[str] = []
    for split, remote in _SIDES:
        copy = copy_of(remote, location, settings, progress=progress)
        found = _recordings(copy, remote)
        paths |= {f"{split}/{path.name}": path for _, path in found}
        items += [Item(f"{split}/{path.name}", label, split=split) for label, path in found]
        notes += [*copy.notes, *counted(len(found), 100, f"{split} recordings")]
    read = reader(_TITLE, paths)
    return Dataset(DATASET.key, _TITLE, "audio", _CLASSES, tuple(items), read, DATASET.licence, tuple(notes))


def _recordings(copy: Copy, remote: Remote) -> list[tuple[int, Path]]:
    """The class and the file of each recording of one side, by name."""
    inside = copy.root / remote.file.removesuffix(".zip")
    found: list[tuple[int, Path]] = []
    for path in sorted((inside if inside.is_dir() else copy.root).glob("*.wav")):
        match = _NAME.fullmatch(path.name)
        if match is None or match[1] not in _CLASSES:
            raise copy.wrong(f"{path.name[:60]!r} is not called after one of the ten places and two digits")
        found.append((_CLASSES.index(match[1]), path))
    if missing := [name for label, name in enumerate(_CLASSES) if label not in {at for at, _ in found}]:
        raise copy.wrong(f"there is no recording of {missing[0]!r}")
    return found


DATASET = DatasetSpec(
    key="dcase2013",
    title=_TITLE,
    kind="audio",
    summary="Ten places by their sound: 100 recordings of 30 seconds for training and 100 for testing.",
    licence="stated in its archives, D. Giannoulis, E. Benetos, D. Stowell, M. D. Plumbley (2013)",
    open=_open,
    classes=_CLASSES,
)
