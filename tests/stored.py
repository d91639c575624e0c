"""Rows for stores, made from numbers, and a reader of stores that uses none of our code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.contracts import Note, Receipt, Truth
from core.store import Backbone, ItemRow

TOY = Backbone("toy", "1", 8)
RECEIPT = Receipt("wav", "PCM 16 bit", 88244, 44100, 1, 1.5, notes=(Note("mono", "mixed from 2 channels to one"),))


def sha(number: int) -> str:
    return hashlib.sha256(number.to_bytes(8, "big")).hexdigest()


def vector(number: int) -> np.ndarray:
    return np.sin(np.arange(1, TOY.dim + 1) * (number + 1)).astype(np.float32)


def item(number: int, *, bytes_of: int | None = None, label: str | None = None, name: str | None = None) -> ItemRow:
    return ItemRow(
        id=name or f"clip-{number}",
        sha256=sha(number if bytes_of is None else bytes_of),
        kind="audio",
        receipt=RECEIPT,
        thumbnail=number.to_bytes(8, "big"),
        label=label,
        fold=number % 5,
        group=f"source-{number // 2}",
        split="train",
        truth=Truth(probs=(0.25, 0.75), noise=0.5),
        extra=(("place", f"kitchen {number}"),),
    )


@dataclass(frozen=True)
class PlainState:
    """What plain lancedb finds under a collection's head."""

    items: dict[str, str]  # id -> sha256
    vectors: dict[str, tuple[float, ...]]  # sha256 -> vector, of all backbones
    problems: frozenset[str]
    uncertainties: frozenset[tuple[str, str]]
    tags: frozenset[tuple[str, str]]


def plain_state(folder: Path) -> PlainState:
    import lancedb

    db = lancedb.connect(str(folder))
    (head,) = db.open_table("head").to_arrow().to_pylist()
    versions = json.loads(head["state"])["versions"]

    def rows(name: str, *columns: str) -> list[tuple]:
        table = db.open_table(name)
        table.checkout(versions[name])
        found = table.to_arrow()
        return list(zip(*(found[column].to_pylist() for column in columns), strict=True))

    items = rows("items", "id", "sha256")
    assert len({id_ for id_, _ in items}) == len(items), "an id is there twice"
    vectors: dict[str, tuple[float, ...]] = {}
    for name in versions:
        if name.startswith("vectors_"):
            found = rows(name, "sha256", "vector")
            assert len({one for one, _ in found}) == len(found), "a vector is there twice"
            vectors |= {one: tuple(values) for one, values in found}
    return PlainState(
        dict(items),
        vectors,
        frozenset(id_ for (id_,) in rows("problems", "id")),
        frozenset(rows("uncertainties", "id", "model")),
        frozenset(rows("tags", "id", "tag")),
    )
