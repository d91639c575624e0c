"""Ready-made lists of the map: a click selects what is ambiguous, novel, wrongly labelled, there twice, in between."""

from __future__ import annotations

import streamlit as st

from core.pipeline.atlas import Atlas
from core.pipeline.lists import ALIKE, LEAST_ALIKE, Listed, titles
from core.ui import _cached_lists, _map_selected, address, bound, words
from core.ui._map_selected import LIST
from core.ui.address import Kept

_AT_ONCE = 5_000  # items up to which near duplicates are counted before they are asked for: all pairs are looked at
_PUT = "map-listed"  # in the session: what list of which items was last selected
_LIKES = (LEAST_ALIKE, 0.9, 0.95, 0.98, 0.99, ALIKE, 0.999)
_LIKE = Kept("alike", ALIKE, bound.one_of(_LIKES), "a likeness to look for")


def follow(atlas: Atlas) -> None:
    """Before anything is drawn: select what the link or the pills ask for, and again where items or labels changed."""
    wanted, least = address.get(LIST), address.get(_LIKE)
    mark = (atlas.fingerprint, wanted, least if wanted == "twice" else 0.0)
    if not wanted:
        st.session_state.pop(_PUT, None)
    elif st.session_state.get(_PUT) != mark:
        st.session_state[_PUT] = mark
        found = _cached_lists.listed(atlas, wanted, least)
        _map_selected.hold(atlas, found.rows if found.why_not is None else None, listed=True)
        st.session_state["map-order"] = "listed"


def show(atlas: Atlas) -> Listed | None:
    """The lists by name and count; the chosen one is the selection."""
    wanted, least, names = address.get(LIST), address.get(_LIKE), titles()
    counts = {key: _count(atlas, key, wanted, least) for key in names}
    if st.session_state.get("map-list") != (wanted or None):
        st.session_state["map-list"] = wanted or None
    st.pills(
        "Ready-made lists",
        list(names),
        format_func=lambda key: names[key] + counts[key],
        key="map-list",
        on_change=_chosen,
        args=(atlas,),
        help="Each selects its items, for the cards, the exports, new labels and training.",
    )
    if not wanted:
        return None
    found = _cached_lists.listed(atlas, wanted, least)
    if found.why_not is not None:
        st.info(words.plain(found.why_not, 400), icon=":material/info:")
        return None
    st.markdown(f"**{words.plain(found.finding, 500)}**")
    st.caption(words.plain(found.means, 500))
    if wanted == "twice":
        _likeness()
    return found if len(found) else None


def _count(atlas: Atlas, key: str, wanted: str, least: float) -> str:
    if key == "twice" != wanted and len(atlas) > _AT_ONCE:
        return ""
    found = _cached_lists.listed(atlas, key, least)
    return " –" if found.why_not is not None else f" {words.count(len(found))}"


def _chosen(atlas: Atlas) -> None:
    """Runs before the page: another list, or none any more."""
    wanted = st.session_state["map-list"]
    address.put(LIST, wanted or "")
    if not wanted:
        _map_selected.hold(atlas, None)


def _likeness() -> None:
    st.select_slider(
        "As like as", _LIKES, format_func=lambda value: f"cosine {value:g}",
        help="Lower finds more, and pairs that differ more.", **bound.widget(_LIKE),
    )  # fmt: skip
