"""Tags, notes and labels beside items of a collection: of one in its card, of the whole selection at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from core.errors import UserFacingError
from core.pipeline import marks as kept
from core.pipeline import relabel
from core.pipeline.atlas import Atlas
from core.ui import _cached_lists, _map_cards, cached, words

_OPEN = "map-marks-open"  # in the session: (collection, id) of the item whose tags are being written
_TAG, _NOTE = "map-tag", "map-note-all"  # widgets
_SAID = "map-marks-said"  # in the session: (place, sentence, was it refused?)


Hold = Callable[[Atlas, np.ndarray | None], None]  # selects rows


def bar(atlas: Atlas, rows: np.ndarray, hold: Hold) -> None:
    """The tags there are, each a click to those that have it, and a tag for all selected items at once."""
    try:
        counts = _cached_lists.marks(atlas).counts()
    except UserFacingError as error:
        st.error(words.plain(str(error), 300), icon=":material/block:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        tag = st.selectbox(
            "Tag", list(counts), index=None, accept_new_options=True, key=_TAG, width=240,
            format_func=lambda name: f"{name} ({counts[name]})" if name in counts else name,
            placeholder="Choose one, or type a new one",
        )  # fmt: skip
        many = words.counted(len(rows), "item")
        ids = [atlas.ids[row] for row in rows.tolist()]
        st.button(f"Tag {many}", icon=":material/sell:", disabled=not tag, on_click=_all, args=(atlas, ids, True),
                  key="map-tag-add")  # fmt: skip
        there = tag in counts
        st.button("Remove it", disabled=not there, on_click=_all, args=(atlas, ids, False),
                  key="map-tag-remove", type="tertiary", help="From the selected items.")  # fmt: skip
        st.button("Only those with it", disabled=not there, on_click=_only, args=(atlas, rows, hold),
                  key="map-tag-only", type="tertiary", help="Of the selected items.")  # fmt: skip
        with st.popover("Note", icon=":material/sticky_note_2:"):
            st.text_area(f"Note beside {many}", max_chars=kept.LONGEST_NOTE, key=_NOTE)
            st.button("Write it", icon=":material/check:", on_click=_note, args=(atlas, ids), key="map-note-write",
                      help="In place of the notes that they have; an empty one removes them.")  # fmt: skip
    _tell("bar")


def _only(atlas: Atlas, rows: np.ndarray, hold: Hold) -> None:
    """Runs before the page."""
    tag = st.session_state[_TAG] or ""
    mine = set(_cached_lists.marks(atlas).tagged(tag))
    found = rows[np.array([atlas.ids[row] in mine for row in rows.tolist()], bool)]
    if len(found):
        hold(atlas, found)
    else:
        none = f"None of the {words.counted(len(rows), 'selected item')} has the tag {tag}."
        st.session_state[_SAID] = ("bar", none, True)


def beneath(atlas: Atlas, row: int, key: str) -> None:
    """In a card: what is written beside the item, and a button to write."""
    try:
        marks = _cached_lists.marks(atlas)
    except UserFacingError:
        return
    id_ = atlas.ids[row]
    tags, note = marks.tags.get(id_, ()), marks.notes.get(id_, "")
    if tags:
        st.markdown(" ".join(f":gray-badge[{words.plain(tag, 40)}]" for tag in tags))
    if note:
        st.caption(words.plain(note, 200))
    if st.session_state.get(_OPEN) != (atlas.name, id_):
        st.button("Tag, note, label", key=f"{key}-mark", icon=":material/edit:", type="tertiary", on_click=_open,
                  args=(atlas, id_))  # fmt: skip
        return
    with st.form(f"{key}-form", border=False):
        every = sorted({*marks.counts(), *tags})
        chosen = st.multiselect("Tags", every, list(tags), accept_new_options=True, key=f"{key}-tags")
        text = st.text_area("Note", note, max_chars=kept.LONGEST_NOTE, height=80, key=f"{key}-note")
        label = _label(atlas, row, key)
        done = st.form_submit_button("Save", icon=":material/check:", type="primary")
    st.button("Close", key=f"{key}-close", type="tertiary", on_click=_open, args=(atlas, None))
    if done:
        _save(atlas, row, chosen, text, label)
    _tell(id_)


def _label(atlas: Atlas, row: int, key: str) -> str | None:
    """The label it is to have; None where items have several."""
    if atlas.labels.ndim == 2:
        return None
    here = atlas.label_names[row]
    names = list(dict.fromkeys(name for name in (here, *atlas.classes, *atlas.label_names) if name))
    place = int(atlas.predicted[row])
    answer = atlas.classes[place] if place >= 0 else None
    return st.selectbox(
        "Label", names, index=0 if here else None, accept_new_options=True, key=f"{key}-label",
        format_func=lambda name: f"{name} (the model)" if name == answer else name,
    )  # fmt: skip


def _open(atlas: Atlas, id_: str | None) -> None:
    st.session_state.pop(_SAID, None)
    if id_ is None:
        st.session_state.pop(_OPEN, None)
    else:
        st.session_state[_OPEN] = (atlas.name, id_)


def _save(atlas: Atlas, row: int, tags: list[str], note: str, label: str | None) -> None:
    id_, here = atlas.ids[row], atlas.label_names[row]

    def change() -> None:
        kept.mark(atlas.name, id_, tags, note, cached.settings())
        if label and label != here:
            planned = relabel.one(atlas.name, id_, label, cached.settings(), classes=atlas.classes)
            relabel.apply(atlas.name, planned, cached.settings())

    if _done(id_, "", change):
        st.session_state.pop(_OPEN, None)
        st.session_state.pop(_SAID, None)
        st.session_state[_map_cards.CHANGED] = True


def _all(atlas: Atlas, ids: list[str], add: bool) -> None:
    """Runs before the page, with the tag that was chosen last."""
    tag = st.session_state[_TAG] or ""
    what = kept.tag if add else kept.untag
    has, is_ = ("has", "is") if len(ids) == 1 else ("have", "are")
    how = f"{has} the tag" if add else f"{is_} without the tag"
    said = f"{words.counted(len(ids), 'item')} {how} {words.plain(tag)} now."
    _done("bar", said, lambda: what(atlas.name, ids, tag, cached.settings()))


def _note(atlas: Atlas, ids: list[str]) -> None:
    """Runs before the page, with what was typed last."""
    text = str(st.session_state[_NOTE])
    has = "has" if len(ids) == 1 else "have"
    said = f"{words.counted(len(ids), 'item')} {has} {'this note' if text.strip() else 'no note'} now."
    _done("bar", said, lambda: kept.note(atlas.name, ids, text, cached.settings()))


def _done(place: str, said: str, change: Callable[[], None]) -> bool:
    try:
        change()
    except UserFacingError as error:
        st.session_state[_SAID] = (place, str(error), True)
        return False
    st.session_state[_SAID] = (place, said, False)
    return True


def _tell(place: str) -> None:
    where, said, refused = st.session_state.get(_SAID, ("", "", False))
    if where == place and refused:
        st.error(words.plain(said, 300), icon=":material/block:")
    elif where == place and said:
        st.caption(f":material/check: {said}")
