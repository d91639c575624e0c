"""The two charts of the landing page and the sentences under them: pure, no streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import THING
from core.metrics import retention
from core.pipeline.atlas import Atlas
from core.ui import palette, plot, words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LOWEST = 0.05  # the smallest share that is drawn
HEIGHT = 340


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Held-out answers of one model in order of their total doubt."""

    ordered: retention.Curve
    best: retention.Curve
    random: retention.Curve

    def accuracy(self, share: float) -> float:
        """Of the ceil(share N) surest."""
        return float(self.ordered.value[int(np.ceil(share * len(self.ordered.value) - 1e-9)) - 1])


def right_of(atlas: Atlas) -> np.ndarray:
    return atlas.predicted == atlas.labels


def kept_of(atlas: Atlas) -> Kept:
    right = right_of(atlas)
    return Kept(retention.retention(atlas.doubts["total"], right), retention.oracle(right), retention.chance(right))


def kept_figure(kept: Kept, dark: bool) -> Figure:
    """Choosier to the right, as on the Retention page."""
    colours = palette.palette(dark)
    looks = (
        (kept.ordered, "by doubt", colours.total, "solid"),
        (kept.random, "random order", "#6B7280" if dark else "#B8BDC6", "dot"),
        (kept.best, "perfect order", colours.ink, "solid"),
    )
    lines = [
        plot.Curve(curve.kept, curve.value, name, colour, dash, says="%{y:.1%} of the surest %{x:.0%}")
        for curve, name, colour, dash in ((_drawn(one), *rest) for one, *rest in looks)
    ]
    figure = plot.curves_figure(
        lines, x_title="share of answers kept", y_title="accuracy of what is kept", dark=dark, height=HEIGHT
    )
    for place, width in enumerate((3, 1.5, 1)):
        figure.update_traces(line_width=width, selector=place)
    figure.update_xaxes(range=[1.0, LOWEST], tickformat=".0%", dtick=0.2, tick0=0)
    lowest = min(float(line.y.min()) for line in lines)
    figure.update_yaxes(tickformat=".0%", range=[max(0.0, lowest - 0.03), 1.015])
    return figure


def _drawn(curve: retention.Curve) -> retention.Curve:
    seen = curve.kept >= LOWEST
    return retention.Curve(curve.kept[seen][::-1], curve.value[seen][::-1])


def kept_finding(kept: Kept, share: float) -> str:
    before, after = kept.accuracy(1.0), kept.accuracy(share)
    verb = "raises" if after > before else "leaves"
    to = f"from {100 * before:.1f} to {100 * after:.1f} %" if after > before else f"at {100 * after:.1f} %"
    return f"Keeping the surest {words.percent(share)} {verb} accuracy {to}."


def map_figure(atlas: Atlas, dark: bool) -> Figure:
    """Where a saved map puts the items; the colour is the place of their doubt among these items."""
    points = atlas.points if atlas.points is not None else np.full((len(atlas.ids), 2), np.nan)
    shown = np.flatnonzero(np.isfinite(points).all(axis=1))
    order = np.argsort(np.argsort(atlas.doubts["total"][shown], kind="stable"), kind="stable")
    ticks = ((5.0, "sure"), (50.0, "middle"), (95.0, "doubtful"))
    colour = plot.Measure(100 * order / max(1, len(shown) - 1), "total doubt", ticks, 0.0, 100.0)
    ids = [atlas.ids[place] for place in shown]
    figure = plot.points_figure(
        plot.Points(points[shown, 0], points[shown, 1], ids, colour, size=6.0), dark=dark, height=HEIGHT
    )
    figure.data[0].update(hovertemplate="%{text}<extra></extra>", text=[_hover(atlas, place) for place in shown])
    figure.update_layout(dragmode=False, margin={"t": 8})
    return figure


def _hover(atlas: Atlas, place: np.intp) -> str:
    said, true = (
        name.replace("_", " ") for name in (atlas.classes[atlas.predicted[place]], atlas.label_names[place] or "?")
    )
    told = "which is right" if atlas.predicted[place] == atlas.labels[place] else f"and it is {true}"
    return f"taken for {said} at {words.percent(float(atlas.confidence[place]))}, {told}"


def map_finding(atlas: Atlas) -> str:
    """Where the errors lie: in the most doubtful fifth, beside their share in the rest."""
    wrong, doubt = ~right_of(atlas), atlas.doubts["total"]
    worst = np.argsort(-doubt, kind="stable")[: round(len(doubt) / 5)]
    return (
        f"{words.count(len(doubt))} {THING[atlas.kind]}s that the model never trained on, near each other where it "
        f"sees them alike: the most doubtful fifth holds "
        f"{words.percent(float(wrong[worst].sum() / max(1, wrong.sum())))} of its errors."
    )
