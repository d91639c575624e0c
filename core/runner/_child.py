"""The worker process: one message after another, until nobody can ask any more.

    python -m core.runner._child '{"asked": 5, "told": 6, "answers": 7, "limits": {...}}'

Messages come on standard input; answers go to the pipe ``answers``, and arrays lie in the two shared blocks.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from core import settings as settings_
from core.device import settle_process
from core.pipes import Gone
from core.runner._contract import Limits
from core.runner._wire import Message, Shared, receive, send

if TYPE_CHECKING:
    import numpy as np

    from core.runner._computing import Told
    from core.settings import Settings

_POISONED = 70  # exit status


class Stopped(Exception):
    """Nobody waits for this answer any more."""


class Works(Protocol):
    """What answers the messages: one at a time, with signs of life where it takes long."""

    def told(self, message: Message, arrays: Sequence[np.ndarray], alive: Callable[..., None]) -> Told: ...

    def loaded(self) -> list[Message]: ...


def main(words: Sequence[str], computing: Callable[[Settings, Limits], Works] | None = None) -> int:
    told: dict[str, Any] = json.loads(words[0])
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    # first of all: a parent that ends while libraries are loaded takes this process with it
    stopped: set[int] = set()
    threading.Thread(target=_listen, args=(inbox, stopped), name="listen", daemon=True).start()
    limits = Limits(**told["limits"])
    settle_process(limits.threads)
    from dataclasses import asdict

    from core.device import devices, pace
    from core.runner import _computing

    here = (computing or _computing.Computing)(settings_.load(), limits)
    asked, answers = Shared(int(told["asked"])), int(told["answers"])
    out = Shared(int(told["told"]))
    found = devices()
    paces = {device.key: pace(device.key) for device in found}
    send(answers, {"event": "hello", "devices": [asdict(device) for device in found], "paces": paces})
    while True:
        message = inbox.get()

        def alive(number: int = message["number"], **more: object) -> None:
            if number in stopped:
                raise Stopped
            send(answers, {**more, "event": "alive"})

        try:
            body, arrays = here.told(message, asked.take(message["arrays"]), alive)
        except _computing.Poisoned as error:
            send(answers, {"event": "poisoned", "reason": str(error)[:200]})
            return _POISONED
        except Stopped:
            continue
        except Exception:
            body, arrays = {"failed": traceback.format_exc(), "loaded": here.loaded()}, []
        send(answers, {"event": "told", "number": message["number"], **body, "arrays": out.put(arrays)})


def _listen(inbox: queue.SimpleQueue[Message], stopped: set[int]) -> None:
    """Also in the middle of a computation: who cannot be told the answer has ended, and so does this process."""
    while True:
        try:
            message = receive(sys.stdin.fileno())
            if message["event"] == "stop":
                stopped.add(message["number"])
            else:
                inbox.put(message)
        except (Gone, OSError, ValueError):
            os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
