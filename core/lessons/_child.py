"""The lessons' own process: ``python -m core.lessons._child``, as the runner's worker but for what it computes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core import registry
from core.configs import from_json
from core.errors import UserFacingError
from core.lessons._contract import PACKAGE, Lesson, packed
from core.lessons._pictures import Chart, flat
from core.runner import Limits
from core.runner._child import main
from core.settings import Settings


class Teaching:
    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._settings = settings

    def told(
        self, message: dict[str, Any], arrays: Sequence[np.ndarray], alive: Callable[..., None]
    ) -> tuple[dict[str, Any], list[np.ndarray]]:
        def progress(done: int, total: int, stage: str, so_far: Chart | None = None) -> None:
            more = {} if so_far is None else {"so_far": flat(so_far)}
            alive(of=message["key"], done=done, total=total, stage=stage, **more)

        try:
            lesson: Lesson = registry.pick(PACKAGE, "LESSON", message["lesson"])
            config = from_json(lesson.Config, message["config"])
            told = (config, message["seed"], self._settings, progress)
            if arrays and lesson.hear is not None:
                outcome, found = packed(lesson.hear(arrays[0], message["rate"], *told))
            else:
                outcome, found = packed(lesson.compute(*told))
        except UserFacingError as error:
            return {"refused": str(error)}, []
        return {"outcome": outcome}, found

    def loaded(self) -> list[dict[str, Any]]:
        return []


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], Teaching))
