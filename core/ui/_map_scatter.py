"""One map as points: coloured, cut, with what is selected standing out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from core.pipeline.atlas import Atlas
from core.ui import _map_cards, _map_paint, _map_selected, _map_words, plot, shell
from core.ui._map_cut import Cut
from core.ui._map_own import Mark

_HOVERED = 20_000  # points up to which the pointer asks for what is under it


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What is drawn: the items that have a place on the chosen map."""

    atlas: Atlas
    rows: np.ndarray  # of the atlas
    marks: tuple[Mark, ...] = ()

    @classmethod
    def of(cls, atlas: Atlas) -> View:
        assert atlas.points is not None
        return cls(atlas, np.flatnonzero(np.isfinite(atlas.points).all(axis=1)))

    @property
    def points(self) -> np.ndarray:
        assert self.atlas.points is not None
        return self.atlas.points[self.rows]


@dataclass(frozen=True, slots=True)
class Looks:
    named: tuple[str, ...] = ()
    size: bool = False
    opacity: bool = False


def dots_of(view: View, by: str, looks: Looks, cut: Cut, held: np.ndarray | None) -> plot.Points:
    """``held``: the rows that are selected; None: no selection."""
    atlas, rows, points = view.atlas, view.rows, view.points
    share = _map_paint.share_of(atlas, rows, cut.measure)
    picked = None if held is None else np.isin(rows, held)
    return plot.Points(
        points[:, 0],
        points[:, 1],
        [atlas.ids[row] for row in rows.tolist()],
        _map_paint.coloured(atlas, rows, by, shell.is_dark(), looks.named),
        _map_paint.sizes(share if looks.size else None, len(rows), picked),
        _map_paint.opacities(share if looks.opacity else None, cut.kept[rows], picked),
    )


def show(
    view: View, dots: plot.Points, by: str, key: str, told: plot.Told, *, which: str = "", height: int = 520
) -> plot.Picked:
    """``key``: of the chart; ``which``: what its description begins with, beside another map."""
    atlas = view.atlas
    finding = _map_words.finding(atlas, view.rows, by)
    title = _map_paint.ways(atlas)[by]
    figure = plot.points_figure(dots, dark=shell.is_dark(), height=height)
    figure = _map_paint.with_marks(figure, [(mark.name, mark.x, mark.y) for mark in view.marks], shell.is_dark())
    seen = plot.show(
        figure,
        key,
        alt=f"{which}Map of {_map_words.things(atlas, len(view.rows))}, those that the model finds alike close "
        f"together, coloured by {title.lower()}. {finding}",
        select=True,
        hover=len(view.rows) <= _HOVERED,
        told=told,
        name=f"map-{atlas.name}",
        release=_map_selected.released(key),
    )
    at = {"clicked": seen.clicked, "hovered": seen.hovered}
    ids = {name: None if place is None else dots.ids[place[1]] for name, place in at.items()}
    return plot.Picked(seen, ids["clicked"], ids["hovered"])


def answers(view: View) -> plot.Told:
    """A click plays, an outline selects."""
    return plot.Told(click=partial(_clicked, view), outline=partial(_outlined, view))


def _clicked(view: View, _trace: int, index: int) -> None:
    _map_cards.play(view.atlas.name, view.atlas.ids[int(view.rows[index])], "chart")


def _outlined(view: View, outlines: tuple[plot.Outline, ...]) -> None:
    rows = inside(view, outlines)
    _map_selected.hold(view.atlas, rows if outlines else None, _map_selected.CHART)


def inside(view: View, outlines: tuple[plot.Outline, ...]) -> np.ndarray:
    """The rows that the outlines hold."""
    points = view.points
    return view.rows[plot.Seen(outlines).held(points[:, 0], points[:, 1])]
