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
    "extract": "core.media.archive:extract_operation",  # path, folder -> entries by hash, problems
    "table": "core.data._table:table_operation",  # path -> columns as text
    "cells": "core.data._table:cells_operation",  # path, column, rows -> bytes of those cells
}
_HEAD = struct.Struct("<IQ")
_CLONE_NEWNET = 0x40000000
_MAX_FILE = 2 << 30  # bytes one file written by the child may have
_OPEN_FILES = 64


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints cannot garble the answers
    _confine(int(sys.argv[1]))
    while request := _receive(sys.stdin.buffer):
        header, blocks = _run(*request)
        encoded = json.dumps(header).encode()
        answers.write(_HEAD.pack(len(encoded), sum(len(b) for b in blocks)) + encoded)
        for block in blocks:
            answers.write(block)
        answers.flush()


def _confine(memory: int) -> None:
    """Limits for the rest of this process's life; each is best effort beyond plain Linux."""
    from core.media import decode  # the libraries are loaded before the ceiling is set

    decode.warm()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE, _MAX_FILE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    if sys.platform == "linux":
        with open("/proc/self/statm") as table:
            held = int(table.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + memory, held + memory))
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).unshare(_CLONE_NEWNET)  # needs rights we may not have


def _receive(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]] | None:
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    request = json.loads(stream.read(_HEAD.unpack(head)[0]))
    return request, [stream.read(size) for size in request["sizes"]]


def _run(request: dict[str, Any], blocks: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    allowance = int(spent.ru_utime + spent.ru_stime + request["seconds"]) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (allowance, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    module, _, function = OPERATIONS[request["operation"]].partition(":")
    try:
        header, out = getattr(importlib.import_module(module), function)(request["params"], blocks)
    except UserFacingError as error:
        return _refusal(error), []
    except MemoryError:
        return _refusal(MediaError("The file needs more memory than one file may use; send a smaller one.", code="too-much-memory")), []
    except Exception:  # a decoder's own failure: the file is at fault, and it must not end the child
        return _refusal(MediaError("The file is damaged or not what its name says; send another copy.", code="damaged")), []
    return {"header": header, "sizes": [len(block) for block in out]}, out


def _refusal(error: UserFacingError) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": str(error), "code": error.code, "sizes": []}


if __name__ == "__main__":
    main()
