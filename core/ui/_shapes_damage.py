"""What was measured of the methods under more and more damage: one kind of it, or all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from core.pipeline.reconstruct import TITLES, UNITS
from core.ui import _cached_shapes, bound, palette, plot, shell, tables, words
from core.ui._line_names import name_ends
from core.ui._shapes_knobs import GLIMPSE, SCAN
from core.ui.address import Kept

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FIGURES = {
    "dice": "Dice",
    "hd95": "HD95",
    "band_ece": "ECE near the surface",
    "band_nll": "NLL near the surface",
    "off": "made up",
    "admitted": "made up, admitted",
}
_HEIGHT = 340
_RISES = {"dice", "admitted"}  # more of it is better
_KINDS = {"all together": "All together"} | {knob.field: knob.label for knob in (*SCAN, *GLIMPSE)}
_DASHES = ("dot", "dash", "longdash", "dashdot", "solid")
_FIGURE = Kept("shape-measure", "band_ece", bound.one_of(tuple(FIGURES)), "a measure of the methods")

Row = Mapping[str, Any]


@st.fragment
def show(data: str) -> None:
    """Nothing where nothing was measured."""
    found = _cached_shapes.damage(data)
    if found is None:
        return
    kinds = [kind for kind in _KINDS if any(row["kind"] == kind for row in found["rows"])]
    kept = Kept("shape-damage", "all together", bound.one_of(tuple(_KINDS)), "a kind of damage")
    st.markdown("**More and more damage, as it was measured**")
    left, right = st.columns(2)
    with left:
        kind = str(st.selectbox("Damage", kinds, format_func=lambda key: _KINDS[str(key)], **bound.widget(kept)))
    with right:
        figure = str(st.selectbox("Measure", list(FIGURES), format_func=lambda key: FIGURES[str(key)],
                                  **bound.widget(_FIGURE)))  # fmt: skip
    rows = rows_of(found, kind)
    said = finding(rows, figure, kind, found["shapes"], UNITS[data])
    plot.show(chart(rows, figure, shell.is_dark()), "shape-damage", alt=said, name=f"shapes-{data}-{kind}-{figure}")
    st.caption(words.plain(said, 400))
    about = {"command": found["command"], "date": found["date"]}
    tables.downloads(lambda: columns(found), "shape-damage", about=about, name=f"shapes-{data}-damage")


def rows_of(found: Mapping[str, Any], kind: str) -> list[Row]:
    """No damage, then more and more of one kind."""
    return [row for row in found["rows"] if row["kind"] in ("none", kind)]


def chart(rows: Sequence[Row], figure: str, dark: bool) -> Figure:
    """A line a method; the ensemble's is whole, with its interval."""
    colours = palette.palette(dark)
    looks = (colours.total, colours.aleatoric, colours.predicted, colours.kept, colours.epistemic)
    curves = []
    for key, colour, dash in zip(TITLES, looks, _DASHES, strict=True):
        told = np.array([_numbers(row["methods"][key][figure]) for row in rows], np.float64)
        band = (told[:, 1], told[:, 2]) if key == "ensemble" else (None, None)
        curves.append(plot.Curve(np.arange(len(rows), dtype=float), told[:, 0], TITLES[key], colour, dash, *band))
    drawn = plot.curves_figure(curves, x_title="damage", y_title=FIGURES[figure], dark=dark, height=_HEIGHT)
    every = np.concatenate([part for one in curves for part in (one.y, one.low, one.high) if part is not None])
    if np.isfinite(every).any():
        low, high = float(np.nanmin(every)), float(np.nanmax(every))
        room = 0.1 * (high - low or 1.0)
        name_ends(drawn, curves, (low - 3 * room, high + room), _HEIGHT)  # five names may end at one place
    drawn.update_xaxes(tickvals=list(range(len(rows))), ticktext=[row["level"] or "none" for row in rows])
    return drawn


def finding(rows: Sequence[Row], figure: str, kind: str, shapes: int, unit: str) -> str:
    last = {key: told[figure] for key, told in rows[-1]["methods"].items() if told[figure][0] is not None}
    over = f"{shapes} shapes"
    if not last:
        return f"At the most damage this measure is not defined for any of {over}."
    best, worst = (pick(last, key=lambda key: last[key][0]) for pick in (max, min))
    if figure not in _RISES:
        best, worst = worst, best
    known = (row["methods"]["single"][figure][0] for row in rows)
    first, final = next(iter(known)), last.get("single", (None,))[0]
    name = f"{FIGURES[figure]}, {unit}" if figure == "hd95" else FIGURES[figure]
    moved = "" if first is None or final is None else (
        f" The single network's goes from {words.figure(first)} without damage to {words.figure(final)}."
    )  # fmt: skip
    return (
        f"{name}, {_KINDS[kind].lower()}: at the most damage {TITLES[best]} does best, {_told(last[best])}, and "
        f"{TITLES[worst]} worst, {_told(last[worst])}; means of {over} with 95 % intervals.{moved}"
    )


def columns(found: Mapping[str, Any]) -> dict[str, list[object]]:
    """A row a damage and method."""
    pairs = [(row, key) for row in found["rows"] for key in row["methods"]]
    table: dict[str, list[object]] = {
        "damage": [row["kind"] for row, _ in pairs],
        "level": [row["level"] for row, _ in pairs],
        "method": [TITLES[key] for _, key in pairs],
    }
    for figure, title in FIGURES.items():
        for place, suffix in enumerate(("", ", low", ", high")):
            table[f"{title}{suffix}"] = [row["methods"][key][figure][place] for row, key in pairs]
    return table


def _numbers(told: Sequence[float | None]) -> list[float]:
    return [np.nan if number is None else number for number in told]


def _told(told: Sequence[float | None]) -> str:
    value, low, high = (None if number is None else words.figure(number) for number in told)
    return f"{value}" if low is None else f"{value} [{low}, {high}]"
