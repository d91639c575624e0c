"""The decode child: reads requests on stdin, answers on stdout. Started by sandbox.py only.

It never imports torch. Operations are named in a fixed table; each is a function
``(params, blocks) -> (header, blocks)`` with plain JSON headers and bytes blocks.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import struct
import sys
from typing import Any, BinaryIO

from core.errors import MediaError, UserFacingError

OPERATIONS = {
    "decode": "core.media.decode:decode_operation",  # bytes -> samples, receipt
    "view": "core.media.decode:view_operation",  # bytes -> samples, receipt, thumbnail, envelope, log-mel
    "probe": "core.media.decode:probe_operation",  # path -> kind, rate, frames, channels
    "window": "core.media.decode:window_operation",  # path, start, frames -> samples, receipt
    "volume": "core.media.volume:volume_operation",  # bytes -> whole numbers on a grid, affine
    "extract": "core.media.archive:extract_operation",  # path, folder -> entries by hash, problems
    "table": "core.data._table:table_operation",  # path -> columns as text
    "cells": "core.data._table:cells_operation",  # path, column, rows -> bytes of those cells
}
READY = b"\x06"  # sent once, when the libraries are loaded and the limits stand
_HEAD = struct.Struct("<IQ")
_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000
_MAX_FILE = 2 << 30  # bytes one file written by the child may have
_OPEN_FILES = 64
_CLOSED_DOORS = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "pty.")


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints cannot garble the answers
    held = confine(int(sys.argv[1]))
    answers.write(READY)
    answers.flush()
    while request := _receive(sys.stdin.buffer):
        header, blocks = _run(*request, held)
        encoded = json.dumps(header).encode()
        answers.write(_HEAD.pack(len(encoded), sum(len(b) for b in blocks)) + encoded)
        for block in blocks:
            answers.write(block)
        answers.flush()
        del request, blocks
        _give_back()


def confine(memory: int) -> int:
    """Limits for the rest of this process's life; each is best effort beyond plain Linux.

    Returns the address space held by the libraries, on top of which a request gets its memory.
    """
    if sys.platform == "linux":
        _leave_network()  # before a library starts a thread
    from core.media import decode  # the libraries are loaded before the ceiling is set

    decode.warm()
    sys.addaudithook(_closed)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE, _MAX_FILE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm") as table:
        held = int(table.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + memory, held + memory))
    return held


def _leave_network() -> None:
    """An empty network of its own; without the right to that, through a user namespace, else not at all."""
    with contextlib.suppress(OSError, AttributeError):
        unshare = ctypes.CDLL(None).unshare
        if unshare(_CLONE_NEWNET) != 0:
            unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _closed(event: str, args: tuple[Any, ...]) -> None:
    if event.startswith(_CLOSED_DOORS):
        raise PermissionError("the decode child starts nothing and connects to nothing")


def _receive(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]] | None:
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    request = json.loads(stream.read(_HEAD.unpack(head)[0]))
    return request, [stream.read(size) for size in request["sizes"]]


def _run(request: dict[str, Any], blocks: list[bytes], held: int) -> tuple[dict[str, Any], list[bytes]]:
    _allow(request["seconds"], request["memory"], held)
    module, _, function = OPERATIONS[request["operation"]].partition(":")
    try:
        header, out = getattr(importlib.import_module(module), function)(request["params"], blocks)
    except UserFacingError as error:
        return _refusal(error), []
    except MemoryError:
        return _refusal(
            MediaError("The file needs more memory than one file may use; send a smaller one.", code="too-much-memory")
        ), []
    except Exception:  # a decoder's own failure: the file is at fault, and it must not end the child
        return _refusal(
            MediaError("The file is damaged or not what its name says; send another copy.", code="damaged")
        ), []
    return {"header": header, "sizes": [len(block) for block in out]}, out


def _allow(seconds: float, memory: int, held: int) -> None:
    """The soft limits of one request; the hard ones stand since the start."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    allowance = int(spent.ru_utime + spent.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (allowance, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    if held:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (min(held + memory, hard), hard))


def _give_back() -> None:
    """Freed memory goes back to the system, so that an idle child is small."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _refusal(error: UserFacingError) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": str(error), "code": error.code, "sizes": []}


if __name__ == "__main__":
    main()
