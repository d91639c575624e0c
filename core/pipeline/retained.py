"""What is left when the doubtful are set aside: curves by every doubt, what lies beneath them, and one point of them.

Bands and intervals are percentile bootstraps over recordings. Everything costly is in ``retained``, which depends on
the items and not on the operating point; ``point_of`` reads one place of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.fingerprint import numpy_generator
from core.metrics import ood, reweighted, scoring, selective
from core.metrics.diagnosis import Facts, facts_of
from core.metrics.figure import Figure
from core.metrics.ranks import auroc
from core.metrics.retention import Curve, chance, chance_curve, map_curve, on_grid, oracle, retention
from core.pipeline.judged import Judged

PERCENTS = tuple(range(100, 4, -1))
MAP_PERCENTS = tuple(range(100, 4, -5))
RISK = 0.05
RESAMPLES, FEWER, MANY = 400, 100, 20_000  # fewer of more items, whose bands are narrow
LEVEL = 0.95
MOST_OF_MAP = 2_000  # items for which mean average precision gets a band
_MAP_RESAMPLES = 40
_SLICE_RESAMPLES = 200
_SMALLEST = 2
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One order of the items."""

    measure: str
    curve: Curve  # on a grid of shares, with its band where there is one
    aurc: Figure
    augrc: Figure
    coverage: Figure  # the largest share kept whose answers are wrong at most as often as ``RISK``
    error_auroc: Figure
    stranger_auroc: Figure  # of doubt, strangers being positive
    intervals: Mapping[str, Range]  # of aurc, augrc, coverage


@dataclass(frozen=True, slots=True, eq=False)
class Retained:
    judged: Judged
    lines: Mapping[str, Line]
    random: Curve
    oracle: Curve


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """What one operating point keeps. Equally doubtful items stay together, so ``kept`` may lie above the share."""

    share: float
    threshold: float  # the most doubt that is kept
    mask: np.ndarray  # (items,) kept
    quality: Figure  # of what is kept
    band: Range | None
    everything: Figure  # of all items
    wrong_kept: int
    wrong_refused: int

    @property
    def kept(self) -> int:
        return int(self.mask.sum())

    @property
    def refused(self) -> int:
        return len(self.mask) - self.kept


@dataclass(frozen=True, slots=True)
class Slice:
    """Items of one class or column value at one operating point."""

    name: str
    items: int
    everything: Figure
    kept: int
    quality: Figure
    low: float | None
    high: float | None


def retained(found: Judged, *, resamples: int | None = None, seed: int = 0) -> Retained:
    """Curves and areas by every doubt."""
    resamples = resamples or (RESAMPLES if len(found) <= MANY else FEWER)
    if found.goal == "nothing" or not len(found):
        empty = Curve(np.zeros(0), np.zeros(0), reason=found.sentence)
        return Retained(found, {}, empty, empty)
    lines = {name: _line(found, name, resamples, seed) for name in found.doubts}
    if found.goal != "map":
        return Retained(found, lines, on_grid(chance(found.right), PERCENTS), on_grid(oracle(found.right), PERCENTS))
    probs, truth = _answers(found)
    by_chance = chance_curve(
        len(found),
        lambda rows: scoring.mean_average_precision(probs[rows], truth[rows]),
        numpy_generator("random retention", seed),
        MAP_PERCENTS,
        repeats=10,
    )
    return Retained(found, lines, by_chance, map_curve(scoring.log_losses(probs, truth), probs, truth, MAP_PERCENTS))


def _line(found: Judged, name: str, resamples: int, seed: int) -> Line:
    doubt, errors = found.doubts[name], 1.0 - found.right
    one = reweighted.ordered(doubt, found.right)
    values, areas = [], []
    drawing = reweighted.weights(len(found), numpy_generator("retained", seed), resamples, found.groups)
    for weight in drawing if len(found) >= _SMALLEST else ():
        if not weight.any():
            continue
        values.append(reweighted.values(one, weight, PERCENTS) if found.goal != "map" else [])
        areas.append(reweighted.areas(one, weight, RISK))
    if found.goal == "map":
        curve = _map_line(found, doubt, seed)
    else:
        curve = _banded(on_grid(retention(doubt, found.right), PERCENTS), values)
    return Line(
        name,
        curve,
        selective.aurc(doubt, errors),
        selective.augrc(doubt, errors),
        selective.coverage_at_risk(doubt, errors, RISK),
        auroc(doubt, errors > 0),
        _strangers(found, doubt),
        {key: span for key in ("aurc", "augrc", "coverage") if (span := _span([getattr(a, key) for a in areas]))},
    )


def _map_line(found: Judged, doubt: np.ndarray, seed: int) -> Curve:
    probs, truth = _answers(found)
    whole = map_curve(doubt, probs, truth, MAP_PERCENTS)
    if len(found) > MOST_OF_MAP:
        return whole
    values = []
    for weight in reweighted.weights(len(found), numpy_generator("retained", seed), _MAP_RESAMPLES, found.groups):
        rows = np.repeat(np.arange(len(found)), weight)
        values.append(map_curve(doubt[rows], probs[rows], truth[rows], MAP_PERCENTS).value)
    return _banded(whole, values)


