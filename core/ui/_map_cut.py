"""The operating point on a map: what fades, how many stay, and how often those are right. Pure but for its caches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.pipeline.atlas import Atlas
from core.pipeline.retained import point_of
from core.ui import _cached_retention, words


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
    curves = _cached_retention.curves(atlas)
    judged = measure in curves.judged.doubts and curves.judged.goal != "nothing" and len(curves.judged) > 0
    if judged and share > 0:
        point = point_of(curves, measure, share)
        threshold = np.inf if share >= 1 else point.threshold
        kept = known & (np.nan_to_num(values, nan=np.inf) <= threshold)
        quality, everything = point.quality.value, point.everything.value
        said = _told(atlas, kept, quality, everything, point.band, curves.judged.goal)
        return Cut(measure, share, threshold, kept, said)
    threshold = float(np.quantile(values[known], share)) if known.any() and share > 0 else -np.inf
    threshold = np.inf if share >= 1 else threshold
    kept = known & (np.nan_to_num(values, nan=np.inf) <= threshold)
    return Cut(measure, share, threshold, kept, _told(atlas, kept, None, None, None, "nothing"))


_GOALS = {"accuracy": "are right", "map": "mean average precision", "r_at_1": "have a like item nearest"}


def _told(
    atlas: Atlas,
    kept: np.ndarray,
    quality: float | None,
    everything: float | None,
    band: tuple[float, float] | None,
    goal: str,
) -> str:
    said = f"**{words.count(int(kept.sum()))} of {words.count(len(atlas))} stay**"
    if quality is None or everything is None:
        return said + (", and no label says how many of them are right." if kept.any() else ".")
    interval = "" if band is None else f" [{100 * band[0]:.1f}, {100 * band[1]:.1f}]"
    if goal == "map":
        return f"{said}; {_GOALS[goal]} {words.figure(quality)} against {words.figure(everything)} of all."
    figure = f"{100 * quality:.1f} %"
    return f"{said}; **{figure}**{interval} of them {_GOALS[goal]}, against {100 * everything:.1f} % of all."
