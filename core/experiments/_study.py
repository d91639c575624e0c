"""What every file of core/experiments exports as STUDY: a question, the sweeps behind it, and how they are read.

A study never holds a figure. ``tell`` reads the stored tables, and what it says follows them wherever they go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.metrics.students import Mean
from core.pipeline.swept import CHOOSE, Point, Swept, Wanted, axis_of, command_of, named
from core.settings import Settings

Verdict = Literal["holds", "fails", "open", "measured"]
Meaning = Literal["total", "aleatoric", "epistemic", "predicted", "kept", "refused", "faint"]  # colours


@dataclass(frozen=True, slots=True)
class Sweeping:
    """One table, and how long it takes to make."""

    wanted: Wanted
    minutes: float  # of one CPU core

    @property
    def name(self) -> str:
        return self.wanted.name

    @property
    def command(self) -> str:
        return command_of(self.wanted)


def sweeping(name: str, recipe: str, settings: str, *over: str, minutes: float, choose: str = CHOOSE) -> Sweeping:
    """``settings`` and ``over`` as they are written after --set and --over."""
    axes = tuple(axis_of(text) for text in over)
    return Sweeping(Wanted(name, recipe, axes, tuple(settings.split()), choose=choose), minutes)


@dataclass(frozen=True, slots=True)
class Series:
    """Means with their intervals, over the places of a panel."""

    title: str
    meaning: Meaning
    values: tuple[Mean | None, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """``joined``: the places are numbers in their order, and a line says something."""

    x: str
    y: str
    places: tuple[str, ...]
    series: tuple[Series, ...]
    joined: bool = True
    guess: float | None = None  # what no knowledge at all would give


@dataclass(frozen=True, slots=True)
class Answer:
    sentence: str
    verdict: Verdict
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Study:
    key: str
    title: str
    paper: str
    link: str
    question: str
    claim: str  # what the paper says; empty where it leaves it open
    differs: str  # between the paper's set-up and this one
    sweeps: tuple[Sweeping, ...]
    tell: Callable[[Mapping[str, Swept]], Answer] = field(repr=False)

    @property
    def minutes(self) -> float:
        return sum(one.minutes for one in self.sweeps)


def series(found: Swept, title: str, meaning: Meaning, points: Iterable[Point], key: str) -> Series:
    """A figure of the test items at each of some points."""
    return Series(title, meaning, tuple(found.mean(point, "test", key) for point in points))


def told(mean: Mean | None, digits: int = 3) -> str:
    """0.912 [0.901, 0.923]"""
    if mean is None:
        return "–"
    between = "" if mean.low is None else f" [{mean.low:.{digits}f}, {mean.high:.{digits}f}]"
    return f"{mean.value:.{digits}f}{between}".replace("-", "−")


def signed(mean: Mean | None, digits: int = 3) -> str:
    """+0.012 [−0.003, 0.027]"""
    return told(mean, digits) if mean is None or mean.value < 0 else f"+{told(mean, digits)}"


def side(mean: Mean | None) -> int:
    """-1 or 1 where the whole interval is below or above 0; else 0, which is what chance could have made."""
    if mean is None or mean.low is None or mean.high is None:
        return 0
    return -1 if mean.high < 0 else 1 if mean.low > 0 else 0


def verdict_of(sides: Iterable[int]) -> Verdict:
    """Of differences that a claim wants above 0: it fails where any is below, and holds where all are above."""
    found = tuple(sides)
    if any(one < 0 for one in found):
        return "fails"
    return "holds" if found and all(one > 0 for one in found) else "open"


def tables_of(study: Study, settings: Settings) -> dict[str, Swept]:
    """Those of its tables that are stored whole."""
    known = [(one, named(one.name, settings)) for one in study.sweeps]
    return {one.name: found for one, found in known if found is not None and found.answers(one.wanted)}


def answered(study: Study, settings: Settings) -> Answer | None:
    """None while a table is missing."""
    found = tables_of(study, settings)
    return study.tell(found) if len(found) == len(study.sweeps) else None
