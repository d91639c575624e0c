"""A network as a strip of its layers, some of which a reader switches."""

from __future__ import annotations

import streamlit as st

from core.lessons._pictures import Chain, Link
from core.ui import _learn_knobs, address, words
from core.ui._learn_knobs import Asked


def show(asked: Asked, chain: Chain, live: bool, key: str) -> None:
    """``live``: once the guess is made; until then the strip is only to be looked at."""
    st.markdown(f"**{chain.title}**")
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=key):
        for number, link in enumerate(chain.links):
            if number:
                st.markdown(":material/arrow_forward:", width="content")
            if link.switches:
                _switch(asked, chain, link, live, f"{key}-{number}")
            else:
                st.markdown(link.name, width="content")
    st.caption(f"{words.plain(chain.finding, 300)}{' Click a layer to switch it.' if live else ''}")


def _switch(asked: Asked, chain: Chain, link: Link, live: bool, key: str) -> None:
    kept = _learn_knobs.kept(asked.lesson, chain.knob)
    if link.told is None:
        tip = "The last one that is random stays so."
    else:
        tip = "Random; a click fixes it." if link.on else "Fixed; a click makes it random."
    st.button(
        link.name, icon=":material/casino:" if link.on else ":material/lock:", help=tip if live else None, key=key,
        type="primary" if link.on else "secondary", disabled=not live or link.told is None,
        on_click=address.put, args=(kept, link.told),
    )  # fmt: skip
