"""A worker for the tests of core.runner: ``python -m tests.failing_worker``, which fails as files in its home say."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from core.checkpoints.answers import Answers
from core.runner import Limits
from core.runner._child import main
from core.runner._computing import Computing, Items, Size
from core.runner._models import Kept
from core.settings import Settings
from tests.patience import SECONDS
from tests.running import Faults


class FailingComputing(Computing):
    def __init__(self, settings: Settings, limits: Limits) -> None:
        super().__init__(settings, limits)
        self.faults = Faults(settings)

    def said(self, kept: Kept, items: Items, message: dict[str, Any], size: Size, alive: Callable[[], None]) -> Answers:
        faults, asked = self.faults, {key for ask in message["asks"] for key in ask["sha256s"]}
        with (faults.folder / "passes").open("a") as log:
            log.write(f"{len(items)}.{size.rows}\n")
        while faults.get("hold") is not None:
            time.sleep(0.01)
        if faults.once("die") or faults.get("die-of") in asked:
            os.kill(os.getpid(), signal.SIGKILL)
        if faults.once("hang"):
            time.sleep(10 * SECONDS)
        if faults.once("poison"):
            raise RuntimeError("CUDA error: device-side assert triggered\nmore of it")
        if faults.get("bug-of") in asked:
            raise KeyError("a bug of ours")
        most = {name: int(faults.get(name) or 10**6) for name in ("most-items", "most-rows")}
        if len(items) > most["most-items"]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        if size.rows > most["most-rows"]:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return super().said(kept, items, message, size, alive)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], FailingComputing))
