"""All models that were judged on the same items in one table: quality, doubt, strangers and cost, with intervals.

Every model is weighed by the same resamples of the items, whole recordings at a time, so that a difference to the
reference model has an interval of its own; figures and intervals are those of ``python -m core evaluate``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from core.contracts import Task
from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.metrics import reweighted, weighed
from core.metrics.figure import Figure
from core.metrics.ranks import spearman
from core.pipeline._sheet_figures import DOUBT, KEYS, OUTSIDE, QUALITY, figures_of, plan_of
from core.pipeline.elsewhere import Elsewhere
from core.pipeline.sheets import Bench, Sheet

__all__ = ["COSTS", "DOUBT", "KEYS", "LOWER", "OUTSIDE", "QUALITY", "Cell", "Row", "Table", "document", "table"]

COSTS = ("params", "stored", "macs", "train_seconds", "peak_memory", "seconds_per_item")
LOWER = frozenset({"nll", "brier", "ece", "aurc", "augrc", "ood_fpr95", *COSTS})  # the less the better
_SEEN = 5e-4  # a smaller difference is none at three decimals
_RAISED = ("ece", "map")  # resampling repeats items, which raises these whatever the model
NO_OUTSIDE = "choose items from elsewhere to tell them apart"
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one model; the difference to the reference model has an interval where both have one."""

    figure: Figure
    interval: Range | None = None
    less: float | None = None  # this one less the reference
    apart: Range | None = None  # interval of that difference

    @property
    def differs(self) -> bool:
        """By more than chance, and by more than half precision moves stored answers."""
        seen = self.less is not None and abs(self.less) >= _SEEN
        return seen and self.apart is not None and not self.apart[0] <= 0 <= self.apart[1]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    name: str
    method: str
    scope: str
    draws: int
    measure: str  # the doubt behind AURC, AUGRC, both AUROCs and strangers
    cells: Mapping[str, Cell]  # of KEYS
    costs: Mapping[str, Figure]  # of COSTS
    hardware: Mapping[str, str]  # of "train_seconds" and "seconds_per_item": where it was measured
    parts: Figure  # rank correlation of aleatoric and epistemic


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    title: str
    data: str
    task: Task
    items: int
    version: str
    reference: str
    outside: str  # title of the items from elsewhere; empty: none
    seed: int
    resamples: int
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def value(self, row: Row, key: str) -> float | None:
        return row.costs[key].value if key in COSTS else row.cells[key].figure.value

    def best(self, key: str) -> frozenset[str]:
        """Every model with the best value of a column; nobody where all have the same."""
        known = {row.name: value for row in self.rows if (value := self.value(row, key)) is not None}
        if not known:
            return frozenset()
        top = min(known.values()) if key in LOWER else max(known.values())
        found = frozenset(
            name for name, value in known.items() if math.isclose(value, top, rel_tol=1e-9, abs_tol=1e-12)
        )
        return frozenset() if len(found) == len(known) else found

    def ordered(self, key: str) -> tuple[Row, ...]:
        """The best first; who has no value comes last, by name."""

        def place(row: Row) -> tuple[bool, float, str]:
            value = self.value(row, key)
            sign = 1.0 if key in LOWER else -1.0
            return (value is None, 0.0 if value is None else sign * value, row.name)

        return tuple(sorted(self.rows, key=place))


def table(
    bench: Bench,
    *,
    reference: str | None = None,
    measure: str | None = None,
    outside: Mapping[str, Elsewhere] | None = None,
    titled: str = "",
    timings: Mapping[str, tuple[float, str]] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Table:
    """``measure`` None: each model's own score, or else its total doubt. ``outside``: by model, of one domain."""
    names = bench.names
    chosen = names[0] if reference is None else reference
    if chosen not in names:
        raise UserFacingError(
            f"{chosen[:60]!r} did not answer these items; refer to one of {', '.join(names[:20])}.",
            code="no-such-model",
        )
    strangers = outside or {}
    drawn = _drawn(bench, measure, strangers, seed, resamples)
    figures = {sheet.name: figures_of(sheet, measure, strangers.get(sheet.name)) for sheet in bench.sheets}
    if not strangers:
        for found in figures.values():
            found |= dict.fromkeys(OUTSIDE, Figure(None, NO_OUTSIDE))
    rows = []
    for sheet in bench.sheets:
        cells = {key: _cell(key, sheet.name, chosen, figures, drawn) for key in KEYS}
        rows.append(_row(sheet, measure, cells, (timings or {}).get(sheet.name)))
    first = bench.sheets[0]
    return Table(
        bench.title, bench.data, first.task, len(first), bench.version, chosen, titled, seed, resamples, tuple(rows)
    )


def _drawn(
    bench: Bench, measure: str | None, outside: Mapping[str, Elsewhere], seed: int, resamples: int
) -> dict[str, dict[str, np.ndarray]]:
    """By model and figure, what each resample gives; all models have the same resamples."""
    plans = {sheet.name: plan_of(sheet, measure, outside.get(sheet.name)) for sheet in bench.sheets}
    parts: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in bench.names}
    for inside, others in _resamples(bench, outside, seed, resamples):
        for name, plan in plans.items():
            for weigh in plan:
                for key, values in weigh(inside, others.get(name)).items():
                    parts[name].setdefault(key, []).append(values)
    return {name: {key: np.concatenate(values) for key, values in found.items()} for name, found in parts.items()}


