"""Which of the saved maps is shown, and how far to trust it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.pipeline.atlas import Atlas
from core.ui import _cached_atlas, _map_cards, _map_data, _map_second, _map_words, address, words
from core.ui._map_data import KEY, WHICH
from core.ui.controls import Choice


def on_chosen(atlas: Atlas) -> Atlas:
    """The map that is asked for in the URL, where these items have it."""
    wanted = address.get(WHICH)
    found = next((one for one in atlas.maps if wanted and one.key.startswith(wanted)), None)
    return atlas if found is None else atlas.on(found)


def pick(atlas: Atlas) -> None:
    if len(atlas.maps) < 2:
        return
    by_key = {one.key: one for one in atlas.maps}
    if atlas.drawn is not None:  # in every run: a widget in a popover is drawn when that is opened
        st.session_state["map-which"] = atlas.drawn.key
    st.selectbox(
        "Drawn with",
        list(by_key),
        format_func=lambda key: _map_second.drawn_with(by_key[key]),
        key="map-which",
        on_change=_redrawn,
    )


def _redrawn() -> None:
    address.put(WHICH, st.session_state["map-which"][:KEY])
    st.session_state[_map_cards.CHANGED] = True


def trust(chosen: Choice, atlas: Atlas) -> None:
    st.markdown(_map_words.trust(atlas.trust))
    if atlas.drawn is not None:
        other = next((one for one in atlas.maps if replace(one.options, seed=0) == replace(atlas.drawn.options, seed=0)
                      and one.options.seed != atlas.drawn.options.seed), None)  # fmt: skip
        if other is not None:
            share = _cached_atlas.agree(atlas.drawn, other)
            st.markdown(_map_words.agreement(share, atlas.drawn.options.seed, other.options.seed))
            st.button("Show it beside this one", icon=":material/splitscreen_vertical_add:", type="tertiary",
                      key="map-compare", on_click=_map_second.compare, args=(f"~~{other.key[:KEY]}",))  # fmt: skip
        for note in atlas.map_notes:
            st.warning(words.plain(note, 300), icon=":material/info:")
    _options(chosen, atlas)


def _options(chosen: Choice, atlas: Atlas) -> None:
    """Draw it anew with other options, or from another seed to compare."""
    before = None if atlas.drawn is None else atlas.drawn.options
    with st.form("map-options", border=False):
        with st.container(horizontal=True, gap="medium"):
            near = st.number_input("Neighbours", 2, 200, before.neighbours if before else 15, width=130,
                                   help="More shows the large shapes, fewer the fine ones.")  # fmt: skip
            dist = st.number_input("Least distance", 0.0, 0.99, before.min_dist if before else 0.1, 0.05, width=140,
                                   help="How close points may lie.")  # fmt: skip
            metric = st.selectbox("Metric", ["cosine", "euclidean"], width=150,
                                  index=int(before is not None and before.metric == "euclidean"))  # fmt: skip
            next_seed = 1 + max((one.options.seed for one in atlas.maps), default=-1)
            seed = st.number_input("Seed", 0, 2**31 - 1, next_seed, width=120)
        asked = st.form_submit_button("Draw another map", icon=":material/map:")
    if asked:
        extra = ["--neighbours", str(near), "--min-dist", f"{dist:g}", "--metric", str(metric), "--seed", str(seed)]
        _map_data.draw(chosen, extra, "options")
    _map_data.watch("options")
