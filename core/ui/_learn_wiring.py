"""Thinned networks as a picture: pure, no streamlit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.lessons._pictures import Wiring
from core.ui import palette, plot

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ROW = 4  # networks that have room beside each other
_HEIGHT = 260  # pixels of a row


def wiring(picture: Wiring, dark: bool) -> Figure:
    """Every layer a column of units: filled where a unit is kept, hollow where it is gone, wires between the kept."""
    from plotly.subplots import make_subplots

    count = len(picture.kept)
    columns = min(_ROW, count)
    rows = -(-count // columns)
    figure = make_subplots(
        rows=rows, cols=columns, subplot_titles=picture.names, horizontal_spacing=0.04, vertical_spacing=0.1
    )
    figure.update_layout(palette.layout(dark, rows * _HEIGHT))
    for number, kept in enumerate(picture.kept):
        for trace in _traces(kept, dark):
            figure.add_trace(trace, row=number // columns + 1, col=number % columns + 1)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, range=[-1.08, 1.08])
    figure.update_annotations(font={"size": 13, "color": palette.palette(dark).ink})
    figure.update_layout(margin={"l": 8, "r": 8, "t": 28, "b": 8})
    return figure


def _traces(kept: np.ndarray, dark: bool) -> tuple[object, ...]:
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    layers, units = kept.shape
    heights = np.linspace(-1.0, 1.0, units)
    x, y = (part.ravel() for part in np.meshgrid(np.arange(layers), heights, indexing="ij"))
    wires = [
        (layer, one, layer + 1, other)
        for layer in range(layers - 1)
        for one in heights[kept[layer]]
        for other in heights[kept[layer + 1]]
    ]
    ends = np.array([(a, b, c, d, np.nan, np.nan) for a, b, c, d in wires], np.float32).reshape(-1, 2)
    there, gone = kept.ravel(), ~kept.ravel()
    thin = {"width": 0.5, "color": plot.faint(colours.ink)}
    lines = go.Scatter(x=ends[:, 0], y=ends[:, 1], mode="lines", line=thin, opacity=0.5, hoverinfo="skip")
    full = go.Scatter(
        x=x[there], y=y[there], mode="markers", marker={"size": 5, "color": colours.kept}, hoverinfo="skip"
    )
    hollow = go.Scatter(
        x=x[gone], y=y[gone], mode="markers", hoverinfo="skip",
        marker={"size": 5, "color": "rgba(0,0,0,0)", "line": {"width": 1, "color": colours.refused}},
    )  # fmt: skip
    return lines, full, hollow
