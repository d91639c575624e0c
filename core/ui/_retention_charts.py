"""The charts of the Retention page and the sentences under them: pure, no streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.metrics.figure import Figure as Value
from core.metrics.retention import Curve
from core.pipeline.judged import Goal
from core.pipeline.retained import Point, Range, Retained, Slice
from core.ui import palette, plot, words
from core.ui._line_names import name_ends
from core.ui.measures import label_of, style_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LOWEST = 0.05  # the smallest share that is drawn
GOALS: Mapping[Goal, str] = {
    "accuracy": "accuracy",
    "map": "mean average precision",
    "r_at_1": "R@1",
    "nothing": "nothing",
}


def by_measure(curves: Retained, chosen: str, score_name: str | None, dark: bool) -> list[plot.Curve]:
    """Every order of one model, the chosen one first and with its band."""
    names = [chosen, *(name for name in curves.lines if name != chosen)]
    lines = []
    for name in names:
        colour, dash = style_of(name, dark)
        lines.append(_line(curves.lines[name].curve, label_of(name, score_name), colour, dash, band=name == chosen))
    return lines + _bounds(curves, dark)


def by_model(curves: Mapping[str, Retained], chosen: str, dark: bool) -> list[plot.Curve]:
    """The chosen order of several models, each with its band; bounds are those of the first."""
    lines = [
        _line(one.lines[chosen].curve, title, plot.CATEGORIES[place], "solid", band=True)
        for place, (title, one) in enumerate(curves.items())
        if chosen in one.lines
    ]
    return lines + _bounds(next(iter(curves.values())), dark)


def _line(curve: Curve, name: str, colour: str, dash: str, *, band: bool) -> plot.Curve:
    low, high = (curve.low, curve.high) if band else (None, None)
    says = "%{y:.1%} of the surest %{x:.0%}"
    return plot.Curve(curve.kept, curve.value, name, colour, dash, low, high, says)


def _bounds(curves: Retained, dark: bool) -> list[plot.Curve]:
    ink = palette.palette(dark)
    return [
        _line(curves.random, "random order", "#6B7280" if dark else "#B8BDC6", "dot", band=False),
        _line(curves.oracle, "perfect order", ink.ink, "solid", band=False),
    ]


def figure(lines: Sequence[plot.Curve], chosen: int, goal: Goal, dark: bool, height: int = 420) -> Figure:
    """Choosier to the right: there the orders part, and each has its name. ``chosen``: how many lines stand out."""
    drawn = plot.curves_figure(
        lines, x_title="share of answers kept", y_title=f"{GOALS[goal]} of what is kept", dark=dark, height=height
    )
    count = len(lines)
    traces: list[Any] = list(drawn.data)
    for place, trace in enumerate(traces[-count:]):
        trace.line.width = 3 if place < chosen else 1 if place == count - 1 else 1.5
    drawn.update_xaxes(range=[1.0, LOWEST], tickformat=".0%", dtick=0.2, tick0=0)
    known = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
    bands = [line.low[np.isfinite(line.low)] for line in lines if line.low is not None]
    lowest = float(min(known.min(initial=1.0), *(band.min(initial=1.0) for band in bands), 1.0))
    ends = (max(0.0, lowest - 0.03), 1.0 + 0.04 * (1.03 - lowest))
    drawn.update_yaxes(tickformat=".3~%")
    name_ends(drawn, lines, ends, height)
    return drawn


def slices_figure(rows: Sequence[Slice], goal: Goal, dark: bool) -> Figure:
    """One line a class: hollow for all of it, filled for what is kept, with its interval."""
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    drawn = go.Figure(layout=palette.layout(dark, 90 + 26 * len(rows)))
    names = [row.name.replace("_", " ")[:40] for row in rows]
    for name, row in zip(names, rows, strict=True):
        both = [value for value in (row.everything.value, row.quality.value) if value is not None]
        drawn.add_scatter(x=both, y=[name] * len(both), mode="lines", line={"color": colours.grid, "width": 6},
                          hoverinfo="skip")  # fmt: skip
    drawn.add_scatter(
        x=[row.everything.value for row in rows],
        y=names,
        mode="markers",
        marker={"symbol": "circle-open", "size": 11, "color": colours.refused, "line": {"width": 2}},
        customdata=[row.items for row in rows],
        hovertemplate="all %{customdata} of %{y}: %{x:.0%}<extra></extra>",
    )
    spans = [(row.quality.value, row.low, row.high) for row in rows]
    drawn.add_scatter(
        x=[row.quality.value for row in rows],
        y=names,
        mode="markers",
        marker={"symbol": "circle", "size": 11, "color": colours.kept},
        error_x={
            "array": [0 if value is None or high is None else high - value for value, _, high in spans],
            "arrayminus": [0 if value is None or low is None else value - low for value, low, _ in spans],
            "color": colours.kept,
            "thickness": 1,
            "width": 0,
        },
        customdata=[[row.kept, row.items] for row in rows],
        hovertemplate="the %{customdata[0]} kept of %{customdata[1]}, %{y}: %{x:.0%}<extra></extra>",
    )
    seen = [value for span in spans for value in span if value is not None]
    lowest = min([*seen, *(row.everything.value for row in rows if row.everything.value is not None)], default=0.0)
    what = {"map": "share of yes-or-noes right", "r_at_1": "R@1"}.get(goal, "accuracy")
    drawn.update_xaxes(
        title_text=f"{what}: all (hollow), kept (filled)", tickformat=".0%", range=[max(0.0, lowest - 0.05), 1.02]
    )
    drawn.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    drawn.update_layout(margin={"l": 8})
    return drawn


# ---- findings ----


def share(value: Value | float | None) -> str:
    """A measured share with one decimal."""
    number = value.value if isinstance(value, Value) else value
    return "–" if number is None or not np.isfinite(number) else f"{100 * number:.1f} %"


def span(found: Range | None) -> str:
    return "" if found is None else f" [{100 * found[0]:.1f}, {100 * found[1]:.1f}]"


def finding(curves: Retained, point: Point, name: str) -> str:
    """What the operating point does, in one sentence with its bounds."""
    goal = GOALS[curves.judged.goal]
    before, after = point.everything.value, point.quality.value
    if before is None or after is None:
        return curves.judged.sentence
    kept = f"Keeping the surest {words.percent(point.kept / len(point.mask))} by {name}"
    if abs(after - before) < 0.0005:
        moved = f"{kept} leaves {goal} at {share(after)}{span(point.band)}"
    else:
        verb = "raises" if after > before else "lowers"
        moved = f"{kept} {verb} {goal} from {share(before)} to {share(after)}{span(point.band)}"
    best = float(np.interp(point.share, curves.oracle.kept[::-1], curves.oracle.value[::-1]))
    return f"{moved}; a perfect order would reach {share(best)}, a random one stays near {share(before)}."


def model_finding(curves: Mapping[str, Retained], points: Mapping[str, Point]) -> str:
    """Which model is best at the operating point, and whether its band is clear of the next."""
    known = {title: point for title, point in points.items() if point.quality.value is not None}
    if len(known) < 2:
        return "Only one of these models can be drawn here."
    ranked = sorted(known, key=lambda title: -(known[title].quality.value or 0.0))
    first, second = known[ranked[0]], known[ranked[1]]
    goal = GOALS[next(iter(curves.values())).judged.goal]
    clear = first.band and second.band and first.band[0] > second.band[1]
    return (
        f"At {words.percent(first.share)} kept, {ranked[0]} has the best {goal}: {share(first.quality)}"
        f"{span(first.band)} against {share(second.quality)}{span(second.band)} for {ranked[1]}; "
        + ("the bands do not touch." if clear else "the bands overlap.")
    )


def slices_finding(rows: Sequence[Slice]) -> str:
    """Who gains most, and who pays with the smallest share kept."""
    known = [row for row in rows if row.quality.value is not None and row.everything.value is not None]
    if not known:
        return "Nothing is kept of any of these."
    gained = max(known, key=lambda row: (row.quality.value or 0.0) - (row.everything.value or 0.0))
    paid = min(rows, key=lambda row: row.kept / row.items)
    name, poor = (words.plain(row.name.replace("_", " "), 40) for row in (gained, paid))
    return (
        f"{name[:1].upper()}{name[1:]} gains most, from {share(gained.everything)} to {share(gained.quality)}; "
        f"least is kept of {poor}: {paid.kept} of {paid.items}."
    )
