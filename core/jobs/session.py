"""The inside of a job: what the command's own process does so that others see how far it is and can stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from core.jobs._folder import ENDING, HEARTBEAT, PROGRESS, Run, write_json
from core.jobs._processes import end_by_force, process

BEAT = 1.0  # seconds between two signs of life
_EVERY = 0.25  # seconds between two writes of the progress
_WINDOW = 30.0  # seconds over which the rate is taken
_FEWEST = 5  # marks that are kept however old they are: a step may be longer than the window
_SPACING = 0.5  # seconds between two marks

_current: list[Session] = []  # a process is one job or none, in all of its threads


class Session:
    """Made by ``taken_up``. All of it is best effort: no work is lost because its progress could not be told."""

    def __init__(self, folder: Path, run: Run) -> None:
        self._folder, self._run = folder, run
        self._lock = threading.Lock()
        self._stage, self._done, self._total = "", 0, 0
        self._started = time.time()
        self._marks: deque[tuple[float, int]] = deque()
        self._written, self._told = float("-inf"), True
        self._over = threading.Event()

    def report(self, done: int, total: int, stage: str) -> None:
        """A Progress. A new stage, and one that begins anew, starts its own clock."""
        now = time.monotonic()
        with self._lock:
            if stage != self._stage or done < self._done:
                self._marks.clear()
                self._started, self._written = time.time(), float("-inf")
            self._stage, self._done, self._total, self._told = stage, done, total, False
            self._mark(now, done)
            if now - self._written >= _EVERY or done >= total:
                self._write()

    def ends(self, kind: str, sentence: str) -> None:
        """Why the command ends before its work is done: "refused" or "stopped", in the sentence for people."""
        with contextlib.suppress(OSError):
            write_json(self._folder / ENDING, {"kind": kind, "sentence": sentence, "attempt": self._run.attempt})

    def _mark(self, now: float, done: int) -> None:
        if not self._marks or now - self._marks[-1][0] >= _SPACING:
            self._marks.append((now, done))
        while len(self._marks) > _FEWEST and now - self._marks[0][0] > _WINDOW:
            self._marks.popleft()

    def _write(self) -> None:
        self._written, self._told = time.monotonic(), True
        document = {
            "stage": self._stage,
            "done": self._done,
            "total": self._total,
            "started": self._started,  # the stage, in seconds since 1970
            "updated": time.time(),
            "marks": [*self._marks, (time.monotonic(), self._done)],  # on the clock that no one sets
            "attempt": self._run.attempt,
        }
        with contextlib.suppress(OSError):
            write_json(self._folder / PROGRESS, document, durable=False)

    def beat_on(self) -> None:
        """A sign of life every second. Where the keeper is gone, stop as for a cancel, then by force."""
        assert self._run.keeper is not None
        orphaned: float | None = None
        while not self._over.wait(BEAT):
            with contextlib.suppress(OSError):
                (self._folder / HEARTBEAT).touch()
            with self._lock:
                if not self._told:  # the last word before a long step
                    self._write()
            if os.getppid() != self._run.keeper.pid:
                if orphaned is None:
                    orphaned = time.monotonic()
                    os.kill(os.getpid(), signal.SIGTERM)
                elif time.monotonic() - orphaned > self._run.grace:
                    end_by_force(process(os.getpid()))
                    os._exit(1)  # where there is no /proc

    def over(self) -> None:
        self._over.set()


def current() -> Session | None:
    """The job that this process is, or None at a terminal and in tests."""
    return _current[-1] if _current else None


@contextlib.contextmanager
def taken_up(folder: Path | None) -> Iterator[Session | None]:
    """Be the job of that folder: tell progress and signs of life, and stop on SIGTERM as on Ctrl-C.

    Only the keeper's own child is the job; a process that the command starts inherits the variable and is not.
    """
    run = Run.load(folder) if folder is not None else None
    if folder is None or run is None or run.keeper is None or run.keeper.pid != os.getppid():
        yield None
        return
    session = Session(folder, run)
    before = signal.signal(signal.SIGTERM, _stop)
    beating = threading.Thread(target=session.beat_on, name="job heartbeat", daemon=True)
    beating.start()
    _current.append(session)
    try:
        yield session
    finally:
        _current.remove(session)
        session.over()
        beating.join()
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # asked once is enough: what is cleaned up now is not broken off
    raise KeyboardInterrupt
