"""What every file of core/experiments exports as STUDY: a question, the sweeps behind it, and how they are read.

A study never holds a figure. ``tell`` reads the stored tables, and what it says follows them wherever they go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.metrics.students import Mean
from core.pipeline.swept import Point, Swept, named
from core.settings import Settings

Verdict = Literal["holds", "fails", "open", "measured"]
Meaning = Literal["total", "aleatoric", "epistemic", "predicted", "kept", "refused", "faint"]  # colours


@dataclass(frozen=True, slots=True)
class Sweeping:
    """One table and the command that makes it."""

    name: str
    words: str  # after "python -m core sweep"; the name is added
    minutes: float  # of one CPU core, as measured

    @property
    def command(self) -> str:
        return f"python -m core sweep {self.words} --name {self.name}"


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
    """Those of its tables that are stored."""
    known = {one.name: named(one.name, settings) for one in study.sweeps}
    return {name: found for name, found in known.items() if found is not None}


def answered(study: Study, settings: Settings) -> Answer | None:
    """None while a table is missing or not whole."""
    found = tables_of(study, settings)
    if len(found) < len(study.sweeps) or not all(table.is_whole for table in found.values()):
        return None
    return study.tell(found)
