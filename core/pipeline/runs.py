"""The trainings that were begun here: their settings, their curves, how far each is. Read from files, without torch."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core import jobs
from core.checkpoints.listed import cards
from core.errors import UserFacingError
from core.jobs import Job, JobStatus
from core.settings import Settings
from core.training.run_files import ABOUT, BEGUN, PLAN, THROWN, VALIDATION, measured, read, taken

_PLAIN = "plain-"  # begins the names of fits that several trainings share


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Measurements in their order, a column each; NaN where a line lacks one."""

    columns: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Epochs and values where there is a value."""
        values = self.columns.get(name)
        if values is None:
            return np.zeros(0), np.zeros(0)
        known = np.isfinite(values)
        return self.columns["epoch"][known], values[known]

    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self.columns if name not in ("step", "seconds", "epoch"))


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One training by its name."""

    name: str
    folder: Path
    recipe: str
    plan: Mapping[str, Any]  # as JSON
    about: Mapping[str, Any]  # what is known since its data were read
    began: float  # seconds since 1970
    job: Job | None
    now: JobStatus | None
    has_model: bool  # it is done, and its model is here

    @property
    def state(self) -> str:
        """Of its job where it has one; a training from a terminal is done, or is not."""
        if self.now is not None and not (self.now.over and self.has_model and self.now.state == "refused"):
            return self.now.state
        return "done" if self.has_model else "unfinished"

    @property
    def live(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def thrown(self) -> bool:
        return (self.folder / THROWN).is_file()

    @property
    def epochs(self) -> int:
        return int(self.plan.get("schedule", {}).get("epochs", 0))

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.about.get("classes", ()))


def runs(settings: Settings) -> tuple[Run, ...]:
    """The newest first."""
    own = {path.parent.name for path in settings.models.glob("*/card.json")}
    by_name = _jobs(settings)
    folders = [path.parent for path in settings.runs.glob(f"*/{PLAN}") if not path.parent.name.startswith(_PLAIN)]
    named = {folder.name: folder for folder in folders}
    found = [_run(name, settings, by_name.get(name), own) for name in {**named, **by_name}]
    return tuple(sorted((run for run in found if not _gone(run)), key=lambda run: -run.began))


def _gone(run: Run) -> bool:
    """Is it thrown away and has stopped by now? Whoever looks first forgets it."""
    if run.live or not run.thrown:
        return False
    with contextlib.suppress(UserFacingError):
        discard(run)
    return True


def run_of(name: str, settings: Settings) -> Run | None:
    return next((run for run in runs(settings) if run.name == name), None)


def name_of(words: Sequence[str]) -> str | None:
    """The model that a command trains; None where it trains none."""
    if len(words) < 2 or words[0] != "train" or words[1].startswith("-"):
        return None
    return words[words.index("--name") + 1] if "--name" in words[:-1] else words[1]


def _jobs(settings: Settings) -> dict[str, Job]:
    """The latest job of each name."""
    found: dict[str, Job] = {}
    for job in jobs.list_jobs(settings):  # the newest first
        if (name := name_of(job.words)) is not None:
            found.setdefault(name, job)
    return found


def _run(name: str, settings: Settings, job: Job | None, own: set[str]) -> Run:
    folder = settings.runs / name
    told, about = read(folder / PLAN), read(folder / ABOUT)
    has_model = name in own and not (folder / BEGUN).is_file()
    now = None if job is None else jobs.status(job)
    recipe = str(told.get("recipe") or (job.words[1] if job is not None else ""))
    began = float(told.get("began") or (job.created if job is not None else 0.0))
    return Run(name, folder, recipe, told.get("plan", {}), about, began, job, now, has_model)


def curves(run: Run) -> Curves:
    """What was measured so far."""
    records = [record for record in measured(run.folder) if "epoch" in record]
    names = dict.fromkeys(["step", "seconds", "epoch", *(name for record in records for name in record)])
    return Curves({name: np.array([_number(record.get(name)) for record in records]) for name in names})


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan


def table(run: Run) -> np.ndarray | None:
    """Of the last validation: true classes by answers, or (classes, 3) found, missed and wrongly seen."""
    found = read(run.folder / VALIDATION).get("table")
    classes = len(run.classes)
    try:
        array = np.array(found, np.int64)
    except (TypeError, ValueError):
        return None
    return array if classes and array.ndim == 2 and len(array) == classes else None


def final(run: Run, settings: Settings) -> Mapping[str, float]:
    """The figures of the card: of held-out items."""
    if not run.has_model:
        return {}
    place = cards(settings).get(run.name)
    metrics = read(place).get("metrics", {}) if place is not None else {}
    return {name: one["value"] for name, one in metrics.items() if isinstance(one.get("value"), (int, float))}


def differing(found: Sequence[Run]) -> dict[str, tuple[Any, ...]]:
    """The settings in which some trainings differ, by dotted name, one value each."""
    flat = [_flat(run.plan) for run in found]
    names = dict.fromkeys(name for one in flat for name in one)
    every = {name: tuple(one.get(name) for one in flat) for name in names}
    return {name: values for name, values in every.items() if len(set(map(repr, values))) > 1}


def _flat(plan: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in plan.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        elif name in ("config", "network"):  # settings as they were written
            found |= {f"{name}.{key}": text for key, _, text in (str(one).partition("=") for one in value)}
        else:
            found[prefix + name] = value
    return found


def want(name: str, settings: Settings) -> None:
    """Before a training of this name is started: it is not one that was thrown away."""
    (settings.runs / name / THROWN).unlink(missing_ok=True)


def throw_away(run: Run, *, wait: float) -> None:
    """Stop it and forget it. Where it does not stop within ``wait`` seconds, it is forgotten as soon as it has."""
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / THROWN).touch()
    if run.job is None or not run.live or jobs.cancel(run.job, wait=wait).over:
        discard(replace(run, now=None))


def discard(run: Run) -> None:
    """Forget a training that is not under way: job, checkpoint, measurements. A model that came of it stays."""
    if run.live:
        raise UserFacingError(f"The training {run.name} is under way; cancel it first.", code="running")
    with taken(run.folder):  # one that was begun in a terminal has no job
        if run.job is not None:
            jobs.forget(run.job)
        shutil.rmtree(run.folder, ignore_errors=True)
