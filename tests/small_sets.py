"""Small copies of sets that recipes learn from: the published layouts with items enough to divide, and parts of the
built-in sets under their own names."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from core.contracts import Dataset, Item
from core.data.soundbox import open_soundbox
from core.data.soundbox_scenes import open_scenes
from core.data.toybox import open_toybox
from core.settings import Settings
from tests.contract.published import CATEGORIES, TEN, lay, tone
from tests.contract.published_sounds import URBAN, dcase_files

LENGTH = 4410  # samples of a clip


def esc(classes: tuple[int, ...], folds: int = 5) -> dict[str, bytes]:
    """One clip of each class in each fold, each of a recording of its own."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["filename", "fold", "target", "category", "esc10", "src_file", "take"])
    files: dict[str, bytes] = {}
    for target in classes:
        for fold in range(1, folds + 1):
            source = 1000 * fold + target
            name = f"{fold}-{source}-A-{target}.wav"
            writer.writerow([name, fold, target, CATEGORIES[target], target in TEN, source, "A"])
            files[f"audio/{name}"] = tone(source, 44100, LENGTH)
    return {"meta/esc50.csv": table.getvalue().encode(), **files}


def urbansound(folds: int = 3) -> dict[str, bytes]:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"])
    files: dict[str, bytes] = {}
    for label, category in enumerate(URBAN):
        for fold in range(1, folds + 1):
            source = 1000 * fold + label
            name = f"{source}-{label}-0-0.wav"
            writer.writerow([name, source, 0.0, 4.0, 1, fold, label, category])
            files[f"audio/fold{fold}/{name}"] = tone(source, 22050, LENGTH // 2)
    return {"metadata/UrbanSound8K.csv": table.getvalue().encode(), **files}


COPIES: dict[str, Callable[[], dict[str, bytes]]] = {
    "esc10": lambda: esc(TEN),
    "esc50": lambda: esc(tuple(range(50)), folds=3),
    "urbansound8k": urbansound,
    "dcase2013": dcase_files,
}


def copies(root: Path) -> dict[str, Path]:
    """Where each copy was laid."""
    return {key: lay(root / key, files()) for key, files in COPIES.items()}


@cache
def _samples(key: str, id_: str) -> bytes:
    """Made once for all tests of a process."""
    return _opened(key).read(next(item for item in _opened(key).items if item.id == id_))


@cache
def _opened(key: str) -> Dataset:
    return {"soundbox": open_soundbox, "soundbox_scenes": open_scenes, "toybox": open_toybox}[key](None, Settings())


def shrink(patch: pytest.MonkeyPatch, module: Any, chosen: Callable[[Dataset], tuple[Item, ...]]) -> Dataset:
    """A built-in set that has only some of its items, for as long as the patch lasts."""
    spec = module.DATASET
    whole = _opened(spec.key)
    small = replace(whole, items=chosen(whole), read=lambda item: _samples(spec.key, item.id))
    for item in small.items:
        _samples(spec.key, item.id)
    patch.setattr(module, "DATASET", replace(spec, open=lambda location, settings: small, prepare=None))
    return small


def few_scenes(whole: Dataset) -> tuple[Item, ...]:
    """Each class twice in those that train, and once in the others."""
    return tuple(item for side, times in (("train", 2), ("test", 1)) for item in _covering(whole, side, times))


def few_sounds(whole: Dataset) -> tuple[Item, ...]:
    """Clean recordings: two of each class that train, one that is tested."""
    clean = replace(whole, items=tuple(item for item in whole.items if dict(item.extra).get("part") == "clean"))
    return tuple(item for side, times in (("train", 2), ("test", 1)) for item in _covering(clean, side, times))


def _covering(whole: Dataset, side: str, times: int) -> list[Item]:
    seen: Counter[int | None] = Counter()
    chosen = []
    for item in whole.items:
        labels = item.labels or ((item.label,) if item.label is not None else ())
        if item.split == side and any(seen[label] < times for label in labels):
            chosen.append(item)
            seen.update(labels)
    return chosen
