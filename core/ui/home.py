"""The landing page: three doors and what is in the box."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import streamlit as st

from core.media.door import open_view
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
        st.page_link(_INSPECT, label="Open a file", icon=":material/upload_file:")
    with sound:
        st.subheader("A sound made here", anchor=False)
        st.markdown("Soundbox: sounds synthesised on this machine, whose true class and true doubt are known.")
        _door("soundbox", "Listen to one", ":material/graphic_eq:")
    with picture:
        st.subheader("A picture made here", anchor=False)
        st.markdown("Toybox: toys rendered on this machine, with the pose, light and occlusion of each known.")
        _door("toybox", "Look at one", ":material/toys:")


def _door(key: str, label: str, icon: str) -> None:
    first = next(sample for sample in samples.offered() if sample.data == key)
    st.page_link(_INSPECT, label=label, icon=icon, query_params=_link(first.name))


def _link(name: str) -> dict[str, str]:
    return {"from": "Samples", "sample": name}


def gallery() -> None:
    """One item a class, as the thumbnails a map will use; each opens in Inspect."""
    for key in samples.SETS:
        data = cached.dataset(key)
        st.subheader(f"In the box: {data.title}", anchor=False)
        st.caption(
            f"{words.count(len(data.items))} items in {len(data.classes)} classes, made from a seed: "
            "clean ones, mixtures whose true probabilities are known, noisy ones, and some from outside the classes."
        )
        with st.container(horizontal=True, gap="small"):
            for name, thumbnail in _tiles(key):
                with st.container(width=124, gap=None):
                    st.image(thumbnail, width=112, alt=f"thumbnail: {name}")
                    st.page_link(_INSPECT, label=name, query_params=_link(name))


@st.cache_resource(show_spinner="Making a thumbnail of each class")
def _tiles(key: str) -> tuple[tuple[str, bytes], ...]:
    """All thumbnails of one set at once: rendered and decoded side by side."""
    data, chosen = cached.dataset(key), [sample for sample in samples.offered() if sample.data == key]
    items = {item.id: item for item in data.items}
    with ThreadPoolExecutor(cached.settings().decoders) as pool:
        pictures = pool.map(lambda sample: open_view(data.read(items[sample.item])).thumbnail, chosen)
        return tuple((sample.name, picture) for sample, picture in zip(chosen, pictures, strict=True))
