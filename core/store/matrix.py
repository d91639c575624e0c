"""Vectors as a read-only memory map: rebuildable, keyed by the tables' versions, checked when opened.

The map is a copy; LanceDB stays the record. A missing, stale or damaged copy is built anew, and where
no copy can be written (a read-only disk) the same numbers are read into memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import StoreError
from core.store._faults import sync
from core.store.rows import Backbone, Vectors, Where

if TYPE_CHECKING:
    from core.store._snapshot import Snapshot

_ROWS = 8192  # read at a time


def opened(snapshot: Snapshot, backbone: Backbone, cache: Path | None) -> Vectors:
    """The vectors of every item that has one, in the order of the collection."""
    table = snapshot.backbone_table(backbone)
    if table is None:
        raise StoreError(
            f"The collection has no vectors of {backbone.key!r} in this version; index it with that model.",
            code="no-vectors",
        )
    if cache is not None:
        stem = f"{table}-{snapshot.head.versions['items']}-{snapshot.head.versions[table]}"
        found = load(cache, stem, backbone.dim)
        if found is None and _build(snapshot, table, backbone, cache, stem):
            found = load(cache, stem, backbone.dim)
        if found is not None:
            return found
    ids, rows = _layout(snapshot, table)
    matrix = np.empty((len(ids), backbone.dim), np.float32)
    _fill(matrix, snapshot, table, rows)
    matrix.flags.writeable = False
    return Vectors(ids, matrix)


def _layout(snapshot: Snapshot, table: str) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """The ids that have a vector, and for each of the bytes the rows of the matrix that it fills."""
    there = set(snapshot.rows(table, ["sha256"])["sha256"].to_pylist())
    items = snapshot.items(("id", "sha256"), Where())
    ids: list[str] = []
    rows: dict[str, list[int]] = {}
    for id_, sha in zip(items["id"].to_pylist(), items["sha256"].to_pylist(), strict=True):
        if sha in there:
            rows.setdefault(sha, []).append(len(ids))
            ids.append(id_)
    return tuple(ids), rows


def _fill(matrix: np.ndarray, snapshot: Snapshot, table: str, rows: dict[str, list[int]]) -> None:
    for shas, vectors in _stream(snapshot, table, matrix.shape[1]):
        for sha, vector in zip(shas, vectors, strict=True):
            for row in rows.get(sha, ()):
                matrix[row] = vector


def _stream(snapshot: Snapshot, table: str, dim: int) -> Iterator[tuple[list[str], np.ndarray]]:
    for batch in snapshot.batches(table, ("sha256", "vector"), _ROWS):
        flat: Any = batch.column("vector")
        yield batch.column("sha256").to_pylist(), flat.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)


def _build(snapshot: Snapshot, table: str, backbone: Backbone, cache: Path, stem: str) -> bool:
    """Write the map and then its side file, each whole or not at all. False: this disk takes none."""
    ids, rows = _layout(snapshot, table)
    shape = (len(ids), backbone.dim)
    try:
        cache.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".building-", dir=cache)
        temporary = Path(name)
        try:
            size = shape[0] * shape[1] * 4
            with os.fdopen(handle, "w+b") as stream:
                if size:
                    os.posix_fallocate(stream.fileno(), 0, size)  # a full disk shows here, not as a bus error
            if size:
                matrix = np.memmap(temporary, np.float32, "r+", shape=shape)
                _fill(matrix, snapshot, table, rows)
                matrix.flush()
            side = json.dumps({"shape": shape, "sha256": _digest(temporary), "ids": ids}).encode()
            _put(temporary, cache / f"{stem}.f32")
            temporary.write_bytes(json.dumps({"sha256": hashlib.sha256(side).hexdigest()}).encode() + b"\n" + side)
            _put(temporary, cache / f"{stem}.json")
        finally:
            temporary.unlink(missing_ok=True)
        _prune(cache, table, stem)
    except OSError:
        return False
    return True


def _put(temporary: Path, target: Path) -> None:
    sync(temporary)
    temporary.replace(target)
    sync(target.parent)


def _prune(cache: Path, table: str, stem: str) -> None:
    """Remove the maps of older versions; who has one open keeps it until it lets go."""
    for path in cache.glob(f"{table}-*"):
        if path.stem != stem:
            path.unlink(missing_ok=True)


def load(cache: Path, stem: str, dim: int) -> Vectors | None:
    """The map if it and its side file are whole, otherwise None."""
    path = cache / f"{stem}.f32"
    try:
        head, _, side = (cache / f"{stem}.json").read_bytes().partition(b"\n")
        if json.loads(head)["sha256"] != hashlib.sha256(side).hexdigest():
            return None
        record = json.loads(side)
        rows, width = record["shape"]
        if width != dim or rows != len(record["ids"]) or _digest(path) != record["sha256"]:
            return None
        matrix = np.memmap(path, np.float32, "r", shape=(rows, dim)) if rows else np.empty((0, dim), np.float32)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    matrix.flags.writeable = False
    return Vectors(tuple(record["ids"]), matrix)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
