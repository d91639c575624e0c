"""Every figure of a sheet on all its items, and how each is weighed by resamples of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from core.metrics import ood, reliability, scoring, selective, weighed
from core.metrics.figure import Figure
from core.metrics.ranks import auroc
from core.pipeline.elsewhere import Elsewhere
from core.pipeline.sheets import Sheet

QUALITY = ("accuracy", "map", "nll", "brier", "ece")  # the same whatever the doubt
DOUBT = ("aurc", "augrc", "error_auroc", "r_at_1", "r_auroc")
OUTSIDE = ("ood_auroc", "ood_fpr95")
KEYS = (*QUALITY, *DOUBT, *OUTSIDE)
NOT_ASKED = "this model was not asked about them yet"
# weights of the items, and of the strangers -> values of each resample, by figure
Weigh = Callable[[np.ndarray, np.ndarray | None], Mapping[str, np.ndarray]]


def figures_of(sheet: Sheet, measure: str | None, outside: Elsewhere | None) -> dict[str, Figure]:
    """Every figure on all items; without a value it says why."""
    name = sheet.measure(measure)
    doubt, absent = sheet.doubts.get(name), Figure(None, sheet.reason(name))
    found: dict[str, Figure] = {key: Figure(None, sheet.reason(key)) for key in KEYS}
    if sheet.errors is not None:
        found["accuracy"] = Figure(float(1.0 - sheet.errors.mean()))
        for key, values in (("nll", sheet.losses), ("brier", sheet.briers)):
            if values is not None:
                found[key] = Figure(float(values.mean()))
        assert sheet.confidence is not None
        assert sheet.correct is not None
        found["ece"] = reliability.ece(sheet.confidence.ravel(), sheet.correct.ravel())
        for key, area in (("aurc", selective.aurc), ("augrc", selective.augrc)):
            found[key] = absent if doubt is None else area(doubt, sheet.errors)
        found["error_auroc"] = absent if doubt is None else auroc(doubt, sheet.errors > 0)
        if sheet.truth is None:
            found["map"] = Figure(None, "items have one label each; accuracy is the figure for them")
        else:
            found["map"] = scoring.mean_average_precision(sheet.probs, sheet.truth).figure
    if sheet.neighbour is None:
        why = "what the nearest item is was not stored"
        found |= {"r_at_1": Figure(None, why), "r_auroc": Figure(None, why)}
    elif not (known := ~np.isnan(sheet.neighbour)).any():
        none = Figure(None, "no item has a neighbour to compare with")
        found |= {"r_at_1": none, "r_auroc": none}
    else:
        right = sheet.neighbour[known]
        found["r_at_1"] = Figure(float(right.mean()))
        found["r_auroc"] = absent if doubt is None else auroc(-doubt[known], right)
    return found | _detected(sheet, name, outside)


def _detected(sheet: Sheet, name: str, outside: Elsewhere | None) -> dict[str, Figure]:
    if outside is None:
        return dict.fromkeys(OUTSIDE, Figure(None, NOT_ASKED))
    both = _both(sheet, name, outside)
    if isinstance(both, str):
        return dict.fromkeys(OUTSIDE, Figure(None, both))
    found = ood.detect(*both)
    return {"ood_auroc": found.auroc, "ood_fpr95": found.fpr95}


def _both(sheet: Sheet, name: str, outside: Elsewhere) -> tuple[np.ndarray, np.ndarray] | str:
    """Doubts of the sheet's items and of the strangers, or why there are none."""
    if name not in sheet.doubts or name not in outside.doubts:
        return sheet.reason(name)
    rows = outside.outside
    if not rows.any():
        return "none of these items lies outside what the model learned"
    return sheet.doubts[name], outside.doubts[name][rows]


def plan_of(sheet: Sheet, measure: str | None, outside: Elsewhere | None) -> tuple[Weigh, ...]:
    """For the figures that have a value."""
    name = sheet.measure(measure)
    doubt = sheet.doubts.get(name)
    both = None if outside is None else _both(sheet, name, outside)
    found = [_answered(sheet, doubt), _retrieved(sheet, doubt)]
    if both is not None and not isinstance(both, str):
        found.append(_told_apart(*both))
    return tuple(one for one in found if one is not None)


def _answered(sheet: Sheet, doubt: np.ndarray | None) -> Weigh | None:
    errors, confidence, correct = sheet.errors, sheet.confidence, sheet.correct
    if errors is None or confidence is None:
        return None
    means = {"accuracy": 1.0 - errors, "nll": sheet.losses, "brier": sheet.briers}
    means = {key: values for key, values in means.items() if values is not None}

    def weigh(weights: np.ndarray, outside: np.ndarray | None) -> dict[str, np.ndarray]:
        found = {key: weighed.means(weights, values) for key, values in means.items()}
        found["ece"] = weighed.ece(weights, confidence, correct)
        if sheet.truth is not None:
            found["map"] = weighed.mean_average_precision(weights, sheet.probs, sheet.truth)
        if doubt is not None:
            areas = weighed.areas(weights, doubt, errors)
            found |= {"aurc": areas.aurc, "augrc": areas.augrc, "error_auroc": areas.error_auroc}
        return found

    return weigh


def _retrieved(sheet: Sheet, doubt: np.ndarray | None) -> Weigh | None:
    if sheet.neighbour is None or not (known := ~np.isnan(sheet.neighbour)).any():
        return None
    right = sheet.neighbour

    def weigh(weights: np.ndarray, outside: np.ndarray | None) -> dict[str, np.ndarray]:
        found = {"r_at_1": weighed.means(weights, right)}
        if doubt is not None:
            some = weights if known.all() else weights[:, known]
            found["r_auroc"] = weighed.auroc(some, -doubt[known], right[known] > 0)
        return found

    return weigh


def _told_apart(inside: np.ndarray, strange: np.ndarray) -> Weigh:
    scores, mark = np.concatenate([inside, strange]), np.repeat([False, True], [len(inside), len(strange)])

    def weigh(weights: np.ndarray, outside: np.ndarray | None) -> dict[str, np.ndarray]:
        assert outside is not None
        both = np.concatenate([weights.T, outside.T]).T
        return {
            "ood_auroc": weighed.auroc(both, scores, mark),
            "ood_fpr95": weighed.fpr_at_tpr(both, scores, mark),
        }

    return weigh
