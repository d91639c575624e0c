"""One visual language: what each colour means, and the Plotly template that every chart shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by meaning. Never colour alone: a word, a shape or a place goes with it."""

    ink: str
    faint: str
    grid: str
    aleatoric: str
    epistemic: str
    total: str
    predicted: str
    kept: str
    refused: str
    signal: str


LIGHT = Palette(
    ink="#1B2430",
    faint="#5A6270",
    grid="#E6EAEE",
    aleatoric="#E69F00",
    epistemic="#0072B2",
    total="#5A6270",
    predicted="#7A4FA3",
    kept="#009E73",
    refused="#D55E00",
    signal="#1F5F8B",
)
DARK = Palette(
    ink="#E6EAF0",
    faint="#AEB6C2",
    grid="#28313D",
    aleatoric="#F2B84B",
    epistemic="#56B4E9",
    total="#AEB6C2",
    predicted="#B897D6",
    kept="#2FC79A",
    refused="#FF8A4C",
    signal="#7FB6DE",
)
CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "displayModeBar": "hover",
    "toImageButtonOptions": {"format": "svg"},
    "modeBarButtonsToRemove": ["sendChartToCloud"],  # nothing leaves this machine
    "plotlyServerURL": "",
}


def palette(dark: bool) -> Palette:
    return DARK if dark else LIGHT


def axis(dark: bool) -> dict[str, Any]:
    grid = palette(dark).grid
    return {"gridcolor": grid, "linecolor": grid, "zeroline": False, "title": {"standoff": 8}}


def axes(figure: Any, dark: bool) -> None:
    """The same look for every axis of a figure of several parts; the layout has that of the first alone."""
    figure.update_xaxes(**axis(dark))
    figure.update_yaxes(**axis(dark))


def layout(dark: bool, height: int) -> dict[str, Any]:
    """What all charts share: transparent ground, the same margins, light grid, theme ink."""
    colours = palette(dark)
    return {
        "height": height,
        "margin": {"l": 64, "r": 16, "t": 8, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": colours.ink, "size": 13},
        "xaxis": axis(dark),
        "yaxis": axis(dark),
        "hoverlabel": {"font": {"size": 13}},
        "showlegend": False,
    }
