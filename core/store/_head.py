"""The head of a collection: one row that names the version of every table that counts.

Readers open exactly those versions, so a commit over several tables becomes visible with the one
compare-and-set of this row, and whatever a dead writer left behind it is never seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.errors import StoreError
from core.fingerprint import fingerprint
from core.store._schema import HEAD, HEAD_SHAPE, arrow_schema
from core.store.rows import About, Backbone

if TYPE_CHECKING:
    from lancedb.db import DBConnection

_BESIDE = ("tags", "notes")  # what people write beside items


@dataclass(frozen=True, slots=True)
class Head:
    sequence: int
    fence: int
    layout: int
    arrivals: int
    versions: Mapping[str, int]  # table -> version
    about: About
    backbones: Mapping[str, Backbone] = field(default_factory=dict)  # vector table -> whose

    def next(self, **changes: Any) -> Head:
        return replace(self, sequence=self.sequence + 1, **changes)

    @property
    def contents(self) -> str:
        """Of all tables but those that a reader of the items does not look at."""
        versions = {name: version for name, version in self.versions.items() if name not in _BESIDE}
        return fingerprint(versions, self.arrivals, asdict(self.about))


def connected(uri: str) -> DBConnection:
    os.environ.setdefault("LANCEDB_LOG", "error")  # Lance reads it when it is imported; it warns of every new table
    import lancedb

    return lancedb.connect(uri)


def table_names(db: DBConnection) -> tuple[str, ...]:
    names: list[str] = []
    token: str | None = None
    while True:
        answer = db.list_tables(page_token=token)
        names += answer.tables
        token = answer.page_token
        if not token:
            return tuple(names)


def read_head(db: DBConnection) -> Head | None:
    """The newest head, or None where no collection was ever finished."""
    try:
        table = db.open_table(HEAD)
    except (ValueError, FileNotFoundError) as error:
        if "not found" in str(error).lower():
            return None
        raise
    rows = table.search().to_arrow().to_pylist()
    if len(rows) != 1:
        raise StoreError(
            "The collection's head is damaged; restore it from a copy, or delete it and index again.", code="damaged"
        )
    return _decoded(rows[0])


def create_head(db: DBConnection, head: Head) -> None:
    import pyarrow as pa

    rows = pa.Table.from_pylist([_encoded(head)], schema=arrow_schema(HEAD_SHAPE))
    db.create_table(HEAD, rows, mode="overwrite")


def advance_head(db: DBConnection, old: Head, new: Head) -> bool:
    """Compare and set: False when somebody else has written since ``old`` or holds a newer token."""
    condition = f"sequence = {old.sequence} AND fence <= {new.fence}"
    return db.open_table(HEAD).update(where=condition, values=_encoded(new)).rows_updated == 1


def _encoded(head: Head) -> dict[str, Any]:
    state = {
        "versions": dict(head.versions),
        "about": asdict(head.about),
        "backbones": {table: asdict(backbone) for table, backbone in head.backbones.items()},
    }
    return {
        "sequence": head.sequence,
        "fence": head.fence,
        "layout": head.layout,
        "arrivals": head.arrivals,
        "state": json.dumps(state, ensure_ascii=False),
    }


def _decoded(row: Mapping[str, Any]) -> Head:
    state = json.loads(row["state"])
    about = {**state["about"], "classes": tuple(state["about"]["classes"])}
    return Head(
        sequence=row["sequence"],
        fence=row["fence"],
        layout=row["layout"],
        arrivals=row["arrivals"],
        versions=state["versions"],
        about=About(**about),
        backbones={table: Backbone(**backbone) for table, backbone in state["backbones"].items()},
    )
