"""How two processes talk: JSON over a pipe, and arrays through memory that both hold. Nothing is ever unpickled."""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from core import pipes

_HEAD = struct.Struct("<I")
_MAX = 256 << 20  # bytes of one message
_ALIGN = 64

Message = dict[str, Any]
Specs = list[dict[str, Any]]


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
    body = json.dumps(message).encode()
    pipes.write(handle, _HEAD.pack(len(body)) + body, deadline)


def receive(handle: int, deadline: float | None = None) -> Message:
    """The next message."""
    size = int(_HEAD.unpack(pipes.read(handle, _HEAD.size, deadline))[0])
    if size > _MAX:
        raise pipes.Gone
    return json.loads(pipes.read(handle, size, deadline))
