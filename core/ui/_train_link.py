"""From items that were selected to a training on them: a link that opens the page Train with them chosen."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np
import streamlit as st

from core.errors import UserFacingError
from core.pipeline import selected
from core.pipeline.atlas import Atlas
from core.ui import address, cached, models, words
from core.ui.address import Kept
from core.ui.controls import Choice
from core.ui.models import ModelFacts

WAY, WIDGET = "Map selection", "train-way"  # of the form's data, and the widget that chooses it
TAB = "Your own"
_SEEN = "train-picked"  # in the session: the selection that the form was opened with


def _key(text: str) -> str:
    if len(text) > 64:
        raise ValueError(text[:40])
    return text


_PICKED = Kept("picked", "", _key, "a selection that is kept here")


def train_on(manifest: Path) -> NoReturn:
    """Open the page Train with a written selection chosen (see ``selected.write``); not from a callback."""
    st.session_state.pop(_SEEN, None)
    address.put(_PICKED, selected.key_of(manifest))
    st.switch_page("pages/6_Train.py", query_params={_PICKED.name: selected.key_of(manifest)})


def send(atlas: Atlas, rows: np.ndarray) -> None:
    """Write these items and their labels, and open the page with them; or say why nothing can learn from them."""
    try:
        with st.spinner("Copying the selected items"):
            manifest = selected.write(atlas, [atlas.ids[row] for row in rows.tolist()], cached.settings())
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return
    train_on(manifest)


def arrived() -> None:
    """Where a link asks for a selection, the form opens on it. Before the tabs are drawn."""
    key = address.get(_PICKED)
    if key and chosen() is None:
        st.warning("The selection that the link asks for is not kept here any more; draw it again on the map.",
                   icon=":material/link_off:")  # fmt: skip
        forget()
    elif key and st.session_state.get(_SEEN) != key:
        st.session_state["train-tab"], st.session_state[WIDGET] = TAB, WAY
        st.session_state[_SEEN] = key


def chosen() -> Path | None:
    """The manifest of the selection that was sent."""
    return selected.manifest_of(address.get(_PICKED), cached.settings())


def seen_through(choice: Choice) -> ModelFacts | None:
    """The model that the items were sent from, to begin with; it stands in the side bar."""
    if chosen() is None or choice.model is None:
        return None
    found = models.facts(choice.model)
    return found if found.ready else None


def forget() -> None:
    address.put(_PICKED, "")
