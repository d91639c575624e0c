"""Which data a training learns from: a set, an upload, a folder of this machine, or what the map's outline holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.data import specs
from core.errors import UserFacingError
from core.pipeline import selected
from core.ui import _cached_atlas, _cached_train, _map_selected, _train_link, cached, given, item_cards, words
from core.ui.controls import Choice

_OWN = {"folder", "zip", "manifest"}


@dataclass(frozen=True, slots=True)
class Data:
    source: str  # as the command line takes it
    name: str  # for the model's name
    facts: Mapping[str, Any]  # of ``data show``
    way: str = ""  # how it was given

    @property
    def folds(self) -> list[int]:
        return sorted(int(fold) for fold in self.facts["folds"])

    @property
    def splits(self) -> Mapping[str, int]:
        return self.facts["splits"]


def choose(first: str, chosen: Choice) -> Data | None:
    """None until something is chosen that can be read. ``first``: the set of the recipe that is changed."""
    ways = {
        "A set": lambda: _set(first),
        "Upload": lambda: given.uploaded("train-upload"),
        "Folder": lambda: given.folder("train-folder"),
        _train_link.WAY: lambda: _selection(chosen),
    }
    if _train_link.WIDGET not in st.session_state:
        st.session_state[_train_link.WIDGET] = "A set"
    way = st.segmented_control("Data", list(ways), required=True, key=_train_link.WIDGET)
    found = ways[str(way)]()
    if found is None:
        return None
    source, name = found
    try:
        facts = _cached_train.facts(source)
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return None
    st.caption(_told(facts))
    return Data(source, name, facts, str(way))


def _told(facts: Mapping[str, Any]) -> str:
    """What is in them, in a sentence."""
    labelled = sum(facts["labels"].values())
    what = "sounds" if facts["kind"] == "audio" else "pictures"
    parts = [f"{words.plain(facts['title'])}: {words.count(facts['items'])} {what}"]
    parts.append(f"{len(facts['classes'])} classes" if facts["classes"] else "no labels")
    if facts["classes"] and labelled < facts["items"] and facts["task"] == "multiclass":
        parts.append(f"{words.count(facts['items'] - labelled)} without a label")
    if 0 < facts["groups"] < facts["items"]:
        parts.append(f"of {words.counted(facts['groups'], item_cards.SOURCES[facts['kind']])}")
    notes = [words.plain(note.rstrip("."), 200) for note in facts["notes"][:2]]
    return "; ".join([", ".join(parts), *notes]) + "."


def _set(first: str) -> tuple[str, str] | None:
    known = {spec.key: spec for spec in specs() if spec.key not in _OWN}
    order = sorted(known, key=lambda key: (not known[key].builtin, key))
    if st.session_state.get("train-set-of") != first:  # another recipe: its own set
        st.session_state["train-set-of"] = first
        st.session_state["train-set"] = first if first in known else order[0]
    key = str(
        st.selectbox(
            "Set",
            order,
            format_func=lambda key: known[key].title,
            key="train-set",
            help="Made on this machine first, then published ones.",
        )
    )
    return key, key


# ---- what the outline on the map holds ----


def _selection(chosen: Choice) -> tuple[str, str] | None:
    if (sent := _train_link.chosen()) is not None:
        return str(sent), sent.stem
    name, ids = st.session_state.get(_map_selected.HELD, ("", ()))
    if not ids:
        st.info(
            "Nothing is selected on the map. Draw around some points there, then come back.",
            icon=":material/lasso_select:",
        )
        st.page_link("pages/2_Map.py", label="Open the map", icon=":material/scatter_plot:")
        return None
    try:
        atlas = _cached_atlas.atlas(chosen)
        if atlas.name != name:
            raise UserFacingError(
                f"The selection was drawn on {name}, and the side bar shows {atlas.name}; choose that data and model "
                "there."
            )
        told = selected.holding(atlas, ids)
        some = ", ".join(f"{words.plain(label, 40)} {count}" for label, count in told.classes[:12])
        st.markdown(
            f"**{words.count(told.items)} items of {words.plain(atlas.title)} are selected**: {some or 'no labels'}."
        )
        if told.why_not is not None:
            st.warning(words.plain(told.why_not, 400), icon=":material/block:")
            return None
        if told.labelled < told.items:
            st.caption(f"{words.count(told.items - told.labelled)} without a label are left out.")
        with st.spinner("Copying the selected items"):
            return str(selected.write(atlas, ids, cached.settings())), f"{name}-selection"
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return None
