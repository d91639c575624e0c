"""The process that fills shapes in: ``python -m core.pipeline._reconstructing``, as the runner's worker but for what
it computes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from core.configs import from_json
from core.contracts import Progress, no_progress
from core.errors import UserFacingError
from core.pipeline.reconstruct import (
    FAR,
    TITLES,
    Answer,
    Asked,
    Filled,
    asked_of,
    find,
    mark_of,
    packed,
    packed_pictures,
)
from core.runner import Limits
from core.runner._child import main
from core.settings import Settings
from core.shapes import vertebra
from core.shapes.colours import Config as Colours
from core.shapes.fields import Field, ask, doubt_of
from core.shapes.kept import Kept, load
from core.shapes.observe import Observation
from core.shapes.solids import Box, Solid, spacing_of
from core.shapes.surface import admitted_of
from core.training._shape_cases import shown
from core.training._shape_plan import Config
from core.training._shape_results import judged
from core.training.colours import painted

SHOWN = 4  # members that are kept one by one
_LEAST = 0.5  # of an own shape that has to lie in the box


def filled(
    asked: Asked,
    own: Observation | None,
    kept: Kept,
    settings: Settings,
    progress: Progress = no_progress,
) -> Filled:
    """Every method's answer for one shape; pure."""
    plan = from_json(Config, kept.card["study"]["config"])
    config = replace(plan, scan=asked.scan, glimpse=asked.glimpse)
    seen, truth, box = shown(config, asked.number, settings) if own is None else (own, None, _box_of(own))
    shape = box.counts(config.step)
    affine = box.affine(shape)
    solid = None if truth is None else _inside(truth, box, shape)
    grid = seen.on(box, config.shape).astype(np.float32)
    nodes = box.to_unit(box.nodes(shape))
    answers = []
    for number, (key, title) in enumerate(TITLES.items()):
        progress(number, len(TITLES), title)
        answers.append(_answer(key, kept.fields[key], grid, nodes, shape, affine, solid, config))
    return Filled(seen, affine, solid, tuple(answers))


def _answer(
    key: str,
    field: Field,
    grid: np.ndarray,
    nodes: np.ndarray,
    shape: tuple[int, ...],
    affine: np.ndarray,
    truth: np.ndarray | None,
    config: Config,
) -> Answer:
    began = time.perf_counter()
    draws = ask(field, grid, nodes, seed=config.seed)
    mean, doubt = draws.mean(axis=0, dtype=np.float64).reshape(shape), doubt_of(draws)
    seconds = time.perf_counter() - began
    total, epistemic = (np.asarray(part, np.float32).reshape(shape) for part in (doubt.total, doubt.epistemic))
    figures: dict[str, float | None] = {}
    if truth is not None:
        figures = judged(mean, total, truth, spacing_of(affine), config.band)
        figures |= asdict(admitted_of(mean, truth, affine, FAR[config.data]))
    members = draws[:SHOWN].reshape(-1, *shape).astype(np.float16)
    return Answer(key, mean.astype(np.float32), total, epistemic, members, figures, seconds)


def _inside(truth: Solid, box: Box, shape: tuple[int, ...]) -> np.ndarray:
    return (truth.level(box.nodes(shape)) < 0).reshape(shape)


def _box_of(own: Observation) -> Box:
    """Where the networks expect a vertebra, about the middle of what was given."""
    box = vertebra.box_about(own.mass())
    places = np.argwhere(own.labels) @ own.affine[:3, :3].T + own.affine[:3, 3]
    within = float((np.abs(box.to_unit(places)) <= 0.5).all(axis=1).mean())
    if within < _LEAST:
        size = " x ".join(f"{side:g}" for side in box.size)
        raise UserFacingError(
            f"Only {within:.0%} of this shape lies in a box of {size} mm about its middle, where a lumbar vertebra "
            "would be; choose the label of one vertebra, or check the file's affine.",
            code="size",
        )
    return box


class Filling:
    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._settings = settings
        self._kept: dict[str, Kept] = {}

    def told(
        self, message: dict[str, Any], arrays: Sequence[np.ndarray], alive: Callable[..., None]
    ) -> tuple[dict[str, Any], list[np.ndarray]]:
        def progress(done: int, total: int, stage: str) -> None:
            alive(of=message["key"], done=done, total=total, stage=stage)

        try:
            if "colours" in message:
                config = from_json(Colours, message["colours"])
                return packed_pictures(painted(np.array(arrays[0]) / 255.0, config, progress))
            asked, own = asked_of(message, arrays)
            mark = mark_of(asked.data, self._settings)
            if mark not in self._kept:
                self._kept[mark] = load(find(asked.data, self._settings))
            return packed(filled(asked, own, self._kept[mark], self._settings, progress))
        except UserFacingError as error:
            return {"refused": str(error)}, []

    def loaded(self) -> list[dict[str, Any]]:
        return []


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], Filling))
