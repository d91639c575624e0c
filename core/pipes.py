"""Bytes through a pipe to another process, by a deadline: who ended and who fell silent are told apart."""

from __future__ import annotations

import os
import select
import time

_AT_ONCE = 1 << 20  # bytes


class Gone(Exception):
    """The other side has ended."""


class Silent(Exception):
    """The other side gave no sign of life, or did not read, for too long."""


def read(handle: int, size: int, deadline: float | None = None) -> bytes:
    """All of ``size`` bytes; ``deadline`` is of time.monotonic()."""
    parts = []
    while size:
        _wait(handle, select.POLLIN, deadline)
        part = os.read(handle, min(size, _AT_ONCE))
        if not part:
            raise Gone
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write(handle: int, data: bytes, deadline: float | None = None) -> None:
    """With a deadline the pipe is one that does not block: who stopped reading is silent too."""
    view = memoryview(data)
    while view:
        _wait(handle, select.POLLOUT, deadline)
        try:
            view = view[os.write(handle, view[:_AT_ONCE]) :]
        except BlockingIOError:
            continue
        except BrokenPipeError:
            raise Gone from None


def _wait(handle: int, event: int, deadline: float | None) -> None:
    """poll, not select: a server may hold more than 1,024 files."""
    if deadline is None:
        return
    poll = select.poll()
    poll.register(handle, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise Silent
