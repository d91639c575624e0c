"""Names of lines, beside the plot: pure, no streamlit."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from core.ui.plot import Curve

_LINE, _MARGINS = 16, 64  # pixels: of a name, and above and below the plot
_MARKS = {"solid": "━", "dot": "┄"}


def name_ends(figure: Figure, lines: Sequence[Curve], ends: tuple[float, float], height: int) -> None:
    """Each name at the height where its line ends, moved down where ends meet; a dash in the line's colour says which
    is which. ``ends`` are those of the y axis, ``height`` that of the whole chart in pixels."""
    pixels = (height - _MARGINS) / (ends[1] - ends[0])
    figure.layout.annotations = ()
    last = float("inf")
    for line in sorted(lines, key=lambda one: -_end(one, ends)):
        last = min((_end(line, ends) - ends[0]) * pixels, last - _LINE)
        figure.add_annotation(
            x=1.0,
            xref="paper",
            y=ends[0] + last / pixels,
            text=f'<span style="color:{line.colour}">{_MARKS.get(line.dash, "╌")}</span> {html.escape(line.name)}',
            showarrow=False,
            xanchor="left",
            xshift=6,
        )
    figure.update_yaxes(range=ends)
    figure.update_layout(margin={"r": 34 + 7 * max(len(line.name) for line in lines), "t": 20})


def _end(line: Curve, ends: tuple[float, float]) -> float:
    return float(np.nan_to_num(line.y[-1], nan=ends[0]))
