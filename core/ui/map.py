"""The Map page: what is alike lies close, coloured by doubt; what is selected becomes cards to hear and look at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import UserFacingError
from core.pipeline.atlas import Atlas
from core.ui import (
    _cached_atlas,
    _map_cards,
    _map_cut,
    _map_data,
    _map_lists,
    _map_own,
    _map_paint,
    _map_relabel,
    _map_scatter,
    _map_second,
    _map_selected,
    _map_which,
    _map_words,
    address,
    bound,
    controls,
    measures,
    models,
    plot,
    words,
)
from core.ui._map_scatter import Looks, View
from core.ui._map_second import Second
from core.ui.controls import Choice


def page(chosen: Choice) -> None:
    """Chart, cards, own files, the map itself, the data."""
    _map_data.opened()
    try:
        atlas = _cached_atlas.atlas(chosen)
    except UserFacingError as error:
        _map_data.missing(chosen, error)
        _map_data.fresh(chosen)
        return
    with bound.telling():
        atlas = _map_which.on_chosen(atlas)
        for kept in (_map_paint.way(atlas), _map_second.SECOND):
            address.get(kept)
        _map_lists.follow(atlas)
    st.markdown(_map_words.about(atlas, _titled(chosen), _cached_atlas.codes(atlas)))
    if atlas.points is None:
        _map_data.undrawn(chosen, atlas)
    else:
        _whole(chosen, atlas)
    _map_data.state(chosen, atlas)
    _map_data.fresh(chosen)


def _whole(chosen: Choice, atlas: Atlas) -> None:
    chart, cards = st.container(), st.container()
    view = replace(View.of(atlas), marks=_map_own.files(chosen, atlas))
    with chart:
        _chart(view, _map_second.second_of(chosen, atlas))
    with cards:
        _map_selected.show(atlas, _map_lists.show(atlas))
        _map_relabel.show(chosen, atlas)
    with st.expander("How far to trust this map", icon=":material/verified:"):
        _map_which.trust(chosen, atlas)


def _titled(chosen: Choice) -> str:
    return words.plain(models.facts(chosen.model or "").title)


# ---- the chart ----


@st.fragment
def _chart(view: View, second: Second) -> None:
    atlas = view.atlas
    colour, keep, measure, more = st.columns([5, 6, 5, 3], vertical_alignment="bottom")
    with colour:
        by = _by(atlas)
    with more:
        looks = _looks(atlas, view.rows, by, second)
    cut = _threshold(atlas, keep, measure)
    if second.why_not:
        st.warning(words.plain(second.why_not, 300), icon=":material/link_off:")
    left, right = st.columns([7, 3], gap="medium") if second.view is None else (st.container(), st.container())
    with left:
        picked = _charts(view, second, by, looks, cut)
    with right:
        _beside(atlas, picked)
    _map_cards.follow()


def _by(atlas: Atlas) -> str:
    ways, kept = _map_paint.ways(atlas), _map_paint.way(atlas)
    value = address.get(kept)
    shown = value if value in ways else "total"
    st.selectbox("Colour by", list(ways), format_func=lambda key: ways[key], **bound.widget(kept, shown))
    return shown


def _looks(atlas: Atlas, rows: np.ndarray, by: str, second: Second) -> Looks:
    with st.popover("Looks", icon=":material/tune:", width="stretch"):
        size = st.toggle("Size by doubt", key="map-size", persist_state="session")
        opacity = st.toggle("Opacity by doubt", key="map-opacity", persist_state="session")
        names = _map_paint.names_of(atlas, rows, by)
        named: list[str] = []
        if len(names) > _map_paint.MOST:
            most = _map_paint.MOST - 1
            named = st.multiselect(
                f"In colours of their own, at most {most}", names, max_selections=most, key=f"map-named-{by}"
            )
        _map_which.pick(atlas)
        _map_second.pick(second)
    return Looks(tuple(named), size, opacity)


def _threshold(atlas: Atlas, left: DeltaGenerator, right: DeltaGenerator) -> _map_cut.Cut:
    """The one operating point: what is more doubtful fades."""
    known = {name: title for name, title in measures.TITLES.items() if name in atlas.doubts}
    measure = controls.measure() if controls.measure() in known else "total"
    share = round(100 * controls.point())
    for key, value in (("map-keep", share), ("map-measure", measure)):
        if st.session_state.get(key) != value:
            st.session_state[key] = value
    left.slider(
        "Keep the surest", 0, 100, format="%d %%", key="map-keep",
        on_change=lambda: controls.set_point(st.session_state["map-keep"] / 100),
        help="What is more doubtful than this fades. Retention and Retrieve use the same point.",
    )  # fmt: skip
    right.selectbox(
        "by",
        list(known),
        format_func=lambda name: known[name],
        key="map-measure",
        on_change=lambda: controls.set_measure(st.session_state["map-measure"]),
    )
    cut = _map_cut.cut(atlas, measure, controls.point())
    st.markdown(cut.sentence)
    return cut


def _charts(view: View, second: Second, by: str, looks: Looks, cut: _map_cut.Cut) -> plot.Picked:
    """The map, and the second one beside it; what was done last on either."""
    if second.view is None:
        return _first(view, by, looks, cut)
    left, right = st.columns(2, gap="small")
    with left:
        here = _first(view, by, looks, cut, _map_second.first_named(view, second))
    with right:
        there = _map_second.show(view, second, by, looks, cut.measure, cut.share)
    st.markdown(_map_second.told(view, second))
    return plot.Picked(here.seen, here.clicked or there.clicked, here.hovered or there.hovered)


def _first(view: View, by: str, looks: Looks, cut: _map_cut.Cut, named: str = "") -> plot.Picked:
    dots = _map_scatter.dots_of(view, by, looks, cut, _map_selected.held(view.atlas))
    picked = _map_scatter.show(
        view, dots, by, _map_selected.CHART, _map_scatter.answers(view), height=_map_second.HEIGHT if named else 520
    )
    st.caption(named + _map_words.finding(view.atlas, view.rows, by))
    return picked


def _beside(atlas: Atlas, picked: plot.Picked) -> None:
    """What the pointer is on, and what was clicked: it goes on playing while the pointer moves."""
    name, played, where = st.session_state.get(_map_cards.PLAYED, ("", "", ""))
    row = atlas.place(played) if (name, where) == (atlas.name, "chart") else None
    if row is not None:
        st.markdown(_map_words.item(atlas, row))
        st.caption(_map_words.doubts(atlas, row))
        _map_cards.player(atlas, row, autoplay=picked.clicked == played)
    under = None if picked.hovered is None else atlas.place(picked.hovered)
    if under is not None and under != row:
        thumbnail = _cached_atlas.thumbs_of(atlas, (atlas.ids[under],)).get(atlas.ids[under])
        if thumbnail is not None:
            st.image(thumbnail, width=192, alt=f"thumbnail of {atlas.ids[under]}")
        st.markdown(_map_words.item(atlas, under))
        st.caption(_map_words.doubts(atlas, under))
    if row is None and under is None:
        act = "hear" if atlas.kind == "audio" else "see"
        st.caption(
            f":material/lasso_select: Draw around points to select them. :material/ads_click: Click one to {act} it. "
            "With the keyboard: arrows walk the points, Enter picks, Escape lets go."
        )
