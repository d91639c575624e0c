"""One committed state of a collection, opened for reading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.store import _sql
from core.store._head import Head
from core.store._schema import vector_table
from core.store.rows import Backbone, Where

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.db import DBConnection
    from lancedb.table import Table


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One committed state. Every table is opened at the version that the head names."""

    db: DBConnection
    head: Head

    def table(self, name: str) -> Table:
        return self.db.open_table(name, version=self.head.versions[name])

    def rows(self, name: str, columns: Sequence[str], condition: str | None = None) -> pa.Table:
        query = self.table(name).search().select(list(columns))
        return (query.where(condition) if condition else query).to_arrow()

    def items(self, columns: Sequence[str], where: Where) -> pa.Table:
        """Items in the order of their arrival."""
        tagged = None
        if where.tags is not None:
            tagged = self.rows("tags", ["id"], _sql.one_of("tag", where.tags))["id"].to_pylist()
        wanted = [*columns, *({"added"} - set(columns))]
        return self.rows("items", wanted, _sql.compiled(where, tagged)).sort_by("added").select(list(columns))

    def batches(self, name: str, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        yield from self.table(name).search().select(list(columns)).to_batches(batch_size=rows)

    def backbone_table(self, backbone: Backbone) -> str | None:
        name = vector_table(backbone)
        return name if name in self.head.versions else None
