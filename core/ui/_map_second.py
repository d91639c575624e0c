"""A second map beside the first: another seed, another model or another collection. A selection shows on both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import streamlit as st

from core.contracts import THING
from core.errors import UserFacingError
from core.maps.beside import Stay
from core.maps.saved import SavedMap
from core.pipeline.atlas import HELDOUT, Atlas
from core.pipeline.paired import Pairs
from core.ui import (
    _cached_atlas,
    _cached_second,
    _map_cards,
    _map_cut,
    _map_paint,
    _map_scatter,
    _map_selected,
    _map_words,
    address,
    models,
    plot,
    words,
)
from core.ui._map_data import KEY
from core.ui._map_scatter import Looks, View
from core.ui.address import Kept
from core.ui.controls import Choice

_ALONE = "map-second-alone"  # in the session: items of the last outline that only the second map has
_NONE = ""
HEIGHT = 420  # pixels, of either of two


def _asked(text: str) -> str:
    """Model, data and map with ~ between them; an empty part is that of the first map."""
    if text.count("~") != 2 or len(text) > 220:
        raise ValueError(text[:40])
    return text


SECOND = Kept("second", _NONE, _asked, "a second map")


@dataclass(frozen=True, slots=True, eq=False)
class Second:
    """What may be drawn beside a map, and what is."""

    offers: Mapping[str, str]  # as in the URL -> for people
    value: str = _NONE
    view: View | None = None
    pairs: Pairs | None = None
    why_not: str = ""  # it is chosen and cannot be drawn


def second_of(chosen: Choice, atlas: Atlas) -> Second:
    offers, value = _offers(chosen, atlas), address.get(SECOND)
    if value == _NONE or atlas.drawn is None:
        return Second(offers)
    if value not in offers:
        return Second(offers, why_not="The second map of the link is none of these data, or is not here any more.")
    model, data, key = value.split("~")
    try:
        other = _cached_atlas.atlas(replace(chosen, model=model or chosen.model, data=data or chosen.data))
    except UserFacingError as error:
        return Second(offers, value, why_not=str(error))
    if key:
        other = other.on(next(one for one in other.maps if one.key.startswith(key)))
    if other.points is None:
        return Second(offers, value, why_not="No map is drawn of that yet; open it alone first, and draw it there.")
    pairs = _cached_second.pairs(atlas, other)
    if not len(pairs):
        return Second(offers, value, why_not="The two have no item in common, so nothing joins the maps.")
    return Second(offers, value, View.of(other), pairs)


def _offers(chosen: Choice, atlas: Atlas) -> dict[str, str]:
    """Other drawings of the same, other models of the same data, other collections."""
    found = {}
    for one in atlas.maps:
        if atlas.drawn is not None and one.key != atlas.drawn.key:
            found[f"~~{one.key[:KEY]}"] = drawn_with(one)
    here = {one.name: one for one in models.model_list() if one.kind == atlas.kind and one.name != atlas.model}
    if chosen.data == HELDOUT:
        return found | {f"{name}~~": one.title for name, one in here.items() if one.data == atlas.name}
    known = {one.data: one for one in _cached_second.collections(atlas.kind)}
    if chosen.data in known:
        found |= {f"{name}~~": here[name].title for name in known[chosen.data].models if name in here}
    for name, one in known.items():
        if name != chosen.data and atlas.model in one.models:
            found[f"~{name}~"] = f"The collection {one.title}"
    return found


def drawn_with(drawn: SavedMap) -> str:
    options = drawn.options
    return f"Seed {options.seed}, {options.neighbours} neighbours, distance {options.min_dist:g}, {options.metric}"


def first_named(first: View, second: Second) -> str:
    """What the first map is beside the second: the seed where that differs, else the model or the collection."""
    assert second.view is not None
    own, other = first.atlas, second.view.atlas
    if (own.name, own.model) == (other.name, other.model):
        return "" if own.drawn is None else f"{drawn_with(own.drawn)}. "
    title = models.facts(own.model).title if own.name == other.name else f"The collection {own.title}"
    return f"{words.plain(title)}. "


def pick(second: Second) -> None:
    """The choice of it."""
    if not second.offers:
        return
    known = {_NONE: "Nothing", **second.offers}
    value = second.value if second.value in known else _NONE
    st.session_state["map-beside"] = value  # in every run: a widget in a popover is drawn when that is opened
    st.selectbox(
        "Beside it", list(known), format_func=lambda key: known[key], key="map-beside", on_change=_chosen,
        help="A second map of the same items. What is selected on one is selected on both.",
    )  # fmt: skip


def _chosen() -> None:
    address.put(SECOND, st.session_state["map-beside"])
    st.session_state[_map_cards.CHANGED] = True


def compare(value: str) -> None:
    """Open it beside the first."""
    address.put(SECOND, value)


def show(first: View, second: Second, by: str, looks: Looks, measure: str, share: float) -> plot.Picked:
    """Draw it; what was clicked or pointed at on it, by the ids that both know."""
    assert second.view is not None
    assert second.pairs is not None
    view, pairs = second.view, second.pairs
    by = by if by in _map_paint.ways(view.atlas) else "total"
    cut = _map_cut.cut(view.atlas, measure if measure in view.atlas.doubts else "total", share)
    held = _map_selected.held(first.atlas)
    dots = _map_scatter.dots_of(view, by, looks, cut, None if held is None else pairs.over(held))
    told = plot.Told(click=partial(_clicked, first, view, pairs), outline=partial(_outlined, first, view, pairs))
    key = _map_selected.SECOND_CHART
    picked = _map_scatter.show(view, dots, by, key, told, which="Second map. ", height=HEIGHT)
    same = view.atlas.fingerprint == first.atlas.fingerprint  # the same items and answers, drawn otherwise
    finding = "" if same else f" {_map_words.finding(view.atlas, view.rows, by)}"
    st.caption(f"{words.plain(second.offers[second.value])}.{finding}")
    shared = {view.atlas.ids[row]: first.atlas.ids[mine] for mine, row in zip(pairs.first.tolist(),
              pairs.second.tolist(), strict=True)}  # fmt: skip
    at = (shared.get(id_ or "") for id_ in (picked.clicked, picked.hovered))
    return plot.Picked(picked.seen, *at)


def _clicked(first: View, view: View, pairs: Pairs, _trace: int, index: int) -> None:
    rows = pairs.back(view.rows[[index]])
    if len(rows):
        _map_cards.play(first.atlas.name, first.atlas.ids[int(rows[0])], "chart")


def _outlined(first: View, view: View, pairs: Pairs, outlines: tuple[plot.Outline, ...]) -> None:
    rows = _map_scatter.inside(view, outlines)
    mine = pairs.back(rows)
    _map_selected.hold(first.atlas, mine if outlines else None, _map_selected.SECOND_CHART)
    st.session_state[_ALONE] = len(rows) - len(mine)


# ---- what the two say together ----


def told(first: View, second: Second) -> str:
    """How far neighbours stay neighbours, beside what chance would give; and what is not on both maps."""
    assert second.view is not None
    assert second.pairs is not None
    view, pairs = second.view, second.pairs
    drawn = pairs.among(first.rows, view.rows)
    held = _map_selected.held(first.atlas)
    rows = None if held is None else np.flatnonzero(np.isin(drawn.first, held))
    found = _cached_second.stay(first.atlas, view.atlas, drawn, rows)
    keys = {None if one.drawn is None else one.drawn.key for one in (first.atlas, view.atlas)}
    parts = [_stays(found, held is not None, len(keys) == 1), _shared(first.atlas, view.atlas, len(drawn))]
    if held is not None and (missing := len(held) - (0 if rows is None else len(rows))):
        parts.append(f"{words.count(missing)} of the {words.count(len(held))} selected are not on the second map.")
    alone = int(st.session_state.get(_ALONE, 0))
    if alone and _map_selected.last() == _map_selected.SECOND_CHART:
        parts.append(f"{words.count(alone)} inside the outline are on the second map only.")
    return " ".join(part for part in parts if part)


def _stays(found: Stay | None, some: bool, same: bool) -> str:
    if same:
        return "Both models read the same features, so the places are the same, and only the doubts differ."
    if found is None:
        return "Too few items are on both maps to say whether neighbours stay neighbours."
    whose = f"each of the {words.count(found.asked)} selected items" if some else "an item"
    said = (
        f"Of the {found.k} items that lie nearest to {whose} on one map, **{words.percent(found.share)}** are among "
        f"its {found.k} nearest on the other; by chance it would be {words.percent(found.chance)}."
    )
    return f"{said} Trust what both maps show."


def _shared(first: Atlas, second: Atlas, both: int) -> str:
    """Nothing where the two have the same items."""
    if both == len(first) == len(second):
        return ""
    thing = f"{THING[first.kind]}s"
    return (
        f"{words.count(both)} {thing} are on both maps, of {words.count(len(first))} here and "
        f"{words.count(len(second))} there; only these are joined."
    )
