"""A lesson's pictures as figures: pure, no streamlit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.lessons._pictures import Chart, Field, Lines, Plane, Spectrogram, Table, Wiring
from core.ui import _train_charts, figures, palette, plot
from core.ui._learn_wiring import wiring
from core.ui._line_names import name_ends

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_NAME = 0.08  # of a chart's height
_MARKS = ("circle", "square")  # of the two classes
_CLICKS = 41  # places along each axis that take a click
HEIGHT, _BESIDE = 300, 250  # pixels; of fields beside each other


def figure_of(picture: Chart, dark: bool) -> Figure:
    if isinstance(picture, Lines):
        return lines(picture, dark)
    if isinstance(picture, Wiring):
        return wiring(picture, dark)
    if isinstance(picture, Table):
        figure = _train_charts.table_figure(picture.counts, picture.names, dark)
        return figure.update_traces(text=picture.counts, texttemplate="%{text}")
    return plane(picture, dark) if isinstance(picture, Plane) else spectrogram(picture, dark)


def lines(picture: Lines, dark: bool) -> Figure:
    colours = palette.palette(dark)
    curves = [
        plot.Curve(
            one.x, one.y, one.name, getattr(colours, one.meaning), one.dash, one.low, one.high,
            "%{y:.3g} at %{x:.3g}",
        )
        for one in picture.lines
    ]  # fmt: skip
    figure = plot.curves_figure(curves, x_title=picture.x_title, y_title=picture.y_title, dark=dark, height=HEIGHT)
    top = picture.top or 1.1 * max(float(np.nanmax(one.y)) for one in picture.lines) or 1.0
    low = sum(float(one.y[-1]) - picture.bottom < 0.1 * (top - picture.bottom) for one in picture.lines)
    room = _NAME * max(0, low - 1) * (top - picture.bottom)  # a name below the axis would not be drawn
    name_ends(figure, curves, (picture.bottom - room, top), HEIGHT)
    return figure


def plane(picture: Plane, dark: bool) -> Figure:
    """The fields side by side, each with the points; without fields the points alone."""
    from plotly.subplots import make_subplots

    columns = max(1, len(picture.fields))
    titles = [field.title for field in picture.fields]
    figure = make_subplots(rows=1, cols=columns, horizontal_spacing=0.03, subplot_titles=titles or None)
    figure.update_layout(palette.layout(dark, HEIGHT if columns == 1 else _BESIDE))
    for column in range(1, columns + 1):
        if picture.fields:
            figure.add_trace(_heat(picture, picture.fields[column - 1], dark), row=1, col=column)
        for label in (0, 1):
            figure.add_trace(_points(picture, label, dark, 4 if picture.fields else 7), row=1, col=column)
    bare = {"showgrid": False, "showticklabels": False, "ticks": "", "zeroline": False, "constrain": "domain"}
    figure.update_xaxes(**bare, range=[picture.x[0], picture.x[-1]])
    figure.update_yaxes(**bare, range=[picture.y[0], picture.y[-1]])
    for column in range(1, columns + 1):
        figure.update_yaxes(scaleanchor="x" if column == 1 else f"x{column}", row=1, col=column)
    figure.update_annotations(font={"size": 13, "color": palette.palette(dark).ink})
    figure.update_layout(margin={"l": 8, "r": 8, "t": 28 if titles else 8, "b": 8})
    return figure


def spectrogram(picture: Spectrogram, dark: bool) -> Figure:
    from plotly import graph_objects as go

    frames = picture.levels.shape[1]
    times = ((np.arange(frames) + 0.5) * (picture.seconds / frames)).astype(np.float32)
    top = float(picture.levels.max())
    heat = go.Heatmap(
        x=times, y=np.arange(len(picture.centres)), z=np.round(picture.levels, 1), zmin=top - 70.0, zmax=top,
        colorscale=plot.ramp(dark), showscale=False, hovertemplate="%{z:.0f} dB at %{x:.2f} s<extra></extra>",
    )  # fmt: skip
    figure = go.Figure(heat, palette.layout(dark, HEIGHT))
    places, texts = figures.mel_ticks(picture.centres)
    figure.update_xaxes(title_text="time in seconds", showgrid=False)
    figure.update_yaxes(title_text="pitch", tickvals=places, ticktext=texts, showgrid=False)
    return figure


def clickable(picture: Plane, dark: bool) -> tuple[Figure, int, np.ndarray]:
    """With a fine net of places that nobody sees: which trace answers clicks, and where each of its places is."""
    figure = plane(picture, dark)
    net = 2 * max(1, len(picture.fields)) + len(picture.fields)
    x, y = (np.linspace(axis[0], axis[-1], _CLICKS + 2)[1:-1] for axis in (picture.x, picture.y))
    places = np.stack([part.ravel() for part in np.meshgrid(x, y)], axis=1)
    figure.add_scatter(
        x=places[:, 0].astype(np.float32), y=places[:, 1].astype(np.float32), mode="markers",
        marker={"size": 9, "opacity": 0}, hoverinfo="none",
    )  # fmt: skip
    figure.update_layout(clickmode="event", dragmode=False)
    return figure, net, places


def _heat(picture: Plane, field: Field, dark: bool) -> object:
    """From the page's ground to the colour of what it means."""
    from plotly import graph_objects as go

    colour = getattr(palette.palette(dark), field.meaning)
    ground = plot.faint(colour).rsplit(",", 1)[0] + ",0)"
    return go.Heatmap(
        x=picture.x.astype(np.float32), y=picture.y.astype(np.float32), z=field.z, zmin=0.0, zmax=field.top,
        colorscale=[[0, ground], [1, colour]], showscale=False, zsmooth="best",
        hovertemplate=f"{field.title}: %{{z:.2f}}<extra></extra>",
    )  # fmt: skip


def _points(picture: Plane, label: int, dark: bool, size: int) -> object:
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    where = picture.labels == label
    return go.Scatter(
        x=picture.places[where, 0].astype(np.float32), y=picture.places[where, 1].astype(np.float32), mode="markers",
        marker={"symbol": _MARKS[label], "size": size, "color": colours.ink if label else "rgba(0,0,0,0)",
                "line": {"width": 1, "color": colours.ink}},
        hoverinfo="skip",
    )  # fmt: skip
