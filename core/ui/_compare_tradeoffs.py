"""What calibration costs, and how doubt ranks classes that were never learned: charts and sentences, no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.pipeline.contrasts import Shot, front
from core.pipeline.table import LOWER, Row, Table
from core.ui import palette
from core.ui._compare_table import COLUMNS, Titles, text
from core.ui.measures import colour_of, label_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SETS = {"classes": "four classes left out", "toybox": "Toybox", "digits": "handwritten digits"}
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star", "cross", "hexagon", "triangle-down", "pentagon")


def tradeoff(table: Table, titles: Titles, cost: str, loss: str, dark: bool) -> Figure | None:
    """Calibration against a cost; who is beaten in neither is joined by a line. None where a cost is not known."""
    from plotly import graph_objects as go

    rows, costs, losses = _known(table, cost, loss)
    if not rows:
        return None
    best = front(costs, losses)
    nothing = min((one for one in costs if one > 0), default=1.0) / 10  # where 0 stands on an axis that has none
    costs = [one or nothing for one in costs]
    colours = palette.palette(dark)
    figure = go.Figure(layout=palette.layout(dark, 380))
    figure.add_scatter(
        x=[costs[place] for place in best],
        y=[losses[place] for place in best],
        mode="lines",
        line={"color": colours.kept, "width": 1.5, "shape": "hv"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=costs,
        y=losses,
        mode="markers",
        marker={
            "size": 11,
            "color": [colours.kept if place in best else colours.faint for place in range(len(rows))],
            "symbol": ["circle" if place in best else "circle-open" for place in range(len(rows))],
            "line": {"width": 2},
        },
        customdata=[[titles[row.name], text(cost, table.value(row, cost)), text(loss, value)]
                    for row, value in zip(rows, losses, strict=True)],
        hovertemplate="%{customdata[0]}: %{customdata[2]} for %{customdata[1]}<extra></extra>",
    )  # fmt: skip
    for places in _together(best, costs, losses):
        first, others = titles[rows[places[0]].name], len(places) - 1
        figure.add_annotation(
            x=float(np.log10(costs[places[0]])),
            y=losses[places[0]],
            text=first if not others else f"{first} and {others} other{'s' if others > 1 else ''}",
            showarrow=False,
            xanchor="left",
            yanchor="top",
            xshift=6,
            yshift=-4,
        )
    if nothing in costs:
        figure.add_vline(x=nothing, line={"color": colours.grid, "width": 1})
        figure.add_annotation(x=float(np.log10(nothing)), y=0, yref="paper", yanchor="bottom", xanchor="right",
                              text="none", showarrow=False)  # fmt: skip
    figure.update_xaxes(title_text=f"{NOUNS[cost]}{f' in {_UNITS[cost]}' if cost in _UNITS else ''}", type="log")
    low, high = min(losses), max(losses)
    room = 0.1 * ((high - low) or high or 1.0)  # below the lowest, for its name
    figure.update_yaxes(title_text=f"{COLUMNS[loss].title}, less is better", range=[low - room, high + 0.5 * room])
    figure.update_layout(margin={"r": 90})
    return figure


def _together(best: Sequence[int], costs: Sequence[float], losses: Sequence[float]) -> list[list[int]]:
    """Those that lie on one spot share a label."""
    spread = max(losses) - min(losses) or 1.0
    found: list[list[int]] = []
    for place in best:
        last = found[-1][0] if found else None
        near = last is not None and abs(losses[place] - losses[last]) < 0.05 * spread
        if near and last is not None and np.log10(costs[place] / costs[last]) < 0.2:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def _known(table: Table, cost: str, loss: str) -> tuple[list[Row], list[float], list[float]]:
    """Models whose cost and loss are both known, with these."""
    both = [(row, table.value(row, cost), table.value(row, loss)) for row in table.rows]
    found = [(row, price, value) for row, price, value in both if price is not None and value is not None]
    return [row for row, _, _ in found], [price for _, price, _ in found], [value for _, _, value in found]


NOUNS = {
    "train_seconds": "training time",
    "seconds_per_item": "time per item",
    "macs": "multiply-adds",
    "stored": "extra weights",
    "params": "parameters",
    "peak_memory": "peak memory",
}
_UNITS = {"train_seconds": "s", "seconds_per_item": "s", "peak_memory": "bytes"}


def tradeoff_finding(table: Table, titles: Titles, cost: str, loss: str) -> str:
    rows, costs, losses = _known(table, cost, loss)
    if not rows:
        return "Nothing is known of this cost."
    assert loss in LOWER
    best = front(costs, losses)
    cheap, good = rows[best[0]], rows[best[-1]]
    if len(best) == 1:
        return f"{titles[cheap.name]} is best in both: {_both(table, cheap, cost, loss)}."
    return (
        f"{len(best)} of {len(rows)} models are beaten in neither, from {titles[cheap.name]} "
        f"({_both(table, cheap, cost, loss)}) to {titles[good.name]} ({_both(table, good, cost, loss)})."
    )


def _both(table: Table, row: Row, cost: str, loss: str) -> str:
    return f"{COLUMNS[loss].title} {text(loss, table.value(row, loss))} for {text(cost, table.value(row, cost))}"


def shots(found: Sequence[Shot], dark: bool) -> Figure:
    """One dot a set, seed and doubt."""
    from plotly import graph_objects as go

    figure = go.Figure(layout=palette.layout(dark, 340))
    for place, measure in enumerate(dict.fromkeys(key for one in found for key in one.values)):
        colour, label = colour_of(measure, dark), label_of(measure, None)
        mine = [one for one in found if measure in one.values]
        figure.add_scatter(
            x=[SETS.get(one.data, one.data) for one in mine],
            y=[one.values[measure] for one in mine],
            mode="markers",
            marker={"size": 10, "color": colour, "symbol": _SYMBOLS[place % len(_SYMBOLS)]},
            customdata=[[one.seed, one.items] for one in mine],
            hovertemplate=label + ", seed %{customdata[0]}: %{y:.3f} of %{customdata[1]} items<extra></extra>",
            name=label,
        )
    figure.add_hline(y=0.5, line={"dash": "dot", "width": 1, "color": palette.palette(dark).faint})
    figure.update_layout(showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"}, margin_t=40)
    figure.update_yaxes(title_text="R-AUROC; 0.5 is a guess")
    return figure


def shots_finding(found: Sequence[Shot]) -> str:
    both = [one for one in found if {"score", "total"} <= set(one.values)]
    if not both:
        return f"{len(found)} measurements are stored."
    ahead = sum(one.values["score"] > one.values["total"] for one in both)
    return (
        f"On classes never learned the predicted loss ranks better than the entropy in {ahead} of {len(both)} "
        f"measurements ({len({one.data for one in both})} sets, {len({one.seed for one in both})} seeds)."
    )
