"""Collections by name under one root: a folder, or the URI of an object store."""

from __future__ import annotations

import re
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from core.errors import StoreError
from core.store._commit import Committer
from core.store._faults import CommitStep, no_step, sync, told
from core.store._head import Head, connected, create_head, read_head, table_names
from core.store._lease import Lease
from core.store._migrations import check_layout, migrate
from core.store._schema import HEAD, LAYOUT, SHAPES, arrow_schema
from core.store.collection import Collection
from core.store.rows import About
from core.store.writer import Writer

if TYPE_CHECKING:
    from lancedb.db import DBConnection

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_CACHE = "matrix"  # sub-folder with the memory maps; may be removed at any time
_BIN = ".deleted-"


@overload
def open_collection(
    root: Path | str,
    name: str,
    *,
    create: About | None = None,
    write: Literal[False] = False,
    lease_folder: Path | None = None,
    commit_step: CommitStep = no_step,
) -> Collection: ...
@overload
def open_collection(
    root: Path | str,
    name: str,
    *,
    create: About | None = None,
    write: Literal[True],
    lease_folder: Path | None = None,
    commit_step: CommitStep = no_step,
) -> Writer: ...
def open_collection(
    root: Path | str,
    name: str,
    *,
    create: About | None = None,
    write: bool = False,
    lease_folder: Path | None = None,
    commit_step: CommitStep = no_step,
) -> Collection:
    """Open a collection; ``create`` says what a missing one is made of.

    On an object store the lease lies in ``lease_folder``; without one, a second writer is only found at its commit.
    ``commit_step`` is a seam for tests.
    """
    place = _Place.of(root, name)
    if create is not None and write is False:
        raise ValueError("only a writer creates a collection")
    if place.folder is not None and create is None and not place.folder.is_dir():
        raise _absent(root, name)
    with told("write" if write else "read", f"collection {name!r}"):
        if place.folder is not None and create is not None:
            place.folder.mkdir(parents=True, exist_ok=True)
        db = connected(place.uri)
        head = read_head(db)
        if head is None and create is None:
            raise _absent(root, name)
        if head is not None:
            check_layout(head.layout)
        if write or (head is not None and head.layout < LAYOUT):
            writer = _writer(db, place, create, lease_folder, commit_step)
            if write:
                return writer
            writer.close()
    return Collection(db, name, place.cache)


def names(root: Path | str) -> tuple[str, ...]:
    """The collections under a root, in alphabetical order."""
    if _is_uri(root):
        from pyarrow import fs

        with told("read", "the store"):
            system, path = fs.FileSystem.from_uri(str(root))
            found = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
            listed = [info.base_name for info in found if info.type == fs.FileType.Directory]
    else:
        folder = Path(root)
        listed = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    wanted = sorted(name for name in listed if _NAME.fullmatch(name))
    return tuple(name for name in wanted if read_head(connected(_Place.of(root, name).uri)) is not None)


def trace(root: Path | str, name: str) -> str | None:
    """Changes with every commit, for one look at a folder; None where only opening the collection tells."""
    folder = _Place.of(root, name).folder
    try:
        found = None if folder is None else (folder / f"{HEAD}.lance" / "_versions").stat()
    except OSError:
        return None
    return None if found is None else f"{found.st_ino} {found.st_mtime_ns}"


def delete(root: Path | str, name: str) -> None:
    """Remove a collection for good. It is gone at once, even if removing its files is cut short."""
    place = _Place.of(root, name)
    if place.folder is None:
        from pyarrow import fs

        if name not in names(root):
            raise _absent(root, name)
        with told("write", f"collection {name!r}"):
            system, path = fs.FileSystem.from_uri(place.uri)
            system.delete_dir(path)
        return
    if not place.folder.is_dir():
        raise _absent(root, name)
    with told("write", f"collection {name!r}"):
        lease = Lease.acquire(place.folder, f"Collection {name!r}")
        try:
            place.folder.rename(place.folder.with_name(_BIN + uuid.uuid4().hex))
            sync(place.folder.parent)
        finally:
            lease.release()
        for leftover in place.folder.parent.glob(_BIN + "*"):
            shutil.rmtree(leftover, ignore_errors=True)


class _Place:
    """Where one collection lies."""

    def __init__(self, root: Path | str, name: str, uri: str, folder: Path | None) -> None:
        self.root, self.name, self.uri, self.folder = root, name, uri, folder
        self.cache = None if folder is None else folder / _CACHE

    @classmethod
    def of(cls, root: Path | str, name: str) -> _Place:
        if not _NAME.fullmatch(name):
            shown = name[:70].encode("utf-8", "backslashreplace").decode()
            raise StoreError(
                f"{shown!r} cannot name a collection; use 1 to 64 small letters, digits, - and _, beginning with a "
                "letter or digit.",
                code="bad-name",
            )
        if _is_uri(root):
            return cls(root, name, f"{str(root).rstrip('/')}/{name}", None)
        folder = Path(root).expanduser().resolve() / name
        return cls(root, name, str(folder), folder)


def _writer(
    db: DBConnection, place: _Place, create: About | None, lease_folder: Path | None, step: CommitStep
) -> Writer:
    where = place.folder or lease_folder
    lease = None if where is None else Lease.acquire(where, f"Collection {place.name!r}")
    try:
        head = read_head(db)  # again: it may have been created or changed until the lease was ours
        if head is None:
            if create is None:
                raise _absent(place.root, place.name)
            head = _create(db, create, step)
            if place.folder is not None:
                sync(place.folder.parent)
        committer = Committer.claim(db, head, lease, place.folder, step)
        migrate(committer)
        return Writer(db, place.name, place.cache, committer, lease)
    except BaseException:
        if lease is not None:
            lease.release()
        raise


def _create(db: DBConnection, about: About, step: CommitStep) -> Head:
    """Empty tables, then the head: until that is there, there is no collection."""
    existing: Any = table_names(db)
    if "items" in existing and db.open_table("items").count_rows():
        raise StoreError(
            "The collection has items but its head is lost; restore it from a copy, or delete it and index again.",
            code="damaged",
        )
    versions = {}
    for name, shape in SHAPES.items():
        versions[name] = db.create_table(name, schema=arrow_schema(shape), mode="overwrite").version
    step("tables-made")
    head = Head(sequence=0, fence=0, layout=LAYOUT, arrivals=0, versions=versions, about=about)
    create_head(db, head)
    step("head-made")
    return head


def _is_uri(root: Path | str) -> bool:
    return isinstance(root, str) and "://" in root


def _absent(root: Path | str, name: str) -> StoreError:
    known = () if _is_uri(root) else names(root)
    hint = f"there are: {', '.join(known[:8])}." if known else "there is none yet; make one with the index command."
    return StoreError(f"There is no collection called {name!r}; {hint}", code="no-collection")
