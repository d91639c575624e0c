"""Child processes that touch untrusted bytes, so that the server never does.

A child is asked by name for one of the operations in ``_child.OPERATIONS``; request and answer are a
JSON header followed by raw blocks, so nothing is ever unpickled. The child has limits on memory,
processor time and file size, no network, and is replaced when it dies, hangs or has served enough.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import errors, pipes
from core.errors import MediaError, UserFacingError

_HEAD = struct.Struct("<IQ")  # bytes of the JSON header, bytes of the blocks together
_MAX_HEADER = 64 << 20
_LIFE = 500  # requests a child serves before it is replaced
_START_SECONDS = 60.0  # for a child to load its libraries on a busy machine
_ROOT = Path(__file__).resolve().parent.parent.parent
_PASSED_ON = {"PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH"}
_SET = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    "MALLOC_ARENA_MAX": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may use. Sent with each request; the child enforces all but the clock.

    The limits a Sandbox is made with are the most that a request may ask for.
    """

    seconds: float = 30.0  # wall clock, enforced by the parent; also of processor time, by the kernel
    memory: int = 1 << 30  # bytes a request may add to what the child holds when it starts
    answer: int = 1 << 30  # bytes that may come back


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    header: dict[str, Any]
    blocks: tuple[bytes, ...]


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    greeted: bool = False  # its libraries are loaded
    served: int = 0


class _Crash(Exception):
    """The child ended without an answer."""


class Sandbox:
    """A small pool of decode children, safe to call from several threads."""

    def __init__(self, children: int = 2, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._closed = threading.Event()
        self._free: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(children):
            self._free.put(None)  # started by warm() or at the first request

    def warm(self) -> None:
        """Start the idle children now and do not wait for them: the first file then finds them ready."""
        with self._all_idle() as children:
            children[:] = [child or _start(self.limits) for child in children]

    def call(
        self, operation: str, params: Mapping[str, Any], blocks: Sequence[bytes] = (), *, limits: Limits | None = None
    ) -> Answer:
        """Run one operation in a child. Raises the child's UserFacingError, or one for its death."""
        limits = limits or self.limits
        child = self._free.get()
        try:
            if child is None or child.process.poll() is not None:
                _stop(child)
                child = _start(self.limits)
            try:
                answer = _exchange(child, operation, params, blocks, limits)
            except _Crash:
                # It may have been killed from outside (by the kernel, an operator): one more try, then it is the file.
                _stop(child)
                child = _start(self.limits)
                answer = _exchange(child, operation, params, blocks, limits)
        except _Crash:
            child = _stop(child)
            raise _broke_off() from None
        except UserFacingError as error:
            if error.code in {"timeout", "too-much-memory", "bad-answer"}:
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

    def processes(self) -> tuple[int, ...]:
        """Process ids of the idle children that run."""
        with self._all_idle() as children:
            return tuple(child.process.pid for child in children if child and child.process.poll() is None)

    def close(self) -> None:
        """End the idle children; a busy one ends with its request."""
        self._closed.set()
        with self._all_idle() as children:
            children[:] = [_stop(child) for child in children]

    @contextmanager
    def _all_idle(self) -> Iterator[list[_Child | None]]:
        """All children that are free at this moment, given back in the same order."""
        taken: list[_Child | None] = []
        try:
            while True:
                taken.append(self._free.get_nowait())
        except queue.Empty:
            pass
        try:
            yield taken
        finally:
            for child in reversed(taken):
                self._free.put(child)


def _start(limits: Limits) -> _Child:
    environment = {key: value for key, value in os.environ.items() if key in _PASSED_ON}
    process = subprocess.Popen(
        [sys.executable, "-m", "core.media._child", str(limits.memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env={**environment, **_SET},
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for stream in (process.stdin, process.stdout):
        _widen(stream.fileno())
    os.set_blocking(process.stdin.fileno(), False)
    return _Child(process)


def _widen(handle: int) -> None:
    """A pipe of 1 MB instead of 64 KB, where the kernel allows: fewer turns for a large file."""
    try:
        import fcntl

        fcntl.fcntl(handle, fcntl.F_SETPIPE_SZ, 1 << 20)
    except (ImportError, AttributeError, OSError):
        return


def _stop(child: _Child | None) -> None:
    if child is None:
        return
    child.process.kill()
    child.process.wait()
    for stream in (child.process.stdin, child.process.stdout):
        if stream is not None:
            stream.close()


def _exchange(
    child: _Child, operation: str, params: Mapping[str, Any], blocks: Sequence[bytes], limits: Limits
) -> Answer:
    """A child that stops reading or answering is a hanging child."""
    try:
        return _asked(child, operation, params, blocks, limits)
    except pipes.Silent:
        raise _late() from None
    except pipes.Gone:
        if child.process.wait() == -signal.SIGXCPU:  # the kernel's clock was faster than ours
            raise _late() from None
        raise _Crash from None


def _asked(child: _Child, operation: str, params: Mapping[str, Any], blocks: Sequence[bytes], limits: Limits) -> Answer:
    assert child.process.stdin is not None
    assert child.process.stdout is not None
    to, back = child.process.stdin.fileno(), child.process.stdout.fileno()
    if not child.greeted:  # the time for loading libraries is not the file's
        pipes.read(back, 1, time.monotonic() + _START_SECONDS)
        child.greeted = True
    deadline = time.monotonic() + limits.seconds
    request = {
        "operation": operation,
        "params": dict(params),
        "sizes": [len(b) for b in blocks],
        "seconds": limits.seconds,
        "memory": limits.memory,
    }
    header = json.dumps(request).encode()
    for piece in (_HEAD.pack(len(header), sum(len(b) for b in blocks)), header, *blocks):
        pipes.write(to, piece, deadline)
    size, total = _HEAD.unpack(pipes.read(back, _HEAD.size, deadline))
    if size > _MAX_HEADER or total > limits.answer:
        raise MediaError("The file unpacked to more than the limit of this app; send a shorter one.", code="bad-answer")
    try:
        answer = json.loads(pipes.read(back, size, deadline))
        sizes = [int(length) for length in answer["sizes"]]
    except (ValueError, KeyError, TypeError):
        raise _Crash from None
    if sum(sizes) != total or any(length < 0 for length in sizes):
        raise _Crash
    if "error" in answer:
        kind = getattr(errors, str(answer["error"]), MediaError)
        raise kind(str(answer["message"]), code=str(answer["code"]))
    return Answer(answer["header"], tuple(pipes.read(back, length, deadline) for length in sizes))


def _late() -> MediaError:
    return MediaError(
        "The file took too long to decode, so it was given up; send a shorter or simpler one.", code="timeout"
    )


def _broke_off() -> MediaError:
    return MediaError(
        "The decoder broke off on this file; it is damaged or made to do harm. Send another copy.", code="crashed"
    )
