"""Layouts of a collection, numbered. A migration that was released is never edited; a new one is added.

1: items, uncertainties, positions, tags, notes, problems, one vector table a backbone, the head.
2: items know their length in seconds, so that pages filter by it without reading receipts.
3: uncertainties hold the most probable classes; a table of the models that a collection was indexed with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import StoreError
from core.store._commit import Committer
from core.store._faults import told
from core.store._schema import LAYOUT, SHAPES, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.db import DBConnection

_ROWS = 4096  # read at a time


@dataclass(frozen=True, slots=True)
class Migration:
    """``apply`` brings the tables from layout number - 1 to number and returns the changed versions."""

    number: int
    apply: Callable[[DBConnection], dict[str, int]]


def migrate(committer: Committer) -> None:
    """Bring a collection to the newest layout. A crash on the way leaves the old one."""
    for migration in MIGRATIONS:
        if migration.number > committer.head.layout:
            with told("write", "the collection"):
                changed = migration.apply(committer.db)
            committer.adopt(changed, layout=migration.number)


def check_layout(layout: int) -> None:
    if layout > LAYOUT:
        raise StoreError(
            f"The collection has layout {layout}, made by a newer version of this program, which knows up to {LAYOUT}; "
            "update the program.",
            code="newer-layout",
        )


def _seconds_of_items(db: DBConnection) -> dict[str, int]:
    import pyarrow as pa

    table = db.open_table("items")
    schema = table.schema.append(pa.field("seconds", pa.float64()))

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in table.search().to_batches(batch_size=_ROWS):
            receipts = batch.column("receipt").to_pylist()
            seconds = pa.array([json.loads(receipt)["seconds"] for receipt in receipts], pa.float64())
            yield pa.RecordBatch.from_arrays([*batch.columns, seconds], schema=schema)

    rows = pa.RecordBatchReader.from_batches(schema, batches())
    return {"items": db.create_table("items", rows, schema=schema, mode="overwrite").version}


def _top_and_models(db: DBConnection) -> dict[str, int]:
    import pyarrow as pa

    before = db.open_table("uncertainties").to_arrow()
    after = before.append_column(pa.field("top", pa.string()), pa.nulls(len(before), pa.string()))
    made = {"uncertainties": db.create_table("uncertainties", after, mode="overwrite").version}
    models = db.create_table("models", schema=arrow_schema(SHAPES["models"]), mode="overwrite")
    return made | {"models": models.version}


MIGRATIONS: tuple[Migration, ...] = (Migration(2, _seconds_of_items), Migration(3, _top_and_models))
