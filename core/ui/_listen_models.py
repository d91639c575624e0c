"""Which models hear a stream beside each other: those of one data set, the quartet of VI-PANN first."""

from __future__ import annotations

import streamlit as st

from core.ui import address, bound, controls, models, words
from core.ui.address import Kept
from core.ui.controls import Choice
from core.ui.models import ModelFacts

MOST = 4
_QUARTET = ("deterministic", "det_flip", "flipout", "abnn")


def choose(chosen: Choice) -> tuple[ModelFacts, ...]:
    """Up to four; empty after a sentence that says why and what to do."""
    own = models.facts(chosen.model) if chosen.model is not None else None
    if own is None:
        st.info("No trained model is here yet. Make those that come with the app with 'make models'.")
        return ()
    if own.kind != "audio":
        _other(own)
        return ()
    known = {one.name: one for one in models.model_list() if one.kind == "audio" and one.data == own.data and one.ready}
    if not known:
        st.info(f"{words.plain(own.title)} is not ready: {words.plain(own.why_not or 'a part is missing', 200)}.")
        return ()
    kept = Kept("hear", _first(own, known), bound.several(), f"up to {MOST} models for sounds", ",".join)
    with bound.telling():
        wanted = [name for name in address.get(kept) if name in known] or list(_first(own, known))
    picked = st.pills(
        f"Models side by side, up to {MOST}",
        list(known),
        selection_mode="multi",
        format_func=lambda name: words.plain(title_of(known[name])),
        **bound.widget(kept, wanted),
        help="Those that learned from the same data as the model in the side bar.",
    )
    if len(picked) > MOST:
        st.info(f"The first {MOST} of them are heard: more would leave too little time for each.")
    if not picked:
        st.info("Choose at least one model to listen.")
    return tuple(known[name] for name in picked[:MOST])


def title_of(one: ModelFacts) -> str:
    """Beside others of the same data."""
    return one.title.partition(", ")[2] or one.title


def _other(own: ModelFacts) -> None:
    found = models.matching("audio", than=own.name)
    st.info(f"{words.plain(own.title)} is a model for pictures, and a stream is of sound.", icon=":material/hearing:")
    if found is not None and st.button(f"Use {words.plain(found.title)}", icon=":material/swap_horiz:"):
        controls.switch_model(found.name)


def _first(own: ModelFacts, known: dict[str, ModelFacts]) -> tuple[str, ...]:
    """The quartet as far as it is here, and the model of the side bar where there is room."""
    found = [one.name for method in _QUARTET for one in known.values() if one.method == method and not one.own]
    if own.name in known and own.name not in found:
        found.append(own.name)
    return tuple(found[:MOST])
