"""How a query is to be answered: by the shared operating point, or by thresholds for a stated risk; all in the URL."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.errors import UserFacingError
from core.pipeline.atlas import Atlas
from core.pipeline.found import Shelf, Wish
from core.retrieval import Safety
from core.retrieval import chosen as within
from core.ui import (
    _cached_retention,
    _retention_charts,
    address,
    bound,
    controls,
    glossary,
    item_cards,
    measures,
    words,
)
from core.ui.address import Kept
from core.ui.measures import label_of

_RISKS = (1, 2, 5, 10, 15, 20, 25, 30, 40, 50)  # percent
_MOST = 48
_LOWEST = _retention_charts.LOWEST
_RISK = Kept("risk", 10, bound.one_of(_RISKS), f"one of {', '.join(map(str, _RISKS))} percent")
_SAFE = Kept("safe", False, bound.one_of((False, True)), "True or False")
_OWN = Kept("own", False, bound.one_of((False, True)), "True or False")
_K = Kept("k", 8, bound.one_of(tuple(range(1, _MOST + 1))), f"a whole number from 1 to {_MOST}")


def read() -> None:
    """What the link says, before any of it is drawn; what it says wrongly is told at once."""
    kept: Kept[Any]
    with bound.telling():
        for kept in (_RISK, _SAFE, _OWN, _K):
            address.get(kept)


def choose(atlas: Atlas, shelf: Shelf) -> Wish:
    measure = _measure(atlas, shelf)
    with st.container(horizontal=True, gap="medium"):
        safe = st.toggle(
            "Answer only when safe",
            help="Refuses a query whose nearest item would be wrong more often than you allow.",
            **bound.widget(_SAFE),
        )
        same = st.toggle(
            f"Let it find its own {item_cards.SOURCES[atlas.kind]}",
            help="Clips of one recording, or pictures of one scene, are near each other whatever the model knows, so "
            "they are left out unless you ask for them.",
            **bound.widget(_OWN),
        )
    left, right = st.columns(2, gap="medium")
    with right:
        k = int(st.slider("Results", 1, _MOST, **bound.widget(_K)))
    with left:
        if safe:
            risk = st.select_slider(
                "Wrong answers you allow", _RISKS, format_func=lambda one: f"{one} %", **bound.widget(_RISK)
            )
            return Wish(k, measure, None, same, _safety(atlas, measure, int(risk)))
        return Wish(k, measure, _cached_retention.threshold(atlas, measure, _share()), same)


def smallest_risk(atlas: Atlas, measure: str) -> int | None:
    """Of those on offer, in percent."""
    trial = _cached_retention.trial(atlas, measure)
    return next((risk for risk in _RISKS if within(trial, risk=risk / 100).threshold is not None), None)


def allow(risk: int) -> None:
    address.put(_RISK, risk)


def _share() -> float:
    """The operating point of all pages."""
    value = round(max(_LOWEST, controls.point()), 2)
    if st.session_state.get("pick-keep") != value:
        st.session_state["pick-keep"] = value
    share = st.slider(
        "Share of the surest items that may be found",
        _LOWEST,
        1.0,
        step=0.01,
        format="percent",
        key="pick-keep",
        on_change=lambda: controls.set_point(st.session_state["pick-keep"]),
    )
    return float(share)


def _measure(atlas: Atlas, shelf: Shelf) -> str:
    """The chosen doubt, or another one where this model has no such."""
    here = [name for name in measures.WORDS if name in shelf.doubts]
    value = controls.measure() if controls.measure() in here else here[0]
    if st.session_state.get("retrieve-measure") != value:
        st.session_state["retrieve-measure"] = value
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "Kind of doubt",
            here,
            format_func=lambda name: label_of(name, atlas.score_name),
            key="retrieve-measure",
            required=True,
            on_change=lambda: controls.set_measure(st.session_state["retrieve-measure"]),
        )
        glossary.show(here)
    return str(chosen)


def _safety(atlas: Atlas, measure: str, risk: int) -> Safety | None:
    try:
        return within(_cached_retention.trial(atlas, measure), risk=risk / 100)
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return None
