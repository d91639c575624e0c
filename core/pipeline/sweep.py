"""Every point of a grid of settings trained for several seeds and folds, and the point that validation chooses.

A training is known by all that decides it: what was done is not done again, neither by the same sweep nor by another
one that shares the point, and what was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from core import registry
from core.contracts import Progress, no_progress
from core.data._splits import folds_of
from core.errors import UserFacingError
from core.pipeline import _plane_point
from core.pipeline._point import Done, Trainer
from core.pipeline._point_given import Given, parted, refuse_odd
from core.pipeline.ready import beginning_of, config_of, dataset_of
from core.pipeline.recorded import machine
from core.pipeline.swept import Point, Row, Swept, Wanted, command_of
from core.settings import Settings
from core.training.plan import Plan, plan_of
from core.training.recipes import pick

_MOST = 1000  # trainings


def sweep(
    wanted: Wanted,
    settings: Settings,
    *,
    device: str = "cpu",
    copy: Path | None = None,
    progress: Progress = no_progress,
) -> Swept:
    """What is missing is trained, one after the other."""
    run = runner(wanted, settings, device, copy)
    rows: list[Row] = []
    counts: Mapping[str, int] = {}
    runs = wanted.runs()
    for number, (point, seed, fold) in enumerate(runs):
        progress(number, len(runs), "train")
        done = run(point, seed, fold)
        counts = {side: max(count, counts.get(side, 0)) for side, count in done.counts.items()}
        rows += [
            Row((*point, *each.more), seed, fold, each.validation, each.test, each.cost, done.mark)
            for each in done.measured
        ]
    progress(len(runs), len(runs), "train")
    return Swept(
        wanted.name,
        wanted.recipe,
        wanted.settings,
        wanted.over,
        wanted.choose,
        tuple(rows),
        outside=wanted.outside,
        data=run.title,
        counts=counts,
        command=command_of(wanted),
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
    )


def runner(wanted: Wanted, settings: Settings, device: str = "cpu", copy: Path | None = None) -> Runner:
    """Refuses what no training could be made of before the first one begins."""
    if not 1 <= len(wanted.runs()) <= _MOST:
        raise UserFacingError(
            f"{len(wanted.runs()):,} trainings were asked for; a sweep takes 1 to {_MOST:,}.", code="setting"
        )
    if wanted.recipe == _plane_point.RECIPE:
        return _InPlane(wanted, settings)
    return _Trainings(wanted, settings, device, copy)


class Runner(Protocol):
    """``title`` is of the data."""

    @property
    def title(self) -> str: ...

    def __call__(self, point: Point, seed: int, fold: int | None) -> Done: ...


class _Trainings:
    """Of a recipe."""

    def __init__(self, wanted: Wanted, settings: Settings, device: str, copy: Path | None) -> None:
        self.recipe, self.wanted = pick(wanted.recipe), wanted
        self.trainer = Trainer(settings, device, copy, wanted.outside)
        first = plan_of(self.recipe, parted((*wanted.settings, *wanted.points()[0]))[0])
        dataset = dataset_of(first, settings, copy)
        self.title, self.folds = dataset.title, folds_of(dataset)
        outside = self.trainer.outside
        if outside is not None and outside.kind != dataset.kind:
            raise UserFacingError(
                f"{outside.title} is of the kind {outside.kind}, and {dataset.title} of the kind {dataset.kind}; name "
                "another set with --outside.",
                code="kind",
            )
        for run in wanted.runs():
            plan, given = self.plan(*run)
            refuse_odd(given, settled=plan.settled, task=dataset.task)
            config_of(plan, registry.pick("core.methods", "METHOD", plan.method), beginning_of(plan, settings))

    def plan(self, point: Point, seed: int, fold: int | None) -> tuple[Plan, Given]:
        told, given = parted((*self.wanted.settings, *point, f"seed={seed}"))
        plan = plan_of(self.recipe, told)
        if fold is None and (plan.division.by != "fold" or plan.division.validation_fold is not None):
            return plan, given
        tested = plan.division.test_fold if fold is None else fold
        folds = (f"division.test_fold={tested}", f"division.validation_fold={self._after(tested)}")
        return plan_of(self.recipe, (*told, "division.by=fold", *folds)), given

    def _after(self, fold: int) -> int:
        """The next fold chooses; after the last comes the first."""
        if fold not in self.folds or len(self.folds) < 3:
            known = ", ".join(map(str, self.folds)) or "none"
            raise UserFacingError(
                f"Fold {fold} of {self.title} was asked for, beside one that chooses and one that trains; its folds: "
                f"{known}.",
                code="no-such-fold",
            )
        return self.folds[(self.folds.index(fold) + 1) % len(self.folds)]

    def __call__(self, point: Point, seed: int, fold: int | None) -> Done:
        return self.trainer.done(*self.plan(point, seed, fold))


class _InPlane:
    """Runs of the toy experiment of Dropsembles."""

    title = "Two moons"

    def __init__(self, wanted: Wanted, settings: Settings) -> None:
        self.wanted, self.settings = wanted, settings
        if wanted.folds or wanted.outside:
            raise UserFacingError(f"{wanted.recipe} makes its own points; leave --folds and --outside out.",
                                  code="setting")  # fmt: skip
        for point in wanted.points():
            _plane_point.settings_of((*wanted.settings, *point))

    def __call__(self, point: Point, seed: int, fold: int | None) -> Done:
        return _plane_point.done((*self.wanted.settings, *point), seed, self.settings)
