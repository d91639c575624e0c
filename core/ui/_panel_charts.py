"""Means with their intervals at a few places, as a chart and as words: no streamlit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.experiments._study import Panel
from core.metrics.students import Mean
from core.ui import palette, words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "diamond", "square", "triangle-up")
_APART = 0.12  # of a place, so that intervals do not hide each other
HEIGHT = 320


def drawn(panel: Panel, dark: bool) -> Figure:
    """Each line by colour, dash and sign; its name at its end, or in a legend where nothing joins the places."""
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    figure = go.Figure(layout=palette.layout(dark, HEIGHT))
    beside = [
        [n for n, line in enumerate(panel.series) if line.values[place] is not None]
        for place in range(len(panel.places))
    ]
    for number, line in enumerate(panel.series):
        here = [(place, mean) for place, mean in enumerate(line.values) if mean is not None]
        colour = getattr(colours, line.meaning)
        figure.add_scatter(
            x=[_x(place, beside[place].index(number), len(beside[place])) for place, _ in here],
            y=[mean.value for _, mean in here],
            error_y=whiskers([mean for _, mean in here]),
            mode="lines+markers" if panel.joined else "markers",
            line={"color": colour, "dash": _DASHES[number % len(_DASHES)], "width": 2},
            marker={"color": colour, "symbol": _SYMBOLS[number % len(_SYMBOLS)], "size": 10},
            name=line.title,
            customdata=[panel.places[place] for place, _ in here],
            hovertemplate=f"{line.title}: %{{y:.3g}} at %{{customdata}}<extra></extra>",
        )
    if panel.guess is not None:
        figure.add_hline(y=panel.guess, line={"dash": "dot", "width": 1, "color": colours.faint},
                         annotation_text="a guess", annotation_position="bottom right")  # fmt: skip
    if len(panel.series) > 1:
        figure.update_layout(showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"}, margin_t=40)
    last = len(panel.places) - 1
    figure.update_xaxes(title_text=panel.x, tickvals=list(range(last + 1)), ticktext=list(panel.places),
                        range=[-0.4, last + 0.4], showgrid=False, automargin=True)  # fmt: skip
    figure.update_yaxes(title_text=panel.y)
    return figure


def _x(place: int, number: int, count: int) -> float:
    """Those of one place stand side by side around it."""
    return place + _APART * (number - (count - 1) / 2)


def whiskers(means: list[Mean]) -> dict[str, object]:
    """Intervals as Plotly draws them."""
    up = [0.0 if mean.high is None else max(0.0, mean.high - mean.value) for mean in means]  # rounding goes below 0
    down = [0.0 if mean.low is None else max(0.0, mean.value - mean.low) for mean in means]
    return {"type": "data", "array": up, "arrayminus": down, "thickness": 1.2, "width": 4}


def finding(panel: Panel) -> str:
    """Where the figure is lowest and where it is highest."""
    known = [
        (mean, line.title, place)
        for line in panel.series
        for place, mean in zip(panel.places, line.values, strict=True)
        if mean is not None
    ]
    if not known:
        return "Nothing is known of this figure."
    low, high = (end(known, key=lambda one: one[0].value) for end in (min, max))
    ends = [f"{words.figure(mean.value)} ({title}, {place})" for mean, title, place in (low, high)]
    return f"{panel.y[0].upper()}{panel.y[1:]} goes from {ends[0]} to {ends[1]}."
