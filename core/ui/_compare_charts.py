"""The charts of Compare and the sentences under them: pure, no streamlit."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from core.metrics.reliability import Bins
from core.pipeline.contrasts import Box, Story, Sweep
from core.ui import palette, plot, words
from core.ui._compare_table import Titles
from core.ui._line_names import name_ends
from core.ui.measures import colour_of, label_of, noun_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SWEEP = 340  # pixels: the height of a chart


def reliability(bins: Bins, dark: bool) -> Figure:
    """Accuracy against confidence; the diagonal is what a calibrated model keeps to."""
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    figure = go.Figure(layout=palette.layout(dark, 300))
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": colours.faint, "dash": "dot", "width": 1}, hoverinfo="skip"
    )
    figure.add_bar(
        x=(bins.low + bins.high) / 2,
        y=bins.accuracy,
        width=(bins.high - bins.low) * 0.92,
        marker={"color": colours.signal, "opacity": 0.85},
        customdata=np.stack([bins.confidence, bins.count], axis=1),
        hovertemplate="%{customdata[1]} answers, confidence %{customdata[0]:.0%}: %{y:.0%} right<extra></extra>",
    )
    figure.add_scatter(
        x=bins.confidence,
        y=bins.accuracy,
        mode="markers",
        marker={"color": colours.ink, "size": 6, "symbol": "line-ew-open"},
        hoverinfo="skip",
    )
    figure.update_xaxes(title_text="confidence", range=[0, 1.02], tickformat=".0%", dtick=0.25)
    figure.update_yaxes(title_text="right", range=[0, 1.02], tickformat=".0%", dtick=0.25)
    return figure


def reliability_finding(over: float | None, ece: float | None) -> str:
    if over is None or ece is None:
        return "It was not judged on these items."
    if abs(over) < 0.005:
        return f"On average it claims what it keeps (ECE {ece:.3f})."
    return f"{'Over' if over > 0 else 'Under'}confident by {abs(100 * over):.1f} points on average (ECE {ece:.3f})."


def boxes(found: Sequence[Box], measure: str, score_name: str | None, dark: bool, most: float | None) -> Figure:
    """One box a domain; foreign ones are hatched by their hollow look and named."""
    from plotly import graph_objects as go

    colour = colour_of(measure, dark)
    figure = go.Figure(layout=palette.layout(dark, 110 + 44 * len(found)))
    for box in found:
        figure.add_box(
            y=[_short(box.domain)],
            q1=[box.quarter],
            median=[box.median],
            q3=[box.three],
            lowerfence=[box.low],
            upperfence=[box.high],
            orientation="h",
            line={"color": colour, "width": 1.5},
            fillcolor="rgba(0,0,0,0)" if box.outside else plot.faint(colour),
            hoverinfo="x",
            name=box.domain,
        )
    title = label_of(measure, score_name)
    figure.update_xaxes(title_text=f"{title}{' in nats' if measure in ('total', 'aleatoric', 'epistemic') else ''}")
    if most is not None:
        figure.update_xaxes(range=[-0.02 * most, 1.05 * most])
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    figure.update_layout(margin={"l": 8})
    return figure


def _short(name: str) -> str:
    """In lines of an axis."""
    lines = wrap(html.escape(name), 24)
    return "<br>".join(lines[:2]) + ("…" if len(lines) > 2 else "")


def boxes_finding(found: Sequence[Box], measure: str, score_name: str | None) -> str:
    noun = noun_of(measure, score_name)
    others = [box for box in found if box.auroc is not None]
    if not found:
        return f"This model tells no {noun}."
    if not others:
        ends = f"{words.figure(found[0].quarter)} and {words.figure(found[0].three)}"
        return f"The middle half of {noun} lies between {ends}."
    most = max(others, key=lambda box: box.auroc or 0.0)
    least = min(others, key=lambda box: box.auroc or 0.0)
    said = f"{noun[:1].upper()}{noun[1:]} stands out most for {most.domain} (AUROC {most.auroc:.2f})"
    return said + (f", least for {least.domain} ({least.auroc:.2f})." if len(others) > 1 else ".")


def sweeps(
    found: Mapping[str, Sweep], names: Sequence[str], x_title: str, y_title: str, dark: bool, share: bool
) -> Figure:
    """One line a model, with its interval over sources."""
    lines = []
    for title, sweep in found.items():
        colour, dash = look_of(names.index(title))
        says = "%{y:.0%} at %{x:g}" if share else "%{y:.3g} at %{x:g}"
        lines.append(plot.Curve(sweep.knob, sweep.value, title, colour, dash, sweep.low, sweep.high, says))
    figure = plot.curves_figure(lines, x_title=x_title, y_title=y_title, dark=dark, height=_SWEEP)
    low = min(float(sweep.low.min()) for sweep in found.values())
    high = max(float(sweep.high.max()) for sweep in found.values())
    edge = 0.04 * ((high - low) or 1.0)
    name_ends(figure, lines, (low - edge, high + edge), _SWEEP)
    if share:
        figure.update_yaxes(tickformat=".0%")
    return figure


def look_of(place: int) -> tuple[str, str]:
    """Colour and dash of a model, the same in every chart of the page."""
    colour = plot.CATEGORIES[place % len(plot.CATEGORIES)]
    return colour, ("solid", "dash", "dot", "dashdot")[place % 4]


def sweep_finding(found: Mapping[str, Sweep], what: str) -> str:
    if not found:
        return "None of these models was asked."
    change = {title: float(one.value[-1] - one.value[0]) for title, one in found.items()}
    if what == "accuracy":
        best = max(change, key=lambda title: change[title])
        worst = min(change, key=lambda title: change[title])
        said = f"Accuracy falls least for {best}: {_points(change[best])}"
        return said + (f", most for {worst}: {_points(change[worst])}." if len(change) > 1 else ".")
    rising = [title for title, one in found.items() if (one.rank.value or 0.0) >= 0.9]
    most = max(change, key=lambda title: change[title])
    return (
        f"{len(rising)} of {len(found)} rise{'s' if len(rising) == 1 else ''} steadily with the knob (rank correlation "
        f"of at least 0.9); {most} rises most, by {words.figure(change[most])}."
    )


def _points(change: float) -> str:
    return f"{100 * change:+.0f} points".replace("-", "−")


def stories(found: Sequence[Story], titles: Titles, dark: bool) -> Figure:
    from plotly import graph_objects as go

    known = [one for one in found if one.figure.value is not None]
    known = sorted(known, key=lambda one: -(one.figure.value or 0.0))
    colours = palette.palette(dark)
    figure = go.Figure(layout=palette.layout(dark, 110 + 26 * len(known)))
    values = [one.figure.value or 0.0 for one in known]
    ends = [one.interval or (value, value) for one, value in zip(known, values, strict=True)]
    figure.add_vrect(x0=0.9, x1=1.0, fillcolor=colours.grid, opacity=0.6, line_width=0, layer="below")
    figure.add_scatter(
        x=values,
        y=[titles[one.model] for one in known],
        mode="markers",
        marker={"size": 10, "color": colours.signal},
        error_x={
            "array": [high - value for value, (_, high) in zip(values, ends, strict=True)],
            "arrayminus": [value - low for value, (low, _) in zip(values, ends, strict=True)],
            "thickness": 1.5,
            "width": 0,
        },
        hovertemplate="%{y}: rank correlation %{x:.2f}<extra></extra>",
    )
    low = min([0.0, *(low for low, _ in ends)])
    figure.update_xaxes(title_text="rank correlation of ambiguity and unfamiliarity", range=[low - 0.03, 1.03])
    figure.update_yaxes(automargin=True, showgrid=False, autorange="reversed")
    figure.update_layout(margin={"l": 8})
    return figure


def stories_finding(found: Sequence[Story], titles: Titles) -> str:
    known = {one.model: one.figure.value for one in found if one.figure.value is not None}
    if not known:
        return "None of these models has two kinds of doubt: with one draw there is only one."
    alike = sum(value > 0.9 for value in known.values())
    apart = min(known, key=lambda name: known[name] or 0.0)
    return (
        f"In {alike} of {len(known)} models the two kinds of doubt rank the items alike (above 0.9): they tell one "
        f"story. They differ most in {titles[apart]} ({known[apart]:.2f})."
    )
