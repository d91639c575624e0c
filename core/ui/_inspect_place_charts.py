"""Where in a file the doubt sits, what perturbing moves, and where a file falls on a map: pure, no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.ui import figures, palette, plot, words
from core.ui._inspect_charts import NAMES
from core.ui.measures import colour_of
from core.verdict import DOUBTFUL, UNFAMILIAR, spoken

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from core.pipeline.inspect import Inspected
    from core.pipeline.places import Across, Along
    from core.ui.cached import Sound

_LINES = (("total", "solid"), ("aleatoric", "dash"), ("epistemic", "dot"))


def along(told: Along, sound: Sound, classes: tuple[str, ...], dark: bool) -> Figure:
    """Doubt of each window above the spectrogram, on one time axis. The first trace holds one marker a window."""
    from plotly import graph_objects as go
    from plotly.subplots import make_subplots

    colours = palette.palette(dark)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.45, 0.55], vertical_spacing=0.05)
    middles = told.starts + told.seconds / 2
    tops = told.probs.argmax(axis=1)
    says = [
        f"{words.figure(start)} to {words.figure(start + told.seconds)} s: {spoken(classes[top])} "
        f"{words.chance(float(probs[top]))}, {words.figure(float(total))} nats of doubt. Click to play from here."
        for start, top, probs, total in zip(told.starts, tops, told.probs, told.doubts["total"], strict=True)
    ]
    parts = _LINES if np.any(told.doubts["epistemic"] > 1e-9) else _LINES[:1]
    for measure, dash in parts:
        line = {"color": colour_of(measure, dark), "dash": dash, "width": 2}
        mode = "lines+markers" if measure == "total" else "lines"
        figure.add_scatter(
            x=middles, y=told.doubts[measure], mode=mode, line=line, marker={"size": 9}, hovertext=says,
            hovertemplate="%{hovertext}<extra></extra>", name=NAMES[measure], row=1, col=1,
        )  # fmt: skip
    frames = (np.arange(sound.log_mel.shape[1]) + 0.5) * (sound.seconds / sound.log_mel.shape[1])
    top = max(float(sound.log_mel.max()), -60.0)
    heat = go.Heatmap(
        x=frames.astype(np.float32), y=np.arange(len(sound.centres)), z=sound.log_mel.astype(np.float32).round(1),
        zmin=top - 80, zmax=top, colorscale="Cividis", showscale=False, hoverinfo="skip",
    )  # fmt: skip
    figure.add_trace(heat, row=2, col=1)
    figure.update_layout(palette.layout(dark, 420), dragmode=False)
    ends = [(name, float(told.doubts[name][-1])) for name, _ in parts]
    for measure, at in _ends(ends, float(told.doubts["total"].max())):
        figure.add_annotation(
            x=float(middles[-1]), y=at, text=NAMES[measure], showarrow=False, xanchor="left", xshift=10, row=1, col=1,
            font={"color": colours.ink},
        )  # fmt: skip
    figure.update_layout(margin={"r": 96, "t": 12})
    palette.axes(figure, dark)
    figure.update_xaxes(range=[0, sound.seconds])
    figure.update_xaxes(title_text="time in seconds", row=2, col=1)
    figure.update_yaxes(title_text="nats", rangemode="tozero", row=1, col=1)
    marks, texts = figures.mel_ticks(sound.centres)
    figure.update_yaxes(title_text="frequency", tickvals=marks, ticktext=texts, showgrid=False, row=2, col=1)
    return figure


def _ends(ends: list[tuple[str, float]], highest: float) -> list[tuple[str, float]]:
    """Where names stand at the lines' ends, a little apart."""
    gap = max(highest, 1e-6) / 8
    found, low = [], -np.inf
    for name, value in sorted(ends, key=lambda end: end[1]):
        low = max(value, low + gap)
        found.append((name, low))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """One value for each part of a picture."""

    values: np.ndarray  # (rows, columns)
    says: Sequence[Sequence[str]]  # hover, part by part
    title: str  # of the colour bar


def leaning(told: Across) -> Heat:
    """How much less probable the answer is without each part."""
    says = [
        [f"Without this part, {spoken(told.label)} has {words.chance(float(p))}" for p in row] for row in told.without
    ]
    return Heat(100 * (told.p - told.without), says, "points lost")


