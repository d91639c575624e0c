"""What one model says of one file, as Plotly figures: pure, no streamlit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from core.ui import palette, words
from core.ui.measures import WORDS, colour_of
from core.verdict import DOUBTFUL, UNFAMILIAR, spoken

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from core.pipeline.inspect import Inspected

SHOWN, _LEAST = 6, 3  # classes with a bar of their own, at most and at least; the rest share one
_SEEN = 0.005  # probability from which a bar can be seen
HEIGHT = 330  # of the two charts beside each other
_Z = 1.96  # standard errors to either side of a 95 % band
NAMES = {measure: word.name.lower() for measure, word in WORDS.items() if measure != "max_softmax"}  # told by the bars


def _pattern(measure: str, dark: bool) -> dict[str, Any]:
    """Doubt is told apart by texture too: hatched, dotted, solid."""
    shape = {"aleatoric": "/", "epistemic": ".", "novelty": "x", "score": "-"}.get(measure, "")
    ground = "#11161D" if dark else "#FFFFFF"
    return {"shape": shape, "size": 7, "solidity": 0.2, "bgcolor": colour_of(measure, dark), "fgcolor": ground}


def bars(found: Inspected, dark: bool) -> Figure:
    """The most probable classes with the interval that nine of ten draws lie in; the rest together."""
    from plotly import graph_objects as go

    count = max(_LEAST, sum(one.high >= _SEEN for one in found.predictions[:SHOWN]))
    colours, top, rest = palette.palette(dark), found.predictions[:count], found.predictions[count:]
    names = [_short(spoken(one.label)) for one in top]
    figure = go.Figure(layout=palette.layout(dark, HEIGHT))
    several = found.draws > 1
    spread = {
        "type": "data",
        "symmetric": False,
        "array": [100 * (one.high - one.p) for one in top],
        "arrayminus": [100 * (one.p - one.low) for one in top],
        "color": colours.ink,
        "thickness": 1.5,
        "width": 5,
    }
    figure.add_bar(
        y=list(range(len(top))),
        x=[100 * one.p for one in top],
        orientation="h",
        marker={"color": colours.signal},
        error_x=spread if several else None,
        hovertext=[_says(one.label, one.p, one.low, one.high, several) for one in top],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    share = sum(one.p for one in rest)
    if rest:
        names.append(f"{len(rest)} others")
        figure.add_bar(
            y=[len(top)],
            x=[100 * min(share, 1.0)],
            orientation="h",
            marker={"color": colours.faint},
            hovertemplate=f"{len(rest)} other classes together: {words.chance(share)}<extra></extra>",
        )
    for row, one in enumerate(top):
        _beside(figure, row, 100 * (one.high if several else one.p), words.chance(one.p), colours.ink)
    if rest:
        _beside(figure, len(top), 100 * min(share, 1.0), words.chance(share), colours.faint)
    figure.update_layout(bargap=0.35, margin={"l": 8, "r": 12, "t": 30, "b": 44})
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed", automargin=True)
    figure.update_yaxes(showgrid=False)
    figure.update_xaxes(title_text="probability in %", range=[0, 118], tickvals=[0, 25, 50, 75, 100])
    return figure


def _beside(figure: Figure, row: int, at: float, text: str, ink: str) -> None:
    figure.add_annotation(
        x=at, y=row, text=text, showarrow=False, xanchor="left", xshift=6, font={"color": ink, "size": 13}
    )


def _says(label: str, p: float, low: float, high: float, several: bool) -> str:
    text = f"{spoken(label).capitalize()}: {words.chance(p)}"
    return f"{text}; nine of ten draws lie between {words.chance(low)} and {words.chance(high)}" if several else text


def _short(name: str, most: int = 18) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def doubts(found: Inspected, dark: bool, *, usual: float | None = None) -> Figure:
    """Total = ambiguous + unfamiliar in nats, and below it where each kind stands among the calibration items.

    ``usual``: the total that 95 of 100 calibration items stay below, so that a bar's length means something.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, row_heights=[0.16, 0.84], vertical_spacing=0.3)
    _stack(figure, found, dark, usual)
    _ladder(figure, found.percentiles, found.doubts, dark)
    figure.update_layout(palette.layout(dark, HEIGHT))
    figure.update_layout(barmode="stack", bargap=0.4, margin={"l": 8, "r": 16, "t": 30, "b": 44})
    palette.axes(figure, dark)
    figure.update_yaxes(showgrid=False, automargin=True)
    return figure


