"""A folder of pictures some of whose labels are wrong on purpose, and a collection of it without any torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from core.contracts import Receipt
from core.data import open_dataset
from core.fingerprint import sha256_of
from core.maps.draw import MapOptions
from core.maps.saved import SavedMap, key_of_map, of_collection, save_map
from core.maps.trust import Trust
from core.pipeline import _rows
from core.pipeline.atlas import Atlas, open_atlas
from core.settings import Settings
from core.store import About, Backbone, ItemRow, ModelRow, Vectors, open_collection
from tests.atlases import MODEL

NAME = "mine"


@dataclass(frozen=True)
class Planted:
    """What is wrong by hand."""

    truth: Mapping[str, str]  # id -> the class it is of
    wrong: frozenset[str]  # ids with another label
    rows: tuple[int, ...]  # of the model's held-out items


def planted(folder: Path, settings: Settings, learned: int = 6, judged: int = 2, share: int = 7) -> Planted:
    """Of each class some clear toys that no model learned from, in folders of splits and classes; every ``share``-th
    of those to learn from lies in a wrong one."""
    box, atlas = open_dataset("toybox", settings), open_atlas("heldout", MODEL, settings)
    items = {item.id: item for item in box.items}
    draw = np.random.default_rng(11)
    truth, wrong, rows = {}, set(), []
    for label, name in enumerate(atlas.classes):
        mine = [row for row in np.flatnonzero(atlas.labels == label).tolist() if atlas.columns["part"][row] == "clean"]
        for place, row in enumerate(mine[: learned + judged]):
            split, put = "train" if place < learned else "test", name
            if split == "train" and len(rows) % share == 0:
                put = atlas.classes[(label + int(draw.integers(1, len(atlas.classes)))) % len(atlas.classes)]
            where = folder / split / put / f"{len(rows):03d}.png"
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_bytes(box.read(items[atlas.ids[row]]))
            rows.append(row)
            id_ = str(where.relative_to(folder))
            truth[id_] = name
            wrong |= {id_} if put != name else set()
    return Planted(truth, frozenset(wrong), tuple(rows))


def indexed(folder: Path, settings: Settings, found: Planted) -> None:
    """As the index command would, with the answers and features that came with the model, and a plain map of it."""
    atlas: Atlas = open_atlas("heldout", MODEL, settings)
    assert atlas.features is not None
    assert atlas.probs is not None
    rows, ids = np.array(found.rows), tuple(found.truth)
    backbone = Backbone("resnet32", "held-out", atlas.features.shape[1])
    raws = [(folder / id_).read_bytes() for id_ in ids]
    shas, matrix = [sha256_of(raw) for raw in raws], np.asarray(atlas.features[rows], np.float32)
    doubts = {name: values[rows] for name, values in atlas.doubts.items()}
    said = _rows.rows_of(ids, atlas.probs[rows], doubts, atlas.draws, atlas.classes, "key")
    receipt = Receipt("png", "RGB 8 bit", 90, width=64, height=64)
    about = About("image", "toys", str(folder), atlas.classes)
    with open_collection(settings.collections, NAME, create=about, write=True) as writer:
        writer.add_vectors(backbone, shas, matrix)
        for id_, sha, raw in zip(ids, shas, raws, strict=True):
            split, label, _ = id_.split("/")
            writer.add([ItemRow(id_, sha, "image", receipt, raw, label, split="train" if split == "train" else "test")])
        writer.flush()
        writer.add_uncertainties(said)
        read = (backbone.key, backbone.version, backbone.dim)
        writer.add_model(ModelRow("key", MODEL, atlas.mark, *read, atlas.draws, atlas.seed, datetime.now(UTC)))
    centred = matrix - matrix.mean(axis=0)
    points = (centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T).astype(np.float32)
    vectors, options = Vectors(ids, matrix), MapOptions()
    key = key_of_map(vectors, backbone, options)
    drawn = SavedMap(key, ids, points, options, backbone, "pca", Trust(None, None, 5, 0), 0.1, "2026")
    save_map(of_collection(NAME, settings), drawn)
