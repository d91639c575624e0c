"""Where lessons are computed: one process of their own, one question after another, each answer once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from core.configs import to_json
from core.contracts import Media, Progress, no_progress
from core.fingerprint import fingerprint
from core.lessons._contract import Heard, Lesson, Outcome, unpacked
from core.lessons._pictures import Chart, raised
from core.runner import Launch, Room
from core.settings import Settings

LAUNCH = Launch((sys.executable, "-m", "core.lessons._child"))
_KEPT = 48  # outcomes: a class with one link computes once


def key_of(lesson: Lesson, config: Any, seed: int) -> str:
    return fingerprint("lesson", lesson.key, to_json(config), seed)


class Classroom(Room[Outcome | Heard]):
    def __init__(self, settings: Settings, launch: Launch = LAUNCH) -> None:
        super().__init__(settings, launch, _read, name="lessons", kept=_KEPT)

    def known(self, lesson: Lesson, config: Any, seed: int) -> Outcome | None:
        found = self.found(key_of(lesson, config, seed))
        return found if isinstance(found, Outcome) else None

    def outcome(
        self,
        lesson: Lesson,
        config: Any,
        seed: int,
        progress: Progress = no_progress,
        on_place: Callable[[int], None] = lambda before: None,
        on_chart: Callable[[Chart], None] = lambda chart: None,
    ) -> Outcome:
        """Computed, or as it was computed before. ``on_place`` is told how many are asked for first; ``on_chart`` is
        shown what grows meanwhile."""

        def on_sign(told: dict[str, Any]) -> None:
            if "so_far" in told:
                on_chart(raised(told["so_far"]))

        key = key_of(lesson, config, seed)
        found = self.answer(key, _asked(lesson, config, seed), progress, on_place, on_sign=on_sign)
        assert isinstance(found, Outcome)
        return found

    def heard(self, sound: Media, lesson: Lesson, config: Any, seed: int, progress: Progress = no_progress) -> Heard:
        """What the lesson makes of a reader's own sound."""
        key = fingerprint("heard", key_of(lesson, config, seed), sound.sha256)
        message = {**_asked(lesson, config, seed), "rate": sound.rate}
        found = self.answer(key, message, progress, arrays=[sound.samples])
        assert isinstance(found, Heard)
        return found


def _asked(lesson: Lesson, config: Any, seed: int) -> dict[str, Any]:
    return {"lesson": lesson.key, "config": to_json(config), "seed": seed}


def _read(told: dict[str, Any], arrays: list[Any]) -> Outcome | Heard:
    return unpacked(told["outcome"], arrays)
