"""What a run in the plane is asked for, what came out of it, and how that is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.configs import to_json
from core.contracts import Uncertainty
from core.errors import UserFacingError
from core.methods._knobs import check, knob
from core.metrics.students import LEVEL, Mean, mean_of
from core.training._plane_moons import Points

FIGURES = ("a.accuracy", "a.nll", "a.ece", "b.accuracy", "b.nll", "b.ece")


@dataclass(frozen=True, slots=True)
class Config:
    points: int = knob(1000, "points of A", least=2, most=100_000)
    given: int = knob(20, "points of B that are learned from", least=2, most=100_000)
    validation: int = knob(200, "further points of B that choose the anchor's strength", least=2, most=100_000)
    test: int = knob(1000, "new points of A, and of B, that are only scored", least=2, most=100_000)
    noise: float = knob(0.1, "standard deviation around the moons", least=0.01, most=2.0)
    degrees: float = knob(45.0, "B is turned by this", least=-180.0, most=180.0)
    shift: tuple[float, float] = (0.25, -0.25)  # and moved by this
    width: int = knob(64, "units of each of three hidden layers", least=1, most=4096)
    rate: float = knob(0.2, "dropout after each", least=0.01, most=0.9)
    steps: int = knob(2000, "steps on A", least=1, most=1_000_000)
    later_steps: int = knob(500, "steps on B", least=1, most=1_000_000)
    batch: int = knob(100, "points in one step", least=1, most=65_536)
    strengths: tuple[float, ...] = (0.0, 1.0, 10.0, 1e2, 1e3, 1e4)  # lambda: those that are tried
    draws: int = knob(30, "of MC dropout", least=2, most=1000)
    side: int = knob(60, "places along a side of the pictures", least=2, most=1000)

    def __post_init__(self) -> None:
        check(self)
        if not self.strengths or min(self.strengths) < 0:
            raise UserFacingError("The setting strengths needs at least one number, each 0 or more.", code="setting")
        if not all(map(math.isfinite, (*self.strengths, *self.shift))):
            raise UserFacingError("The settings strengths and shift take finite numbers only.", code="setting")


@dataclass(frozen=True, slots=True)
class Scores:
    accuracy: float
    nll: float  # nats a point
    ece: float  # 15 bins of equal width, of the likelier moon


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One method after it learned A and then B, judged on new points of both."""

    key: str
    title: str
    strength: float | None  # lambda, where there is one
    a: Scores
    b: Scores
    validation_nll: float  # on further points of B
    first_seconds: float  # of learning A
    later_seconds: float  # of learning B
    draws: int
    probs: np.ndarray  # (side, side) of the lower moon; rows go up with the second coordinate
    doubt: Uncertainty  # (side, side) each

    @property
    def seconds(self) -> float:
        return self.first_seconds + self.later_seconds

    def figure(self, name: str) -> float:
        world, _, measure = name.partition(".")
        return getattr(getattr(self, world), measure)


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """All methods on the worlds of one seed."""

    seed: int
    members: int
    config: Config
    axes: tuple[np.ndarray, np.ndarray]  # of the pictures
    learned: Points  # all of A that was learned
    given: Points  # all of B that was learned
    results: tuple[Result, ...]

    def result(self, key: str) -> Result:
        return next(result for result in self.results if result.key == key)

    @property
    def chosen(self) -> float:
        """The strength (lambda) that the validation points chose."""
        strength = self.result("dropsembles").strength
        assert strength is not None
        return strength


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """The same for several seeds."""

    planes: tuple[Plane, ...]

    def mean(self, key: str, figure: str, less: str | None = None) -> Mean:
        """Of one method, or of its difference to another one seed by seed."""
        values = [plane.result(key).figure(figure) for plane in self.planes]
        if less is not None:
            others = [plane.result(less).figure(figure) for plane in self.planes]
            values = [value - other for value, other in zip(values, others, strict=True)]
        return mean_of(values)


def report(found: Plane | Study) -> dict[str, Any]:
    """JSON: every method's figures as means over the seeds, and what it has less, seed by seed, of three others:
    the network before it saw B, the single network, and Dropsembles without an anchor."""
    whole = _study_of(found)
    first = whole.planes[0]
    return {
        "recipe": "dropsembles-toy",
        "seeds": [plane.seed for plane in whole.planes],
        "members": first.members,
        "level": LEVEL,
        "config": to_json(first.config),
        "bayes_strength": first.config.points / first.config.given,
        "chosen_strengths": [plane.chosen for plane in whole.planes],
        "results": [_row(whole, result) for result in first.results],
    }


def lines(found: Plane | Study) -> tuple[str, ...]:
    """A table for people."""
    whole = _study_of(found)
    first, count = whole.planes[0], len(whole.planes)
    config = first.config
    told = [
        f"{config.points:,} points of two moons (A), then {config.given} in one half of a copy that is turned by "
        f"{config.degrees:g} degrees and moved (B).",
        f"Means over {count} seeds, in brackets half the width of their {LEVEL:.0%} interval."
        if count > 1
        else "One seed; figures of several tell how far chance goes.",
        "",
        f"{'':<26}{'A: accuracy':>15}{'NLL':>15}{'ECE':>15}{'B: accuracy':>15}{'NLL':>15}{'ECE':>15}{'seconds':>9}",
    ]
    for result in first.results:
        cells = "".join(f"{_cell(whole.mean(result.key, figure)):>15}" for figure in FIGURES)
        told.append(f"{result.title:<26}{cells}{_seconds(whole, result.key):>9.1f}")
    strengths = ", ".join(f"{plane.chosen:g}" for plane in whole.planes)
    edge = max(config.strengths) in {plane.chosen for plane in whole.planes}
    told += [
        "",
        "Seconds are those of learning A and then B; Dropsembles' are those of one strength, without the search.",
        f"Chosen strength of the anchor: {strengths}, on {config.validation} further points of B"
        + (" (the largest that was tried: a stronger one might be better)." if edge else "."),
    ]
    return tuple(told)


def _study_of(found: Plane | Study) -> Study:
    return Study((found,)) if isinstance(found, Plane) else found


def _row(whole: Study, result: Result) -> dict[str, Any]:
    def told(less: str | None) -> dict[str, Any]:
        return {name: to_json(whole.mean(result.key, name, less)) for name in FIGURES}

    chosen = result.key == "dropsembles"
    known = {each.key for each in whole.planes[0].results}
    return {
        "key": result.key,
        "title": result.title,
        "strength": None if chosen else result.strength,  # a chosen one may differ from seed to seed
        "draws": result.draws,
        "seconds": _seconds(whole, result.key),
        "later_seconds": _average(whole, lambda plane: plane.result(result.key).later_seconds),
        "figures": told(None),
        "less": {key: told(key) for key in ("before", "single", "dropsembles 0") if key in known},
    }


def _seconds(whole: Study, key: str) -> float:
    return _average(whole, lambda plane: plane.result(key).seconds)


def _average(whole: Study, of: Callable[[Plane], float]) -> float:
    return math.fsum(of(plane) for plane in whole.planes) / len(whole.planes)


def _cell(mean: Mean) -> str:
    return f"{mean.value:.3f}" + (f" [{mean.high - mean.value:.3f}]" if mean.high is not None else "")
