"""What may go wrong below: the libraries' and the system's errors as one sentence, and data forced to disk."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from core.errors import StoreError

CommitStep = Callable[[str], None]
_FULL = ("no space left", "quota exceeded", "file too large", "os error 28", "os error 122", "os error 27")
_READ_ONLY = ("read-only file system", "permission denied", "os error 30", "os error 13", "operation not permitted")


def no_step(name: str) -> None:
    """The CommitStep of everybody but the tests that break a commit at a named step."""


@contextlib.contextmanager
def told(action: str, what: str) -> Iterator[None]:
    """Turn an error of Lance or of the disk into a StoreError; ``action`` is "write", "read" ..."""
    try:
        yield
    except StoreError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise explained(error, action, what) from error


def explained(error: Exception, action: str, what: str) -> StoreError:
    text = str(error).lower()
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} or any(sign in text for sign in _FULL):
        return StoreError(
            f"The disk is full, so {what} could not be written. What was stored before is kept; free some space and "
            "run the same again.",
            code="disk-full",
        )
    if number in {errno.EROFS, errno.EACCES, errno.EPERM} or any(sign in text for sign in _READ_ONLY):
        return StoreError(
            f"{what[:1].upper()}{what[1:]} is on a disk or in a folder that may not be written (or read) by this "
            "program; give it the right to, or choose another place.",
            code="no-permission",
        )
    return StoreError(
        f"{what[:1].upper()}{what[1:]} could not be {'written' if action == 'write' else 'read'}: a file of it is "
        "missing or damaged. Restore it from a copy, or delete it and index again.",
        code="damaged",
    )


def force_to_disk(folder: Path, done: set[Path]) -> None:
    """fsync the files of tables that are not in ``done`` yet, and the folders that name them.

    Files of tables are written once. Transactions and hints only help concurrent writers.
    """
    touched: set[Path] = set()
    for kind in ("_versions", "_deletions", "data"):
        for path in folder.glob(f"*.lance/{kind}/*.*"):
            if path not in done and path.suffix != ".json":
                with contextlib.suppress(FileNotFoundError):  # a compaction may remove files meanwhile
                    sync(path)
                touched |= {path.parent, *({path.parent.parent} - done)}
                done |= {path, path.parent.parent}
    for parent in touched:
        sync(parent)


def files_of(folder: Path) -> set[Path]:
    """Every file of the tables, and the tables' own folders."""
    return {*folder.glob("*.lance"), *folder.glob("*.lance/*/*.*")}


def sync(path: Path) -> None:
    """fsync a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
