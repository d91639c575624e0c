"""What the words for doubt mean: two plain sentences and the formula each, one click away on every page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.ui.measures import WORDS


def show(measures: Sequence[str] = tuple(WORDS)) -> None:
    """A button that opens the words on the spot."""
    with st.popover("What these words mean", icon=":material/info:", type="tertiary"):
        for name in measures:
            word = WORDS[name]
            st.markdown(f"**{word.name}** ({word.technical}). {word.sentences}")
            st.latex(word.formula)
        st.caption(
            "Entropies are in nats. The two parts are estimates that can be correlated; the places are among items "
            "that the model never trained on."
        )
