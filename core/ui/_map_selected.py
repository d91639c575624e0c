"""What is selected on the map: held by the ids of its items, shown as cards, and taken along."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.pipeline.atlas import HELDOUT, Atlas
from core.pipeline.lists import Listed, titles
from core.ui import _map_cards, _map_data, _map_marks, _train_link, address, bound, words
from core.ui._map_cards import Card
from core.ui.address import Kept

HELD = "map-held"  # in the session: (name of the data, ids), however the chart is coloured or drawn
_READ = bound.one_of(("", *titles()))
LIST = Kept("list", "", _READ, "a ready-made list", lambda key: key or "none")  # that is selected; empty: none
CHART, SECOND_CHART = "map-chart", "map-second-chart"
_LAST = "map-held-by"  # in the session: the chart whose outline is the selection; empty: none
_RELEASED = "map-released"  # in the session: chart -> how often its outline was let go of


def hold(atlas: Atlas, rows: np.ndarray | None, by: str = "", *, listed: bool = False) -> None:
    """Remember a selection by the ids of its items; None lets go. ``by``: the chart whose outline it is; ``listed``:
    it is a ready-made list, chosen before the page is drawn."""
    counts = st.session_state.setdefault(_RELEASED, {})
    for chart in {CHART, SECOND_CHART} - {by}:
        counts[chart] = counts.get(chart, 0) + 1
    st.session_state[_LAST] = by
    if rows is None or not len(rows):
        st.session_state.pop(HELD, None)
    else:
        st.session_state[HELD] = (atlas.name, tuple(atlas.ids[row] for row in rows.tolist()))
    st.session_state.pop("map-cards-page", None)
    if listed:
        return
    address.put(LIST, "")
    st.session_state[_map_cards.CHANGED] = True
    _train_link.forget()  # what was sent is another selection


def released(chart: str) -> int:
    """Another number than before: what is selected is no longer what was outlined on this chart."""
    return st.session_state.get(_RELEASED, {}).get(chart, 0)


def last() -> str:
    """The chart whose outline is the selection."""
    return st.session_state.get(_LAST, "")


def held(atlas: Atlas) -> np.ndarray | None:
    """The rows of the selection; None where nothing is selected."""
    name, ids = st.session_state.get(HELD, ("", ()))
    if name != atlas.name:
        return None
    place = {id_: row for row, id_ in enumerate(atlas.ids)}
    rows = [place[id_] for id_ in ids if id_ in place]
    return np.array(rows, np.int64) if rows else None


def show(atlas: Atlas, listed: Listed | None = None) -> None:
    """How many, what can be done with them, and a card each. ``listed``: the ready-made list that they are."""
    mine = held(atlas)
    rows = np.arange(len(atlas)) if mine is None else mine
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.subheader(
            f"{words.count(len(rows))} selected" if mine is not None else f"All {words.count(len(rows))}", anchor=False
        )
        train = False
        if mine is not None:
            st.button("Let go", icon=":material/deselect:", on_click=hold, args=(atlas, None), type="tertiary")
            train = st.button("Train on these", icon=":material/model_training:", type="tertiary",
                              help="Their files and labels become data of their own on the page Train.")  # fmt: skip
        _map_data.table(atlas, rows)
    if train:
        _train_link.send(atlas, rows)
    if atlas.source != HELDOUT:
        _map_marks.bar(atlas, rows, hold)
    _cards(atlas, rows, listed)


@st.fragment
def _cards(atlas: Atlas, rows: np.ndarray, listed: Listed | None) -> None:
    orders = ({"listed": "As listed"} if listed is not None else {}) | _map_cards.orders(atlas)
    if st.session_state.get("map-order") not in orders:
        st.session_state["map-order"] = "classes"
    order = st.pills(
        "List", list(orders), format_func=lambda key: orders[key], key="map-order", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    if listed is not None and order == "listed":
        cards = [Card(row, note) for row, note in zip(listed.rows.tolist(), listed.notes, strict=True)]
    else:
        cards = _map_cards.ordered(atlas, rows, str(order))
    _map_cards.grid(atlas, cards, "map-cards", None if atlas.source == HELDOUT else _map_marks.beneath)
    _map_cards.follow()
