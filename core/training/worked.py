"""Seconds of work, which are the same on a machine that is paused or crowded."""

from __future__ import annotations

import time


class Worked:
    """Counts from now on: the wall clock, or on a CPU what the process itself used, where that is less."""

    def __init__(self, device: str) -> None:
        self._own = device == "cpu"
        self._before = 0.0  # of earlier sittings
        self._wall, self._used = time.monotonic(), time.process_time()

    def resume(self, before: float) -> None:
        self._before = before

    def seconds(self) -> float:
        wall, used = time.monotonic() - self._wall, time.process_time() - self._used
        return self._before + (min(wall, used) if self._own else wall)
