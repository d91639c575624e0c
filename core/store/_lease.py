"""One writer a collection: a locked file that says who it is, and a token that only grows.

The lock is the system's own (flock), so it ends with its process however that dies; nobody has to
guess whether a pid is stale. The token fences: the head of a collection takes a commit only from
the newest one, so a writer that lost its lease (another machine, a copied folder) changes nothing.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.errors import StoreError

FILE = "writer.lock"


@dataclass(frozen=True, slots=True)
class Holder:
    pid: int
    host: str
    token: int
    since: float  # seconds since 1970, for people
    beat: float  # the same, of the last commit


class Lease:
    """Held from ``acquire`` to ``release``."""

    def __init__(self, path: Path, handle: int, holder: Holder) -> None:
        self._path, self._handle, self.holder = path, handle, holder

    @classmethod
    def acquire(cls, folder: Path, what: str) -> Lease:
        """Take the lease, or raise in one sentence that names the process that holds it."""
        import fcntl
        import socket

        path = folder / FILE
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = _read(handle)
            os.close(handle)
            raise StoreError(_busy(what, other), code="in-use") from None
        last, now = _read(handle), time.time()
        holder = Holder(os.getpid(), socket.gethostname(), 1 + (last.token if last else 0), now, now)
        lease = cls(path, handle, holder)
        lease._write()
        return lease

    def raise_token(self, above: int) -> None:
        """Make the token newer than one found in the head."""
        if self.holder.token <= above:
            self.holder = replace(self.holder, token=above + 1)
            self._write()

    def beat(self) -> None:
        """Check that the lease is still ours and note a sign of life."""
        try:
            still = os.path.samestat(self._path.stat(), os.fstat(self._handle))
        except FileNotFoundError:
            still = False
        found = _read(self._handle)
        if not still or found is None or found.token != self.holder.token:
            raise StoreError(
                "The collection was deleted or taken over by another process while this one wrote to it; what was "
                "stored before is kept. Run the same again.",
                code="lease-lost",
            )
        self.holder = replace(self.holder, beat=time.time())
        self._write()

    def release(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _write(self) -> None:
        text = json.dumps(asdict(self.holder)).encode().ljust(512)  # one write of one size: never half a record
        os.pwrite(self._handle, text, 0)


def _read(handle: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(handle, 512, 0)))
    except (ValueError, TypeError):
        return None


def _busy(what: str, other: Holder | None) -> str:
    if other is None:
        return f"{what} is being written by another process; wait until it has finished."
    since = time.strftime("%H:%M:%S", time.localtime(other.since))
    return (
        f"{what} is being written by process {other.pid} on {other.host} since {since}; wait until it has finished, "
        "or stop it."
    )
