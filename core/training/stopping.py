"""Ctrl-C and SIGTERM while a fit runs: noted, so that it saves where it is before it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_gently() -> Iterator[Callable[[], bool]]:
    """Was this process asked to stop? Asked a second time it stops at once, wherever it is.

    What was asked too late for the fit to hear ends the block in KeyboardInterrupt, as it would have ended the fit.
    In threads that get no signals the answer is no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        if len(heard) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if heard:
        raise KeyboardInterrupt
