"""A collection opened for writing: rows wait in memory and are committed in large batches."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import Problem
from core.errors import StoreError
from core.store import _sql
from core.store._commit import Change, Committer
from core.store._lease import Lease
from core.store._schema import SHAPES, TABLE_OF, Row, encoded, encoded_vectors, vector_schema, vector_table
from core.store.collection import Collection
from core.store.rows import Backbone, ItemRow, ModelRow, NoteRow, PositionRow, TagRow, UncertaintyRow

if TYPE_CHECKING:
    from lancedb.db import DBConnection

_ROWS = 4096  # rows that may wait
_BYTES = 64 << 20  # bytes of thumbnails and vectors that may wait

Key = tuple[str, ...]


class Writer(Collection):
    """The one writer. What ``flush`` has returned from survives anything; leaving the context flushes."""

    def __init__(
        self, db: DBConnection, name: str, cache: Path | None, committer: Committer, lease: Lease | None
    ) -> None:
        super().__init__(db, name, cache)
        self._committer, self._lease = committer, lease
        self._lock = threading.RLock()
        self._closed = False
        self._classes = {label: index for index, label in enumerate(committer.head.about.classes)}
        self._empty()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Commit what waits, unless an error is on its way: then the last committed state stays."""
        self.close(flush=kind is None)

    def add(self, items: Sequence[ItemRow]) -> None:
        """Add items, or replace those with the same id. Their vectors, if any, are added first."""
        self._put(items)

    def add_problems(self, problems: Sequence[Problem]) -> None:
        """Note refused items. An item of the same id goes, unless only its file could not be read."""
        self._put(problems)

    def clear_problems(self, ids: Iterable[str]) -> None:
        with self._lock:
            self._rows["problems"].update(dict.fromkeys(((id_,) for id_ in ids), None))

    def add_uncertainties(self, rows: Sequence[UncertaintyRow]) -> None:
        self._put(rows)

    def add_model(self, row: ModelRow) -> None:
        """Note that the collection is indexed with a model."""
        self._put([row])

    def add_positions(self, rows: Sequence[PositionRow]) -> None:
        self._put(rows)

    def add_vectors(self, backbone: Backbone, shas: Sequence[str], matrix: np.ndarray) -> None:
        """One vector for each of some bytes, (shas, dim); bytes that have one get the new one."""
        if matrix.shape != (len(shas), backbone.dim):
            raise ValueError(f"{matrix.shape} vectors for {len(shas)} keys of dimension {backbone.dim}")
        if not np.isfinite(matrix).all():
            raise ValueError("a vector is not finite")
        rows = np.array(matrix, dtype=np.float32)
        with self._lock:
            self._vectors.setdefault(backbone, {}).update(zip(shas, rows, strict=True))
            self._weight += rows.nbytes
            self._flush_if_full()

    def missing_vectors(self, shas: Sequence[str], backbone: Backbone) -> tuple[str, ...]:
        with self._lock:
            waiting = self._vectors.get(backbone, {})
            return super().missing_vectors([sha for sha in shas if sha not in waiting], backbone)

    def stored(self, ids: Sequence[str]) -> Mapping[str, str]:
        """id -> sha256, those included that wait for the next flush."""
        with self._lock:
            waiting = {id_: row.sha256 for (id_,), row in self._rows["items"].items() if isinstance(row, ItemRow)}
            gone = {id_ for (id_,), row in self._rows["items"].items() if row is None}
            found = {id_: sha for id_, sha in super().stored(ids).items() if id_ not in gone}
            return {**found, **{id_: waiting[id_] for id_ in ids if id_ in waiting}}

    def tag(self, ids: Iterable[str], tag: str) -> None:
        now = datetime.now(UTC)
        self._put([TagRow(id_, tag, now) for id_ in ids])

    def untag(self, ids: Iterable[str], tag: str) -> None:
        with self._lock:
            self._rows["tags"].update(dict.fromkeys(((id_, tag) for id_ in ids), None))
            self._flush_if_full()

    def note(self, id_: str, text: str) -> None:
        """Set an item's note; an empty text removes it."""
        if text:
            self._put([NoteRow(id_, text, datetime.now(UTC))])
        else:
            with self._lock:
                self._rows["notes"][(id_,)] = None

    def extend_classes(self, classes: Sequence[str]) -> None:
        """Make sure of some class names, in this order, behind those already there."""
        with self._lock:
            for label in classes:
                self._classes.setdefault(_sql.check_text(label), len(self._classes))

    def flush(self) -> None:
        """Commit everything that waits. On an error all of it goes on waiting."""
        with self._lock:
            if self._closed:
                raise StoreError("The collection was closed; open it again to write.", code="closed")
            head = self._committer.head
            about = replace(head.about, classes=tuple(self._classes))
            changes, backbones = self._vector_changes()
            changes += self._row_changes()
            if not changes and about == head.about:
                return
            arrivals = head.arrivals + sum(row is not None for row in self._rows["items"].values())
            self._committer.commit(changes, arrivals=arrivals, about=about, backbones={**head.backbones, **backbones})
            self._empty()
            if self._committer.compaction_due:
                with contextlib.suppress(StoreError):  # the rows are safe; the next commit tries again
                    self._committer.compact()

    def compact(self) -> None:
        """Flush, merge small files and remove versions that nobody can be reading."""
        with self._lock:
            self.flush()
            self._committer.compact()

    def close(self, *, flush: bool = True) -> None:
        with self._lock:
            if self._closed:
                return
            try:
                if flush:
                    self.flush()
            finally:
                self._closed = True
                if self._lease is not None:
                    self._lease.release()
                    self._lease = None

    def _empty(self) -> None:
        self._rows: dict[str, dict[Key, Row | None]] = {name: {} for name in SHAPES}
        self._vectors: dict[Backbone, dict[str, np.ndarray]] = {}
        self._weight = 0

    def _put(self, rows: Sequence[Row]) -> None:
        with self._lock:
            for row in rows:
                name = TABLE_OF[type(row)]
                for column, form, _ in SHAPES[name].columns:
                    if form == "string" and isinstance(text := getattr(row, column, None), str):
                        _sql.check_text(text)
                key = tuple(getattr(row, column) for column in SHAPES[name].key)
                self._rows[name][key] = row
                if isinstance(row, ItemRow):
                    self._rows["problems"][key] = None
                    self._weight += len(row.thumbnail)
                    if row.label is not None:
                        self._classes.setdefault(row.label, len(self._classes))
                elif isinstance(row, Problem) and row.stage != "read":
                    self._rows["items"][key] = None
            self._flush_if_full()

    def _flush_if_full(self) -> None:
        waiting = max(*(len(rows) for rows in self._rows.values()), *(len(v) for v in self._vectors.values()), 0)
        if waiting >= _ROWS or self._weight >= _BYTES:
            self.flush()

    def _vector_changes(self) -> tuple[list[Change], dict[str, Backbone]]:
        changes, backbones = [], {}
        for backbone, rows in self._vectors.items():
            table = vector_table(backbone)
            new = table not in self._committer.head.versions
            backbones[table] = backbone
            changes.append(
                Change(
                    table,
                    gone=() if new else (_sql.one_of("sha256", rows),),
                    rows=encoded_vectors(list(rows), np.stack(list(rows.values()))),
                    create=vector_schema(backbone.dim) if new else None,
                )
            )
        return changes, backbones

    def _row_changes(self) -> list[Change]:
        """Rows that wait, and what falls with the bytes of an item that changed or went."""
        stale = self._changed_items()
        changes = []
        for name, waiting in self._rows.items():
            rows = [row for row in waiting.values() if row is not None]
            gone = _conditions(SHAPES[name].key, waiting)
            if stale and name in {"uncertainties", "positions"}:
                gone = (*gone, _sql.one_of("id", stale))
            if rows or gone:
                table = encoded(rows, self._classes, self._committer.head.arrivals) if rows else None
                changes.append(Change(name, gone, table))
        return changes

    def _changed_items(self) -> list[str]:
        waiting = {id_: row for (id_,), row in self._rows["items"].items()}
        if not waiting:
            return []
        before = Collection.stored(self, list(waiting))
        now = {id_: row.sha256 for id_, row in waiting.items() if isinstance(row, ItemRow)}
        return [id_ for id_, sha in before.items() if now.get(id_) != sha]


def _conditions(key: tuple[str, ...], waiting: Mapping[Key, Row | None]) -> tuple[str, ...]:
    """Conditions that meet exactly the given keys: one for each value of the key's second column."""
    if not waiting:
        return ()
    if len(key) == 1:
        return (_sql.one_of(key[0], [first for (first,) in waiting]),)
    groups: dict[str, list[str]] = {}
    for first, second in waiting:
        groups.setdefault(second, []).append(first)
    return tuple(
        f"{_sql.one_of(key[1], [second])} AND {_sql.one_of(key[0], firsts)}" for second, firsts in groups.items()
    )