def _stack(figure: Any, found: Inspected, dark: bool, usual: float | None) -> None:
    colours = palette.palette(dark)
    total = float(found.doubts["total"])
    parts = ("aleatoric", "epistemic") if found.draws > 1 else ("total",)
    reach = max(1.12 * total, usual or 0.0, 0.02)
    start = 0.0
    for measure in parts:
        value = max(0.0, float(found.doubts[measure]))
        figure.add_bar(
            y=[""],
            x=[value],
            orientation="h",
            marker={"color": colour_of(measure, dark), "pattern": _pattern(measure, dark)},
            hovertemplate=f"{NAMES[measure].capitalize()}: {words.figure(value)} nats<extra></extra>",
            row=1,
            col=1,
        )
        if value > 0.2 * reach:
            label = {"text": f"{NAMES[measure]} {words.figure(value, 2)}", "showarrow": False, "yshift": 20}
            figure.add_annotation(x=start + value / 2, y=0, **label, font={"color": colours.ink}, row=1, col=1)
        start += value
    said = f"{words.figure(total)} nats of doubt"
    if usual is not None:
        figure.add_vline(x=usual, line={"color": colours.faint, "width": 1, "dash": "dot"}, row=1, col=1)
        said += f"<br>95 of 100 held-out items stay below {words.figure(usual, 2)} (dotted)"
    figure.add_annotation(
        x=0, y=0, xref="x domain", yref="y domain", text=said, showarrow=False, align="left", xanchor="left",
        yanchor="top", yshift=-4, font={"color": colours.ink}, row=1, col=1,
    )  # fmt: skip
    figure.update_xaxes(range=[0, reach], showgrid=False, tickvals=[], row=1, col=1)


def _ladder(figure: Any, places: Mapping[str, float], values: Mapping[str, float], dark: bool) -> None:
    """One row a measure: how many of a hundred calibration items are less doubtful than this file."""
    colours = palette.palette(dark)
    shown = [name for name in NAMES if name in values]
    for row, name in enumerate(shown):
        place = places.get(name)
        said = f"no place: {_why_none(name)}" if place is None else f"above {place:.0f} of 100 held-out items"
        figure.add_bar(
            y=[row],
            x=[0 if place is None else place],
            orientation="h",
            marker={"color": colour_of(name, dark), "pattern": _pattern(name, dark)},
            hovertemplate=f"{NAMES[name].capitalize()}: {said} ({words.figure(float(values[name]))})<extra></extra>",
            row=2,
            col=1,
        )
        text = "–" if place is None else f"{place:.0f}"
        figure.add_annotation(
            x=place or 0, y=row, text=text, showarrow=False, xanchor="left", xshift=5, row=2, col=1,
            font={"color": colours.ink},
        )  # fmt: skip
    for at, text, anchor in ((DOUBTFUL, "doubtful", "right"), (UNFAMILIAR, "unlike all", "left")):
        figure.add_vline(x=at, line={"color": colours.faint, "width": 1, "dash": "dot"}, row=2, col=1)
        figure.add_annotation(
            x=at, y=1, yref="y2 domain", text=text, showarrow=False, yanchor="bottom", xanchor="center", row=2, col=1,
            font={"color": colours.faint, "size": 13}, xshift=-14 if anchor == "right" else 4,
        )  # fmt: skip
    figure.update_yaxes(tickvals=list(range(len(shown))), ticktext=[NAMES[name] for name in shown], row=2, col=1)
    figure.update_yaxes(range=[len(shown) - 0.5, -0.5], row=2, col=1)
    figure.update_xaxes(title_text="place among 100 held-out items", range=[0, 108], row=2, col=1)
    figure.update_xaxes(tickvals=[0, 20, 40, 60, 80, 100], row=2, col=1)


def _why_none(measure: str) -> str:
    return "one draw cannot differ from itself" if measure == "epistemic" else "there is nothing to compare it with"


