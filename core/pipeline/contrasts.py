"""What models do beside each other, as plain numbers to draw: reliability, doubt by domain, sweeps, trade-offs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.fingerprint import numpy_generator
from core.metrics import reliability, reweighted, weighed
from core.metrics.bootstrap import resampled
from core.metrics.figure import Figure
from core.metrics.ood import detect
from core.metrics.ranks import spearman
from core.metrics.reliability import Bins
from core.pipeline.elsewhere import Elsewhere
from core.pipeline.sheets import Sheet
from core.settings import Settings

BINS = 10
HELD_OUT = "held-out items"
ENDS = (5.0, 95.0)  # percentiles at which a box's whiskers end
_RESAMPLES = 200
Range = tuple[float, float]


def bins_of(sheet: Sheet) -> Bins | None:
    """Of a reliability diagram; None where the model was not judged."""
    if sheet.confidence is None or sheet.correct is None or not len(sheet):
        return None
    return reliability.equal_width(sheet.confidence.ravel(), sheet.correct.ravel(), BINS)


def overconfidence(sheet: Sheet) -> float | None:
    """Mean confidence less accuracy: above 0 the model claims more than it knows."""
    if sheet.confidence is None or sheet.correct is None:
        return None
    return float(sheet.confidence.mean() - sheet.correct.mean())


@dataclass(frozen=True, slots=True)
class Box:
    """One doubt of one model in one domain."""

    domain: str
    outside: bool  # is all of it foreign to the model?
    items: int
    low: float  # whiskers end at ENDS
    quarter: float
    median: float
    three: float
    high: float
    auroc: float | None  # against the held-out items; None for these


def boxes_of(sheet: Sheet, measure: str, domains: Sequence[Elsewhere]) -> tuple[Box, ...]:
    """Held-out items first. A domain whose knob is turned gives one box at each end of it."""
    inside = sheet.doubts.get(measure)
    if inside is None:
        return ()
    found = [_box(HELD_OUT, False, inside, None)]
    for one in domains:
        if measure not in one.doubts:
            continue
        values = one.doubts[measure]
        places = [place for place in np.unique(one.knob) if np.isfinite(place)]
        if not places:
            found.append(_box(one.title, bool(one.outside.all()), values, inside))
        else:
            last = one.knob == places[-1]
            found.append(_box(f"{one.title}, at {places[-1]:g}", False, values[last], inside))
    return tuple(found)


def _box(name: str, outside: bool, values: np.ndarray, inside: np.ndarray | None) -> Box:
    low, quarter, median, three, high = np.percentile(values, (ENDS[0], 25, 50, 75, ENDS[1])).tolist()
    found = None if inside is None else detect(inside, values).auroc.value
    return Box(name, outside, len(values), low, quarter, median, three, high, found)


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """A mean at each place of a knob, with an interval over its lines."""

    knob: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rank: Figure  # rank correlation of the means with the knob


def sweep_of(found: Elsewhere, what: str) -> Sweep | None:
    """``what``: "accuracy", or a measure of doubt. None where the answers have none."""
    values = 1.0 - found.errors if what == "accuracy" else found.doubts.get(what)
    if values is None or np.isnan(values).any() or np.isnan(found.knob).any():
        return None
    places = np.unique(found.knob)
    columns = [np.where(found.knob == place, values, np.nan) for place in places]
    drawn = reweighted.weights(len(found), numpy_generator("sweep", found.domain), _RESAMPLES, found.lines)
    weights = np.stack(list(drawn)).astype(np.float64)
    means = np.array([float(np.nanmean(column)) for column in columns])
    ends = np.stack([np.nanquantile(weighed.means(weights, column), (0.025, 0.975)) for column in columns])
    return Sweep(places, means, ends[:, 0], ends[:, 1], spearman(means, places))


@dataclass(frozen=True, slots=True)
class Story:
    """Do ambiguity and unfamiliarity rank the items alike?"""

    model: str
    figure: Figure
    interval: Range | None


def story_of(sheet: Sheet) -> Story:
    if not {"aleatoric", "epistemic"} <= set(sheet.doubts):
        return Story(sheet.name, Figure(None, sheet.reason("epistemic")), None)
    first, second = sheet.doubts["aleatoric"], sheet.doubts["epistemic"]
    drawn = resampled(len(sheet), numpy_generator("story"), _RESAMPLES, sheet.groups)
    values = [spearman(first[rows], second[rows]).value for rows in drawn]
    known = np.array([np.nan if value is None else value for value in values])
    return Story(sheet.name, spearman(first, second), weighed.interval(known))


def front(cost: Sequence[float], loss: Sequence[float]) -> tuple[int, ...]:
    """Who is beaten by nobody in both, less being better; the cheapest first. Of equal points all stay."""
    points = np.stack([np.asarray(cost, np.float64), np.asarray(loss, np.float64)], axis=1)
    kept = []
    for place, point in enumerate(points):
        better = (points <= point).all(axis=1) & (points < point).any(axis=1)
        if not better.any():
            kept.append(place)
    return tuple(sorted(kept, key=lambda place: (points[place, 0], points[place, 1])))


@dataclass(frozen=True, slots=True)
class Shot:
    """R-AUROC of a head on a set whose classes it never learned, by each of its doubts."""

    data: str
    seed: int
    items: int
    values: Mapping[str, float]


_SHOT = re.compile(r"zero-shot-(?P<data>[a-z0-9]+)-(?P<seed>[0-9]+)\.json")
ZERO_SHOT = (
    "python -m core train zero-shot --set method=loss_prediction --set seed=0 --name zero-shot-0",
    "python -m core evaluate --model zero-shot-0 --data toybox",
)


def zero_shots(settings: Settings) -> tuple[Shot, ...]:
    """Those that were measured and stored; what cannot be read is none."""
    found = []
    for path in sorted((settings.checkpoints / "evaluations").glob("zero-shot-*.json")):
        name = _SHOT.fullmatch(path.name)
        try:
            told = json.loads(path.read_text())["document"]
            values = {key: row["r_auroc"] for key, row in told["measures"].items() if row["r_auroc"] is not None}
            items = int(told["n"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if name is not None and values:
            found.append(Shot(name["data"], int(name["seed"]), items, values))
    return tuple(found)
