"""A process that fits and is killed at it. Started by test_training_kills.py only.

It loads the heavy libraries once and forks for every order that it reads as a line of JSON. A clock of its own goes on
by one second a step, so that the time of every checkpoint is known: one after every third step.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from core.store import artifacts
from core.training import _validation, loop, worked
from core.training.processes import load_fabric
from tests.fits import resumable, tensors

SAVE_SECONDS = 2.5


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def obey(order: dict[str, Any]) -> None:
    """Fit the case in the folder, and die where the order says so; a fit that ends writes its weights."""
    clock = SimpleNamespace(now=0.0)
    loop.time = SimpleNamespace(monotonic=lambda: clock.now)  # type: ignore[assignment]
    worked.time = SimpleNamespace(monotonic=lambda: clock.now, process_time=lambda: clock.now)  # type: ignore[assignment]
    loop.LOG_SECONDS = -1.0
    arm(order)

    def progress(done: int, total: int, stage: str) -> None:
        clock.now += 1.0
        if done == order.get("step"):
            die()

    wanted = resumable()[order["case"]]()
    ready = wanted.prepare

    def prepare(state: Any) -> Any:
        with Path(order["out"]).with_suffix(".prepared").open("a") as stream:
            stream.write("x")
        return ready(state)

    fitted = loop.fit(
        replace(wanted, prepare=prepare), Path(order["folder"]), progress=progress, save_seconds=SAVE_SECONDS
    )
    found = {name: tensor.numpy() for name, tensor in tensors(fitted.state).items()}
    artifacts.save(Path(order["out"]), {"model": found}, {"best": fitted.best_epoch, "seconds": fitted.seconds})


def arm(order: dict[str, Any]) -> None:
    """Death inside the n-th checkpoint after a named part of it, or inside the validation of an epoch."""
    save, measure = artifacts.save, _validation.measure
    count = {"saved": 0, "judged": 0}

    def counting(folder: Path, *parts: Any) -> Any:
        count["saved"] += 1

        def step(name: str) -> None:
            if name == order.get("write") and count["saved"] == order["number"]:
                die()

        return save(folder, *parts, save_step=step)

    def judging(*given: Any) -> Any:
        count["judged"] += 1
        if count["judged"] == order.get("judging"):
            die()
        return measure(*given)

    if order.get("write"):
        loop.RunFolder.save.__globals__["artifacts"] = SimpleNamespace(save=counting, load=artifacts.load)
    if order.get("judging"):
        _validation.measure = judging


def main() -> None:
    load_fabric()  # before the forks, which then start at once

    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                obey(json.loads(line))
                os._exit(0)
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(3)  # an error, not the kill that was meant
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
