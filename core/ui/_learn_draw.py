"""A lesson's pictures on the page: charts with what they show, and sounds or pictures side by side."""

from __future__ import annotations

import streamlit as st

from core.lessons._pictures import Picture, Strip
from core.media import preview
from core.ui import _learn_charts, plot, shell, words

_PICTURE = 92  # pixels across


def show(picture: Picture, key: str) -> None:
    st.markdown(f"**{picture.title}**")
    if isinstance(picture, Strip):
        _strip(picture)
        return
    figure = _learn_charts.figure_of(picture, shell.is_dark())
    plot.show(figure, key, alt=f"{picture.title}. {picture.finding}", name=key)
    st.caption(words.plain(picture.finding, 300))


def _strip(strip: Strip) -> None:
    """Sounds share the width; pictures stand beside each other as many as there is room for, on a phone too."""
    if strip.rate is None:
        with st.container(horizontal=True, gap="small"):
            for name, item in zip(strip.names, strip.items, strict=True):
                with st.container(width=_PICTURE, gap=None):
                    st.image(item, width=_PICTURE, alt=f"{strip.title}: {name}")
                    st.caption(name)
        return
    for column, name, item in zip(st.columns(len(strip.items)), strip.names, strip.items, strict=True):
        with column:
            st.audio(preview.of_samples(item, strip.rate), format="audio/flac", alt=f"{strip.title}: {name}")
            st.caption(name)
