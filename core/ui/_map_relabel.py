"""New labels for what is selected: filled in on the page or in a spreadsheet, looked at, applied, and taken back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import streamlit as st

from core.errors import UserFacingError
from core.pipeline import relabel, relabel_sheet, uploads
from core.pipeline.atlas import HELDOUT, Atlas
from core.pipeline.relabel import Batch, Line, Preview
from core.ui import _cached_lists, _map_cards, _map_collect, _map_selected, _train_link, cached, tables, words
from core.ui.controls import Choice

_HERE, _SHEET = "Here", "In a spreadsheet"
_MOST = 300  # lines that are edited on the page
_FILLED = "map-relabel-filled"  # in the session: is the model's class filled in
_SAID = "map-relabel-said"  # in the session: name of the data, what was done to it, was it refused?
_ROUND = "map-relabel-round"  # in the session: how many tables were filled in before this one


def show(chosen: Choice, atlas: Atlas) -> None:
    if atlas.labels.ndim == 2:
        return
    name, said, refused = st.session_state.get(_SAID, ("", "", False))
    mine = name == atlas.name
    with st.expander("Correct labels", icon=":material/edit_note:", expanded=mine):
        if atlas.source == HELDOUT:
            _map_collect.offer(chosen, atlas)
            return
        if mine and refused:
            st.error(said, icon=":material/block:")
        elif mine:
            st.success(said, icon=":material/check:")
        held = _map_selected.held(atlas)
        _edit(atlas, np.arange(len(atlas)) if held is None else held, held is not None)
        _after(atlas)


@st.fragment
def _edit(atlas: Atlas, rows: np.ndarray, selected: bool) -> None:
    what = "selected items" if selected else "items; select some above for a shorter list"
    st.markdown(f"New labels for the **{words.count(len(rows))}** {what}.")
    way = st.segmented_control("Fill in", [_HERE, _SHEET], default=_HERE, required=True, key="map-relabel-way")
    try:
        lines = _filled(atlas, rows) if way == _HERE else _brought(atlas, rows)
        if lines:
            _look(atlas, lines)
    except UserFacingError as error:
        st.error(words.plain(str(error), 500), icon=":material/block:")
    _map_cards.follow()


def _filled(atlas: Atlas, rows: np.ndarray) -> tuple[Line, ...]:
    """The table on the page; only lines that ask for something."""
    sheet = relabel_sheet.columns(atlas, rows[:_MOST], _cached_lists.marks(atlas))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Fill in the model's class", icon=":material/auto_fix:", on_click=_fill, args=(True,),
                  help="For every line; empty those that you do not agree with.")  # fmt: skip
        st.button("Empty all", on_click=_fill, args=(False,), type="tertiary")
        if len(rows) > _MOST:
            st.caption(f"The first {_MOST} of {words.count(len(rows))}; a spreadsheet takes them all.")
    if st.session_state.get(_FILLED):
        pairs = zip(sheet["label"], sheet["model_class"], strict=True)
        sheet["new_label"] = [answer if answer != label else "" for label, answer in pairs]
    known = sorted({*atlas.classes, *(name for name in atlas.label_names if name)})
    edited = st.data_editor(
        {name: sheet[name] for name in relabel_sheet.COLUMNS if name != "file"},
        hide_index=True, placeholder="", disabled=["id", "label", "model_class", "confidence"],
        column_config={
            "label": "label", "model_class": "the model says",
            "confidence": st.column_config.NumberColumn("confidence", format="percent"),
            "new_label": st.column_config.SelectboxColumn("new label", options=["", *known]),
        },
        key=f"map-relabel-{atlas.fingerprint[:12]}-{st.session_state.get(_ROUND, 0)}-{len(rows)}",
    )  # fmt: skip
    notes = _cached_lists.marks(atlas).notes
    lines = relabel_sheet.lines_of(edited)
    return tuple(line for line in lines if line.new_label or line.note != notes.get(line.id, ""))


def _fill(filled: bool) -> None:
    st.session_state[_FILLED] = filled
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def _brought(atlas: Atlas, rows: np.ndarray) -> tuple[Line, ...]:
    """The list to take along, and the one that comes back."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("1. Take the list along, and fill in *new_label* where the label is wrong.")
        st.download_button(
            "The list as CSV",
            lambda: relabel_sheet.csv_of(relabel_sheet.columns(atlas, rows, _cached_lists.marks(atlas))),
            f"labels-{atlas.name}.csv", "text/csv", key="map-relabel-csv", on_click="ignore",
            icon=":material/download:",
        )  # fmt: skip
    with right:
        given = st.file_uploader("2. Bring it back", type=["csv", "tsv", "parquet"], key="map-relabel-file")
    if given is None:
        return ()
    path: Path = uploads.kept(given.getvalue(), given.name, cached.settings())
    return relabel_sheet.read(path, given.name)


