"""What came of a study of shapes: a row a method, a figure a shape, and intervals over the shapes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from core.configs import to_json
from core.fingerprint import numpy_generator
from core.metrics import shapes as measures
from core.metrics.bootstrap import bootstrap
from core.metrics.figure import Figure
from core.training._shape_plan import Config

VOXELWISE = ("nll", "brier", "ece", "error_auroc", "sparsification")
FIGURES = ("dice", "iou", "hausdorff", "hd95", *VOXELWISE, *(f"band_{name}" for name in VOXELWISE))
SHOWN = ("dice", "hd95", "band_nll", "band_ece", "band_error_auroc")
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Cost:
    first_seconds: float  # of learning A
    later_seconds: float  # of learning B
    params: int  # that are kept
    macs: int  # to answer one shape at every place of the comparison


@dataclass(frozen=True, slots=True)
class Row:
    """One method on every test shape; None where a figure is not defined for a shape."""

    key: str
    title: str
    strength: float | None  # lambda, where there is one
    figures: dict[str, tuple[float | None, ...]]
    again: tuple[float, ...]  # Dice on whole shapes of A after learning B
    validation_nll: float | None  # of the labels that further shapes of B show
    cost: Cost | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Row:
        figures = {name: tuple(values) for name, values in record["figures"].items()}
        cost = None if record["cost"] is None else Cost(**record["cost"])
        return cls(**{**record, "figures": figures, "again": tuple(record["again"]), "cost": cost})

    def mean(self, name: str) -> float | None:
        known = self.known(name)
        return float(np.mean(known)) if len(known) else None

    def known(self, name: str) -> np.ndarray:
        values = self.again if name == "again" else self.figures[name]
        return np.array([value for value in values if value is not None])

    def interval(self, name: str) -> tuple[float | None, float | None]:
        values = self.known(name)
        found = bootstrap(
            lambda rows: float(values[rows].mean()),
            len(values),
            numpy_generator("shape rows", name),
            resamples=_RESAMPLES,
        )
        return found.low, found.high


@dataclass(frozen=True, slots=True)
class Study:
    config: Config
    rows: tuple[Row, ...]

    def row(self, key: str) -> Row:
        return next(row for row in self.rows if row.key == key)

    def best(self, keys: Iterable[str]) -> Row:
        """By what further damaged shapes show, never by the truth; of equals the least anchored."""
        rows = [self.row(key) for key in keys]
        return min(rows, key=lambda row: (row.validation_nll or math.inf, row.strength or 0.0))

    def kept(self) -> dict[str, str]:
        """The methods that are kept, and their rows: Dropsembles without an anchor, and with the best one."""
        anchored = self.best(row.key for row in self.rows if row.strength and row.key != "dropsembles")
        return {
            "single": "single",
            "mc_dropout": "mc_dropout",
            "free": "dropsembles 0",
            "anchored": anchored.key,
            "ensemble": "ensemble",
        }

    def difference(self, first: str, second: str, name: str) -> tuple[float, float | None, float | None] | None:
        """Mean of the first minus the second on the same shapes, and its interval."""
        pairs = zip(self.row(first).figures[name], self.row(second).figures[name], strict=True)
        values = np.array([a - b for a, b in pairs if a is not None and b is not None])
        if not len(values):
            return None
        found = bootstrap(
            lambda rows: float(values[rows].mean()),
            len(values),
            numpy_generator("shape pairs", name),
            resamples=_RESAMPLES,
        )
        return float(values.mean()), found.low, found.high


def judged(
    probs: np.ndarray, doubt: np.ndarray, truth: np.ndarray, spacing: Sequence[float], band: float
) -> dict[str, float | None]:
    """All figures of one shape, on a grid: mean probability, doubt and truth."""
    found = probs > 0.5
    figures: dict[str, Figure] = {
        "dice": measures.dice(found, truth),
        "iou": measures.iou(found, truth),
        "hausdorff": measures.hausdorff(found, truth, spacing),
        "hd95": measures.hausdorff(found, truth, spacing, 95.0),
    }
    for prefix, where in (("", None), ("band_", measures.band(truth, spacing, band))):
        scores = measures.voxel_scores(probs, truth, doubt, where)
        figures |= {f"{prefix}{name}": getattr(scores, name) for name in VOXELWISE}
    return {name: figures[name].value for name in FIGURES}


def report(study: Study) -> dict[str, Any]:
    rows = []
    for row in study.rows:
        names = [*FIGURES, *(["again"] if row.again else [])]
        rows.append(
            {
                "key": row.key,
                "title": row.title,
                "strength": row.strength,
                "figures": {name: row.mean(name) for name in names},
                "intervals": {name: row.interval(name) for name in names},
                "defined": {name: len(row.known(name)) for name in names},
                "validation_nll": row.validation_nll,
                "cost": None if row.cost is None else to_json(row.cost),
            }
        )
    keys = {row.key for row in study.rows}
    pairs = [("dropsembles", other) for other in ("ensemble", "mc_dropout", "dropsembles 0") if other in keys]
    differences = {
        f"{first} - {second}": {name: study.difference(first, second, name) for name in SHOWN}
        for first, second in pairs
        if first in keys
    }
    return {"config": to_json(study.config), "shapes": study.config.test, "rows": rows, "differences": differences}


def card_of(study: Study, rows: dict[str, str], command: str) -> dict[str, Any]:
    """What is said of fields that are kept: how they were made, what it took, how good they were."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "rows": rows,
        "study": report(study),
    }


def lines(study: Study) -> tuple[str, ...]:
    unit = "mm" if study.config.data == "vertebrae" else "pixels"
    titles = {
        "dice": "Dice",
        "hd95": f"HD95, {unit}",
        "band_nll": "NLL near",
        "band_ece": "ECE near",
        "band_error_auroc": "error AUROC near",
        "again": "Dice on A",
    }
    width = max(len(row.title) for row in study.rows)
    head = "".join(f"  {title:<22}" for title in titles.values())
    found = [f"{study.config.test} damaged shapes, mean [95 %]", f"{'':<{width}}{head}  seconds A + B"]
    for row in study.rows:
        cells = "".join(f"  {_cell(row, name):<22}" for name in titles)
        cost = "" if row.cost is None else f"  {row.cost.first_seconds:.3g} + {row.cost.later_seconds:.3g}"
        found.append(f"{row.title:<{width}}{cells}{cost}")
    return tuple(found)


def _cell(row: Row, name: str) -> str:
    mean = row.mean(name) if name != "again" or row.again else None
    if mean is None:
        return "–"
    low, high = row.interval(name)
    return f"{mean:.3f}" if low is None or high is None else f"{mean:.3f} [{low:.3f}, {high:.3f}]"
