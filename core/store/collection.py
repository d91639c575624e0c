"""A collection: everything known about a set of items, in LanceDB, read by many and written by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from core.contracts import Problem
from core.errors import StoreError
from core.store import _sql, export, matrix
from core.store._faults import explained, told
from core.store._head import read_head
from core.store._schema import SHAPES, decoded_item, decoded_uncertainty
from core.store._snapshot import Snapshot
from core.store.rows import (
    About,
    Backbone,
    Counts,
    ItemRow,
    ModelRow,
    NoteRow,
    PositionRow,
    TagRow,
    UncertaintyRow,
    Vectors,
    Where,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.db import DBConnection

T = TypeVar("T")
_TRIES = 4  # a snapshot can be cleaned away under a reader that slept; a newer one is there then
_DEFAULT = ("id", "sha256", "kind", "label", "label_index", "fold", "group", "split", "seconds")


class Collection:
    """A collection opened for reading. Each call reads the newest committed state, whole."""

    def __init__(self, db: DBConnection, name: str, cache: Path | None) -> None:
        self._db, self.name, self._cache = db, name, cache

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Nothing is held by a reader."""

    @property
    def about(self) -> About:
        return self.read(lambda snapshot: snapshot.head.about)

    @property
    def version(self) -> int:
        """A number that every commit raises; a cache key for what was computed from the collection."""
        return self.read(lambda snapshot: snapshot.head.sequence)

    @property
    def contents(self) -> str:
        """Changes with the items and all that was computed of them, and not with their tags and notes."""
        return self.read(lambda snapshot: snapshot.head.contents)

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        return self.read(lambda snapshot: tuple(snapshot.head.backbones.values()))

    def items(self, columns: Sequence[str] = _DEFAULT, where: Where | None = None) -> pa.Table:
        """The items, oldest first. Columns are those of the items table."""
        known = [name for name, _, _ in SHAPES["items"].columns]
        if unknown := [name for name in columns if name not in known]:
            raise StoreError(f"Items have no column {unknown[0][:60]!r}; known: {', '.join(known)}.", code="no-column")
        return self.read(lambda snapshot: snapshot.items(columns, where or Where()))

    def fetch(self, ids: Sequence[str]) -> tuple[ItemRow, ...]:
        """Whole items with receipt and thumbnail, in the order asked for; unknown ids are left out."""
        columns = [name for name, _, _ in SHAPES["items"].columns]
        found = {row["id"]: decoded_item(row) for row in self.items(columns, Where(ids=ids)).to_pylist()}
        return tuple(found[id_] for id_ in ids if id_ in found)

    def stored(self, ids: Sequence[str]) -> Mapping[str, str]:
        """id -> sha256 of those ids that are stored."""
        table = self.items(("id", "sha256"), Where(ids=ids))
        return dict(zip(table["id"].to_pylist(), table["sha256"].to_pylist(), strict=True))

    def vectors(self, backbone: Backbone) -> Vectors:
        """The vectors of one backbone as a read-only memory map, one row an item."""
        return self.read(lambda snapshot: matrix.opened(snapshot, backbone, self._cache))

    def missing_vectors(self, shas: Sequence[str], backbone: Backbone) -> tuple[str, ...]:
        """Those of some bytes that have no vector yet, each once."""
        wanted = dict.fromkeys(shas)

        def known(snapshot: Snapshot) -> set[str]:
            table = snapshot.backbone_table(backbone)
            if table is None or not wanted:
                return set()
            return set(snapshot.rows(table, ["sha256"], _sql.one_of("sha256", wanted))["sha256"].to_pylist())

        there = self.read(known)
        return tuple(sha for sha in wanted if sha not in there)

    def uncertainties(self, model: str) -> tuple[UncertaintyRow, ...]:
        condition = _sql.one_of("model", [model])
        return self._typed("uncertainties", lambda **record: decoded_uncertainty(record), condition)

    def models(self) -> tuple[ModelRow, ...]:
        """The models it was indexed with, the latest first."""
        return tuple(sorted(self._typed("models", ModelRow), key=lambda row: row.at, reverse=True))

    def positions(self, map_: str) -> tuple[PositionRow, ...]:
        return self._typed("positions", PositionRow, _sql.one_of("map", [map_]))

    def tags(self) -> tuple[TagRow, ...]:
        return self._typed("tags", TagRow)

    def notes(self) -> tuple[NoteRow, ...]:
        return self._typed("notes", NoteRow)

    def problems(self) -> tuple[Problem, ...]:
        return self._typed("problems", Problem)

    def counts(self) -> Counts:
        def count(snapshot: Snapshot) -> Counts:
            sizes = {name: snapshot.table(name).count_rows() for name in SHAPES}
            media = len(snapshot.rows("items", ["sha256"])["sha256"].unique())
            vectors = sum(snapshot.table(name).count_rows() for name in snapshot.head.backbones)
            return Counts(media=media, vectors=vectors, **sizes)

        return self.read(count)

    def export(self, path: Path) -> int:
        """Write the items with their tags, notes and measures to a .csv or .parquet; returns their number."""
        write = export.writer_for(path)
        table = self.read(export.joined)
        export.to_file(path, table, write)
        return table.num_rows

    def read(self, action: Callable[[Snapshot], T]) -> T:
        """Run something on the newest committed state, again when that was cleaned away meanwhile."""
        what = f"collection {self.name!r}"
        failure: StoreError | None = None
        for _ in range(_TRIES):
            with told("read", what):
                head = read_head(self._db)
            if head is None:
                raise StoreError(f"There is no collection {self.name!r} any more.", code="no-collection")
            try:
                return action(Snapshot(self._db, head))
            except (OSError, RuntimeError, ValueError) as error:
                with told("read", what):
                    newer = read_head(self._db)
                failure = explained(error, "read", what)
                if newer is None or newer.sequence == head.sequence:
                    raise failure from error
        assert failure is not None
        raise failure

    def _typed(self, name: str, row: Callable[..., T], condition: str | None = None) -> tuple[T, ...]:
        columns = [column for column, _, _ in SHAPES[name].columns]
        table = self.read(partial(Snapshot.rows, name=name, columns=columns, condition=condition))
        return tuple(row(**record) for record in table.to_pylist())
