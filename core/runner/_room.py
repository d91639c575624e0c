"""A process of its own for one kind of question: one after another, each answer once."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from core.contracts import Progress, no_progress
from core.errors import UserFacingError
from core.runner._contract import Launch, Limits
from core.runner._worker import Lost, Worker
from core.settings import Settings

T = TypeVar("T")
_WAITING = 40  # people in line
_LOG = logging.getLogger(__name__)


class Room(Generic[T]):
    """Its process starts with the first question. Answers are kept, so that many who ask the same ask once."""

    def __init__(
        self,
        settings: Settings,
        launch: Launch,
        read: Callable[[dict[str, Any], list[np.ndarray]], T],
        *,
        name: str,
        kept: int,
    ) -> None:
        self._settings, self._launch, self._read = settings, launch, read
        self._name, self._kept = name, kept
        self._worker: Worker | None = None
        self._turn = threading.Condition()
        self._line: list[object] = []  # the first one is being answered
        self._known: OrderedDict[str, T] = OrderedDict()

    def found(self, key: str) -> T | None:
        """As it was answered before."""
        with self._turn:
            return self._known.get(key)

    def answer(
        self,
        key: str,
        message: dict[str, Any],
        progress: Progress = no_progress,
        on_place: Callable[[int], None] = lambda before: None,
        arrays: Sequence[np.ndarray] = (),
        on_sign: Callable[[dict[str, Any]], None] = lambda told: None,
    ) -> T:
        """``on_place`` is told how many are answered first, ``on_sign`` every sign of life as it came."""
        ticket = object()

        def sign(told: dict[str, Any]) -> None:
            if told.get("of") == key:  # not of somebody who has left
                progress(told["done"], told["total"], told["stage"])
                on_sign(told)

        with self._turn:
            if len(self._line) >= _WAITING:
                raise UserFacingError(f"Many are waiting for {self._name}; try again in a minute.", code="busy")
            self._line.append(ticket)
        try:
            self._wait(ticket, on_place)
            found = self.found(key)
            if found is None:
                found = self._asked({**message, "event": "compute", "key": key}, sign, arrays)
                with self._turn:
                    self._known[key] = found
                    while len(self._known) > self._kept:
                        self._known.popitem(last=False)
            return found
        finally:
            with self._turn:
                self._line.remove(ticket)
                self._turn.notify_all()

    def close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    def _wait(self, ticket: object, on_place: Callable[[int], None]) -> None:
        told = 0
        while before := self._before(ticket):
            if before != told:
                told = before
                on_place(before)
            with self._turn:
                self._turn.wait(0.5)

    def _before(self, ticket: object) -> int:
        with self._turn:
            return self._line.index(ticket)

    def _asked(
        self, message: dict[str, Any], sign: Callable[[dict[str, Any]], None], arrays: Sequence[np.ndarray]
    ) -> T:
        for last in (False, True):
            if self._worker is None or not self._worker.alive:
                self.close()
                self._worker = Worker(self._settings, Limits(threads=1), self._launch)
            try:
                self._worker.greet()
                told, found = self._worker.exchange(message, arrays, sign)
            except Lost as lost:
                self.close()
                if last:
                    raise UserFacingError(
                        f"The process of the {self._name} {lost} twice on this; choose other settings.",
                        code="broke-off",
                    ) from None
            except BaseException:  # who asked has left, or turned a knob
                self._worker.stop()
                raise
            else:
                return self._told(told, found)
        raise AssertionError("the second try returns or raises")

    def _told(self, told: dict[str, Any], arrays: list[np.ndarray]) -> T:
        if "refused" in told:
            raise UserFacingError(told["refused"])
        if "failed" in told:
            _LOG.error("the process of the %s failed:\n%s", self._name, told["failed"])
            raise UserFacingError(
                f"The process of the {self._name} failed on these settings, which is a fault of ours; choose others."
            )
        return self._read(told, arrays)
