"""What a sweep found: a row a training, means over them with intervals, and the point that validation chooses.

An interval is Student's, 95 %, for the mean over units. Units are the test folds where there are several, and the
seeds otherwise; runs of one unit are averaged first, because they are judged on the same items. Over seeds it tells how
far trainings differ, and not how far other test items would.

Needs no torch: pages read it too.
"""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.configs import from_json, to_json
from core.errors import UserFacingError
from core.metrics.students import Mean, mean_of
from core.settings import Settings
from core.training.run_files import read, write

Point = tuple[str, ...]  # settings such as "config.members=4"
Side = Literal["validation", "test", "cost"]
SEEDS, CHOOSE = 3, "nll"  # where nothing else is asked for
MORE = ("accuracy", "map", "error_auroc", "r_at_1", "r_auroc", "ood_auroc", "slope")  # is better; of all others less is


@dataclass(frozen=True, slots=True)
class Axis:
    """One field and what it is set to."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One training, judged. A figure that is undefined is not there."""

    point: Point
    seed: int
    fold: int | None
    validation: Mapping[str, float]
    test: Mapping[str, float]
    cost: Mapping[str, float]
    mark: str = ""  # of all that decides the training


@dataclass(frozen=True, slots=True)
class Swept:
    name: str
    recipe: str
    settings: Point  # of every point
    over: tuple[Axis, ...]
    choose: str  # the figure of the validation items that chooses
    rows: tuple[Row, ...]
    outside: str = ""  # the set whose items were asked as strangers; none: the set's own
    data: str = ""
    counts: Mapping[str, int] | None = None  # items of each side, the most of any training
    command: str = ""
    date: str = ""
    machine: str = ""

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(dict.fromkeys(row.point for row in self.rows))

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted({row.seed for row in self.rows}))

    @property
    def folds(self) -> tuple[int, ...]:
        return tuple(sorted({row.fold for row in self.rows if row.fold is not None}))

    @property
    def units(self) -> str:
        """What the intervals are over, in words."""
        many = ("fold", self.folds) if len(self.folds) > 1 else ("seed", self.seeds)
        return f"{len(many[1])} {many[0]}{'' if len(many[1]) == 1 else 's'}"

    def values(self, point: Point, side: Side, key: str) -> dict[int, float]:
        """Of each unit; empty where a run of the point lacks the figure."""
        by_fold = len(self.folds) > 1
        found: dict[int, list[float]] = {}
        for row in self.rows:
            if row.point != point:
                continue
            value = getattr(row, side).get(key)
            if value is None:
                return {}
            found.setdefault(row.fold if by_fold and row.fold is not None else row.seed, []).append(value)
        return {unit: math.fsum(each) / len(each) for unit, each in found.items()}

    def mean(self, point: Point, side: Side, key: str) -> Mean | None:
        values = self.values(point, side, key)
        return mean_of(list(values.values())) if values else None

    def less(self, point: Point, other: Point, side: Side, key: str) -> Mean | None:
        """One point's figure less another's, unit by unit."""
        one, two = self.values(point, side, key), self.values(other, side, key)
        shared = [unit for unit in one if unit in two]
        return mean_of([one[unit] - two[unit] for unit in shared]) if shared else None

    def best(self) -> Point | None:
        """By the validation items alone; None where no point has the figure."""
        told = {point: self.mean(point, "validation", self.choose) for point in self.points}
        return chosen({point: mean.value for point, mean in told.items() if mean is not None}, self.choose)

    def answers(self, wanted: Wanted) -> bool:
        """Is this the whole table of that grid?"""
        same = (self.recipe, self.settings, self.over, self.choose, self.outside)
        there = {(row.point[: len(self.over)], row.seed, row.fold) for row in self.rows}
        asked = (wanted.recipe, wanted.settings, wanted.over, wanted.choose, wanted.outside)
        return same == asked and there == set(wanted.runs())

    def keys(self, side: Side) -> tuple[str, ...]:
        """Figures that some row has, in the order of the rows."""
        return tuple(dict.fromkeys(key for row in self.rows for key in getattr(row, side)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A grid of points, each for every seed and fold. Without folds a plan's own division is used."""

    name: str
    recipe: str
    over: tuple[Axis, ...]
    settings: Point = ()
    seeds: int = SEEDS
    folds: tuple[int, ...] = ()
    choose: str = CHOOSE
    outside: str = ""  # a data-set key

    def points(self) -> tuple[Point, ...]:
        each = [[f"{axis.field}={value}" for value in axis.values] for axis in self.over]
        return tuple(itertools.product(*each))

    def runs(self) -> tuple[tuple[Point, int, int | None], ...]:
        """Seeds outermost: a sweep that is stopped has all points of its first seeds."""
        folds: tuple[int | None, ...] = self.folds or (None,)
        return tuple((point, seed, fold) for seed in range(self.seeds) for fold in folds for point in self.points())


def axis_of(text: str) -> Axis:
    """``field=v1,v2``; where values hold commas themselves, semicolons divide them."""
    field, equals, rest = text.partition("=")
    values = tuple(part.strip() for part in rest.split(";" if ";" in rest else ",") if part.strip())
    if not equals or not field.strip() or not values:
        raise UserFacingError(f"{text[:60]!r} is no choice of values; write field=v1,v2.", code="setting")
    if len(set(values)) < len(values):
        raise UserFacingError(f"{text[:60]!r} names a value twice; name each once.", code="setting")
    return Axis(field.strip(), values)


def words_of(wanted: Wanted) -> list[str]:
    """What follows "python -m core"."""
    words = ["sweep", wanted.recipe]
    for axis in wanted.over:
        apart = ";" if any("," in value for value in axis.values) else ","
        words += ["--over", f"{axis.field}={apart.join(axis.values)}{apart if apart == ';' else ''}"]
    words += [word for setting in wanted.settings for word in ("--set", setting)]
    words += [] if wanted.seeds == SEEDS else ["--seeds", str(wanted.seeds)]
    words += ["--folds", *map(str, wanted.folds)] if wanted.folds else []
    words += [] if wanted.choose == CHOOSE else ["--choose", wanted.choose]
    words += ["--outside", wanted.outside] if wanted.outside else []
    return [*words, "--name", wanted.name]


def command_of(wanted: Wanted) -> str:
    return shlex.join(["python", "-m", "core", *words_of(wanted)])


def chosen(validation: Mapping[Point, float], key: str) -> Point | None:
    """The best by one figure of validation items, the first of equals. What this is not given it cannot look at."""
    sign = -1.0 if more_is_better(key) else 1.0
    return min(validation, key=lambda point: sign * validation[point], default=None)


def more_is_better(key: str) -> bool:
    return key.partition(":")[0].rpartition(".")[2] in MORE


def value_of(point: Point, field: str) -> str | None:
    """What a point sets a field to."""
    return next((each.partition("=")[2] for each in point if each.partition("=")[0] == field), None)


def fields_of(found: Swept) -> tuple[str, ...]:
    """What differs between points."""
    names = dict.fromkeys(part.partition("=")[0] for point in found.points for part in point)
    return tuple(name for name in names if len({value_of(point, name) for point in found.points}) > 1)


# ---- where they lie ----


def places(settings: Settings) -> tuple[Path, Path]:
    """A visitor's own, and those that came with the app."""
    return settings.home / "sweeps", settings.checkpoints / "evaluations" / "sweeps"


def save(found: Swept, settings: Settings, *, shipped: bool = False) -> Path:
    """All of the table or none of it."""
    folder = places(settings)[1 if shipped else 0]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.name}.json"
    write(path, to_json(found))
    return path


def stored(settings: Settings) -> dict[str, Swept]:
    """Every table by its name, a visitor's own before one that came; what cannot be read is none."""
    found: dict[str, Swept] = {}
    for folder in places(settings):
        for path in sorted(folder.glob("*.json")):
            if path.stem not in found and (one := _opened(path)) is not None:
                found[path.stem] = one
    return found


def named(name: str, settings: Settings) -> Swept | None:
    return next((one for folder in places(settings) if (one := _opened(folder / f"{name}.json")) is not None), None)


def _opened(path: Path) -> Swept | None:
    record: dict[str, Any] = read(path)
    try:
        return from_json(Swept, record) if record else None
    except (UserFacingError, TypeError, ValueError):
        return None