def _resamples(
    bench: Bench, outside: Mapping[str, Elsewhere], seed: int, resamples: int
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Blocks of weights: of the bench's items, and by model of its strangers. Equal strangers are drawn alike."""
    first = bench.sheets[0]
    drawing = reweighted.weights(len(first), numpy_generator("evaluate", seed), resamples, first.groups)
    others = {}
    for sheet in bench.sheets:
        if (found := outside.get(sheet.name)) is not None:
            rows = found.outside
            generator = numpy_generator("evaluate outside", seed)
            if rows.any():
                others[sheet.name] = reweighted.weights(int(rows.sum()), generator, resamples, found.groups[rows])
    size = weighed.block(len(first))
    while part := list(islice(drawing, size)):
        yield _columns(part), {name: _columns(list(islice(more, len(part)))) for name, more in others.items()}


def _columns(part: Sequence[np.ndarray]) -> np.ndarray:
    """(resamples, items), an item's resamples side by side in memory: items are sorted often."""
    return np.stack(part, axis=1).astype(np.float64).T


def _cell(
    key: str,
    name: str,
    reference: str,
    figures: Mapping[str, Mapping[str, Figure]],
    drawn: Mapping[str, Mapping[str, np.ndarray]],
) -> Cell:
    figure, values = figures[name][key], drawn[name].get(key)
    if figure.value is None or values is None:
        return Cell(figure)
    around = figure.value if key in _RAISED else None
    found = weighed.interval(values, around=around)
    other, theirs = figures[reference][key].value, drawn[reference].get(key)
    if name == reference or other is None or theirs is None:
        return Cell(figure, found)
    less = figure.value - other
    apart = weighed.interval(values - theirs, around=less if key in _RAISED else None)
    return Cell(figure, found, less, apart)


def _row(sheet: Sheet, measure: str | None, cells: Mapping[str, Cell], timing: tuple[float, str] | None) -> Row:
    card, cost = sheet.card, sheet.card.cost
    parts = Figure(None, sheet.reason("epistemic"))
    if "aleatoric" in sheet.doubts and "epistemic" in sheet.doubts:
        parts = spearman(sheet.doubts["aleatoric"], sheet.doubts["epistemic"])
    told = "its card does not say"
    untimed = "not timed on this machine yet: ask it about items from elsewhere"
    costs = {
        "params": Figure(float(card.params)),
        "stored": Figure(float(cost.stored)),
        "macs": Figure(None, told) if card.macs is None else Figure(float(card.macs)),
        "train_seconds": Figure(None, told) if cost.seconds is None else Figure(float(cost.seconds)),
        "peak_memory": Figure(None, told) if cost.peak_memory is None else Figure(float(cost.peak_memory)),
        "seconds_per_item": Figure(None, untimed) if timing is None else Figure(timing[0]),
    }
    hardware = {"train_seconds": cost.hardware} | ({} if timing is None else {"seconds_per_item": timing[1]})
    return Row(card.name, card.method, card.scope, sheet.draws, sheet.measure(measure), cells, costs, hardware, parts)


def document(found: Table) -> dict[str, object]:
    """For programs: null where a figure has no value, and why."""
    return {
        "title": found.title,
        "data": found.data,
        "task": found.task,
        "n": found.items,
        "version": found.version,
        "reference": found.reference,
        "outside": found.outside or None,
        "seed": found.seed,
        "resamples": found.resamples,
        "rows": [_told(row) for row in found.rows],
    }


def _told(row: Row) -> dict[str, object]:
    figures = {key: cell.figure for key, cell in row.cells.items()} | dict(row.costs)
    return {
        "model": row.name,
        "method": row.method,
        "scope": row.scope,
        "draws": row.draws,
        "measure": row.measure,
        **{key: figure.value for key, figure in figures.items()},
        "intervals": {key: list(cell.interval) for key, cell in row.cells.items() if cell.interval},
        "differences": {
            key: {"value": cell.less, "interval": list(cell.apart)} for key, cell in row.cells.items() if cell.apart
        },
        "aleatoric_epistemic": row.parts.value,
        "undefined": {key: figure.reason for key, figure in figures.items() if figure.reason},
    }
