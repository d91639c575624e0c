"""What a fit took, over all its sittings: seconds of work, the same on a crowded machine, and the most memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any


class Worked:
    """Counts from now on: the wall clock, or on a CPU what the process itself used, where that is less."""

    def __init__(self, device: str) -> None:
        self._own = device == "cpu"
        self._before, self._most = 0.0, 0  # of earlier sittings
        self._wall, self._used = time.monotonic(), time.process_time()

    def resume(self, told: Mapping[str, Any]) -> None:
        self._before, self._most = told["seconds"], told.get("memory") or 0

    def told(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"seconds": self.seconds(), "memory": self.memory()}

    def seconds(self) -> float:
        wall, used = time.monotonic() - self._wall, time.process_time() - self._used
        return self._before + (min(wall, used) if self._own else wall)

    def memory(self) -> int | None:
        """Bytes: the peak of the process, or of an earlier one; None where the system does not tell."""
        return max(_peak() or 0, self._most) or None


def _peak() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)
