"""The committer: several tables changed as one, from a state "before" to a state "after".

Tables are written first and the head last. A process that dies in between leaves table versions
that no head names; the next writer takes every table back to the named one before it goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import StoreError
from core.store._faults import CommitStep, files_of, force_to_disk, told
from core.store._head import Head, advance_head, read_head, table_names
from core.store._lease import Lease
from core.store._schema import HEAD
from core.store.rows import About, Backbone

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.db import DBConnection

_COMPACT_EVERY = 16  # commits
_READERS_KEEP = timedelta(minutes=10)  # versions younger than this stay for readers in the middle of a scan
_FOREVER = timedelta(days=36500)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What happens to one table: rows that go, then rows that come. A schema creates the table."""

    table: str
    gone: tuple[str, ...] = ()  # conditions made by _sql
    rows: pa.Table | None = None
    create: pa.Schema | None = None


class Committer:
    """The only thing that writes tables. Made by a writer that holds the lease."""

    def __init__(
        self, db: DBConnection, head: Head, lease: Lease | None, folder: Path | None, step: CommitStep
    ) -> None:
        self.db, self.head, self._lease, self._folder, self._step = db, head, lease, folder, step
        self._sound = True  # False: tables may be ahead of the head
        self._synced: set[Path] = set()
        self._compacted_at = head.sequence // _COMPACT_EVERY * _COMPACT_EVERY

    @classmethod
    def claim(
        cls, db: DBConnection, head: Head, lease: Lease | None, folder: Path | None, step: CommitStep
    ) -> Committer:
        """Fence off every earlier writer and take back what the last one left unfinished."""
        committer = cls(db, head, lease, folder, step)
        if head.sequence and folder is not None:  # what a head names was forced to disk before it was named
            committer._synced = files_of(folder)
        if lease is not None:
            lease.raise_token(head.fence)
        token = lease.holder.token if lease is not None else head.fence + 1
        committer._advance(head.next(fence=token))
        committer.recover()
        return committer

    @told("write", "the collection")
    def commit(
        self,
        changes: Sequence[Change],
        *,
        arrivals: int | None = None,
        about: About | None = None,
        backbones: Mapping[str, Backbone] | None = None,
    ) -> None:
        """All of it or nothing. On return it is on disk and visible to readers."""
        if not self._sound:
            self.recover()
        if self._lease is not None:
            self._lease.beat()
        self._sound = False
        self._step("begin")
        try:
            versions = self._applied(changes)
        except _ForeignError:  # a writer that lost its lease wrote a last time: its rows go, ours come
            self.recover()
            self._sound = False
            versions = self._applied(changes)
        head = self.head.next(versions=versions)
        given = {"arrivals": arrivals, "about": about, "backbones": backbones}
        self._advance(replace(head, **{name: value for name, value in given.items() if value is not None}))
        self._sound = True

    @property
    def compaction_due(self) -> bool:
        return self.head.sequence - self._compacted_at >= _COMPACT_EVERY

    @told("write", "the collection")
    def adopt(self, versions: Mapping[str, int], layout: int) -> None:
        """Name tables that a migration has rewritten."""
        self._step("migrated")
        self._advance(self.head.next(versions={**self.head.versions, **versions}, layout=layout))

    @told("write", "the collection")
    def recover(self) -> None:
        """Take every table back to the version that the head names; drop those it does not name."""
        versions = dict(self.head.versions)
        if read_head(self.db) != self.head:
            raise _ForeignError
        for name in set(table_names(self.db)) - set(versions) - {HEAD}:
            self.db.drop_table(name)
        for name, version in versions.items():
            table = self.db.open_table(name)
            if table.version != version:
                table.restore(version)
                versions[name] = table.version
                self._step("restored")
        if versions != dict(self.head.versions):
            self._advance(self.head.next(versions=versions))
        self._sound = True

    @told("write", "the collection")
    def compact(self) -> None:
        """Merge small files, name the result in the head, and only then remove old versions."""
        if not self._sound:
            self.recover()
        versions = dict(self.head.versions)
        self._sound = False
        self._compacted_at = self.head.sequence
        for name in versions:
            table = self.db.open_table(name)
            table.optimize(cleanup_older_than=_FOREVER)
            versions[name] = table.version
        self._step("compacted")
        if versions != dict(self.head.versions):
            self._advance(self.head.next(versions=versions))
        self._sound = True
        self._step("compaction-named")
        for name, version in (*versions.items(), (HEAD, None)):
            table = self.db.open_table(name)
            if version in {None, table.version}:  # only the newest version is sure to survive a clean-up
                table.optimize(cleanup_older_than=_READERS_KEEP, delete_unverified=True)
                self._sound &= version in {None, table.version}
        self._step("cleaned")

    def _applied(self, changes: Sequence[Change]) -> dict[str, int]:
        versions = dict(self.head.versions)
        for change in changes:
            versions[change.table] = self._apply(change)
            self._step(f"{change.table.partition('_')[0]}-written")
        return versions

    def _apply(self, change: Change) -> int:
        """Write one table; refuse when another hand has written to it in between."""
        if change.create is not None:
            table = self.db.create_table(change.table, schema=change.create, mode="overwrite")
            expected = table.version
        else:
            table = self.db.open_table(change.table)
            expected = self.head.versions[change.table]
        for condition in change.gone:
            expected += 1
            if table.delete(condition).version != expected:
                raise _ForeignError
        if change.rows is not None and change.rows.num_rows:
            expected += 1
            if table.add(change.rows).version != expected:
                raise _ForeignError
        return expected

    def _advance(self, new: Head) -> None:
        """Force the tables to disk, then name their versions in the head: the moment of commit."""
        self._force()
        self._step("before-head")
        try:
            done = advance_head(self.db, self.head, new)
        except (OSError, RuntimeError, ValueError):
            done = read_head(self.db) == new  # the set may have gone through before the error
            if not done:
                raise
        if not done:
            raise _ForeignError
        self.head = new
        self._force()
        self._step("after-head")

    def _force(self) -> None:
        if self._folder is not None:
            force_to_disk(self._folder, self._synced)


class _ForeignError(StoreError):
    """Somebody else has written."""

    def __init__(self) -> None:
        super().__init__(
            "Another process has written to the collection meanwhile; what was stored before is kept. Run the same "
            "again.",
            code="lease-lost",
        )
