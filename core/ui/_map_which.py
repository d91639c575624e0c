"""Which of the saved maps is shown, and how far to trust it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.maps.saved import SavedMap
from core.pipeline.atlas import Atlas
from core.ui import _cached_atlas, _map_data, _map_words, words
from core.ui.controls import Choice


def on_chosen(atlas: Atlas) -> Atlas:
    wanted = st.session_state.get("map-drawn")
    found = next((one for one in atlas.maps if one.key == wanted), None)
    return atlas if found is None else atlas.on(found)


def _named(drawn: SavedMap) -> str:
    options = drawn.options
    return f"seed {options.seed}, {options.neighbours} neighbours, distance {options.min_dist:g}, {options.metric}"


def pick(atlas: Atlas) -> None:
    if len(atlas.maps) < 2:
        return
    by_key = {one.key: one for one in atlas.maps}
    if atlas.drawn is not None and st.session_state.get("map-which") not in by_key:
        st.session_state["map-which"] = atlas.drawn.key
    st.selectbox(
        "Drawn with", list(by_key), format_func=lambda key: _named(by_key[key]), key="map-which", on_change=_redrawn
    )


def _redrawn() -> None:
    st.session_state["map-drawn"] = st.session_state["map-which"]
    st.session_state["map-selected"] = True  # the page runs anew


def trust(chosen: Choice, atlas: Atlas) -> None:
    st.markdown(_map_words.trust(atlas.trust))
    if atlas.drawn is not None:
        other = next((one for one in atlas.maps if replace(one.options, seed=0) == replace(atlas.drawn.options, seed=0)
                      and one.options.seed != atlas.drawn.options.seed), None)  # fmt: skip
        if other is not None:
            share = _cached_atlas.agree(atlas.drawn, other)
            st.markdown(_map_words.agreement(share, atlas.drawn.options.seed, other.options.seed))
        for note in atlas.map_notes:
            st.warning(words.plain(note, 300), icon=":material/info:")
    _map_data.options(chosen, atlas)