def bringing(told: Across, measure: str = "total") -> Heat:
    """How much less doubt there is without each part: above 0, the part brings doubt in."""
    change = told.whole[measure] - told.doubts[measure]
    says = [[f"Without this part, {words.figure(float(v))} nats of doubt" for v in row] for row in told.doubts[measure]]
    return Heat(change, says, "nats brought")


def across(told: Across, heat: Heat, picture: str, dark: bool) -> Figure:
    """Values over the picture. ``picture``: a data address of it."""
    from plotly import graph_objects as go

    height, width = float(told.rows[-1]), float(told.columns[-1])
    bar = {"title": {"text": heat.title, "side": "top"}, "thickness": 10, "outlinewidth": 0, "len": 0.9}
    layer = go.Heatmap(
        x=told.columns, y=told.rows, z=heat.values, customdata=heat.says, opacity=0.5, colorscale=plot.ramp(dark),
        hovertemplate="%{customdata}<extra></extra>", colorbar=bar, xgap=1, ygap=1,
    )  # fmt: skip
    figure = go.Figure(layer, palette.layout(dark, 360))
    figure.add_layout_image(
        source=picture, xref="x", yref="y", x=0, y=0, sizex=width, sizey=height, sizing="stretch", layer="below"
    )
    bare = {"showgrid": False, "showticklabels": False, "ticks": "", "showline": False}
    figure.update_xaxes(range=[0, width], constrain="domain", **bare)
    figure.update_yaxes(range=[height, 0], scaleanchor="x", constrain="domain", **bare)
    figure.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8})
    return figure


def moved(before: Inspected, now: Inspected, dark: bool) -> Figure:
    """Each doubt's place among the held-out items: hollow before, filled now."""
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    shown = [name for name in NAMES if name in before.percentiles and name in now.percentiles]
    figure = go.Figure(layout=palette.layout(dark, 330))
    for row, name in enumerate(shown):
        colour, start, end = colour_of(name, dark), before.percentiles[name], now.percentiles[name]
        figure.add_scatter(
            x=[start, end], y=[row, row], mode="lines", line={"color": colour, "width": 4}, hoverinfo="skip"
        )
        for at, found, symbol, when in ((start, before, "circle-open", "before"), (end, now, "circle", "now")):
            figure.add_scatter(
                x=[at], y=[row], mode="markers",
                marker={"color": colour, "size": 14, "symbol": symbol, "line": {"width": 2, "color": colour}},
                hovertemplate=f"{NAMES[name].capitalize()} {when}: above {at:.0f} of 100 held-out items "
                f"({words.figure(float(found.doubts[name]))})<extra></extra>",
            )  # fmt: skip
    for at, text in ((DOUBTFUL, "doubtful"), (UNFAMILIAR, "unlike all")):
        figure.add_vline(x=at, line={"color": colours.faint, "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=at, y=1, yref="paper", text=text, showarrow=False, yanchor="bottom", font={"color": colours.faint},
            xshift=-14 if at == DOUBTFUL else 4,
        )  # fmt: skip
    figure.update_layout(margin={"l": 8, "r": 16, "t": 30, "b": 44})
    figure.update_yaxes(tickvals=list(range(len(shown))), ticktext=[NAMES[name] for name in shown], showgrid=False)
    figure.update_yaxes(range=[len(shown) - 0.5, -0.5], automargin=True)
    figure.update_xaxes(title_text="place among 100 held-out items", range=[-3, 106])
    return figure


def on_map(points: plot.Points, says: Sequence[str], here: np.ndarray, near: np.ndarray, dark: bool) -> Figure:
    """The saved map with this file on it, tied to the neighbours that put it there. ``near`` (k, 2)."""
    colours = palette.palette(dark)
    figure = plot.points_figure(points, dark=dark, height=460)
    figure.data[0].update(text=list(says), hovertemplate="%{text}<extra></extra>")
    ties = np.full((3 * len(near), 2), np.nan)
    ties[0::3], ties[1::3] = here, near
    figure.add_scatter(
        x=ties[:, 0], y=ties[:, 1], mode="lines", line={"color": colours.faint, "width": 0.7}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=[float(here[0])], y=[float(here[1])], mode="markers", hovertemplate="This file<extra></extra>",
        marker={"symbol": "star", "size": 20, "color": colours.refused, "line": {"color": colours.ink, "width": 1.5}},
    )  # fmt: skip
    return figure
