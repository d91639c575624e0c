"""The operating point on a map: what fades, how many stay, and how often those are right. Pure but for its caches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.metrics.retention import Curve
from core.pipeline.atlas import Atlas
from core.pipeline.judged import Judged
from core.pipeline.retained import Point, Retained, point_of
from core.ui import _cached_retention, words

_BANDED = 20_000  # items


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    measure: str
    share: float  # asked for
    threshold: float  # the most doubt that stays
    kept: np.ndarray  # (items,) bool; what was never asked does not stay
    sentence: str


def cut(atlas: Atlas, measure: str, share: float) -> Cut:
    """The same threshold as on Retention and Retrieve: that of the items that can be judged."""
    values = atlas.doubts[measure]
    known = np.isfinite(values)
    curves = _curves(atlas)
    judged = measure in curves.judged.doubts and curves.judged.goal != "nothing" and len(curves.judged) > 0
    if judged and share > 0:
        point = point_of(curves, measure, share)
        threshold = np.inf if share >= 1 else point.threshold
        kept = known & (np.nan_to_num(values, nan=np.inf) <= threshold)
        return Cut(measure, share, threshold, kept, _told(kept, curves.judged, point))
    threshold = float(np.quantile(values[known], share)) if known.any() and share > 0 else -np.inf
    threshold = np.inf if share >= 1 else threshold
    kept = known & (np.nan_to_num(values, nan=np.inf) <= threshold)
    said = f"{_stay(kept)}, and no label says how many of them are right." if kept.any() else f"{_stay(kept)}."
    return Cut(measure, share, threshold, kept, said)


def _curves(atlas: Atlas) -> Retained:
    """Of very many items without bands: they would be narrow, and nobody waits for them to see a map."""
    if len(atlas) <= _BANDED:
        return _cached_retention.curves(atlas)
    nothing = Curve(np.zeros(0), np.zeros(0))
    return Retained(_cached_retention.judgement(atlas), {}, nothing, nothing)


_GOALS = {"accuracy": "right", "r_at_1": "nearest to one of their own label"}


def _stay(kept: np.ndarray) -> str:
    return f"**{words.count(int(kept.sum()))} of {words.count(len(kept))} stay**"


def _told(kept: np.ndarray, found: Judged, point: Point) -> str:
    """Where only some can be judged, because the model learned from the others, these are counted apart."""
    said, these = _stay(kept), "them"
    if len(found) < len(kept):
        said += f", among them {words.count(point.kept)} of the {words.count(len(found))} that can be judged"
        these = "those"
    quality, everything = point.quality.value, point.everything.value
    if quality is None or everything is None:
        return f"{said}."
    if found.goal == "map":
        return f"{said}; mean average precision {words.figure(quality)} against {words.figure(everything)} of all."
    interval = "" if point.band is None else f" [{100 * point.band[0]:.1f}, {100 * point.band[1]:.1f}]"
    return (
        f"{said}; **{100 * quality:.1f} %**{interval} of {these} are {_GOALS[found.goal]}, against "
        f"{100 * everything:.1f} % of all."
    )
