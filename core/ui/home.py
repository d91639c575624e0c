"""The landing page: three doors, the two kinds of doubt, two real results, and what is in the box."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.contracts import Kind
from core.errors import UserFacingError
from core.pipeline.atlas import Atlas
from core.ui import _cached_atlas, _cached_home, _home_charts, cached, controls, models, plot, samples, shell, words
from core.ui.controls import Choice

DOORS = ("Dog", "Boat")  # samples by name: listing them all would take a moment
DOUBTFUL = (
    "Dog or rain",
    "A sound of no class",
)  # ambiguous and unfamiliar: so say the models that came with the app
_INSPECT = "pages/1_Inspect.py"
_TILE = 112  # pixels


def hero() -> None:
    st.title("See what your model does not know", anchor=False)
    st.markdown(
        "A model that is wrong and sure of it costs more than one that says *I have not seen this*. "
        f"{shell.NAME} gives a sound or a picture to a model, says in words how far to trust the answer, and why."
    )


def doors() -> None:
    """Three ways in, each opens Inspect on something real; and a fourth for who wants to learn first."""
    own, sound, picture = st.columns(3, border=True)
    with own:
        st.subheader("Your own file", anchor=False)
        st.markdown("A recording, a photo, several of them, or a zip. Nothing leaves this machine.")
        st.page_link(_INSPECT, label="Open a file", icon=":material/upload_file:")
    with sound:
        st.subheader("A sound made here", anchor=False)
        st.markdown("Synthesised on this machine, so that its true class and its true doubt are known.")
        _door(DOORS[0], "Listen to one", ":material/graphic_eq:", "audio")
    with picture:
        st.subheader("A picture made here", anchor=False)
        st.markdown("A toy rendered on this machine; its pose, light and what hides it are known.")
        _door(DOORS[1], "Look at one", ":material/toys:", "image")
    st.page_link(
        "pages/8_Learn.py", label="New to doubt? Short lessons: guess first, then see it computed",
        icon=":material/school:",
    )  # fmt: skip


def _door(name: str, label: str, icon: str, kind: Kind) -> None:
    st.page_link(_INSPECT, label=label, icon=icon, query_params=_link(name, kind))


def _link(name: str, kind: Kind) -> dict[str, str]:
    """A sample, and a model that takes it."""
    first = models.default()
    model = models.matching(kind, first.name if first else None)
    return {"from": "Samples", "sample": name} | ({"model": model.name} if model and model != first else {})


def doubts() -> tuple[DeltaGenerator, DeltaGenerator]:
    """What the two words mean; the places of their examples, which ``examples`` fills once they are rendered."""
    st.subheader("Two kinds of doubt", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        first = _kind(
            ":material/balance: **Ambiguous.** The thing itself is unclear: half a dog, half rain. More "
            "training would not help; a second recording might. *Aleatoric*, in the books.",
        )
    with right:
        second = _kind(
            ":material/explore: **Unfamiliar.** The model has heard nothing like it, however clear it is, and its "
            "answer is a guess. More training data would help. *Epistemic*, in the books.",
        )
    return first, second


def _kind(sentence: str) -> DeltaGenerator:
    with st.container(horizontal=True, gap="medium"):
        example = st.container(width=124, height=_TILE, gap=None, border=False)
        with st.container(width="stretch"):
            st.markdown(sentence)
    return example


def examples(places: tuple[DeltaGenerator, DeltaGenerator]) -> None:
    offered = {sample.name: sample for sample in samples.offered()}
    for place, name in zip(places, DOUBTFUL, strict=True):
        with place:
            st.image(_cached_home.thumbnail(offered[name]), width=112, alt=f"thumbnail: {name}")
            st.page_link(_INSPECT, label="Ask a model", query_params=_link(name, "audio"))


def results() -> None:
    """Two charts of answers that came with the app, each a door to its page."""
    chosen = models.default("image") or models.default("audio")
    if chosen is None:
        return
    try:
        atlas = _cached_atlas.atlas(Choice(chosen.name))
    except UserFacingError:
        return  # a model of one's own that came without held-out answers
    st.subheader("What that is good for", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        st.fragment(_retention)(atlas)
    with right:
        _map(atlas)
    st.caption(
        f"Both of the model “{words.plain(chosen.title)}” and its {words.count(len(atlas.ids))} held-out items. "
        "Models and doubts are estimates: small models that learned from made-up data know little of the world, and "
        "doubt finds many of their errors, not all."
    )


def _retention(atlas: Atlas) -> None:
    kept = _cached_home.kept(atlas)
    share = max(_home_charts.LOWEST, controls.point())
    finding = _home_charts.kept_finding(kept, share)
    says = f"keep {words.percent(share)}: {100 * kept.accuracy(share):.1f} %"
    handle = plot.Handle(share, _home_charts.LOWEST, 1.0, 0.01, "share of answers kept", says=says)
    alt = f"Accuracy of what is kept against the share kept. {finding}"
    figure = _home_charts.kept_figure(kept, shell.is_dark())
    plot.show(figure, "home-kept", alt=alt, handle=handle, told=plot.Told(drag=controls.set_point), name="retention")
    st.markdown(f"**{finding}** Drag the line.")
    _page("Retention", "Set doubtful answers aside", atlas)


def _map(atlas: Atlas) -> None:
    finding = _home_charts.map_finding(atlas)
    if atlas.points is not None:
        figure = _home_charts.map_figure(atlas, shell.is_dark())
        plot.show(figure, "home-map", alt=f"A map of held-out items. {finding}", name="map")
    st.markdown(f"**{finding}**")
    _page("Map", "See and hear where doubt lies", atlas)


def _page(title: str, label: str, atlas: Atlas) -> None:
    """A link to a page of that title, where there is one."""
    found = [file for file in shell.page_files() if file.title == title]
    if found:
        st.page_link(
            f"pages/{found[0].path.name}", label=label, icon=found[0].icon, query_params={"model": atlas.model}
        )


def gallery() -> None:
    """One item a class, as the thumbnails that a map uses; each opens in Inspect."""
    for key in samples.SETS:
        data = cached.dataset(key)
        st.subheader(f"In the box: {data.title}", anchor=False)
        st.caption(
            f"{words.count(len(data.items))} items in {len(data.classes)} classes, made from a seed: "
            "clean ones, mixtures whose true probabilities are known, noisy ones, and some from outside the classes."
        )
        with st.container(horizontal=True, gap="small"):
            for name, thumbnail in _cached_home.tiles(key):
                with st.container(width=124, gap=None):
                    st.image(thumbnail, width=112, alt=f"thumbnail: {name}")
                    st.page_link(_INSPECT, label=name, query_params=_link(name, data.kind))
