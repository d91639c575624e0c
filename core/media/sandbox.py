"""Child processes that touch untrusted bytes, so that the server never does.

A child is asked by name for one of the operations in ``_child.OPERATIONS``; request and answer are a
JSON header followed by raw blocks, so nothing is ever unpickled. The child has limits on memory,
processor time and file size, no network, and is replaced when it dies, hangs or has served enough.
"""

from __future__ import annotations

import json
import os
import queue
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core import errors
from core.errors import MediaError, UserFacingError

_HEAD = struct.Struct("<IQ")  # bytes of the JSON header, bytes of the blocks together
_MAX_HEADER = 64 << 20
_LIFE = 500  # requests a child serves before it is replaced
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may use. Sent with each request; the child enforces all but the clock."""

    seconds: float = 30.0  # wall clock, enforced by the parent
    memory: int = 1 << 30  # bytes a request may add to what the child holds when it starts
    answer: int = 1 << 30  # bytes that may come back


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    header: dict[str, Any]
    blocks: tuple[bytes, ...]


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    served: int = 0
    mark: int = field(default=0)


class Sandbox:
    """A small pool of decode children, safe to call from several threads."""

    def __init__(self, children: int = 2, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._free: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        self._closed = threading.Event()
        for _ in range(children):
            self._free.put(None)  # started at the first request

    def call(
        self, operation: str, params: Mapping[str, Any], blocks: Sequence[bytes] = (), *, limits: Limits | None = None
    ) -> Answer:
        """Run one operation in a child. Raises the child's UserFacingError, or one for its death."""
        limits = limits or self.limits
        child = self._free.get()
        try:
            if child is None or child.process.poll() is not None:
                child = _start(limits)
            answer = _exchange(child, operation, params, blocks, limits)
        except UserFacingError as error:
            if child is not None and error.code in {"timeout", "crashed", "too-much-memory", "bad-answer"}:
                child = _stop(child)
            raise
        except BaseException:
            child = _stop(child)
            raise
        finally:
            if child is not None:
                child.served += 1
                if child.served >= _LIFE or self._closed.is_set():
                    child = _stop(child)
            self._free.put(child)
        return answer

    def close(self) -> None:
        """End the idle children; a busy one ends with its request."""
        self._closed.set()
        for _ in range(self._free.qsize()):
            self._free.put_nowait(_stop(self._free.get_nowait()))


def _start(limits: Limits) -> _Child:
    allowed = {"PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT"}
    environment = {key: value for key, value in os.environ.items() if key in allowed}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "core.media._child", str(limits.memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env={**environment, **threads, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    return _Child(process)


def _stop(child: _Child | None) -> None:
    if child is None:
        return None
    child.process.kill()
    child.process.wait()
    for stream in (child.process.stdin, child.process.stdout):
        if stream is not None:
            stream.close()
    return None


def _exchange(
    child: _Child, operation: str, params: Mapping[str, Any], blocks: Sequence[bytes], limits: Limits
) -> Answer:
    assert child.process.stdin is not None and child.process.stdout is not None
    deadline = time.monotonic() + limits.seconds
    header = json.dumps(
        {"operation": operation, "params": dict(params), "sizes": [len(b) for b in blocks], "seconds": limits.seconds}
    ).encode()
    pieces = [_HEAD.pack(len(header), sum(len(b) for b in blocks)), header, *blocks]
    _write(child, pieces, deadline)
    size, total = _HEAD.unpack(_read(child, _HEAD.size, deadline))
    if size > _MAX_HEADER or total > limits.answer:
        raise MediaError("The file unpacked to more than the limit of this app; send a shorter one.", code="bad-answer")
    answer = json.loads(_read(child, size, deadline))
    body = _read(child, total, deadline)
    if "error" in answer:
        kind = getattr(errors, str(answer["error"]), MediaError)
        raise kind(str(answer["message"]), code=str(answer["code"]))
    taken, out = 0, []
    for length in answer["sizes"]:
        out.append(body[taken : taken + length])
        taken += length
    return Answer(answer["header"], tuple(out))


def _write(child: _Child, pieces: Sequence[bytes], deadline: float) -> None:
    """Feed the child, watching the clock: a child that stops reading is a hanging child."""
    assert child.process.stdin is not None
    handle = child.process.stdin.fileno()
    os.set_blocking(handle, False)
    for piece in pieces:
        view = memoryview(piece)
        while view:
            if not select.select([], [handle], [], max(0.0, deadline - time.monotonic()))[1]:
                raise _late()
            try:
                view = view[os.write(handle, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise _dead(child) from None


def _read(child: _Child, size: int, deadline: float) -> bytes:
    assert child.process.stdout is not None
    handle = child.process.stdout.fileno()
    got = bytearray()
    while len(got) < size:
        if not select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise _late()
        block = os.read(handle, min(size - len(got), 1 << 20))
        if not block:
            raise _dead(child)
        got += block
    return bytes(got)


def _late() -> MediaError:
    return MediaError("The file took too long to decode, so it was given up; send a shorter or simpler one.", code="timeout")


def _dead(child: _Child) -> MediaError:
    child.process.wait()
    return MediaError("The decoder broke off on this file; it is damaged or made to do harm. Send another copy.", code="crashed")