def _banded(curve: Curve, values: Sequence[np.ndarray]) -> Curve:
    if not len(values):
        return curve
    low, high = np.nanquantile(np.stack(values), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Curve(curve.kept, curve.value, low, high, curve.left_out)


def _span(values: Sequence[float]) -> Range | None:
    """Where most resamples have a value."""
    known = [value for value in values if np.isfinite(value)]
    if not known or 2 * len(known) < len(values):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _strangers(found: Judged, doubt: np.ndarray) -> Figure:
    if not found.outside.any():
        return Figure(None, "no items from outside are mixed in")
    return ood.detect(doubt[~found.outside], doubt[found.outside]).auroc


def _answers(found: Judged) -> tuple[np.ndarray, np.ndarray]:
    assert found.probs is not None
    assert found.truth is not None
    return found.probs, found.truth


def kept_mask(doubt: np.ndarray, share: float) -> np.ndarray:
    """The least doubtful share, at least one; whoever is as doubtful as the last of them is kept too."""
    last = min(len(doubt), max(1, int(np.ceil(round(share * len(doubt), 9)))))
    return doubt <= np.partition(doubt, last - 1)[last - 1]


def point_of(curves: Retained, measure: str, share: float) -> Point:
    """What is kept at a share by a measure."""
    found = curves.judged
    doubt = found.doubts[measure]
    mask = kept_mask(doubt, share)
    wrong = found.right < 1
    band = None
    if measure in curves.lines and (line := curves.lines[measure].curve).low is not None and line.high is not None:
        low, high = (float(np.interp(share, line.kept[::-1], side[::-1])) for side in (line.low, line.high))
        band = (low, high)
    return Point(
        share,
        float(doubt[mask].max()),
        mask,
        _quality(found, mask),
        band,
        _quality(found, np.ones(len(found), bool)),
        int((wrong & mask).sum()),
        int((wrong & ~mask).sum()),
    )


def _quality(found: Judged, mask: np.ndarray) -> Figure:
    if found.goal == "nothing":
        return Figure(None, found.sentence)
    if not mask.any():
        return Figure(None, "nothing is kept")
    if found.goal == "map":
        probs, truth = _answers(found)
        return scoring.mean_average_precision(probs[mask], truth[mask]).figure
    return Figure(float(found.right[mask].mean()))


def slices(found: Judged, names: Sequence[str | None], mask: np.ndarray, *, seed: int = 0) -> tuple[Slice, ...]:
    """What an operating point does to each class or column value; ``names`` are the items' of the atlas.

    Intervals resample recordings at the same threshold; a slice whose kept items vanish from most resamples has none.
    """
    own = [
        None if out else names[place] for place, out in zip(found.places.tolist(), found.outside.tolist(), strict=True)
    ]
    kinds = sorted({name for name in own if name is not None})
    if found.goal == "nothing" or not kinds:
        return ()
    code = {name: place for place, name in enumerate(kinds)}
    member = np.zeros((len(own), len(kinds)), np.float32)
    for row, name in enumerate(own):
        if name is not None:
            member[row, code[name]] = 1.0
    inside = member * mask[:, None]
    drawn = np.stack(
        list(reweighted.weights(len(found), numpy_generator("slices", seed), _SLICE_RESAMPLES, found.groups))
    )
    counts = drawn.astype(np.float32) @ inside
    right = drawn.astype(np.float32) @ (inside * found.right.astype(np.float32)[:, None])
    shares = np.where(counts > 0, right / np.maximum(counts, 1), np.nan)
    rows = []
    for name, at in code.items():
        these = member[:, at] > 0
        kept = these & mask
        span = _span(shares[:, at].tolist()) if kept.any() and found.goal != "map" else None
        low, high = span or (None, None)
        rows.append(
            Slice(name, int(these.sum()), _share(found, these), int(kept.sum()), _share(found, kept), low, high)
        )
    return tuple(rows)


def _share(found: Judged, mask: np.ndarray) -> Figure:
    """The mean quality of some items; of several labels an item, the share of its yes-or-noes that are right."""
    return Figure(float(found.right[mask].mean())) if mask.any() else Figure(None, "nothing of it is kept")


def diagnosis_facts(curves: Retained, measure: str, draws: int) -> Facts:
    """For a diagnosis of this doubt on these items."""
    found = curves.judged
    doubts = found.doubts
    plain = found.goal == "accuracy" and measure in doubts
    return replace(
        facts_of(doubts, draws),
        accuracy=float(found.right.mean()) if plain else None,
        accuracy_half_kept=point_of(curves, measure, 0.5).quality.value if plain else None,
        ood_auroc=_strangers(found, doubts[measure]).value if measure in doubts else None,
    )