def _look(atlas: Atlas, lines: tuple[Line, ...]) -> None:
    """What would change, and the button that changes it."""
    fresh = st.toggle("Take new classes too", key="map-relabel-new", help="Else a class that neither the collection "
                      "nor the model knows counts as a slip of the pen.")  # fmt: skip
    planned = relabel.preview(atlas.name, lines, cached.settings(), classes=atlas.classes, new_classes=fresh)
    if planned.problems:
        st.error("  \n".join(words.plain(one, 300) for one in planned.problems[:8]), icon=":material/block:")
        more = f"And {words.count(len(planned.problems) - 8)} more. " if len(planned.problems) > 8 else ""
        st.caption(f"{more}Nothing is changed while a row is wrong: correct it and bring the list back.")
        return
    st.markdown(told(planned))
    if planned.changes:
        moves = planned.moves()
        columns = {"old": [old for old, _ in moves], "new": [new for _, new in moves], "items": list(moves.values())}
        about = {"data": atlas.name, "fingerprint": atlas.fingerprint[:16]}
        tables.show(columns, "map-relabel-moves", alt="How many labels would change, from which to which", about=about,
                    name=f"relabel-{atlas.name}")  # fmt: skip
    if planned.changes or planned.notes:
        st.button("Apply", type="primary", icon=":material/check:", key="map-relabel-apply", on_click=_apply,
                  args=(atlas, planned))  # fmt: skip


def told(planned: Preview) -> str:
    """In a sentence."""
    many = words.counted(len(planned.changes), "label")
    parts = [f"**{many} would change**" if planned.changes else "No label would change"]
    parts += [f"{words.counted(len(planned.notes), 'note')} would"] if planned.notes else []
    lines, have = words.counted(planned.untouched, "line"), "has" if planned.untouched == 1 else "have"
    parts += [f"{lines} {have} no new label"] if planned.untouched else []
    parts += [f"{words.counted(planned.already, 'line')} asked for the label that is there"] if planned.already else []
    if planned.fresh:
        parts.append(f"new classes: {', '.join(words.plain(name, 40) for name in planned.fresh[:8])}")
    return "; ".join(parts) + "."


def _apply(atlas: Atlas, planned: Preview) -> None:
    """Runs before the page."""
    try:
        batch = relabel.apply(atlas.name, planned, cached.settings())
    except UserFacingError as error:
        st.session_state[_SAID] = (atlas.name, f"Nothing was changed: {words.plain(str(error), 300)}", True)
        return
    st.session_state[_SAID] = (
        atlas.name,
        f"{words.counted(len(batch.changes), 'label')} changed. Lists, colours and figures follow.",
        False,
    )
    _fill(False)
    st.session_state[_map_cards.CHANGED] = True


def _after(atlas: Atlas) -> None:
    """What was changed last, a way back, and a way on."""
    try:
        done = _cached_lists.history(atlas)
    except UserFacingError as error:
        st.error(words.plain(str(error), 300), icon=":material/block:")
        return
    if not done:
        return
    last: Batch = done[0]
    when = datetime.fromisoformat(last.at).strftime("%d %b %Y, %H:%M UTC")
    more = f", and {len(done) - 1} times before" if len(done) > 1 else ""
    st.markdown(f"{words.counted(len(last.changes), 'label')} changed on {when}{more}.")
    with st.container(horizontal=True, gap="small"):
        st.button("Take it back", icon=":material/undo:", on_click=_undo, args=(atlas,), key="map-relabel-undo")
        if st.button("Train on all with these labels", icon=":material/model_training:", key="map-relabel-train"):
            _train_link.send(atlas, np.arange(len(atlas)))


def _undo(atlas: Atlas) -> None:
    """Runs before the page."""
    try:
        batch = relabel.undo(atlas.name, cached.settings())
    except UserFacingError as error:
        st.session_state[_SAID] = (atlas.name, f"Nothing was changed: {words.plain(str(error), 300)}", True)
        return
    st.session_state[_SAID] = (atlas.name, f"{words.counted(len(batch.changes), 'label')} as before.", False)
