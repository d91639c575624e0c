"""A folder of pictures some of whose labels are wrong on purpose, and the collection that is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data import open_dataset
from core.maps.draw import MapOptions
from core.maps.saved import SavedMap, key_of_map, of_collection, save_map
from core.maps.trust import Trust
from core.settings import Settings
from tests.atlases import MODEL

NAME = "mine"
_EACH = 8  # items of a class to learn from, and half as many to be judged by


@dataclass(frozen=True)
class Planted:
    """What is wrong by hand."""

    truth: Mapping[str, str]  # id -> the class it is of
    wrong: frozenset[str]  # ids with another label


def planted(folder: Path, settings: Settings, each: int = _EACH, share: int = 8) -> Planted:
    """Toys that no model learned from, in folders of splits and classes; every ``share``-th lies in a wrong one."""
    box = open_dataset("toybox", settings)
    draw = np.random.default_rng(11)
    clear = [item for item in box.items if item.split == "test" and item.truth is not None and item.label is not None
             and item.truth.probs is not None and max(item.truth.probs) == 1.0]  # fmt: skip
    truth, wrong, number = {}, set(), 0
    for label, name in enumerate(box.classes):
        mine = [item for item in clear if item.label == label][: each + each // 2]
        for place, item in enumerate(mine):
            number += 1
            split = "train" if place < each else "test"
            put = name
            if split == "train" and number % share == 0:
                put = box.classes[(label + int(draw.integers(1, len(box.classes)))) % len(box.classes)]
            where = folder / split / put / f"{number:03d}.png"
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_bytes(box.read(item))
            id_ = str(where.relative_to(folder))
            truth[id_] = name
            wrong |= {id_} if put != name else set()
    return Planted(truth, frozenset(wrong))


def indexed(folder: Path, settings: Settings, model: str = MODEL) -> None:
    """As 'python -m core index FOLDER --collection mine --model MODEL' does, and a plain map of it in a moment."""
    from core.data import open_source
    from core.pipeline.map import vectors_read_by
    from core.pipeline.scored import asking_of, index_with
    from core.store import About, open_collection

    dataset = open_source(str(folder), settings)
    about = About(dataset.kind, dataset.title, str(folder), dataset.classes)
    asking = asking_of(model, settings, "cpu", 50, 0)
    with open_collection(settings.collections, NAME, create=about, write=True) as writer:
        index_with(asking, dataset, writer, workers=2)
        backbone = vectors_read_by(writer)
        vectors = writer.vectors(backbone)
    rows = np.asarray(vectors.matrix, np.float64) - vectors.matrix.mean(axis=0)
    points = (rows @ np.linalg.svd(rows, full_matrices=False)[2][:2].T).astype(np.float32)
    key = key_of_map(vectors, backbone, MapOptions())
    drawn = SavedMap(key, vectors.ids, points, MapOptions(), backbone, "pca", Trust(None, None, 5, 0), 0.1, "2026")
    save_map(of_collection(NAME, settings), drawn)
