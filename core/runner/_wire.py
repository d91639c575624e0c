"""How two processes talk: JSON over a pipe, and arrays through memory that both hold. Nothing is ever unpickled."""

from __future__ import annotations

import json
import mmap
import os
import select
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

_HEAD = struct.Struct("<I")
_MAX = 256 << 20  # bytes of one message
_ALIGN = 64

Message = dict[str, Any]
Specs = list[dict[str, Any]]


class Gone(Exception):
    """The other side has ended."""


class Silent(Exception):
    """The other side gave no sign of life for too long."""


class Shared:
    """A block of memory without a name: it is gone when its last process is, however that one ends.

    One side writes and tells what lies where; the other copies it out before it answers.
    """

    def __init__(self, handle: int) -> None:
        self.handle = handle

    @classmethod
    def made(cls) -> Shared:
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("penumbra"))
        import tempfile

        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def put(self, arrays: Sequence[np.ndarray]) -> Specs:
        specs, end = [], 0
        for array in arrays:
            specs.append({"dtype": array.dtype.str, "shape": list(array.shape), "at": end})
            end += -(-array.nbytes // _ALIGN) * _ALIGN
        os.ftruncate(self.handle, 0)  # what a larger message needed is given back
        os.ftruncate(self.handle, max(end, 1))
        with mmap.mmap(self.handle, max(end, 1)) as block:
            for array, spec in zip(arrays, specs, strict=True):
                octets = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                block[spec["at"] : spec["at"] + array.nbytes] = octets.data
        return specs

    def take(self, specs: Specs) -> list[np.ndarray]:
        size = os.fstat(self.handle).st_size
        with mmap.mmap(self.handle, size, prot=mmap.PROT_READ) as block:
            return [_array(block, spec) for spec in specs]

    def close(self) -> None:
        os.close(self.handle)


def _array(block: mmap.mmap, spec: dict[str, Any]) -> np.ndarray:
    dtype, shape = np.dtype(str(spec["dtype"])), [int(length) for length in spec["shape"]]
    if dtype.kind not in "biuf":
        raise ValueError(f"an array of numbers was expected, not of {dtype}")
    start = int(spec["at"])
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(bytearray(block[start : start + size]), dtype).reshape(shape)


def send(handle: int, message: Message, deadline: float | None = None) -> None:
    """With a deadline the pipe is one that does not block: who stopped reading is silent too."""
    body = json.dumps(message).encode()
    view = memoryview(_HEAD.pack(len(body)) + body)
    while view:
        if deadline is not None:
            _wait(handle, select.POLLOUT, deadline)
        try:
            view = view[os.write(handle, view[: 1 << 20]) :]
        except BlockingIOError:
            continue
        except BrokenPipeError:
            raise Gone from None


def receive(handle: int, deadline: float | None = None) -> Message:
    """The next message. Raises Gone at the end of the pipe, Silent past the deadline."""
    size = int(_HEAD.unpack(_read(handle, _HEAD.size, deadline))[0])
    if size > _MAX:
        raise Gone
    return json.loads(_read(handle, size, deadline))


def _read(handle: int, size: int, deadline: float | None) -> bytes:
    parts = []
    while size:
        if deadline is not None:
            _wait(handle, select.POLLIN, deadline)
        part = os.read(handle, min(size, 1 << 20))
        if not part:
            raise Gone
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _wait(handle: int, event: int, deadline: float) -> None:
    """poll, not select: a server may hold more than 1,024 files."""
    poll = select.poll()
    poll.register(handle, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise Silent
