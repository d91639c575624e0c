"""Maps on disk: one artifact a map. Those of a collection lie in its folder, which takes them with it when it goes.

Those of a model's held-out items are found by what was drawn, so that models that share features share maps; some
come with the app.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from core.errors import StoreError
from core.fingerprint import fingerprint, sha256_of
from core.maps.draw import VERSION, MapOptions
from core.maps.trust import Trust
from core.settings import Settings
from core.store import Backbone, Vectors, artifacts

FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class SavedMap:
    key: str
    ids: tuple[str, ...]
    points: np.ndarray  # (items, 2) float32
    options: MapOptions
    backbone: Backbone  # whose vectors were drawn
    method: Literal["umap", "pca"]
    trust: Trust
    seconds: float
    created: str  # ISO 8601
    notes: tuple[str, ...] = ()


def key_of_map(vectors: Vectors, backbone: Backbone, options: MapOptions) -> str:
    """Changes with the items, their vectors and the options."""
    return fingerprint(VERSION, options, backbone, list(vectors.ids), _bytes_of(vectors))


def of_collection(name: str, settings: Settings) -> Path:
    """Where the maps of a collection lie."""
    return settings.collections / name / "maps"


def of_vectors(vectors: Vectors, settings: Settings) -> tuple[Path, Path]:
    """Where maps of just these vectors lie: those made here, and those that came with the app."""
    name = f"of-{_digest_of(vectors)[:16]}"
    return settings.home / "maps" / name, settings.checkpoints / "maps" / name


def save_map(folder: Path, drawn: SavedMap) -> None:
    tensors = {"points": drawn.points, "ids": np.frombuffer("\n".join(map(_line, drawn.ids)).encode(), np.uint8)}
    told = {name: getattr(drawn, name) for name in ("key", "method", "seconds", "created")}
    card = {
        **told,
        "format": FORMAT,
        "notes": list(drawn.notes),
        **{name: asdict(getattr(drawn, name)) for name in ("options", "backbone", "trust")},
    }
    artifacts.save(_place(folder, drawn.key), {"map": tensors}, card)


def load_map(folder: Path, key: str) -> SavedMap | None:
    """None: there is no such map, or it cannot be read and is to be drawn again."""
    try:
        return _read(artifacts.load(_place(folder, key)))
    except (StoreError, KeyError, TypeError, ValueError):
        return None


def saved_maps(*folders: Path) -> tuple[SavedMap, ...]:
    """All that can be read, the latest first."""
    found: dict[str, SavedMap] = {}
    for folder in folders:
        names = [path.name for path in folder.glob("map-*") if path.is_dir()] if folder.is_dir() else []
        maps = [load_map(folder, name.removeprefix("map-")) for name in names]
        found = {one.key: one for one in maps if one is not None} | found
    return tuple(sorted(found.values(), key=lambda one: one.created, reverse=True))


def _read(artifact: artifacts.Artifact) -> SavedMap:
    card: dict[str, Any] = dict(artifact.card)
    if card["format"] != FORMAT:
        raise ValueError("another format")
    tensors = artifact.tensors("map")
    ids = tuple(_id(line) for line in tensors["ids"].tobytes().decode().split("\n"))
    points = tensors["points"]
    if points.shape != (len(ids), 2):
        raise ValueError("points and ids do not belong together")
    return SavedMap(
        key=card["key"],
        ids=ids,
        points=points,
        options=MapOptions(**card["options"]),
        backbone=Backbone(**card["backbone"]),
        method=card["method"],
        trust=Trust(**card["trust"]),
        seconds=card["seconds"],
        created=card["created"],
        notes=tuple(card["notes"]),
    )


def _line(id_: str) -> str:
    """An id without line ends, that can be turned back."""
    return id_.replace("\\", "\\\\").replace("\n", "\\n")


def _id(line: str) -> str:
    return line.replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\")


def _digest_of(vectors: Vectors) -> str:
    return fingerprint(list(vectors.ids), _bytes_of(vectors))


def _bytes_of(vectors: Vectors) -> str:
    return sha256_of(np.ascontiguousarray(vectors.matrix).reshape(-1).view(np.uint8).data)


def _place(folder: Path, key: str) -> Path:
    return folder / f"map-{key[:32]}"
