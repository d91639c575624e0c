"""The landing page: three doors and what is in the box."""

from __future__ import annotations

import streamlit as st

from core.ui import cached, samples, shell, words

_INSPECT = "pages/1_Inspect.py"


def hero() -> None:
    st.title("See what your model does not know", anchor=False)
    st.markdown(
        "A model that is wrong and sure of it costs more than one that says *I have not seen this*. "
        f"{shell.NAME} is built to show the two kinds of doubt apart: the thing itself is **ambiguous**, or it is "
        "**unfamiliar** to the model. It begins with what the model is given: open a file and look."
    )


def doors() -> None:
    """Three ways in; each opens Inspect on something real."""
    own, sound, picture = st.columns(3, border=True)
    with own:
        st.subheader("Your own file", anchor=False)
        st.markdown("A recording, a photo, several of them, or a zip. Nothing leaves this machine.")
        st.page_link(_INSPECT, label="Open a file", icon=":material/upload_file:", query_params={"from": "upload"})
    with sound:
        st.subheader("A sound made here", anchor=False)
        st.markdown("Soundbox: sounds synthesised on this machine, whose true class and true doubt are known.")
        _door("soundbox", "Listen to one", ":material/graphic_eq:")
    with picture:
        st.subheader("A picture made here", anchor=False)
        st.markdown("Toybox: toys rendered on this machine, with pose, light and occlusion known for each.")
        _door("toybox", "Look at one", ":material/toys:")


def _door(key: str, label: str, icon: str) -> None:
    first = samples.offered(cached.dataset(key))[0]
    st.page_link(_INSPECT, label=label, icon=icon, query_params={"from": "samples", "sample": first.address})


@st.fragment
def gallery() -> None:
    """One item a class, as the thumbnails a map will use; each opens in Inspect."""
    for key in samples.SETS:
        data = cached.dataset(key)
        st.subheader(f"In the box: {data.title}", anchor=False)
        st.caption(
            f"{words.count(len(data.items))} items in {len(data.classes)} classes, made from a seed: "
            "clean ones, mixtures whose true probabilities are known, noisy ones, and some from outside the classes."
        )
        offered = samples.offered(data)
        with st.container(horizontal=True, gap="small"):
            for sample in offered:
                _tile(sample)


def _tile(sample: samples.Sample) -> None:
    view = cached.view(cached.item_bytes(sample.data, sample.item))
    with st.container(width=124, gap=None):
        st.image(view.thumbnail, width=112, alt=f"thumbnail of {sample.name}")
        st.page_link(_INSPECT, label=sample.name, query_params={"from": "samples", "sample": sample.address})
