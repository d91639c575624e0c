"""What was refused, and why: cards to look at and listen to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.pipeline.atlas import Atlas
from core.pipeline.judged import Judged
from core.pipeline.retained import Point
from core.ui import _cached_atlas, _cached_retention, item_cards, tables, words

if TYPE_CHECKING:
    from core.ui.retention import Page

_PER_PAGE = 12
_ORDERS = ("Most doubtful first", "Just refused first")
_WHICH = ("All", "Wrong answers", "Right answers")


def refused(page: Page, measure: str, point: Point) -> None:
    """One grid of cards; players only for the card that is asked for."""
    found = page.curves.judged
    rows = np.flatnonzero(~point.mask)
    if not len(rows):
        st.info("Nothing is refused at this operating point. Drag it to the right to set answers aside.")
        return
    if found.goal == "accuracy":
        wrong = int((found.right[rows] < 1).sum())
        st.markdown(
            f"**{words.count(len(rows))} answers are refused: {words.count(wrong)} of them {_are(wrong)} wrong, and "
            f"{words.count(len(rows) - wrong)} right {'one is' if len(rows) - wrong == 1 else 'ones are'} the price.**"
        )
    rows = _wanted(found, rows, measure)
    if not len(rows):
        st.caption("None of the refused answers is of that kind.")
        return
    several = len(np.unique(found.groups[rows])) < len(rows)
    each = several and st.toggle(f"One card a {item_cards.SOURCES[page.atlas.kind]}", True, key="refused-each")
    shown = one_each(found, rows) if each else [(row, 1) for row in rows.tolist()]
    pages = -(-len(shown) // _PER_PAGE)
    at = st.pagination(pages, key="refused-page") if pages > 1 else 1
    _grid(page, shown[(at - 1) * _PER_PAGE : at * _PER_PAGE], measure)
    tables.downloads(lambda: _columns(page, rows, measure), "refused", about=_about(page, measure, point),
                     name=f"refused-{page.atlas.model}")  # fmt: skip


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _wanted(found: Judged, rows: np.ndarray, measure: str) -> np.ndarray:
    """The refused rows that the visitor asks for, in the order asked for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if found.goal != "nothing":
            which = st.segmented_control("Show", _WHICH, default=_WHICH[0], key="refused-which", required=True)
            if which != _WHICH[0]:
                rows = rows[(found.right[rows] < 1) == (which == _WHICH[1])]
        order = st.segmented_control("Sort", _ORDERS, default=_ORDERS[0], key="refused-order", required=True)
    rising = np.argsort(found.doubts[measure][rows], kind="stable")
    return rows[rising[::-1] if order == _ORDERS[0] else rising]


def one_each(found: Judged, rows: np.ndarray) -> list[tuple[int, int]]:
    """The first row of each recording, and how many of its rows there are."""
    groups = found.groups[rows]
    kinds, first, counts = np.unique(groups, return_index=True, return_counts=True)
    del kinds
    return [(int(rows[at]), int(count)) for at, count in sorted(zip(first, counts, strict=True))]


def _grid(page: Page, shown: list[tuple[int, int]], measure: str) -> None:
    found, atlas = page.curves.judged, page.atlas
    ids = {row: atlas.ids[int(found.places[row])] for row, _ in shown if not found.outside[row]}
    thumbnails = _cached_atlas.thumbs_of(atlas, tuple(ids.values()))
    with st.container(horizontal=True, gap="small", key="refused-cards"):
        for row, count in shown:
            with st.container(border=True, width=170, gap="xsmall"):
                _card(page, row, measure, thumbnails.get(ids.get(row, "")))
                if count > 1:
                    st.caption(f"and {words.count(count - 1)} more of this {item_cards.SOURCES[atlas.kind]}")


def _card(page: Page, row: int, measure: str, thumbnail: bytes | None) -> None:
    found, atlas = page.curves.judged, page.atlas
    place = int(found.places[row])
    doubt = words.figure(float(found.doubts[measure][row]))
    if found.outside[row]:
        if page.strangers is not None and page.strangers.source:
            picture = _cached_retention.made_thumbnail(page.strangers.source, page.strangers.ids[place])
            st.image(picture, width="stretch", alt="thumbnail of an item from outside")
        st.markdown(":blue[:material/public_off:] **From outside**")
        st.caption(f"No class of the model could be right. Doubt {doubt}.")
        return
    id_ = atlas.ids[place]
    if thumbnail is not None:
        st.image(thumbnail, width="stretch", alt=f"thumbnail of {id_}")
    st.markdown(_said(atlas, found, row, place))
    why = item_cards.reason(atlas, place, measure)
    st.caption(f"{item_cards.ICONS[why.code]} {words.plain(why.text, 120)}")
    item_cards.player(atlas, id_, "refused")


def _said(atlas: Atlas, found: Judged, row: int, place: int) -> str:
    """What it is and what the model took it for; a word and a mark, never colour alone."""
    label = atlas.label_names[place]
    predicted = int(atlas.predicted[place])
    answer = words.plain(atlas.classes[predicted].replace("_", " "), 30) if predicted >= 0 else "nothing"
    own = "no label" if label is None else words.plain(label.replace("_", " ").replace("|", ", "), 40)
    if found.goal in ("nothing", "r_at_1"):
        return f"**{own}**, taken for {answer}"
    sure = words.percent(float(atlas.confidence[place]))
    if found.right[row] >= 1:
        return f":material/check: **{own}**, taken for it at {sure}"
    return f":material/close: **{own}**, taken for {answer} at {sure}"


def _columns(page: Page, rows: np.ndarray, measure: str) -> tables.Columns:
    found, atlas = page.curves.judged, page.atlas
    inside = [(row, int(found.places[row])) for row in rows.tolist() if not found.outside[row]]
    named = {
        "id": [atlas.ids[place] for _, place in inside],
        "label": [atlas.label_names[place] for _, place in inside],
        "predicted": [atlas.classes[p] if (p := int(atlas.predicted[place])) >= 0 else None for _, place in inside],
        "confidence": [float(atlas.confidence[place]) for _, place in inside],
        "right": [float(found.right[row]) for row, _ in inside],
        "why": [item_cards.reason(atlas, place, measure).text for _, place in inside],
    }
    return named | {name: [float(values[row]) for row, _ in inside] for name, values in found.doubts.items()}


def _about(page: Page, measure: str, point: Point) -> dict[str, str]:
    atlas = page.atlas
    facts = {"model": atlas.model, "data": atlas.title, "fingerprint": atlas.fingerprint, "seed": str(atlas.seed)}
    return facts | {"measure": measure, "threshold": f"{point.threshold:.6g}"}
