"""What lies nearest to a file among the held-out items or in a collection, and where the file falls on their map."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.errors import UserFacingError
from core.maps.place import place
from core.pipeline.atlas import HELDOUT, Atlas
from core.retrieval import nearest
from core.ui import _cached_atlas, _cached_inspect, _inspect_place_charts, _inspect_words, cached, plot, shell, words
from core.ui._cached_inspect import Said
from core.ui._inspect_case import Case
from core.verdict import spoken

_NEAR, _REASONS = 5, 15  # shown as cards; tied to the place on the map
_LOOKED = 200  # of the nearest, among which are those of the same recording
_ITSELF = 0.9999  # cosine from which an item is the file itself, or its twin


def show(case: Case, told: Said) -> None:
    atlas = _cached_atlas.atlas(case.chosen)
    fresh = atlas.alongside(_cached_inspect.found(told).features)
    what = _what(atlas)
    if fresh is None or atlas.features is None:
        st.info(f"Too little was stored with {words.plain(what)} to compare with; choose other data in the side bar.")
        return
    rows, cosines, left_out = _nearest(atlas, fresh)
    if not rows:
        st.info(f"There is nothing else in {words.plain(what)} to compare with; choose other data in the side bar.")
        return
    labels = [atlas.label_names[row] for row in rows]
    also = " The file itself is one of them, so it and what is of the same source are left out." if left_out else ""
    st.markdown(words.plain(_inspect_words.near(labels, cosines, what) + also, 400))
    with st.container(horizontal=True, gap="small"):
        for row, cosine in zip(rows, cosines, strict=True):
            with st.container(width=148, gap="small"):
                _card(case, atlas, row, cosine)
    _map(case, atlas, fresh)


def _nearest(atlas: Atlas, fresh: np.ndarray) -> tuple[list[int], list[float], bool]:
    """Rows and cosines, the nearest first. Of a file that is one of the items, its own source does not count."""
    assert atlas.features is not None
    near = nearest(fresh, atlas.features, min(len(atlas.features), _LOOKED))
    found = [(int(atlas.feature_rows[at]), float(cosine)) for at, cosine in zip(near.places, near.cosines, strict=True)]
    own = {int(atlas.groups[row]) for row, cosine in found if cosine > _ITSELF}
    left = [(row, cosine) for row, cosine in found if int(atlas.groups[row]) not in own][:_NEAR]
    return [row for row, _ in left], [cosine for _, cosine in left], bool(own)


def _what(atlas: Atlas) -> str:
    return f"the held-out items of {atlas.title}" if atlas.source == HELDOUT else f"the collection {atlas.title}"


def _card(case: Case, atlas: Atlas, row: int, cosine: float) -> None:
    """A thumbnail, what it is, how like it is, its own doubt, and a player."""
    id_, label = atlas.ids[row], atlas.label_names[row]
    name = words.plain(spoken(label)) if label else "no label"
    try:
        picture = _cached_atlas.thumb(case.chosen, id_)
        if picture is not None:
            st.image(picture, width=148, alt=f"thumbnail: {name}")
        if atlas.kind == "audio":
            st.audio(cached.shown(_cached_atlas.item_bytes(case.chosen, id_)).preview, format="audio/flac", alt=name)
    except UserFacingError:
        st.caption("Its data are not on this machine.")
    place_ = atlas.percentiles.get("total")
    doubt = "" if place_ is None or not np.isfinite(place_[row]) else f"; more doubtful than {place_[row]:.0f} %"
    st.markdown(f"**{name}**")
    st.caption(f"cosine {cosine:.3f}{doubt}")


def _map(case: Case, atlas: Atlas, fresh: np.ndarray) -> None:
    assert atlas.features is not None
    if atlas.points is None:
        if atlas.source == "collection":
            st.caption("No map of this collection is drawn yet; draw one on the Map page.")
        return
    drawn = np.isfinite(atlas.points[atlas.feature_rows]).all(axis=1)
    rows = atlas.feature_rows[drawn]
    if len(rows) < 2:
        return
    points = atlas.points[rows]
    placed = place(fresh[None], atlas.features[drawn], points, k=_REASONS)
    names = [spoken(atlas.label_names[row] or "no label") for row in rows.tolist()]
    total = np.nan_to_num(atlas.percentiles.get("total", np.zeros(len(atlas)))[rows], nan=50.0)
    colour = plot.Measure(total, "more doubtful than … % of held-out items", low=0.0, high=100.0)
    cloud = plot.Points(points[:, 0], points[:, 1], [atlas.ids[row] for row in rows.tolist()], colour, size=6.0)
    near = points[placed.neighbours[0]]
    figure = _inspect_place_charts.on_map(cloud, names, placed.points[0], near, shell.is_dark())
    said = _inspect_words.on_map([names[int(at)] for at in placed.neighbours[0]], float(placed.spread[0]))
    plot.show(figure, f"{case.key}-map", alt=f"Map. {said}", name="place-on-map")
    st.caption(said + _trust(atlas))


def _trust(atlas: Atlas) -> str:
    value = None if atlas.trust is None else atlas.trust.trustworthiness
    return "" if value is None else f" The map's trustworthiness is {words.figure(value, 2)} of 1."
