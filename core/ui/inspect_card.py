"""One file's card: the verdict first, then its evidence, then what was done to the file."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import streamlit as st

from core.errors import UserFacingError
from core.pipeline.inspect import Inspected, Reader
from core.ui import (
    _cached_inspect,
    _inspect_charts,
    _inspect_words,
    cached,
    inspect_beside,
    inspect_done,
    inspect_near,
    inspect_perturb,
    inspect_places,
    inspect_why,
    models,
    plot,
    shell,
    words,
)
from core.ui._cached_inspect import Said
from core.ui._inspect_case import Case
from core.ui.cached import Shown, Sound
from core.ui.controls import Choice


def fill(
    slot: Any,
    key: str,
    raw: bytes,
    refusal: str,
    chosen: Choice,
    others: tuple[tuple[str, bytes], ...],
    *,
    folded: bool,
) -> Inspected | None:
    """A refusal is one sentence, and costs no other card anything. ``folded``: the evidence behind a click."""
    slot.caption(":material/hourglass_empty: Reading the file.")
    try:
        if refusal:
            raise UserFacingError(refusal)
        view = cached.shown(raw)
    except UserFacingError as error:
        slot.error(words.plain(str(error), 400), icon=":material/block:")
        return None
    case = Case(f"{key}-{view.sha256[:16]}", raw, view, chosen, others)
    with slot.container():
        return _answered(case, folded)


def _answered(case: Case, folded: bool) -> Inspected | None:
    top = st.empty()
    told = _told(case, top)
    if told is None:
        _file(case.view)
        inspect_done.show(case, None)
        return None
    found, known = _cached_inspect.found(told), _cached_inspect.reader(told.asked.model)
    with top.container():
        _verdict(case, found, known)
    if folded:
        _folded(case, told)
    else:
        _evidence(case, told)
    return found


def _told(case: Case, top: Any) -> Said | None:
    """The whole answer; a first one with few draws is shown meanwhile. None, with the reason shown."""
    chosen, told = case.chosen, None
    if chosen.model is None:
        top.info("No trained model for such a file is here; this is what one would receive.", icon=":material/info:")
        return None
    facts = models.facts(chosen.model)
    if not facts.ready:
        why = words.plain(facts.why_not or "a part of it is missing", 300)
        top.warning(f"{words.plain(facts.title)} is not ready: {why}. Choose another model in the side bar.")
        return None
    _place(top, facts.title, 0)
    try:
        for told in _cached_inspect.said(
            case.media, case.view.sha256, chosen, on_place=partial(_place, top, facts.title)
        ):
            if told.answer.draws < chosen.draws and facts.scope == "network":
                _first_look(top, told, chosen.draws)
    except UserFacingError as error:
        top.error(words.plain(str(error), 400), icon=":material/block:")
        return None
    except RuntimeError:
        logging.getLogger(__name__).exception("a model failed on a file")
        top.error(f"{words.plain(facts.title)} failed on this file; try another model or fewer samples.")
        return None
    return told


def _place(top: Any, title: str, place: int) -> None:
    what = f"Asking {words.plain(title)}" if place == 0 else f"In line for the model: {words.ahead(place)}"
    top.caption(f":material/hourglass_empty: {what}.")


def _first_look(top: Any, told: Said, wanted: int) -> None:
    with top.container():
        found = _cached_inspect.found(told)
        st.subheader(_inspect_words.verdict(found), anchor=False)
        st.caption(f"A first look with {found.draws} of {wanted} samples; the others are being drawn.")


def _verdict(case: Case, found: Inspected, known: Reader) -> None:
    """The sentence, the numbers behind it, the file itself, the classes and the kinds of doubt."""
    held = int(known.card.posthoc.get("items", 0))
    st.subheader(_inspect_words.verdict(found), anchor=False)
    st.markdown(_inspect_words.numbers(found, held))
    _file(case.view)
    left, right = st.columns(2)
    dark, usual = shell.is_dark(), known.card.posthoc.get("percentiles", {}).get("total")
    with left:
        said = _inspect_words.bars(found)
        plot.show(_inspect_charts.bars(found, dark), f"{case.key}-bars", alt=f"Classes. {said}", name="classes")
        st.caption(said)
    with right:
        said = _inspect_words.doubts(found)
        figure = _inspect_charts.doubts(found, dark, usual=None if usual is None else float(usual[95]))
        plot.show(figure, f"{case.key}-doubts", alt=f"Kinds of doubt. {said}", name="doubt")
        st.caption(said)


def _file(view: Shown) -> None:
    """The file as it was analysed, and one line of what it is."""
    if isinstance(view.drawn, Sound):
        st.audio(view.preview, format="audio/flac", alt="what was analysed, as mono")
        st.caption(inspect_done.what_it_is(view))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.image(view.preview, width=200, alt=view.finding)
        st.caption(inspect_done.what_it_is(view))


@st.fragment
def _folded(case: Case, told: Said) -> None:
    more = st.expander("Why, where, beside what", key=f"{case.key}-more", on_change="rerun")
    if more.open:
        with more:
            _tabs(case, told)


@st.fragment
def _evidence(case: Case, told: Said) -> None:
    _tabs(case, told)


def _tabs(case: Case, told: Said) -> None:
    """Why, where, beside what: each is drawn when its tab is open."""
    where = "Along the clip" if case.view.receipt.rate else "Across the picture"
    names = ("Why", where, "Neighbours", "Second model", "Perturb", "What was done")
    why, places, near, beside, perturb, done = st.tabs(names, key=f"{case.key}-tabs", on_change="rerun")
    parts = (
        (why, inspect_why.show),
        (places, inspect_places.show),
        (near, inspect_near.show),
        (beside, inspect_beside.show),
        (perturb, inspect_perturb.show),
    )
    for tab, show in parts:
        if tab.open:
            with tab:
                try:
                    show(case, told)
                except UserFacingError as error:
                    st.error(words.plain(str(error), 400), icon=":material/block:")
    with done:
        inspect_done.show(case, told, whole=bool(done.open))
