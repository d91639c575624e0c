"""Where lessons are computed: one process of their own, one question after another, each answer once."""

from __future__ import annotations

import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from core.configs import to_json
from core.contracts import Progress, no_progress
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.lessons._contract import Lesson, Outcome, unpacked
from core.runner import Launch, Limits
from core.runner._worker import Lost, Worker
from core.settings import Settings

LAUNCH = Launch((sys.executable, "-m", "core.lessons._child"))
_KEPT = 48  # outcomes: a class with one link computes once
_WAITING = 40  # readers in line
_LOG = logging.getLogger(__name__)


def key_of(lesson: Lesson, config: Any, seed: int) -> str:
    return fingerprint("lesson", lesson.key, to_json(config), seed)


class Classroom:
    """Its process starts with the first question."""

    def __init__(self, settings: Settings, launch: Launch = LAUNCH) -> None:
        self._settings, self._launch = settings, launch
        self._worker: Worker | None = None
        self._turn = threading.Condition()
        self._line: list[object] = []  # the first one is being answered
        self._known: OrderedDict[str, Outcome] = OrderedDict()

    def known(self, lesson: Lesson, config: Any, seed: int) -> Outcome | None:
        with self._turn:
            return self._known.get(key_of(lesson, config, seed))

    def outcome(
        self,
        lesson: Lesson,
        config: Any,
        seed: int,
        progress: Progress = no_progress,
        on_place: Callable[[int], None] = lambda before: None,
    ) -> Outcome:
        """Computed, or as it was computed before. ``on_place`` is told how many are asked for first."""
        key, ticket = key_of(lesson, config, seed), object()
        with self._turn:
            if len(self._line) >= _WAITING:
                raise UserFacingError("Many readers are waiting for lessons; try again in a minute.", code="busy")
            self._line.append(ticket)
        try:
            self._wait(ticket, on_place)
            found = self.known(lesson, config, seed)
            if found is None:
                message = {"event": "compute", "key": key, "lesson": lesson.key, "config": to_json(config)}
                found = self._asked({**message, "seed": seed}, progress)
                with self._turn:
                    self._known[key] = found
                    while len(self._known) > _KEPT:
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

    def _asked(self, message: dict[str, Any], progress: Progress) -> Outcome:
        def sign(told: dict[str, Any]) -> None:
            if told.get("of") == message["key"]:  # not of a reader who has left
                progress(told["done"], told["total"], told["stage"])

        for last in (False, True):
            if self._worker is None or not self._worker.alive:
                self.close()
                self._worker = Worker(self._settings, Limits(threads=1), self._launch)
            try:
                self._worker.greet()
                told, arrays = self._worker.exchange(message, [], sign)
            except Lost as lost:
                self.close()
                if last:
                    raise UserFacingError(
                        f"The lessons' process {lost} twice on this; choose other settings.", code="broke-off"
                    ) from None
            except BaseException:  # the reader has left, or turned a knob
                self._worker.stop()
                raise
            else:
                return _read(told, arrays)
        raise AssertionError("the second try returns or raises")


def _read(told: dict[str, Any], arrays: list[Any]) -> Outcome:
    if "refused" in told:
        raise UserFacingError(told["refused"])
    if "failed" in told:
        _LOG.error("a lesson failed:\n%s", told["failed"])
        raise UserFacingError("This lesson failed on these settings, which is a fault of ours; choose others.")
    return unpacked(told["outcome"], arrays)
