"""What cards of stored items share: why an item is doubted, in one line, and a player that appears when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from core.contracts import Kind
from core.errors import UserFacingError
from core.pipeline.atlas import Atlas
from core.ui import _cached_atlas, cached, words

SOURCES: Mapping[Kind, str] = {"audio": "recording", "image": "scene"}  # what several items may be of
ICONS = {
    "unfamiliar": ":blue[:material/help:]",
    "ambiguous": ":orange[:material/alt_route:]",
    "unsure": ":gray[:material/contrast:]",
    "trust": ":gray[:material/remove:]",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item has the doubt it has: the word of its verdict and the figure behind it."""

    code: str
    text: str


def reason(atlas: Atlas, row: int, measure: str) -> Reason:
    """By the rules of the verdict for files, with the percentile that decided."""
    places = {name: float(values[row]) for name, values in atlas.percentiles.items() if np.isfinite(values[row])}
    code = atlas.code(row)
    if code == "unfamiliar":
        name = max(("novelty", "epistemic"), key=lambda one: places.get(one, -1.0))
        what = "novelty" if name == "novelty" else "epistemic doubt"
        return Reason(code, f"Unfamiliar: {what} {_beyond(places.get(name))}")
    if code == "ambiguous":
        return Reason(code, f"Ambiguous: total doubt {_beyond(places.get('total'))}, most of it the item's own")
    if code == "unsure" and "total" in places and atlas.draws < 2:
        return Reason(code, f"In doubt: total doubt {_beyond(places['total'])}, and one draw cannot say why")
    if code == "unsure" and "total" in places:
        return Reason(code, f"The model disagrees with itself: total doubt {_beyond(places['total'])}")
    if measure in places:
        return Reason("trust", f"Doubt {_beyond(places[measure])}")
    return Reason("trust", "More doubtful than what is kept")


def _beyond(percentile: float | None) -> str:
    if percentile is None:
        return "above what is kept"
    return (
        "beyond nearly all validation items" if percentile > 99.5 else f"beyond {percentile:.0f} % of validation items"
    )


def spoken(label: str | None) -> str:
    """A label as people read it, safe to show."""
    return "no label" if label is None else words.plain(label.replace("_", " ").replace("|", ", "), 40)


def player(atlas: Atlas, id_: str, where: str) -> None:
    """A button that becomes a player, so that a page of cards does not carry all its sounds."""
    if atlas.kind != "audio":
        return
    if st.session_state.get(f"{where}-played") != id_:
        st.button(
            "Play",
            key=f"{where}-play-{id_}",
            icon=":material/play_arrow:",
            type="tertiary",
            on_click=lambda: st.session_state.update({f"{where}-played": id_}),
        )
        return
    try:
        sound = cached.shown(_cached_atlas.item_of(atlas, id_)).preview
    except UserFacingError as error:
        st.caption(words.plain(str(error), 200))
        return
    st.audio(sound, format="audio/flac", autoplay=True, alt=f"the sound {id_}")