def enough(found: Inspected, dark: bool) -> Figure:
    """Doubt after the first draws with its Monte Carlo error, and the draw from which on the verdict stays."""
    from plotly import graph_objects as go

    colours, told = palette.palette(dark), found.enough
    draws = np.array(told.draws, np.float64)
    figure = go.Figure(layout=palette.layout(dark, 320))
    for measure, dash in (("total", "solid"), ("aleatoric", "dash"), ("epistemic", "dot")):
        values = np.array([float(getattr(part, measure)[0]) for part in told.parts])
        errors = np.array([_error(part, measure) for part in told.parts])
        known, colour = np.isfinite(errors), colour_of(measure, dark)
        low, high = np.maximum(0.0, values - _Z * errors), values + _Z * errors
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        figure.add_scatter(x=draws[known], y=low[known], **edge)
        figure.add_scatter(x=draws[known], y=high[known], fill="tonexty", fillcolor=_faint(colour), **edge)
        said = [f" ± {words.figure(_Z * error, 2)}" if math.isfinite(error) else "" for error in errors]
        figure.add_scatter(
            x=draws,
            y=values,
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"size": 4, "color": colour},
            customdata=[f"{words.figure(value)}{more}" for value, more in zip(values, said, strict=True)],
            hovertemplate=f"{NAMES[measure]} after %{{x}} draws: %{{customdata}} nats<extra></extra>",
        )
    for measure, at in _line_ends(told.parts[-1]):
        figure.add_annotation(
            x=math.log10(draws[-1]), y=at, text=NAMES[measure], showarrow=False, xanchor="left", xshift=6,
            font={"color": colours.ink},
        )  # fmt: skip
    figure.add_vline(x=told.settled, line={"color": colours.kept, "width": 2, "dash": "dash"})
    figure.update_layout(margin={"r": 84, "t": 12})
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500) if tick <= draws[-1]]
    figure.update_xaxes(title_text="draws so far", type="log", tickvals=ticks, ticktext=[str(tick) for tick in ticks])
    figure.update_yaxes(title_text="doubt in nats", rangemode="tozero")
    return figure


def _error(part: Any, measure: str) -> float:
    given = getattr(part, f"{measure}_error")
    return math.nan if given is None else float(given[0])


def _line_ends(last: Any) -> list[tuple[str, float]]:
    """Where names stand at the lines' ends, at least a twelfth of the height apart."""
    ends = sorted((float(getattr(last, name)[0]), name) for name in ("total", "aleatoric", "epistemic"))
    gap, low, found = max(ends[-1][0], 1e-6) / 12, -math.inf, []
    for value, name in ends:
        low = max(value, low + gap)
        found.append((name, low))
    return found


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def ternary(names: tuple[str, ...], shares: np.ndarray, dark: bool) -> Figure:
    """Each draw among the three most probable classes; a corner is a draw that is sure of it."""
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    labels = [_short(spoken(name), 12) for name in names]
    says = "<br>".join(f"{label} %{{{axis}:.0%}}" for label, axis in zip(labels, "abc", strict=True))
    figure = go.Figure(layout=palette.layout(dark, 320))
    figure.add_scatterternary(
        a=shares[:, 0], b=shares[:, 1], c=shares[:, 2], mode="markers",
        marker={"color": colours.signal, "size": 8, "opacity": 0.45},
        hovertemplate=f"One draw<br>{says}<extra></extra>",
    )  # fmt: skip
    mean = shares.mean(axis=0)
    figure.add_scatterternary(
        a=[mean[0]], b=[mean[1]], c=[mean[2]], mode="markers",
        marker={"color": colours.ink, "size": 13, "symbol": "diamond"},
        hovertemplate=f"All draws<br>{says}<extra></extra>",
    )  # fmt: skip
    axis = {"gridcolor": colours.grid, "linecolor": colours.faint, "showticklabels": False, "ticks": ""}
    corners = {f"{one}axis": {**axis, "title": {"text": label}} for one, label in zip("abc", labels, strict=True)}
    figure.update_layout(ternary={"bgcolor": "rgba(0,0,0,0)", **corners}, margin={"l": 56, "r": 56, "t": 36, "b": 40})
    return figure
