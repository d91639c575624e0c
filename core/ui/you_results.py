"""What came of a dozen: both curves, every item, and what the class made of it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.errors import UserFacingError
from core.pipeline import votes
from core.pipeline.atlas import Atlas
from core.pipeline.you import Match, match, rows_of
from core.ui import _cached_atlas, _you_charts, _you_sitting, address, cached, models, plot, shell, tables, words
from core.ui._you_sitting import Sitting

_FEWEST = 3  # people from whom on a class is drawn: of two, each could tell what the other said


def show(atlas: Atlas, now: Sitting) -> None:
    if now.code and not now.cast:
        try:
            votes.cast(cached.settings(), now.poll, now.voter, now.ballot)
            now.cast = True
        except UserFacingError as error:
            st.error(words.plain(str(error), 300), icon=":material/block:")
    found = match(atlas, now.ids, now.answers, now.sure)
    name = next((one.title for one in models.model_list() if one.name == atlas.model), atlas.model)
    _numbers(found)
    said = _you_charts.finding(found, name)
    figure = _you_charts.curves(found, shell.is_dark())
    plot.show(figure, "you-curves", alt=f"Your retention curve and the model's. {said}", name="you-and-the-model")
    st.markdown(f"**{words.plain(said, 500)}**")
    st.caption(
        "To the right fewer are kept, the surest first; who is equally sure of several keeps them together. The bands "
        "hold the true share in at least 95 of 100 such dozens (Clopper and Pearson): with twelve items they are wide."
    )
    with st.container(horizontal=True):
        st.button("Another dozen", icon=":material/casino:", on_click=_another, args=(now,))
        st.button("Hand over to the next person", icon=":material/group_add:", on_click=_you_sitting.anew)
    tabs = st.tabs(["Item by item", *(["The class"] if now.cast else [])])
    with tabs[0]:
        _items(atlas, now, found)
    if now.cast:
        with tabs[1]:
            _class(atlas, now)


def _numbers(found: Match) -> None:
    items = len(found.you.right)
    cells = st.columns(3)
    cells[0].metric("You", f"{found.you.count} of {items}")
    cells[1].metric("The model", f"{found.model.count} of {items}")
    cells[2].metric("Both", f"{int((found.you.right & found.model.right).sum())} of {items}")


def _another(now: Sitting) -> None:
    address.put(_you_sitting.DOZEN, (now.seed + 1) % (_you_sitting.MOST_SEED + 1))


def _items(atlas: Atlas, now: Sitting, found: Match) -> None:
    rows = rows_of(atlas, now.ids)
    truth = [(atlas.label_names[row] or "").replace("_", " ") for row in rows.tolist()]
    columns = _you_charts.answers(found, truth, [name.replace("_", " ") for name in atlas.classes], now.sure)
    tables.show(columns, "you-items", alt="Item by item", about=_about(atlas, now), name="you-and-the-model")
    again = st.pills("Hear one again" if atlas.kind == "audio" else "See one again", columns["item"], key="you-again")
    if again is None:
        return
    place = int(again) - 1  # type: ignore[call-overload]
    try:
        view = cached.shown(_cached_atlas.item_of(atlas, now.ids[place]))
    except UserFacingError as error:
        st.caption(words.plain(str(error), 300))
        return
    if atlas.kind == "audio":
        st.audio(view.preview, format="audio/flac", autoplay=True, alt=f"item {again} once more")
    else:
        st.image(view.preview, width=320, alt=f"item {again} once more")


def _class(atlas: Atlas, now: Sitting) -> None:
    try:
        found = votes.tally(cached.settings(), now.poll, now.voter)
    except UserFacingError as error:
        st.error(words.plain(str(error), 300), icon=":material/block:")
        return
    st.button("Look again", icon=":material/refresh:", type="tertiary")
    if found.voters < _FEWEST:
        people = "One person has" if found.voters == 1 else f"{found.voters} people have"
        st.info(f"{people} finished. From {_FEWEST} on, this shows where the class disagrees; the link in the address "
                "bar is what the others need.", icon=":material/group:")  # fmt: skip
        return
    rows = rows_of(atlas, now.ids)
    part = "aleatoric" if "aleatoric" in atlas.doubts else "total"
    doubt = np.asarray(atlas.doubts[part], np.float64)[rows]
    said = _you_charts.humans_finding(found, doubt)
    truth = [(atlas.label_names[row] or "").replace("_", " ") for row in rows.tolist()]
    figure = _you_charts.humans(found, doubt, truth, shell.is_dark())
    plot.show(figure, "you-humans", alt=f"Human and model ambiguity. {said}", name="human-entropy")
    st.markdown(f"**{words.plain(said, 400)}**")
    most = float(np.log(min(found.voters, len(atlas.classes))))
    st.caption(
        f"The entropy of {found.voters} votes can reach at most {words.figure(most)} nats, and few votes reach less of "
        "it than many would. The interval is that of Bonett and Wright for twelve items."
    )
    columns = votes.columns(now.ids, atlas.classes, found) | {f"model_{part}": doubt.tolist()}
    tables.show(
        columns, "you-class-table", alt="What the class answered", about=_about(atlas, now), name="human-entropy"
    )


def _about(atlas: Atlas, now: Sitting) -> dict[str, str]:
    return {"model": atlas.model, "data": atlas.title, "fingerprint": atlas.fingerprint, "seed": str(now.seed)}
