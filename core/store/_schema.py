"""The columns of every table of a collection, and how rows become Arrow tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.contracts import Problem, Receipt, Truth
from core.fingerprint import fingerprint
from core.store.rows import Backbone, ItemRow, ModelRow, NoteRow, PositionRow, TagRow, UncertaintyRow

if TYPE_CHECKING:
    import pyarrow as pa

LAYOUT = 3  # the number of the newest layout; see _migrations.py
HEAD = "head"
VECTORS = "vectors_"  # one table a backbone: prefix + digest

Row = ItemRow | UncertaintyRow | PositionRow | TagRow | NoteRow | ModelRow | Problem


@dataclass(frozen=True, slots=True)
class Shape:
    """Columns as (name, Arrow type name, may be null); the first key varies most."""

    columns: tuple[tuple[str, str, bool], ...]
    key: tuple[str, ...]


SHAPES: Mapping[str, Shape] = {
    "items": Shape(
        (
            ("id", "string", False),
            ("sha256", "string", False),
            ("kind", "string", False),
            ("label", "string", True),
            ("label_index", "int64", True),
            ("fold", "int64", True),
            ("group", "string", True),
            ("split", "string", True),
            ("truth", "string", True),  # JSON
            ("extra", "string", False),  # JSON
            ("receipt", "string", False),  # JSON
            ("thumbnail", "binary", False),
            ("added", "int64", False),  # position in the order of arrival
            ("seconds", "double", True),  # since layout 2: length of a recording
        ),
        ("id",),
    ),
    "uncertainties": Shape(
        (
            ("id", "string", False),
            ("model", "string", False),
            ("total", "double", False),
            ("aleatoric", "double", True),
            ("epistemic", "double", True),
            ("novelty", "double", True),
            ("score", "double", True),
            ("label", "string", True),
            ("confidence", "double", True),
            ("top", "string", True),  # since layout 3: JSON
        ),
        ("id", "model"),
    ),
    "positions": Shape(
        (("id", "string", False), ("map", "string", False), ("x", "double", False), ("y", "double", False)),
        ("id", "map"),
    ),
    "tags": Shape((("id", "string", False), ("tag", "string", False), ("at", "time", False)), ("id", "tag")),
    "notes": Shape((("id", "string", False), ("text", "string", False), ("at", "time", False)), ("id",)),
    "problems": Shape(
        (("id", "string", False), ("stage", "string", False), ("code", "string", False), ("reason", "string", False)),
        ("id",),
    ),
    "models": Shape(  # since layout 3
        (
            ("key", "string", False),
            ("name", "string", False),
            ("mark", "string", False),
            ("backbone", "string", False),
            ("version", "string", False),
            ("dim", "int64", False),
            ("draws", "int64", False),
            ("seed", "int64", False),
            ("at", "time", False),
        ),
        ("key",),
    ),
}
HEAD_SHAPE = Shape(
    (
        ("sequence", "int64", False),  # number of this commit
        ("fence", "int64", False),  # token of the writer that made it
        ("layout", "int64", False),
        ("arrivals", "int64", False),  # items ever added; the next one's ``added``
        ("state", "string", False),  # JSON: table versions, backbones, about
    ),
    ("sequence",),
)
TABLE_OF: Mapping[type[Any], str] = {
    ItemRow: "items",
    UncertaintyRow: "uncertainties",
    PositionRow: "positions",
    TagRow: "tags",
    NoteRow: "notes",
    ModelRow: "models",
    Problem: "problems",
}


def arrow_schema(shape: Shape) -> pa.Schema:
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "binary": pa.binary(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([pa.field(name, types[kind], nullable=null) for name, kind, null in shape.columns])


def vector_schema(dim: int) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("sha256", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
        ]
    )


def vector_table(backbone: Backbone) -> str:
    """A name made of a digest, because keys come from outside."""
    return VECTORS + fingerprint(backbone)[:24]


def encoded(rows: Sequence[Row], classes: Mapping[str, int], arrivals: int) -> pa.Table:
    """Rows of one type as an Arrow table in the newest layout."""
    import pyarrow as pa

    shape = SHAPES[TABLE_OF[type(rows[0])]]
    records = [_record(row, shape, classes, arrivals + number) for number, row in enumerate(rows)]
    return pa.Table.from_pylist(records, schema=arrow_schema(shape))


def encoded_vectors(shas: Sequence[str], matrix: np.ndarray) -> pa.Table:
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(matrix, dtype=np.float32).ravel())
    column = pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])
    return pa.Table.from_arrays([pa.array(list(shas), pa.string()), column], schema=vector_schema(matrix.shape[1]))


def _record(row: Row, shape: Shape, classes: Mapping[str, int], number: int) -> dict[str, Any]:
    if isinstance(row, ItemRow):
        return _item_record(row, classes, number)
    plain = {name: getattr(row, name) for name, _, _ in shape.columns}
    if isinstance(row, UncertaintyRow):
        plain["top"] = json.dumps(row.top, ensure_ascii=False) if row.top else None
    return plain


def decoded_uncertainty(record: Mapping[str, Any]) -> UncertaintyRow:
    values = dict(record)
    values["top"] = tuple((str(label), float(p)) for label, p in json.loads(record["top"] or "[]"))
    return UncertaintyRow(**values)


def _item_record(row: ItemRow, classes: Mapping[str, int], number: int) -> dict[str, Any]:
    truth = (
        None
        if row.truth is None
        else {"probs": row.truth.probs, "noise": row.truth.noise, "novelty": row.truth.novelty}
    )
    return {
        "id": row.id,
        "sha256": row.sha256,
        "kind": row.kind,
        "label": row.label,
        "label_index": None if row.label is None else classes[row.label],
        "fold": row.fold,
        "group": row.group,
        "split": row.split,
        "truth": None if truth is None else json.dumps(truth),
        "extra": json.dumps(row.extra),
        "receipt": json.dumps(row.receipt.to_json()),
        "thumbnail": row.thumbnail,
        "added": number,
        "seconds": row.receipt.seconds,
    }


def decoded_item(record: Mapping[str, Any]) -> ItemRow:
    truth = None if record["truth"] is None else json.loads(record["truth"])
    if truth is not None and truth["probs"] is not None:
        truth["probs"] = tuple(truth["probs"])
    return ItemRow(
        **{name: record[name] for name in ("id", "sha256", "kind", "thumbnail", "label", "fold", "group", "split")},
        receipt=Receipt.from_json(json.loads(record["receipt"])),
        truth=None if truth is None else Truth(**truth),
        extra=tuple((name, text) for name, text in json.loads(record["extra"])),
    )
