"""The two charts of the pages that answer a person: the map's points, and curves with a draggable operating point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.ui import palette
from core.ui._plot_component import Handle, Outline, Seen, Told, show, stamp_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = [
    "Classes",
    "Curve",
    "Handle",
    "Measure",
    "Outline",
    "Picked",
    "Points",
    "Seen",
    "Told",
    "curve",
    "points_figure",
    "scatter",
    "show",
    "stamp_of",
]
CATEGORIES = (  # ten that people with the common colour-vision deficiencies tell apart in this order
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#8C6D31",
    "#7A4FA3",
    "#9AA1AC",
    "#C8B400",
)
_LINE = 16  # pixels between two labels at line ends


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """Colour by a number. ``ticks``: (value, text) pairs, percentiles of the model's validation set where known."""

    values: np.ndarray
    title: str
    ticks: tuple[tuple[float, str], ...] = ()
    low: float | None = None
    high: float | None = None
    raw: np.ndarray | None = None  # what a hover tells instead, as %{customdata}
    says: str = "%{marker.color:.3g}"  # Plotly's template of the hover


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """Colour by a class. At most ten names; group the rest before."""

    codes: np.ndarray
    names: tuple[str, ...]
    title: str = ""
    colours: tuple[str, ...] = CATEGORIES

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= len(self.colours):
            raise ValueError(f"{len(self.names)} classes do not fit {len(self.colours)} colours: group them")


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    x: np.ndarray
    y: np.ndarray
    ids: Sequence[str]  # stay on the server
    colour: Measure | Classes
    size: np.ndarray | float = 5.0  # pixels across
    opacity: np.ndarray | float = 0.85

    def __post_init__(self) -> None:
        colours = self.colour.values if isinstance(self.colour, Measure) else self.colour.codes
        if not len(self.x) == len(self.y) == len(self.ids) == len(colours):
            raise ValueError("a point has one x, one y, one id and one colour")


