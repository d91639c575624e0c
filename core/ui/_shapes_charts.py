"""Shapes as figures: surfaces in space, and cuts through them with outlines; pure, no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.pipeline.reconstruct import Answer, Filled
from core.shapes.mesh import Mesh
from core.shapes.solids import affine_of, spacing_of
from core.shapes.surface import lines_of, play_of, read, surface_of
from core.ui import palette, plot

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT, _FLAT = 340, 300
VIEWS = {"above": "from above", "side": "from the side", "front": "from the front"}
_ACROSS = {"above": 2, "side": 0, "front": 1}  # the axis that a cut stands on
_NET = 41  # places along each axis that take a click
_DASHES = ("solid", "dash", "dot", "dashdot")  # of members


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A plane through the grid of an answer; a picture is its own. Arrays are (right, up)."""

    right: np.ndarray
    up: np.ndarray
    axis: int | None  # None: of a picture, whose rows run down
    place: int = 0

    @classmethod
    def of(cls, found: Filled, view: str, share: float) -> Cut:
        shape = found.answers[0].mean.shape
        steps, first = np.diag(found.affine)[:-1], found.affine[:-1, -1]
        axes = [first[n] + steps[n] * np.arange(shape[n]) for n in range(len(shape))]
        if len(shape) == 2:
            return cls(axes[1], axes[0], None)
        axis = _ACROSS[view]
        right, up = (axes[n] for n in range(3) if n != axis)
        return cls(right, up, axis, round(share * (shape[axis] - 1)))

    def values(self, array: np.ndarray) -> np.ndarray:
        return array.T if self.axis is None else np.take(array, self.place, axis=self.axis)

    def lines(self, array: np.ndarray) -> list[np.ndarray]:
        """Where it crosses one half."""
        steps = (self.right[1] - self.right[0], self.up[1] - self.up[0])
        return lines_of(self.values(np.asarray(array, np.float32)), affine_of(steps, (self.right[0], self.up[0])))

    def nearest(self, right: float, up: float) -> tuple[int, int]:
        return int(np.abs(self.right - right).argmin()), int(np.abs(self.up - up).argmin())


def coloured(found: Filled, answer: Answer, colour: str) -> np.ndarray:
    """What a surface is coloured by, at every node."""
    if colour == "play":
        return play_of(answer.mean, spacing_of(found.affine))
    return answer.epistemic if colour == "epistemic" else answer.total


def highest(found: Filled, answer: Answer, colour: str) -> float:
    """Of nearly all of a surface: a few points that say nothing would take the whole scale."""
    values = coloured(found, answer, colour)
    if values.ndim == 3:
        points = surface_of(answer.mean, found.affine)
        values = read(values, points, found.affine) if len(points) else np.zeros(1)
    return max(float(np.percentile(values, 95)), 1e-3)


def surface(mesh: Mesh, name: str, top: float, title: str, dark: bool) -> Figure:
    """Coloured by what stands at its vertices, from 0 to ``top``."""
    bar = {"title": {"text": title, "side": "top", "font": {"size": 13}}, "orientation": "h", "thickness": 8,
           "len": 0.7, "x": 0, "xanchor": "left", "y": -0.02, "yanchor": "top", "outlinewidth": 0}  # fmt: skip
    look = {"intensity": mesh.values.astype(np.float32), "colorscale": plot.ramp(dark), "cmin": 0.0, "cmax": top,
            "colorbar": bar, "hovertemplate": f"{name}: %{{intensity:.2g}} {title}<extra></extra>"}  # fmt: skip
    return _in_space(mesh, look, dark)


def bare(mesh: Mesh, dark: bool) -> Figure:
    """A surface that says nothing of doubt."""
    return _in_space(mesh, {"color": palette.palette(dark).total, "hoverinfo": "skip"}, dark)


def _in_space(mesh: Mesh, look: dict[str, object], dark: bool) -> Figure:
    from plotly import graph_objects as go

    x, y, z = mesh.vertices.astype(np.float32).T
    i, j, k = mesh.faces.astype(np.int32).T
    light = {"ambient": 0.55, "diffuse": 0.7, "specular": 0.1, "roughness": 0.9}
    figure = go.Figure(go.Mesh3d(x=x, y=y, z=z, i=i, j=j, k=k, lighting=light, **look), palette.layout(dark, HEIGHT))
    hidden = {"visible": False, "showspikes": False}
    eye = {"x": 0.9, "y": -1.5, "z": 1.15}  # from behind and above: where the processes are
    scene = {"xaxis": hidden, "yaxis": hidden, "zaxis": hidden, "aspectmode": "data", "camera": {"eye": eye}}
    figure.update_layout(scene=scene, margin={"l": 0, "r": 0, "t": 0, "b": 44})
    return figure


