"""What is fitted to a model's answers on calibration items, as facts of its card, and what is read from them later.

Probabilities and thresholds are of the answers as predicted, before any temperature: temperature and thresholds may
come from the same items.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from core.checkpoints.answers import Answers
from core.checkpoints.card import Json
from core.contracts import Predictive, Task
from core.errors import UserFacingError
from core.metrics.arrays import plain
from core.posthoc import conformal, temperature

COVERAGES = tuple(range(50, 100))  # percent
CLASS_COVERAGES = (80, 90, 95)  # where every class has a threshold
_DIGITS = 6


def facts(given: Answers, labels: Any) -> dict[str, Any]:
    """Temperature, conformal thresholds and percentiles. What could not be fitted is null, with a reason."""
    labels = np.asarray(labels)
    found, undefined = _temperature(given, labels)
    sets = _thresholds(given, labels)
    if sets is None:
        undefined["conformal"] = f"{len(given)} calibration items are too few for a coverage of {COVERAGES[0]} %"
    percentiles = {
        name: [_short(value) for value in np.percentile(values, np.arange(101))]
        for name, values in given.doubts.items()
        if np.isfinite(values).all()
    }
    return {
        "items": len(given),
        "temperature": found,
        "conformal": sets,
        "percentiles": percentiles,
        "undefined": undefined,
    }


def conformal_of(posthoc: Json, coverage: float, task: Task) -> conformal.Conformal | None:
    """The fitted thresholds of the smallest stored coverage that is at least as large; None: there is none."""
    told = posthoc.get("conformal")
    percents = [] if told is None else [p for p in told["coverages"] if p >= 100 * coverage - 1e-9]
    if told is None or not percents:
        return None
    found = told["thresholds"][told["coverages"].index(min(percents))]
    thresholds = tuple(math.inf if value is None else float(value) for value in found)
    counts = tuple(int(count) for count in told["counts"])
    return conformal.Conformal(min(percents) / 100, told["score"], task, told["per_class"], thresholds, counts)


def percentile(posthoc: Json, measure: str, values: Any) -> np.ndarray | None:
    """Where doubts lie among those of the calibration items, 0 to 100; equal doubts get the middle of their places."""
    table = posthoc.get("percentiles", {}).get(measure)
    if table is None:
        return None
    places, values = np.array(table, np.float64), np.asarray(values, np.float64)
    left, right = (np.searchsorted(places, values, side=side) for side in ("left", "right"))
    tied = (left + right - 1) / 2
    return np.where(right > left, tied, np.interp(values, places, np.arange(101.0)))


def _temperature(given: Answers, labels: np.ndarray) -> tuple[dict[str, Any] | None, dict[str, str]]:
    import torch

    answer = Predictive(torch.from_numpy(given.probs)[None], given.task)
    if given.draws > 1:
        if given.kept is None:
            return None, {"temperature": "it acts on every draw, and they were not kept"}
        answer, labels = given.kept.answer, labels[given.kept.rows]
    try:
        found = temperature.fit(answer, labels)
    except UserFacingError as error:
        return None, {"temperature": str(error)}
    return {
        "value": found.value,
        "nll_before": found.nll_before,
        "nll_after": found.nll_after,
        "items": found.items,
        "at_edge": found.at_edge,
    }, {}


def _thresholds(given: Answers, labels: np.ndarray) -> dict[str, Any] | None:
    """For each coverage what split conformal prediction asks for; coverages that need more items are left out."""
    answer = plain(given.probs[None], given.task)
    fitted = []
    for percent in COVERAGES if given.task == "multiclass" else CLASS_COVERAGES:
        try:
            fitted.append((percent, conformal.fit(answer, labels, coverage=percent / 100)))
        except UserFacingError:
            break
    if not fitted:
        return None
    first = fitted[0][1]
    return {
        "score": first.score,
        "per_class": first.per_class,
        "coverages": [percent for percent, _ in fitted],
        "thresholds": [[None if math.isinf(t) else float(t) for t in found.thresholds] for _, found in fitted],
        "counts": list(first.counts),
    }


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