@dataclass(frozen=True, slots=True)
class Picked:
    """What a person picked on a map, by id."""

    seen: Seen
    clicked: str | None = None
    hovered: str | None = None

    @property
    def outlines(self) -> tuple[Outline, ...]:
        return self.seen.outlines

    def held(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self.seen.held(x, y)


def scatter(
    points: Points,
    key: str,
    *,
    alt: str,
    dark: bool,
    height: int = 560,
    hover: bool = False,
    told: Told | None = None,
    name: str = "map",
) -> Picked:
    """A map of points; lasso and zoom stay while colour, size and opacity change."""
    figure = points_figure(points, dark=dark, height=height)
    seen = show(figure, key, alt=alt, select=True, hover=hover, told=told, name=name)
    return Picked(
        seen,
        clicked=None if seen.clicked is None else points.ids[seen.clicked[1]],
        hovered=None if seen.hovered is None else points.ids[seen.hovered[1]],
    )


def points_figure(points: Points, *, dark: bool, height: int = 560) -> Figure:
    from plotly import graph_objects as go

    marker = _measured(points.colour, dark) if isinstance(points.colour, Measure) else _classed(points.colour)
    marker |= {"size": _narrow(points.size), "opacity": _narrow(points.opacity)}
    trace = go.Scattergl(x=_narrow(points.x), y=_narrow(points.y), mode="markers", marker=marker)
    trace.unselected = {"marker": {"opacity": 0.12}}
    if isinstance(points.colour, Classes):
        trace.hoverinfo = "none"
    else:
        trace.hovertemplate = f"{points.colour.says}<extra></extra>"
        trace.customdata = None if points.colour.raw is None else _narrow(points.colour.raw)
    figure = go.Figure(trace, palette.layout(dark, height))
    figure.update_layout(margin={"l": 8, "r": 8, "t": 36, "b": 8}, hovermode="closest", dragmode=None)
    bare = {"showgrid": False, "showticklabels": False, "ticks": "", "showline": False}
    figure.update_xaxes(**bare)
    figure.update_yaxes(**bare, scaleanchor="x")
    return figure


def _narrow(values: np.ndarray | float) -> np.ndarray | float:
    """Half the bytes of a message; a chart has fewer than 2**24 pixels a side."""
    return values if isinstance(values, float | int) else np.ascontiguousarray(values, dtype=np.float32)


def ramp(dark: bool) -> list[list[Any]]:
    """Cividis; darker is more certain. On dark ground its upper three quarters."""
    from plotly.colors import sample_colorscale

    places = np.linspace(0.25 if dark else 0.0, 1.0, 16)
    colours = sample_colorscale("Cividis", places.tolist())
    return [[float(place), colour] for place, colour in zip(np.linspace(0, 1, 16), colours, strict=True)]


def _measured(colour: Measure, dark: bool) -> dict[str, Any]:
    bar: dict[str, Any] = {
        "title": {"text": colour.title, "side": "top", "font": {"size": 13}},
        "orientation": "h",
        "thickness": 8,
        "len": 0.75,
    }
    bar |= {"x": 0, "xanchor": "left", "xpad": 0, "y": -0.01, "yanchor": "top", "outlinewidth": 0, "tickangle": 0}
    if colour.ticks:
        bar |= {"tickvals": [value for value, _ in colour.ticks], "ticktext": [text for _, text in colour.ticks]}
    ends = {} if colour.low is None else {"cmin": colour.low, "cmax": colour.high}
    return {"color": _narrow(colour.values), "colorscale": ramp(dark), "colorbar": bar, "showscale": True, **ends}


def _classed(colour: Classes) -> dict[str, Any]:
    """One trace for all classes, so that a point's index is its place in the data: a stepped scale with names."""
    count = len(colour.names)
    steps = [[(code + end) / count, colour.colours[code]] for code in range(count) for end in (0, 1)]
    bar = {
        "title": {"text": colour.title, "side": "top", "font": {"size": 13}},
        "thickness": 10,
        "outlinewidth": 0,
        "len": min(1.0, 0.1 * count + 0.1),
    }
    bar |= {"tickvals": list(range(count)), "ticktext": list(colour.names), "y": 1, "yanchor": "top"}
    return {
        "color": _narrow(colour.codes),
        "colorscale": steps,
        "cmin": -0.5,
        "cmax": count - 0.5,
        "colorbar": bar,
        "showscale": True,
    }


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line with its name at its end, and its band where it has one."""

    x: np.ndarray
    y: np.ndarray
    name: str
    colour: str
    dash: str = "solid"
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    says: str = "%{y:.3g} at %{x:.3g}"  # Plotly's template of the hover sentence


def curve(
    curves: Sequence[Curve],
    key: str,
    *,
    x_title: str,
    y_title: str,
    alt: str,
    dark: bool,
    handle: Handle | None = None,
    height: int = 360,
    told: Told | None = None,
    name: str = "curve",
) -> Seen:
    """Lines with an operating point to drag."""
    figure = curves_figure(curves, x_title=x_title, y_title=y_title, dark=dark, height=height)
    return show(figure, key, alt=alt, handle=handle, told=told, name=name)


def curves_figure(curves: Sequence[Curve], *, x_title: str, y_title: str, dark: bool, height: int = 360) -> Figure:
    from plotly import graph_objects as go

    figure = go.Figure(layout=palette.layout(dark, height))
    for one in curves:
        if one.low is not None and one.high is not None:
            edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
            figure.add_scatter(x=_narrow(one.x), y=_narrow(one.low), **edge)
            figure.add_scatter(
                x=_narrow(one.x), y=_narrow(one.high), fill="tonexty", fillcolor=faint(one.colour), **edge
            )
    for one in curves:
        line = {"color": one.colour, "dash": one.dash, "width": 2}
        says = f"{one.name}: {one.says}<extra></extra>"
        figure.add_scatter(x=_narrow(one.x), y=_narrow(one.y), mode="lines", line=line, hovertemplate=says)
    shifts = _apart([float(one.y[-1]) for one in curves], height)
    ink = palette.palette(dark).ink
    for one, shift in zip(curves, shifts, strict=True):
        label = {
            "text": one.name,
            "showarrow": False,
            "xanchor": "left",
            "xshift": 6,
            "yshift": shift,
            "font": {"color": ink},
        }
        figure.add_annotation(x=float(one.x[-1]), y=float(one.y[-1]), **label)
    figure.update_layout(margin={"r": 24 + 7 * max((len(one.name) for one in curves), default=0), "t": 28})
    ends = [float(end) for one in curves for end in (one.x[0], one.x[-1])]
    figure.update_xaxes(title_text=x_title, range=[min(ends), max(ends)] if ends else None)
    figure.update_yaxes(title_text=y_title)
    return figure


def faint(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _apart(ends: list[float], height: int) -> list[float]:
    """Pixels by which each label moves up so that no two lie on each other; they keep their order."""
    span = (max(ends) - min(ends)) if ends else 0.0
    pixels = [end * (0.5 * height) / (span or 1.0) for end in ends]  # a guess at the scale: labels need no exactness
    shifts, last = [0.0] * len(ends), -np.inf
    for index in sorted(range(len(ends)), key=lambda place: pixels[place]):
        last = max(pixels[index], last + _LINE)
        shifts[index] = last - pixels[index]
    return shifts
