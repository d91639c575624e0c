"""Where lessons are computed: one process of their own, one question after another, each answer once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from core.configs import to_json
from core.contracts import Progress, no_progress
from core.fingerprint import fingerprint
from core.lessons._contract import Lesson, Outcome, unpacked
from core.runner import Launch, Room
from core.settings import Settings

LAUNCH = Launch((sys.executable, "-m", "core.lessons._child"))
_KEPT = 48  # outcomes: a class with one link computes once


def key_of(lesson: Lesson, config: Any, seed: int) -> str:
    return fingerprint("lesson", lesson.key, to_json(config), seed)


class Classroom(Room[Outcome]):
    def __init__(self, settings: Settings, launch: Launch = LAUNCH) -> None:
        super().__init__(settings, launch, _read, name="lessons", kept=_KEPT)

    def known(self, lesson: Lesson, config: Any, seed: int) -> Outcome | None:
        return self.found(key_of(lesson, config, seed))

    def outcome(
        self,
        lesson: Lesson,
        config: Any,
        seed: int,
        progress: Progress = no_progress,
        on_place: Callable[[int], None] = lambda before: None,
    ) -> Outcome:
        """Computed, or as it was computed before. ``on_place`` is told how many are asked for first."""
        message = {"lesson": lesson.key, "config": to_json(config), "seed": seed}
        return self.answer(key_of(lesson, config, seed), message, progress, on_place)


def _read(told: dict[str, Any], arrays: list[Any]) -> Outcome:
    return unpacked(told["outcome"], arrays)
