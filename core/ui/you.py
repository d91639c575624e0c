"""The You page: a person and a model label the same twelve held-out items."""

from __future__ import annotations

import string
from dataclasses import replace

import streamlit as st

from core.errors import UserFacingError
from core.pipeline.atlas import HELDOUT, Atlas
from core.pipeline.votes import WANTED, code_of
from core.pipeline.you import ITEMS, SURE, drawn
from core.ui import _cached_atlas, _you_sitting, address, bound, cached, controls, models, words, you_results
from core.ui._you_sitting import DOZEN, MOST_SEED, Sitting
from core.ui.address import Kept
from core.ui.controls import Choice

_KEYS = "".join(letter for letter in string.ascii_lowercase if letter not in "cr")  # those two are Streamlit's
_SURE_ICONS = (":material/help:", ":material/thumb_up:", ":material/verified:")
_FIRST = "soundbox"  # a set that is made on the spot


_CLASS = Kept("class", "", code_of, WANTED)


def page(choice: Choice) -> None:
    if choice.model is None:
        st.info("No trained model is here yet. Make those that come with the app with 'make models'.")
        return
    try:
        atlas = _cached_atlas.atlas(replace(choice, data=HELDOUT))
        seed, code = _which()
        ids = drawn(atlas, seed)
        _cached_atlas.item_of(atlas, ids[0])  # are they on this machine?
    except UserFacingError as error:
        st.info(words.plain(str(error), 400), icon=":material/info:")
        _elsewhere(choice)
        return
    now = _you_sitting.sitting(atlas, seed, code, ids)
    if now.over:
        you_results.show(atlas, now)
    elif now.begun:
        st.fragment(_ask)(atlas, now)
    else:
        _welcome(atlas, now)


def _which() -> tuple[int, str]:
    """Which dozen, and for which class."""
    with bound.telling():
        seed, code = address.get(DOZEN), address.get(_CLASS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Which dozen", 0, MOST_SEED, step=1, width=160, **bound.widget(DOZEN, seed),
            help="The same number, the same twelve items, for everybody.",
        )  # fmt: skip
        st.text_input(
            "Class code", code, max_chars=24, width=240, key="you-class", on_change=_put_code,
            placeholder="none: you play alone",
            help=f"Whoever uses the same code answers together: {WANTED}. Only the answers are kept, no names.",
        )  # fmt: skip
    if wrong := st.session_state.pop("you-wrong-code", ""):
        st.error(f"“{words.plain(wrong, 40)}” is no class code; use {WANTED}.", icon=":material/block:")
    return seed, code


def _put_code() -> None:
    text = st.session_state["you-class"]
    try:
        address.put(_CLASS, code_of(text) if text.strip() else "")
    except ValueError:
        st.session_state["you-wrong-code"] = text


def _elsewhere(choice: Choice) -> None:
    """A model whose items are made here."""
    found = [one for one in models.model_list() if one.data == _FIRST and one.ready and one.name != choice.model]
    if found and st.button(f"Use {words.plain(found[0].title)}", icon=":material/swap_horiz:"):
        controls.switch_model(found[0].name)


def _welcome(atlas: Atlas, now: Sitting) -> None:
    thing = "sounds" if atlas.kind == "audio" else "pictures"
    names = ", ".join(words.plain(_read(name)) for name in atlas.classes)
    with st.container(border=True):
        st.markdown(
            f"**Twelve {thing} that no model of {words.plain(atlas.title)} was trained on.** For each, say what it is "
            "and how sure you are. Then your retention curve is drawn beside the model's: does your doubt point at "
            "your errors as well as its doubt does?"
        )
        st.caption(f"The classes: {names}. Some {thing} are mixtures of two; the one that they count as was drawn.")
        st.button("Begin", type="primary", icon=":material/play_arrow:", on_click=_begin, args=(now,), shortcut="Enter")


def _begin(now: Sitting) -> None:
    now.begun = True


def _read(name: str) -> str:
    return name.replace("_", " ")


def _ask(atlas: Atlas, now: Sitting) -> None:
    """One item; each answer runs this anew."""
    if now.over:
        st.rerun()
    number = now.at + 1
    st.progress(now.at / ITEMS, f"Item {number} of {ITEMS}")
    try:
        with st.spinner(f"Fetching item {number}"):
            view = cached.shown(_cached_atlas.item_of(atlas, now.ids[now.at]))
    except UserFacingError as error:
        st.error(words.plain(str(error), 300), icon=":material/block:")
        return
    if atlas.kind == "audio":
        st.audio(view.preview, format="audio/flac", autoplay=True, alt=f"the sound of item {number}")
    else:
        st.image(view.preview, width=320, alt=f"the picture of item {number}")
    if now.chosen is None:
        st.markdown("**What is it?**")
        _classes(atlas, now)
    else:
        st.markdown(f"**{words.plain(_read(atlas.classes[now.chosen])).capitalize()}: how sure are you?**")
        with st.container(horizontal=True):
            for place, name in enumerate(SURE):
                st.button(name.capitalize(), key=f"you-sure-{place}", icon=_SURE_ICONS[place], shortcut=str(place + 1),
                          on_click=now.say, args=(place,))  # fmt: skip
    if number > 1 or now.chosen is not None:
        st.button("Back", icon=":material/undo:", type="tertiary", shortcut="Backspace", on_click=now.back)


def _classes(atlas: Atlas, now: Sitting) -> None:
    """Buttons with a letter each; of many classes a list."""
    names = [_read(name) for name in atlas.classes]
    if len(names) <= len(_KEYS):
        with st.container(horizontal=True, gap="small"):
            for place, name in enumerate(names):
                st.button(words.plain(name).capitalize(), key=f"you-class-{place}", shortcut=_KEYS[place],
                          on_click=now.choose, args=(place,))  # fmt: skip
        return
    key = f"you-of-many-{now.at}"
    st.selectbox("Class", range(len(names)), None, format_func=lambda place: names[place], key=key,
                 placeholder="Type to search", on_change=lambda: now.choose(st.session_state[key]))  # fmt: skip