def doubt(found: Filled, answer: Answer, cut: Cut, colour: np.ndarray, top: float, title: str, dark: bool) -> Figure:
    """A cut through the doubt, with what the method drew and what is true."""
    from plotly import graph_objects as go

    heat = go.Heatmap(
        x=cut.right.astype(np.float32), y=cut.up.astype(np.float32), z=cut.values(colour).T.astype(np.float32),
        zmin=0.0, zmax=top, colorscale=plot.ramp(dark), zsmooth="best", showscale=False,
        hovertemplate=f"%{{z:.2g}} {title}<extra></extra>",
    )  # fmt: skip
    figure = go.Figure(heat, palette.layout(dark, _FLAT))
    _outline(figure, cut.lines(answer.mean), "#FFFFFF", "solid", f"drawn by {answer.title}", 2.5)
    if found.truth is not None:
        _outline(figure, cut.lines(found.truth), palette.DARK.refused, "dot", "true", 2.5)
    return _in_plane(figure, cut)


def members(found: Filled, answer: Answer, cut: Cut, dark: bool, at: tuple[float, float] | None = None) -> Figure:
    """The outline of each member; the last trace is a net of places that take a click."""
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    figure = go.Figure(layout=palette.layout(dark, _FLAT))
    for number, (member, dash) in enumerate(zip(answer.members, _DASHES, strict=False), start=1):
        _outline(figure, cut.lines(member), colours.epistemic, dash, f"member {number}", 1.8)
    if found.truth is not None:
        _outline(figure, cut.lines(found.truth), colours.refused, "dot", "true", 2.5)
    if at is not None:
        cross = {"symbol": "cross-thin", "size": 16, "line": {"width": 2, "color": colours.ink}}
        figure.add_scatter(x=[at[0]], y=[at[1]], mode="markers", hoverinfo="skip", marker=cross)
    x, y = net(cut)
    figure.add_scatter(x=x, y=y, mode="markers", marker={"size": 8, "opacity": 0}, hoverinfo="none")
    figure.update_layout(clickmode="event", dragmode=False)
    return _in_plane(figure, cut)


def net(cut: Cut) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.linspace(axis[0], axis[-1], _NET) for axis in (cut.right, cut.up))
    across, along = np.meshgrid(x, y)
    return across.ravel().astype(np.float32), along.ravel().astype(np.float32)


def seen_pixels(found: Filled, dark: bool) -> Figure:
    """What was seen of a picture: ink, ground, or nothing."""
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    shown = np.where(found.seen.seen, found.seen.labels.astype(float), np.nan)
    steps = [[0.0, colours.grid], [1.0, colours.ink]]
    heat = go.Heatmap(z=shown, zmin=0, zmax=1, colorscale=steps, showscale=False, xgap=1, ygap=1, hoverongaps=False,
                      hovertemplate="%{z:.0f}<extra></extra>")  # fmt: skip
    figure = go.Figure(heat, palette.layout(dark, _FLAT))
    rows, columns = shown.shape
    cut = Cut(np.arange(columns) * 1.0, np.arange(rows) * 1.0, None)
    return _in_plane(figure, cut, room=0.5)


def _outline(figure: Figure, lines: Sequence[np.ndarray], colour: str, dash: str, name: str, width: float) -> None:
    """All lines of one name as one trace, with gaps between them."""
    gap = np.full((1, 2), np.nan)
    whole = np.concatenate([part for line in lines for part in (line, gap)]) if lines else gap
    figure.add_scatter(
        x=whole[:, 0].astype(np.float32), y=whole[:, 1].astype(np.float32), mode="lines",
        line={"color": colour, "dash": dash, "width": width}, hovertemplate=f"{name}<extra></extra>",
    )  # fmt: skip


def _in_plane(figure: Figure, cut: Cut, room: float = 0.0) -> Figure:
    hidden = {"showgrid": False, "showticklabels": False, "ticks": "", "zeroline": False, "constrain": "domain"}
    up = [cut.up[0] - room, cut.up[-1] + room]
    figure.update_xaxes(**hidden, range=[cut.right[0] - room, cut.right[-1] + room])
    figure.update_yaxes(**hidden, range=up[::-1] if cut.axis is None else up, scaleanchor="x")
    figure.update_layout(margin={"l": 4, "r": 4, "t": 4, "b": 4})
    return figure
