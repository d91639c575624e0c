"""Free Spoken Digit Dataset: ten English digits, six speakers, 8 kHz.

Its own rule makes the split: takes 0 to 4 of each speaker and digit are the test set. That split knows every speaker,
so ``fold`` gives the other question: one fold a speaker, counted in alphabetical order. A recording is its own
source; the speaker is no ``group``, since the official split has each speaker on both sides, and stands in ``extra``.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Item, Progress
from core.data._copies import Copy, copy_of, counted, reader
from core.data._fetch import Remote, announce
from core.settings import Settings

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NAME = re.compile(r"([0-9])_([a-z]+)_([0-9]{1,4})\.wav", re.ASCII)
_TEST_TAKES = 5
_REMOTE = Remote(
    key="fsdd",
    title="Free Spoken Digits",
    url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
    file="free-spoken-digit-dataset-1.0.10.zip",
    size=16_420_000,
    checksum=None,  # the archive of a tag is made on demand by the host; its publisher states none
    marks=("recordings/[0-9]_*_*.wav", "[0-9]/[0-9]_*_*.wav", "[0-9]_*_*.wav"),
    layout=r"[^/]+/(recordings/[0-9]_[a-z]+_[0-9]+\.wav)",
)


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(_REMOTE, location, settings, progress=progress)
    found, others = _recordings(copy)
    speakers = sorted({match[2] for match, _ in found})
    items = tuple(
        Item(
            id=path.stem,
            label=int(match[1]),
            fold=speakers.index(match[2]) + 1,
            split="test" if int(match[3]) < _TEST_TAKES else "train",
            extra=(("speaker", match[2]), ("take", match[3])),
        )
        for match, path in found
    )
    folds = ", ".join(f"{number} {speaker}" for number, speaker in enumerate(speakers, start=1))
    copy = copy.noting(
        f"folds are speakers: {folds}",
        *counted(len(items), 3000, "recordings"),
        *((f"{others} files are no recordings and were left out",) if others else ()),
    )
    paths = {path.stem: path for _, path in found}
    return Dataset(
        DATASET.key, DATASET.title, "audio", _DIGITS, items, reader(DATASET.title, paths), DATASET.licence, copy.notes
    )


def _recordings(copy: Copy) -> tuple[list[tuple[re.Match[str], Path]], int]:
    """Recordings by digit, speaker and take, and how many other sound files lie between them."""
    official = copy.root / "recordings"
    folders = [official] if official.is_dir() else [copy.root, *(copy.root / str(digit) for digit in range(10))]
    files = [path for folder in folders if folder.is_dir() for path in folder.glob("*.wav")]
    matches = [(match, path) for path in files if (match := _NAME.fullmatch(path.name))]
    for match, path in matches:
        if path.parent.name.isdigit() and path.parent.name != match[1]:
            raise copy.wrong(f"{path.name} lies in the folder of digit {path.parent.name}")
    if twice := [name for name, count in Counter(path.name for _, path in matches).items() if count > 1]:
        raise copy.wrong(f"{sorted(twice)[0]} is there twice")
    if missing := [str(digit) for digit in range(10) if not any(match[1] == str(digit) for match, _ in matches)]:
        raise copy.wrong(f"there is no recording of digit {missing[0]}")
    matches.sort(key=lambda found: (found[0][1], found[0][2], int(found[0][3])))
    return matches, len(files) - len(matches)


DATASET = DatasetSpec(
    key="fsdd",
    title="Free Spoken Digits",
    kind="audio",
    summary="Spoken digits: 3,000 short recordings of six people, official split by take, one fold a speaker.",
    licence="CC BY-SA 4.0, Free Spoken Digit Dataset, Z. Jackson and contributors",
    open=_open,
    classes=_DIGITS,
)
