"""The worker process as its parent holds it: started, asked, ended."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence

import numpy as np

from core.device import Device
from core.pipes import Gone, Silent
from core.runner._contract import Launch, Limits
from core.runner._wire import Message, Shared, receive, send
from core.settings import PROJECT, Settings

_LEAVE = 2.0  # seconds to end by itself


class Lost(Exception):
    """The worker ended, hangs, or cannot be trusted any more; the next one has to answer."""


class Worker:
    """One process. ``exchange`` is called by one thread at a time."""

    def __init__(self, settings: Settings, limits: Limits, launch: Launch) -> None:
        self._limits = limits
        self._asked, self._told = Shared.made(), Shared.made()
        self._answers, theirs = os.pipe()
        handles = {"asked": self._asked.handle, "told": self._told.handle, "answers": theirs}
        held = dataclasses.asdict(limits)
        environment = {
            **os.environ,
            **settings.environ(),
            "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait sleep: the pages share these cores
            "PYTHONFAULTHANDLER": "1",
        }
        try:
            self.process = subprocess.Popen(
                [*launch.command, json.dumps({**handles, "limits": held})],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                cwd=PROJECT,
                env=environment,
                pass_fds=tuple(handles.values()),
            )
        finally:
            os.close(theirs)
        assert self.process.stdin is not None
        self._questions = self.process.stdin.fileno()
        os.set_blocking(self._questions, False)
        self._number = 0
        self._ended = False
        self.devices: tuple[Device, ...] = ()
        self.paces: dict[str, float] = {}  # multiply-adds a second, by device, as it tried when it started

    @property
    def alive(self) -> bool:
        return not self._ended and self.process.poll() is None

    def greet(self) -> None:
        """Wait until its libraries are loaded and it has said which devices are here."""
        if self.devices:
            return
        try:
            message = receive(self._answers, time.monotonic() + self._limits.start)
        except (Gone, Silent):
            raise Lost("did not start") from None
        self.paces = message["paces"]
        self.devices = tuple(Device(**told) for told in message["devices"])

    def exchange(
        self, message: Message, arrays: Sequence[np.ndarray], on_sign: Callable[[Message], None] = lambda sign: None
    ) -> tuple[Message, list[np.ndarray]]:
        """The answer to one message, with its arrays. Signs of life on the way give it more time."""
        self._number += 1
        message = {**message, "number": self._number, "arrays": self._asked.put(arrays)}
        try:
            send(self._questions, message, time.monotonic() + self._limits.silence)
            while True:
                told = receive(self._answers, time.monotonic() + self._limits.silence)
                if told["event"] == "poisoned":
                    raise Lost(f"lost its device: {told['reason']}")
                if told["event"] == "told" and told["number"] == self._number:
                    return told, self._told.take(told["arrays"])
                on_sign(told)
        except Gone:
            raise Lost("ended") from None
        except Silent:
            raise Lost("gave no sign of life") from None

    def stop(self) -> None:
        """Nobody waits for the last message's answer any more: it gives up at its next sign of life."""
        with contextlib.suppress(Gone, Silent):
            send(self._questions, {"event": "stop", "number": self._number}, time.monotonic() + _LEAVE)

    def end(self, *, kindly: bool = False) -> None:
        """Kindly: it may end by itself first, which it does when nobody can ask it any more."""
        if self._ended:
            return
        self._ended = True
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(_LEAVE if kindly else 0.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._answers)
        self._asked.close()
        self._told.close()
