"""What every file of core/experiments exports as STUDY: a question, the commands behind it, and how they are read.

A study never holds a figure. ``tell`` reads what is stored, and what it says follows that wherever it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from core.metrics.students import Mean, mean_of
from core.pipeline import recorded, swept
from core.pipeline.recorded import Recorded
from core.pipeline.swept import CHOOSE, SEEDS, Point, Swept, Wanted, axis_of
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
        return swept.command_of(self.wanted)


def sweeping(
    name: str,
    recipe: str,
    settings: str,
    *over: str,
    minutes: float,
    choose: str = CHOOSE,
    folds: tuple[int, ...] = (),
    outside: str = "",
) -> Sweeping:
    """``settings`` and ``over`` as they are written after --set and --over; folds are tested in place of seeds."""
    axes = tuple(axis_of(text) for text in over)
    seeds = 1 if folds else SEEDS
    return Sweeping(Wanted(name, recipe, axes, tuple(settings.split()), seeds, folds, choose, outside), minutes)


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one command makes under a name: a document that is kept, or a model that it trains."""

    name: str
    words: str  # after "python -m"
    minutes: float  # of one CPU core

    @property
    def command(self) -> str:
        return recorded.command_of(self.words)


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
    stands: str = ""  # on which data, runs, day and machine


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
    tell: Callable[[Mapping[str, Any]], Answer] = field(repr=False)  # tables and documents by their names
    documents: tuple[Spoken, ...] = ()
    models: tuple[Spoken, ...] = ()  # that sweeps or documents need and that do not come with the app

    @property
    def minutes(self) -> float:
        return sum(one.minutes for one in (*self.models, *self.documents, *self.sweeps))

    @property
    def commands(self) -> tuple[str, ...]:
        """In the order in which they can run."""
        return tuple(one.command for one in (*self.models, *self.documents, *self.sweeps))


def series(found: Swept, title: str, meaning: Meaning, points: Iterable[Point], key: str) -> Series:
    """A figure of the test items at each of some points."""
    return Series(title, meaning, tuple(found.mean(point, "test", key) for point in points))


def mean_over(values: Mapping[int, float]) -> Mean | None:
    """Of what a table gives for each seed or fold."""
    return mean_of(list(values.values())) if values else None


def less(one: Mapping[int, float], other: Mapping[int, float]) -> Mean | None:
    """The difference of two tables' figures, seed by seed or fold by fold."""
    return mean_of([one[unit] - other[unit] for unit in one]) if one and other else None


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


def found_of(study: Study, settings: Settings) -> dict[str, Swept | Recorded]:
    """What of it is stored whole, by the command that it names."""
    found: dict[str, Swept | Recorded] = {}
    for one in study.sweeps:
        table = swept.named(one.name, settings)
        if table is not None and table.answers(one.wanted):
            found[one.name] = table
    for each in study.documents:
        kept = recorded.named(each.name, settings)
        if kept is not None and kept.command == each.command:
            found[each.name] = kept
    return found


def answered(study: Study, settings: Settings) -> Answer | None:
    """None while a table or a document is missing."""
    found = found_of(study, settings)
    if len(found) < len(study.sweeps) + len(study.documents):
        return None
    told = {name: one.document if isinstance(one, Recorded) else one for name, one in found.items()}
    return replace(study.tell(told), stands=_stands(found.values()))


def _stands(found: Iterable[Swept | Recorded]) -> str:
    told = []
    for one in found:
        if isinstance(one, Recorded):
            told.append(f"answers kept on {one.date}, {one.machine}")
            continue
        counts = ", ".join(f"{count:,} {side}".replace(",", "\u2009") for side, count in (one.counts or {}).items())
        told.append(f"{one.data} ({counts} items), {one.units}, {one.date}, {one.machine}")
    return "; ".join(dict.fromkeys(told))
